/* Arrays in the .npy format. */
#include "scratch.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "atled/files.h"
#include "io/npy.h"

TestSuite(npy, .init = make_scratch, .fini = remove_scratch);

/* Writes a file of that version with that dictionary and data, and reads it. */
static atl_tensor *read_made(int version, const char *dictionary, const void *data, size_t size)
{
    static unsigned char bytes[70000];
    size_t length = strlen(dictionary), start = version == 1 ? 10 : 12;
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    for (size_t i = 8; i < start; i++)
        bytes[i] = (unsigned char)(length >> 8 * (i - 8));
    memcpy(bytes + start, dictionary, length);
    memcpy(bytes + start + length, data, size);
    write_file(in_scratch("made.npy"), bytes, start + length + size);
    return atl_read_npy(in_scratch("made.npy"));
}

static atl_tensor *read_values(const char *descr, const char *shape, const void *data, size_t size)
{
    char dictionary[200];
    snprintf(dictionary, sizeof dictionary, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape);
    return read_made(1, dictionary, data, size);
}

static void assert_refused(const char *dictionary, const char *words)
{
    cr_assert_null(read_made(1, dictionary, "", 0), "%s", dictionary);
    assert_told(words);
    assert_told("made.npy");
}

/* Writes an integer to `size` bytes. */
static void put(unsigned char *to, uint64_t value, int size, int big)
{
    for (int i = 0; i < size; i++)
        to[big ? size - 1 - i : i] = (unsigned char)(value >> 8 * i);
}

Test(npy, every_integer_type_and_byte_order)
{
    static const char types[][3] = {"i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int big = 0; big < 2; big++) {
            int size = types[t][1] - '0', is_signed = types[t][0] == 'i';
            int64_t value[3] = {0, 100, is_signed ? -100 : 127};
            unsigned char bytes[24];
            char descr[4] = {big ? '>' : '<', types[t][0], types[t][1], 0};
            for (int i = 0; i < 3; i++)
                put(bytes + i * size, (uint64_t)value[i], size, big);
            atl_tensor *x = read_values(descr, "(3,)", bytes, (size_t)(3 * size));
            cr_assert_not_null(x, "%s: %s", descr, atl_error());
            for (int i = 0; i < 3; i++)
                cr_assert_eq(atl_ints(x)[i], value[i], "%s", descr);
            atl_tensor_free(x);
        }
}

Test(npy, floats)
{
    for (int big = 0; big < 2; big++) {
        double wide = -1234.5;
        float narrow = 0.1f;
        uint64_t wide_bits;
        uint32_t narrow_bits;
        unsigned char bytes[8];
        memcpy(&wide_bits, &wide, 8);
        memcpy(&narrow_bits, &narrow, 4);
        put(bytes, wide_bits, 8, big);
        atl_tensor *x = read_values(big ? ">f8" : "<f8", "()", bytes, 8);
        cr_assert_eq(atl_floats(x)[0], -1234.5f);
        atl_tensor_free(x);
        put(bytes, narrow_bits, 4, big);
        x = read_values(big ? ">f4" : "<f4", "(1, 1)", bytes, 4);
        cr_assert_eq(atl_floats(x)[0], 0.1f);
        cr_assert_eq(atl_tensor_shape(x).rank, 2);
        atl_tensor_free(x);
    }
}

Test(npy, halves)
{
    static const uint16_t half[] = {0x0000, 0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x83ff, 0x7c00, 0xfc00, 0x3555};
    static const float value[] = {
        0, 1, -2, 65504, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f, INFINITY, -INFINITY, 0.333251953125f};
    unsigned char bytes[2 * 12];
    for (int i = 0; i < 10; i++)
        put(bytes + 2 * i, half[i], 2, 1);
    put(bytes + 20, 0x7e00, 2, 1); /* NaN */
    put(bytes + 22, 0x8000, 2, 1); /* -0 */
    atl_tensor *x = read_values(">f2", "(12,)", bytes, sizeof bytes);
    cr_assert_not_null(x, "%s", atl_error());
    for (int i = 0; i < 10; i++)
        cr_assert_eq(atl_floats(x)[i], value[i], "%d: %g", i, (double)atl_floats(x)[i]);
    cr_assert(isnan(atl_floats(x)[10]));
    cr_assert(atl_floats(x)[11] == 0 && signbit(atl_floats(x)[11]));
    atl_tensor_free(x);
}

Test(npy, bools)
{
    atl_tensor *x = read_values("|b1", "(3,)", "\0\1\1", 3);
    cr_assert(atl_ints(x)[0] == 0 && atl_ints(x)[1] == 1 && atl_ints(x)[2] == 1);
    atl_tensor_free(x);
}

