/* .safetensors files whose bytes are made here: every type, and what a hostile header may say. */
#include "scratch.h"

#include "atled/files.h"
#include "graph/memory.h"

TestSuite(safetensors, .init = make_scratch, .fini = remove_scratch);

/* A file of that header and those bytes. */
static const char *write_raw(const char *header, const void *data, size_t size)
{
    const char *path = in_scratch("x.safetensors");
    unsigned char bytes[4096];
    size_t length = strlen(header);
    cr_assert(8 + length + size <= sizeof bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    if (size)
        memcpy(bytes + 8 + length, data, size);
    write_file(path, bytes, 8 + length + size);
    return path;
}

#define ENTRY(name, type, shape, begin, end)                                                                           \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void assert_first(const char *header, const void *data, size_t size, atl_dtype dtype, double expected)
{
    atl_safetensors *file = atl_safetensors_open(write_raw(header, data, size));
    cr_assert(file, "%s", atl_error());
    atl_tensor *x = atl_safetensors_read(file, "a");
    cr_assert(x, "%s", atl_error());
    cr_assert_eq(atl_tensor_dtype(x), dtype);
    cr_assert_eq(element_of(x, 0), expected, "%s: %g, not %g", header, element_of(x, 0), expected);
    atl_tensor_free(x);
    atl_safetensors_close(file);
}

/* Little-endian bytes, written out. */
Test(safetensors, every_type)
{
    assert_first("{" ENTRY("a", "F32", "[1]", 0, 4) "}", "\x00\x00\xc0\xbf", 4, ATL_FLOAT32, -1.5);
    assert_first("{" ENTRY("a", "F16", "[1]", 0, 2) "}", "\x00\xbe", 2, ATL_FLOAT32, -1.5);
    assert_first("{" ENTRY("a", "BF16", "[1]", 0, 2) "}", "\xc0\xbf", 2, ATL_FLOAT32, -1.5);
    assert_first("{" ENTRY("a", "F64", "[1]", 0, 8) "}", "\0\0\0\0\0\0\xf8\xbf", 8, ATL_FLOAT32, -1.5);
    assert_first("{" ENTRY("a", "I64", "[1]", 0, 8) "}", "\xfe\xff\xff\xff\xff\xff\xff\xff", 8, ATL_INT32, -2);
    assert_first("{" ENTRY("a", "I32", "[1]", 0, 4) "}", "\xfe\xff\xff\xff", 4, ATL_INT32, -2);
    assert_first("{" ENTRY("a", "I16", "[1]", 0, 2) "}", "\xfe\xff", 2, ATL_INT32, -2);
    assert_first("{" ENTRY("a", "I8", "[1]", 0, 1) "}", "\xfe", 1, ATL_INT32, -2);
    assert_first("{" ENTRY("a", "U8", "[1]", 0, 1) "}", "\xfe", 1, ATL_INT32, 254);
    assert_first("{" ENTRY("a", "U16", "[1]", 0, 2) "}", "\xfe\xff", 2, ATL_INT32, 65534);
    assert_first("{" ENTRY("a", "U32", "[1]", 0, 4) "}", "\x01\x00\x00\x70", 4, ATL_INT32, 0x70000001);
    assert_first("{" ENTRY("a", "U64", "[1]", 0, 8) "}", "\x05\0\0\0\0\0\0\0", 8, ATL_INT32, 5);
    assert_first("{" ENTRY("a", "BOOL", "[1]", 0, 1) "}", "\x01", 1, ATL_INT32, 1);
}

Test(safetensors, what_does_not_fit_is_told)
{
    atl_safetensors *file =
        atl_safetensors_open(write_raw("{" ENTRY("a", "I64", "[2]", 0, 16) "," ENTRY("b", "F8_E4M3", "[3]", 16, 19) "}",
                                       "\1\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\1\2\3", 19));
    cr_assert(file, "%s", atl_error());
    cr_assert_null(atl_safetensors_read(file, "a"));
    assert_told("element 1 of 'a', which is I64, does not fit into int32");
    cr_assert_null(atl_safetensors_read(file, "b"));
    assert_told("is of type F8_E4M3, which is not read");
    cr_assert_null(atl_safetensors_read(file, "c"));
    assert_told("has no array 'c'");
    atl_safetensors_close(file);
}

/* More elements than are converted at once. */
Test(safetensors, many_elements_in_order)
{
    enum { COUNT = 20001 };
    const char *path = in_scratch("many.safetensors");
    atl_tensor *x = random_tensor(ATL_SHAPE(3, COUNT / 3), -1, 1), *n = random_ints(ATL_SHAPE(COUNT), -1000, 1000);
    cr_assert_eq(atl_write_safetensors(path, 2, (const atl_npz_entry[]){{"x", x}, {"n", n}}), ATL_OK, "%s",
                 atl_error());
    atl_safetensors *file = atl_safetensors_open(path);
    cr_assert(file, "%s", atl_error());
    cr_assert_eq(atl_safetensors_count(file), 2);
    cr_assert_str_eq(atl_safetensors_name(file, 0), "x");
    cr_assert_str_eq(atl_safetensors_name(file, 1), "n");
    cr_assert_null(atl_safetensors_name(file, 2));
    cr_assert(atl_safetensors_has(file, "n") && !atl_safetensors_has(file, "m"));
    atl_tensor *y = atl_safetensors_read(file, "x"), *m = atl_safetensors_read(file, "n");
    cr_assert_eq(largest_difference(y, x), 0);
    cr_assert_eq(largest_difference(m, n), 0);
    atl_safetensors_close(file);
    atl_tensor_free(x);
    atl_tensor_free(n);
    atl_tensor_free(y);
    atl_tensor_free(m);
}

/* What another program may have written: any order of keys, metadata, spaces at the end, empty arrays, scalars. */
Test(safetensors, freedoms_of_the_format)
{
    atl_shape shape;
    atl_safetensors *file = atl_safetensors_open(write_raw(
        "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"shape\":[0,7],\"data_offsets\":[4,4],\"dtype\":\"F32\"}"
        "," ENTRY("a", "F32", "[]", 0, 4) "}     ",
        "\x00\x00\x80\x3f", 4));
    cr_assert(file, "%s", atl_error());
    cr_assert_eq(atl_safetensors_count(file), 2);
    cr_assert_str_eq(atl_safetensors_name(file, 0), "a");
    cr_assert_eq(atl_safetensors_shape(file, "b", &shape), ATL_OK);
    cr_assert(atl_shape_equal(shape, ATL_SHAPE(0, 7)));
    atl_tensor *a = atl_safetensors_read(file, "a"), *b = atl_safetensors_read(file, "b");
    cr_assert(a && b && atl_tensor_shape(a).rank == 0 && atl_floats(a)[0] == 1);
    atl_tensor_free(a);
    atl_tensor_free(b);
    atl_safetensors_close(file);
}

static void assert_bad(const char *header, size_t size, const char *words)
{
    static const char zeros[64];
    cr_assert_null(atl_safetensors_open(write_raw(header, zeros, size)), "%s", header);
    assert_told(words);
    assert_told("x.safetensors");
}

Test(safetensors, hostile_headers_are_refused)
{
    assert_bad("[]", 0, "no JSON object: it is another value");
    assert_bad("{\"a\":", 0, "no JSON object");
    assert_bad("{\"a\":1}", 0, "'a' has no text 'dtype'");
    assert_bad("{\"a\":{\"dtype\":\"F32\"}}", 0, "'a' has no list 'shape'");
    assert_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "has no 'data_offsets'");
    assert_bad("{" ENTRY("a", "F32", "[-1]", 0, 4) "}", 4, "size, number 0, that is no whole number");
    assert_bad("{" ENTRY("a", "F32", "[1.5]", 0, 4) "}", 4, "no whole number");
    assert_bad("{" ENTRY("a", "F32", "[4294967296,4294967296]", 0, 4) "}", 4, "beyond 63 bits");
    assert_bad("{" ENTRY("a", "F64", "[4611686018427387904]", 0, 8) "}", 8, "cannot fill");
    assert_bad("{" ENTRY("a", "F32", "[99999999999999999999]", 0, 4) "}", 4, "no JSON object");
    assert_bad("{" ENTRY("a", "F32", "[2]", 0, 4) "}", 4, "2 elements of type F32, which cannot fill its 4 bytes");
    assert_bad("{" ENTRY("a", "F32", "[1]", 0, 400) "}", 4, "from byte 0 to 400 of data of 4 bytes");
    assert_bad("{" ENTRY("a", "F32", "[1]", 4, 0) "}", 4, "from byte 4 to 0");
    assert_bad("{" ENTRY("a", "F32", "[1]", -4, 0) "}", 4, "from byte -1 to 0");
    assert_bad("{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("b", "F32", "[1]", 2, 6) "}", 6,
               "'b' begins at byte 2, where");
    assert_bad("{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("b", "F32", "[1]", 8, 12) "}", 12, "begins at byte 8");
    assert_bad("{" ENTRY("a", "F32", "[1]", 0, 4) "}", 8, "its arrays have 4 bytes, but 8 follow");
    assert_bad("{" ENTRY("a", "F32", "[1]", 0, 4) "," ENTRY("a", "F32", "[1]", 4, 8) "}", 8, "no JSON object");
    assert_bad("{" ENTRY("a", "F32", "[1,1,1,1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "12 dimensions");
    assert_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[[[1]]]}}", 0, "lists within lists");
    assert_bad("{\"\xff\":1}", 0, "no JSON object");
}

