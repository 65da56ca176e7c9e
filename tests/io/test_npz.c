/* Archives of arrays. */
#include "scratch.h"

#include <signal.h>
#include <sys/resource.h>
#include <zip.h>

#include "atled/files.h"

TestSuite(npz, .init = make_scratch, .fini = remove_scratch);

static atl_tensor *counting(atl_shape shape)
{
    atl_tensor *x = atl_tensor_new(ATL_FLOAT32, shape);
    for (int64_t i = 0; i < atl_tensor_count(x); i++)
        atl_floats(x)[i] = (float)i;
    return x;
}

/* Two arrays in the archive "a.npz". */
static void write_two(void)
{
    atl_tensor *weights = counting(ATL_SHAPE(3, 4)),
               *labels = atl_tensor_of_ints(ATL_SHAPE(2), (const int32_t[]){7, -7});
    atl_npz_entry entries[] = {{"conv1/weights", weights}, {"labels", labels}};
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 2, entries), ATL_OK, "%s", atl_error());
    atl_tensor_free(weights);
    atl_tensor_free(labels);
}

/* A zip written by hand: `bytes` under that name. */
static void write_zip_entry(const char *name, const void *bytes, size_t size, int compression, const char *password)
{
    zip_t *zip = zip_open(in_scratch("a.npz"), ZIP_CREATE, NULL);
    cr_assert_not_null(zip);
    zip_int64_t index = zip_file_add(zip, name, zip_source_buffer(zip, bytes, size, 0), 0);
    zip_set_file_compression(zip, (zip_uint64_t)index, compression, 0);
    if (password)
        zip_file_set_encryption(zip, (zip_uint64_t)index, ZIP_EM_AES_128, password);
    cr_assert_eq(zip_close(zip), 0);
}

/* The uint8 values 3 and 4; the dictionary has 58 bytes. */
static const char small_npy[] = "\x93NUMPY\1\0\x3a\0"
                                "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n\3\4";

Test(npz, comes_back)
{
    atl_shape shape;
    write_two();
    cr_assert_eq(files_in_scratch(), 1);
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    cr_assert_not_null(npz, "%s", atl_error());
    cr_assert_eq(atl_npz_count(npz), 2);
    cr_assert_str_eq(atl_npz_name(npz, 0), "conv1/weights");
    cr_assert_str_eq(atl_npz_name(npz, 1), "labels");
    cr_assert_null(atl_npz_name(npz, 2));
    cr_assert_null(atl_npz_name(npz, -1));
    cr_assert(atl_npz_has(npz, "labels"));
    cr_assert(!atl_npz_has(npz, "labels.npy"));
    cr_assert_eq(atl_npz_shape(npz, "conv1/weights", &shape), ATL_OK);
    cr_assert(atl_shape_equal(shape, ATL_SHAPE(3, 4)));
    for (int twice = 0; twice < 2; twice++) {
        atl_tensor *weights = atl_npz_read(npz, "conv1/weights"), *labels = atl_npz_read(npz, "labels");
        cr_assert_eq(atl_floats(weights)[11], 11);
        cr_assert_eq(atl_ints(labels)[1], -7);
        atl_tensor_free(weights);
        atl_tensor_free(labels);
    }
    atl_npz_close(npz);
}

Test(npz, is_stored_and_the_same_every_time)
{
    size_t first, second;
    write_two();
    unsigned char *before = read_file(in_scratch("a.npz"), &first);
    write_two();
    unsigned char *after = read_file(in_scratch("a.npz"), &second);
    cr_assert_eq(first, second);
    cr_assert_arr_eq(before, after, first);
    free(before);
    free(after);
    zip_stat_t about;
    zip_t *zip = zip_open(in_scratch("a.npz"), ZIP_RDONLY, NULL);
    cr_assert_eq(zip_stat(zip, "conv1/weights.npy", 0, &about), 0);
    cr_assert_eq(about.comp_method, ZIP_CM_STORE);
    zip_discard(zip);
}

Test(npz, deflated_empty_and_foreign_entries)
{
    atl_tensor *none = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(0, 3));
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 1, &(atl_npz_entry){"none", none}), ATL_OK, "%s", atl_error());
    atl_tensor_free(none);
    write_zip_entry("small.npy", small_npy, sizeof small_npy - 1, ZIP_CM_DEFLATE, NULL);
    write_zip_entry("LICENSE", "MIT", 3, ZIP_CM_STORE, NULL);
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    cr_assert_not_null(npz, "%s", atl_error());
    cr_assert_eq(atl_npz_count(npz), 2);
    none = atl_npz_read(npz, "none");
    atl_tensor *small = atl_npz_read(npz, "small");
    cr_assert_not_null(small, "%s", atl_error());
    cr_assert(atl_shape_equal(atl_tensor_shape(none), ATL_SHAPE(0, 3)));
    cr_assert_eq(atl_ints(small)[1], 4);
    atl_tensor_free(none);
    atl_tensor_free(small);
    atl_npz_close(npz);
}

Test(npz, null_passes)
{
    atl_shape shape;
    atl_npz_close(NULL);
    cr_assert_eq(atl_npz_count(NULL), 0);
    cr_assert_null(atl_npz_name(NULL, 0));
    cr_assert(!atl_npz_has(NULL, "a"));
    cr_assert_null(atl_npz_read(NULL, "a"));
    cr_assert_eq(atl_npz_shape(NULL, "a", &shape), ATL_INVALID);
    cr_assert_null(atl_npz_open(NULL));
}