Test(npy, values_that_do_not_fit)
{
    unsigned char bytes[16] = {0};
    double wide = 1e39, largest = 3.4028235e38, not_a_number = NAN;
    put(bytes + 8, (uint64_t)INT32_MAX + 1, 8, 0);
    cr_assert_null(read_values("<i8", "(2,)", bytes, 16));
    assert_told("element 1 of 2 is 2147483648");
    put(bytes + 8, (uint64_t)((int64_t)INT32_MIN - 1), 8, 0);
    cr_assert_null(read_values("<i8", "(2,)", bytes, 16));
    assert_told("is -2147483649");
    put(bytes, UINT64_MAX, 8, 0);
    cr_assert_null(read_values("<u8", "(2,)", bytes, 16));
    assert_told("element 0 of 2 is 18446744073709551615");
    put(bytes, (uint64_t)INT32_MAX + 1, 4, 0);
    cr_assert_null(read_values("<u4", "(1,)", bytes, 4));
    assert_told("is 2147483648");

    uint64_t bits;
    memcpy(&bits, &wide, 8);
    put(bytes, bits, 8, 0);
    cr_assert_null(read_values("<f8", "(1,)", bytes, 8));
    assert_told("is 1e+39");
    memcpy(&bits, &largest, 8);
    put(bytes, bits, 8, 0);
    memcpy(&bits, &not_a_number, 8);
    put(bytes + 8, bits, 8, 0);
    atl_tensor *x = read_values("<f8", "(2,)", bytes, 16);
    cr_assert_not_null(x, "%s", atl_error());
    cr_assert(isfinite(atl_floats(x)[0]) && isnan(atl_floats(x)[1]));
    atl_tensor_free(x);
}

/* Larger than the reader's chunks; each element contains its own index. */
Test(npy, fortran_order)
{
    enum { A = 7, B = 40, C = 30 };
    static unsigned char bytes[A * B * C * 4];
    int64_t at = 0;
    for (int c = 0; c < C; c++)
        for (int b = 0; b < B; b++)
            for (int a = 0; a < A; a++, at++)
                put(bytes + at * 4, (uint64_t)(a * 10000 + b * 100 + c), 4, 0);
    atl_tensor *x = read_made(1, "{'fortran_order': True, 'shape': (7, 40, 30), 'descr': '<i4'}", bytes, sizeof bytes);
    cr_assert_not_null(x, "%s", atl_error());
    for (int a = 0; a < A; a++)
        for (int b = 0; b < B; b++)
            for (int c = 0; c < C; c++)
                cr_assert_eq(atl_ints(x)[(a * B + b) * C + c], a * 10000 + b * 100 + c);
    atl_tensor_free(x);
}

Test(npy, versions_and_spellings)
{
    static const char *const same[] = {
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }    \n",
        "{\"shape\":(2,1),\"descr\":\"<i4\",\"fortran_order\":False}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2L, 1L), }\n", /* Python 2 */
    };
    for (int version = 1; version <= 3; version++)
        for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
            atl_tensor *x = read_made(version, same[i], "\5\0\0\0\6\0\0\0", 8);
            cr_assert_not_null(x, "%s: %s", same[i], atl_error());
            cr_assert(atl_shape_equal(atl_tensor_shape(x), ATL_SHAPE(2, 1)));
            cr_assert(atl_ints(x)[0] == 5 && atl_ints(x)[1] == 6);
            atl_tensor_free(x);
        }
    cr_assert_null(read_made(4, same[0], "\5\0\0\0\6\0\0\0", 8));
    assert_told("version 4.0");
}

Test(npy, bad_headers)
{
    assert_refused("", "header is damaged");
    assert_refused("{'descr': '<f4', 'fortran_order': False}", "all of the keys");
    assert_refused("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "each once");
    assert_refused("{'descr': '<f4', 'fortran_order': Maybe, 'shape': ()}", "True or False");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)", "'}'");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)} junk", "nothing after");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (3, -2)}", "no negative size");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", "a size in the shape");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}", "')'");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': 3}", "'('");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", "below 2^63");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "2^63");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904,)}", "2^63");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8 dimensions");
    assert_refused("{'descr': '<f4, 'fortran_order': False, 'shape': ()}", "does not know");
    assert_refused("{'descr: <f4}", "a key in quotes");
}

Test(npy, types_that_are_refused)
{
    assert_refused("{'descr': '|O', 'fortran_order': False, 'shape': ()}", "Python objects");
    assert_refused("{'descr': '<c8', 'fortran_order': False, 'shape': ()}", "complex numbers");
    assert_refused("{'descr': '<U7', 'fortran_order': False, 'shape': ()}", "text");
    assert_refused("{'descr': '<M8[D]', 'fortran_order': False, 'shape': ()}", "times");
    assert_refused("{'descr': '<f16', 'fortran_order': False, 'shape': ()}", "'<f16'");
    assert_refused("{'descr': '', 'fortran_order': False, 'shape': ()}", "does not know");
    assert_refused("{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (2,)}", "several fields");
}