Test(safetensors, sizes_of_the_file_are_checked)
{
    const char *path = in_scratch("y.safetensors");
    write_file(path, "\x02\0\0\0\0\0\0\0{", 9);
    cr_assert_null(atl_safetensors_open(path));
    assert_told("it has only 9 bytes");
    write_file(path, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    cr_assert_null(atl_safetensors_open(path));
    assert_told("header would have 18446744073709551615 bytes of 2");
    cr_assert_null(atl_safetensors_open(in_scratch("none.safetensors")));
    assert_told("there is no file");
}

Test(safetensors, what_cannot_be_written_is_told)
{
    const char *path = in_scratch("z.safetensors");
    atl_tensor *x = random_tensor(ATL_SHAPE(2), 0, 1);
    cr_assert_eq(atl_write_safetensors(path, 0, NULL), ATL_INVALID);
    cr_assert_eq(atl_write_safetensors(path, 2, (const atl_npz_entry[]){{"a", x}, {"a", x}}), ATL_INVALID);
    assert_told("two entries are named 'a'");
    cr_assert_eq(atl_write_safetensors(path, 1, (const atl_npz_entry[]){{"\xff", x}}), ATL_INVALID);
    assert_told("is not UTF-8");
    cr_assert_eq(atl_write_safetensors(path, 1, (const atl_npz_entry[]){{"", x}}), ATL_INVALID);
    cr_assert_eq(atl_write_safetensors("/no/such/z.safetensors", 1, (const atl_npz_entry[]){{"a", x}}), ATL_BAD_FILE);
    cr_assert_eq(files_in_scratch(), 0);
    atl_tensor_free(x);
}

static int read_all(const char *path)
{
    atl_safetensors *file = atl_safetensors_open(path);
    int fine = file != NULL;
    for (int i = 0; i < atl_safetensors_count(file); i++) {
        atl_tensor *x = atl_safetensors_read(file, atl_safetensors_name(file, i));
        fine &= x != NULL;
        atl_tensor_free(x);
    }
    atl_safetensors_close(file);
    return fine;
}

Test(safetensors, damaged_files_are_refused_with_a_message)
{
    const char *path = in_scratch("d.safetensors");
    atl_tensor *x = random_tensor(ATL_SHAPE(2, 3), 0, 1), *n = random_ints(ATL_SHAPE(4), 0, 9);
    cr_assert_eq(atl_write_safetensors(path, 2, (const atl_npz_entry[]){{"conv1/weights", x}, {"n", n}}), ATL_OK);
    cr_assert_gt(read_damaged(path, 2000, read_all), 500);
    atl_tensor_free(x);
    atl_tensor_free(n);
}

Test(safetensors, out_of_memory_is_told)
{
    const char *path = in_scratch("m.safetensors");
    atl_tensor *x = random_tensor(ATL_SHAPE(2, 3), 0, 1);
    cr_assert_eq(atl_write_safetensors(path, 1, (const atl_npz_entry[]){{"a", x}}), ATL_OK);
    atl_tensor_free(x);
    int failures = 0;
    for (int allowed = 0; allowed < 100; allowed++) {
        atl_fail_allocations_after(allowed);
        int fine = read_all(path);
        atl_fail_allocations_after(-1);
        if (fine)
            break;
        failures++;
        assert_told("out of memory");
    }
    cr_assert(failures > 3 && failures < 100, "%d", failures);
}

/* ---- as weights -------------------------------------------------------------------------------------------------- */

static atl_graph *new_model(float value)
{
    atl_graph *g = atl_graph_new();
    atl_enter(g, "conv1");
    atl_variable(g, "weights", ATL_SHAPE(2, 3), atl_fill_with(value));
    atl_variable(g, "biases", ATL_SHAPE(3), atl_fill_with(value + 1));
    atl_leave(g);
    return g;
}

static float first_of(const atl_graph *g, const char *name)
{
    return atl_floats(atl_variable_value(atl_find(g, name)))[0];
}

Test(safetensors, weights_come_back)
{
    const char *path = in_scratch("w.safetensors");
    atl_graph *saved = new_model(5), *loaded = new_model(0);
    cr_assert_eq(atl_save_weights(saved, path), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_load_weights(loaded, path), ATL_OK, "%s", atl_error());
    cr_assert(first_of(loaded, "conv1/weights") == 5 && first_of(loaded, "conv1/biases") == 6);
    unsigned char *bytes;
    size_t size;
    bytes = read_file(path, &size);
    cr_assert_eq(memcmp(bytes + 8, "{\"conv1/weights\"", 16), 0); /* and no zip */
    cr_assert_eq((8 + (bytes[0] | bytes[1] << 8)) % 8, 0);
    free(bytes);
    atl_graph_free(saved);
    atl_graph_free(loaded);
}

/* The names of another program, in either format. */
Test(safetensors, a_map_of_names)
{
    static const char *const files[] = {"w.safetensors", "w.npz"};
    const atl_weight_name *names = ATL_WEIGHT_NAMES({"conv1/weights", "features.0.weight"});
    for (int i = 0; i < 2; i++) {
        const char *path = in_scratch(files[i]);
        atl_graph *saved = new_model(5), *loaded = new_model(0);
        cr_assert_eq(atl_save_weights(saved, path, .names = names, .suffixes = {"_W", "_b"}), ATL_OK, "%s",
                     atl_error());
        cr_assert_eq(atl_load_weights(loaded, path), ATL_BAD_FILE);
        assert_told("'features.0.weight'");
        cr_assert_eq(atl_load_weights(loaded, path, .names = names, .suffixes = {"_W", "_b"}), ATL_OK, "%s",
                     atl_error());
        cr_assert(first_of(loaded, "conv1/weights") == 5 && first_of(loaded, "conv1/biases") == 6);
        cr_assert_eq(atl_load_weights(loaded, path, .names = ATL_WEIGHT_NAMES({"conv2/weights", "x"})), ATL_INVALID);
        assert_told("no variable of that name");
        atl_graph_free(saved);
        atl_graph_free(loaded);
    }
}

/* bfloat16 is a float type; what is not read differs. */
Test(safetensors, weights_of_other_types)
{
    atl_graph *g = atl_graph_new();
    atl_variable(g, "a", ATL_SHAPE(2), atl_zeros());
    cr_assert_eq(atl_load_weights(g, write_raw("{" ENTRY("a", "BF16", "[2]", 0, 4) "}", "\xc0\xbf\x80\x3f", 4)), ATL_OK,
                 "%s", atl_error());
    cr_assert_eq(first_of(g, "a"), -1.5f);
    cr_assert_eq(atl_load_weights(g, write_raw("{" ENTRY("a", "F8_E5M2", "[2]", 0, 2) "}", "\0\0", 2)), ATL_BAD_FILE);
    assert_told("'a' is F8_E5M2 [2], expected float32 [2]");
    cr_assert_eq(atl_load_weights(g, write_raw("{" ENTRY("a", "I32", "[2]", 0, 8) "}", "\0\0\0\0\0\0\0\0", 8)),
                 ATL_BAD_FILE);
    assert_told("1 differ");
    cr_assert_eq(first_of(g, "a"), -1.5f);
    atl_graph_free(g);
}