Test(npz, no_such_entry)
{
    write_two();
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    cr_assert_null(atl_npz_read(npz, "conv2"));
    assert_told("has no entry 'conv2'; it holds 'conv1/weights', 'labels'");
    atl_npz_close(npz);
}

Test(npz, not_an_archive)
{
    cr_assert_null(atl_npz_open(in_scratch("missing.npz")));
    assert_told("there is no file");
    cr_assert_null(atl_npz_open(scratch));
    assert_told("directory");
    write_file(in_scratch("empty.npz"), "", 0);
    cr_assert_null(atl_npz_open(in_scratch("empty.npz")));
    assert_told("is empty");
    write_file(in_scratch("text.npz"), "these are no weights", 20);
    cr_assert_null(atl_npz_open(in_scratch("text.npz")));
    assert_told("is no .npz archive");
    write_zip_entry("readme.txt", "hello", 5, ZIP_CM_STORE, NULL);
    cr_assert_null(atl_npz_open(in_scratch("a.npz")));
    assert_told("without a single .npy entry ('readme.txt' is in it)");
}

Test(npz, truncated)
{
    size_t size;
    write_two();
    unsigned char *bytes = read_file(in_scratch("a.npz"), &size);
    write_file(in_scratch("a.npz"), bytes, size - 30);
    free(bytes);
    cr_assert_null(atl_npz_open(in_scratch("a.npz")));
    assert_told("cut short");
}

/* One bit of the data flipped: only the checksum detects it. */
Test(npz, checksum)
{
    size_t size;
    write_two();
    unsigned char *bytes = read_file(in_scratch("a.npz"), &size);
    bytes[200] ^= 1; /* the header of the entry has 47 bytes, that of the array 128: among the 12 floats */
    write_file(in_scratch("a.npz"), bytes, size);
    free(bytes);
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    cr_assert_not_null(npz, "%s", atl_error());
    cr_assert_null(atl_npz_read(npz, "conv1/weights"));
    assert_told("entry 'conv1/weights'");
    assert_told("checksum");
    atl_npz_close(npz);
}

Test(npz, encrypted)
{
    write_zip_entry("secret.npy", small_npy, sizeof small_npy - 1, ZIP_CM_STORE, "sesame");
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    cr_assert_not_null(npz, "%s", atl_error());
    cr_assert_null(atl_npz_read(npz, "secret"));
    assert_told("is encrypted");
    atl_npz_close(npz);
}

Test(npz, entry_that_is_no_array)
{
    write_zip_entry("broken.npy", "hello, hello", 12, ZIP_CM_STORE, NULL);
    atl_npz *npz = atl_npz_open(in_scratch("a.npz"));
    cr_assert_null(atl_npz_read(npz, "broken"));
    assert_told("entry 'broken'");
    assert_told("is no .npy array");
    atl_npz_close(npz);
}

Test(npz, bad_entries_to_write)
{
    atl_tensor *x = counting(ATL_SHAPE(2));
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 0, NULL), ATL_INVALID);
    atl_npz_entry twins[] = {{"a", x}, {"b", x}, {"a", x}};
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 3, twins), ATL_INVALID);
    assert_told("two entries are named 'a'");
    atl_npz_entry nameless[] = {{"a", x}, {"", x}}, valueless[] = {{"a", NULL}};
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 2, nameless), ATL_INVALID);
    assert_told("has no name");
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 1, valueless), ATL_INVALID);
    assert_told("has no value");
    cr_assert_eq(atl_write_npz(in_scratch("no/such.npz"), 1, twins), ATL_BAD_FILE);
    cr_assert_eq(files_in_scratch(), 0);
    atl_tensor_free(x);
}

Test(npz, names_that_a_zip_cannot_hold)
{
    static const char *const names[] = {"a\xff", "a\x1b[31m"};
    atl_tensor *x = counting(ATL_SHAPE(2));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 1, &(atl_npz_entry){names[i], x}), ATL_BAD_FILE);
        assert_told("is no name for an entry of a zip");
    }
    char *longest = calloc(1, 70000);
    memset(longest, 'n', 69000);
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 1, &(atl_npz_entry){longest, x}), ATL_INVALID);
    assert_told("at most 65531 bytes");
    free(longest);
    cr_assert_eq(files_in_scratch(), 0);
    atl_tensor_free(x);
}

Test(npz, full_disk)
{
    struct rlimit limit = {2000, 2000};
    size_t before, after;
    write_two();
    free(read_file(in_scratch("a.npz"), &before));
    atl_tensor *large = counting(ATL_SHAPE(100000));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(atl_write_npz(in_scratch("a.npz"), 1, &(atl_npz_entry){"large", large}), ATL_BAD_FILE);
    assert_told("unchanged");
    free(read_file(in_scratch("a.npz"), &after));
    cr_assert_eq(before, after);
    cr_assert_eq(files_in_scratch(), 1);
    atl_tensor_free(large);
}

static int read_all(const char *path)
{
    atl_npz *npz = atl_npz_open(path);
    int read = npz != NULL;
    for (int i = 0; i < atl_npz_count(npz); i++) {
        atl_tensor *x = atl_npz_read(npz, atl_npz_name(npz, i));
        read = read && x;
        atl_tensor_free(x);
    }
    atl_npz_close(npz);
    return read;
}

Test(npz, damaged_archives_are_refused_or_read, .timeout = 120)
{
    write_two();
    write_zip_entry("small.npy", small_npy, sizeof small_npy - 1, ZIP_CM_DEFLATE, NULL);
    cr_assert_gt(read_damaged(in_scratch("a.npz"), 4000, read_all), 1000);
}