Test(npy, lengths)
{
    float data[3] = {1, 2, 3};
    cr_assert_null(read_values("<f4", "(4,)", data, sizeof data));
    assert_told("cut short");
    assert_told("16 bytes, but 12");
    cr_assert_null(read_values("<f4", "(2,)", data, sizeof data));
    assert_told("4 bytes follow");
    write_file(in_scratch("a.npy"), "\x93NUMPY\1\0\x76\0{'descr'", 18);
    cr_assert_null(atl_read_npy(in_scratch("a.npy")));
    assert_told("118 bytes long, but 8 are left");
    write_file(in_scratch("a.npy"), "\x93NUMPY\2\0\0\0\0\x7f", 12);
    cr_assert_null(atl_read_npy(in_scratch("a.npy")));
    assert_told("0 are left");
    write_file(in_scratch("a.npy"), "\x93NUMPY\2\0\0\0\0", 11);
    cr_assert_null(atl_read_npy(in_scratch("a.npy")));
    assert_told("ends within");
    write_file(in_scratch("a.npy"), "\x93NUM", 4);
    cr_assert_null(atl_read_npy(in_scratch("a.npy")));
    assert_told("only 4 bytes");
    write_file(in_scratch("a.npy"), "PK\3\4.............", 17);
    cr_assert_null(atl_read_npy(in_scratch("a.npy")));
    assert_told("it is a zip");
    cr_assert_null(atl_read_npy(in_scratch("missing.npy")));
    assert_told("there is no file");
}

/* The written bytes are those that NumPy writes: 64-byte aligned, with this dictionary. */
Test(npy, written_bytes)
{
    size_t size;
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(3), (const float[]){1, 2, 3});
    cr_assert_eq(atl_write_npy(in_scratch("a.npy"), x), ATL_OK, "%s", atl_error());
    unsigned char *bytes = read_file(in_scratch("a.npy"), &size);
    static const char wanted[] = "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    cr_assert_eq(size, 128 + 12);
    cr_assert_arr_eq(bytes, wanted, sizeof wanted - 1);
    cr_assert_eq(bytes[127], '\n');
    free(bytes);
    atl_tensor_free(x);
}

Test(npy, random_tensors_come_back)
{
    for (int i = 0; i < 100; i++) {
        atl_shape shape = {.rank = (int)random_below(ATL_MAX_RANK + 1)};
        for (int d = 0; d < shape.rank; d++)
            shape.size[d] = (int64_t)random_below(4);
        atl_tensor *x = atl_tensor_new(i % 2 ? ATL_INT32 : ATL_FLOAT32, shape);
        for (int64_t e = 0; e < atl_tensor_count(x); e++)
            if (i % 2)
                atl_ints(x)[e] = (int32_t)random_below(UINT32_MAX);
            else
                atl_floats(x)[e] = (float)random_below(UINT32_MAX);
        cr_assert_eq(atl_write_npy(in_scratch("a.npy"), x), ATL_OK, "%s", atl_error());
        atl_tensor *y = atl_read_npy(in_scratch("a.npy"));
        cr_assert_not_null(y, "%s", atl_error());
        cr_assert_eq(atl_tensor_dtype(y), atl_tensor_dtype(x));
        cr_assert(atl_shape_equal(atl_tensor_shape(y), shape));
        cr_assert_eq(memcmp(atl_npy_elements(x), atl_npy_elements(y), (size_t)atl_tensor_count(x) * 4), 0);
        atl_tensor_free(x);
        atl_tensor_free(y);
    }
}

Test(npy, doubles_are_written_whole)
{
    double pi = 3.141592653589793;
    size_t size;
    atl_tensor *x = atl_tensor_view(ATL_FLOAT64, ATL_SCALAR, &pi);
    cr_assert_eq(atl_write_npy(in_scratch("a.npy"), x), ATL_OK);
    unsigned char *bytes = read_file(in_scratch("a.npy"), &size);
    cr_assert_eq(memcmp(bytes + size - 8, &pi, 8), 0);
    free(bytes);
    atl_tensor_free(x);
}

Test(npy, writing_fails_cleanly)
{
    struct rlimit limit = {1000, 1000};
    atl_tensor *small = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(3)),
               *large = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(100000));
    cr_assert_eq(atl_write_npy(in_scratch("a.npy"), NULL), ATL_INVALID);
    cr_assert_eq(atl_write_npy(NULL, small), ATL_INVALID);
    cr_assert_eq(atl_write_npy(in_scratch("a.npy"), small), ATL_OK);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(atl_write_npy(in_scratch("a.npy"), large), ATL_BAD_FILE);
    assert_told("unchanged");
    cr_assert_eq(files_in_scratch(), 1);
    atl_tensor *old = atl_read_npy(in_scratch("a.npy"));
    cr_assert_eq(atl_tensor_count(old), 3);
    atl_tensor_free(old);
    atl_tensor_free(small);
    atl_tensor_free(large);
}

static int read_one(const char *path)
{
    atl_tensor *x = atl_read_npy(path);
    atl_tensor_free(x);
    return x != NULL;
}

Test(npy, damaged_files_are_refused_or_read, .timeout = 120)
{
    atl_tensor *x = atl_uniform_tensor(ATL_SHAPE(2, 3, 2), 0, 1, 1);
    cr_assert_eq(atl_write_npy(in_scratch("a.npy"), x), ATL_OK);
    cr_assert_gt(read_damaged(in_scratch("a.npy"), 4000, read_one), 500);
    atl_tensor_free(x);
}
