/* A file's size bounds the memory that reading it takes, whatever sizes the file claims.  The bounds are those of
 * docs/testing.md. */
#include "allocations.h"

#include "jpeg_file.h"
#include "scratch.h"

#include <zip.h>
#include <zlib.h>

#include "atled/data.h"
#include "atled/files.h"
#include "atled/program.h"
#include "compiler/layout/known_times.h"

TestSuite(claims, .init = make_scratch, .fini = remove_scratch);

/* For memory that does not depend on the file: buffers of zlib, libpng, libjpeg and stdio. */
enum { ALLOWANCE = 1 << 20 };

typedef int read_file_fn(const char *path);

static int read_npy(const char *path)
{
    atl_tensor *x = atl_read_npy(path);
    atl_tensor_free(x);
    return x != NULL;
}

static int read_npz(const char *path)
{
    atl_npz *npz = atl_npz_open(path);
    int all = npz != NULL;
    for (int i = 0; i < atl_npz_count(npz); i++) {
        atl_tensor *x = atl_npz_read(npz, atl_npz_name(npz, i));
        all = all && x;
        atl_tensor_free(x);
    }
    atl_npz_close(npz);
    return all;
}

static int read_image(const char *path)
{
    atl_tensor *x = atl_read_image(path);
    atl_tensor_free(x);
    return x != NULL;
}

static int read_folder(const char *path)
{
    (void)path;
    atl_dataset *data = atl_dataset_open(scratch, ATL_TRAINING);
    atl_dataset_free(data);
    return data != NULL;
}

static int read_times(const char *path)
{
    atl_status status = atl_read_timing(path);
    atl_forget_times();
    return status == ATL_OK;
}

static int64_t size_of(const char *path)
{
    size_t size;
    free(read_file(path, &size));
    return (int64_t)size;
}

/* Reading needs no more than ALLOWANCE and `multiple` times the size of the file. */
static int is_read_within(read_file_fn *read, const char *name, int64_t multiple)
{
    const char *path = in_scratch(name);
    int64_t bound = ALLOWANCE + multiple * size_of(path);
    watch_allocations(-1, 0);
    int could = read(path);
    stop_watching();
    cr_expect_leq(most_bytes_allocated(), bound, "'%s' of %lld bytes took %lld", name, (long long)size_of(path),
                  (long long)most_bytes_allocated());
    if (!could)
        cr_expect(*atl_error());
    return could;
}

/* ---- bytes by hand ----------------------------------------------------------------------------------------------- */

typedef struct text {
    unsigned char byte[4096];
    size_t size;
} text;

static void put(text *t, const void *bytes, size_t size)
{
    memcpy(t->byte + t->size, bytes, size);
    t->size += size;
}

static void put_little(text *t, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        t->byte[t->size++] = (unsigned char)(number >> 8 * i);
}

static void put_big(text *t, uint64_t number, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        t->byte[t->size++] = (unsigned char)(number >> 8 * i);
}

static void put_npy_header(text *t, long long count)
{
    char header[128];
    int length = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld,), }", count);
    memset(header + length, ' ', 118 - (size_t)length);
    header[117] = '\n';
    put(t, "\x93NUMPY\1\0\x76\0", 10);
    put(t, header, 118);
}

/* A zip of one stored entry, whose directory claims that many bytes, as many packed as unpacked. */
static void write_claiming_zip(const char *name, uint64_t claim)
{
    text npy = {.size = 0}, zip = {.size = 0};
    put_npy_header(&npy, (long long)(claim - 128) / 4);
    uint32_t crc = (uint32_t)crc32(0, npy.byte, (unsigned)npy.size);
    for (int central = 0; central < 2; central++) {
        size_t start = zip.size;
        put_little(&zip, central ? 0x02014b50 : 0x04034b50, 4);
        if (central)
            put_little(&zip, 45, 2);
        put_little(&zip, 45, 2);
        put_little(&zip, 0, 4);        /* flags, method: stored */
        put_little(&zip, 0x210000, 4); /* date */
        put_little(&zip, crc, 4);
        put_little(&zip, UINT64_MAX, 8); /* both sizes are in the extra field */
        put_little(&zip, 5, 2);
        put_little(&zip, 20, 2);
        if (central)
            put_little(&zip, 0, 14);
        put(&zip, "w.npy", 5);
        put_little(&zip, 1, 2);
        put_little(&zip, 16, 2);
        put_little(&zip, claim, 8);
        put_little(&zip, claim, 8);
        if (!central) {
            put(&zip, npy.byte, npy.size);
            continue;
        }
        put_little(&zip, 0x06054b50, 4);
        put_little(&zip, 0, 4);
        put_little(&zip, 0x10001, 4);
        put_little(&zip, zip.size - start - 12, 4);
        put_little(&zip, start, 4);
        put_little(&zip, 0, 2);
    }
    write_file(in_scratch(name), zip.byte, zip.size);
}

static void put_chunk(text *t, const char *type, const void *bytes, size_t size)
{
    put_big(t, size, 4);
    size_t start = t->size;
    put(t, type, 4);
    put(t, bytes, size);
    put_big(t, crc32(0, t->byte + start, (unsigned)(t->size - start)), 4);
}

static void write_claiming_png(const char *name, uint64_t width, uint64_t height, int bits, int interlaced)
{
    text png = {.size = 0}, head = {.size = 0};
    unsigned char packed[64];
    uLongf length = sizeof packed;
    put(&png, "\x89PNG\r\n\x1a\n", 8);
    put_big(&head, width, 4);
    put_big(&head, height, 4);
    put_big(&head, (uint64_t)bits << 32 | (uint64_t)(bits == 8 ? 2 : 0) << 24 | (unsigned)interlaced, 5);
    put_chunk(&png, "IHDR", head.byte, head.size);
    compress(packed, &length, (const unsigned char *)"\0\0\0\0", 4);
    put_chunk(&png, "IDAT", packed, length);
    put_chunk(&png, "IEND", "", 0);
    write_file(in_scratch(name), png.byte, png.size);
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

Test(claims, npy)
{
    skip_without_own_malloc();
    text npy = {.size = 0};
    put_npy_header(&npy, 1500000000);
    write_file(in_scratch("large.npy"), npy.byte, npy.size);
    cr_expect_not(is_read_within(read_npy, "large.npy", 0));
    assert_told("is cut short");
}

/* No stride can hold the product of the sizes that are not 0. */
Test(claims, npy_of_nothing_times_too_much)
{
    static const char *const shapes[] = {"(0, 4611686018427387904, 4611686018427387904)",
                                         "(4611686018427387904, 0, 1099511627776)"};
    for (int i = 0; i < 4; i++) {
        text npy = {.size = 0};
        char header[200];
        int length = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': %s, 'shape': %s, }\n",
                              i < 2 ? "True" : "False", shapes[i % 2]);
        put(&npy, "\x93NUMPY\1\0", 8);
        put_little(&npy, (uint64_t)length, 2);
        put(&npy, header, (size_t)length);
        write_file(in_scratch("none.npy"), npy.byte, npy.size);
        cr_expect_not(read_npy(in_scratch("none.npy")), "%s", shapes[i % 2]);
        assert_told("more elements than 2^63");
    }
}

Test(claims, npz)
{
    skip_without_own_malloc();
    write_claiming_zip("large.npz", 6000000000);
    cr_expect_not(is_read_within(read_npz, "large.npz", 0));
    assert_told("damaged");
    write_claiming_zip("small.npz", 128);
    cr_expect(is_read_within(read_npz, "small.npz", 0), "%s", atl_error());
}

Test(claims, png)
{
    skip_without_own_malloc();
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        write_claiming_png("large.png", 10000, 10000, 8, interlaced);
        cr_expect_not(is_read_within(read_image, "large.png", 0));
        assert_told("10000 x 10000 pixels cannot be in");
        write_claiming_png("bits.png", 10000, 10000, 1, interlaced);
        cr_expect_not(is_read_within(read_image, "bits.png", 0));
        write_claiming_png("wide.png", 100000000, 1, 1, interlaced);
        cr_expect_not(is_read_within(read_image, "wide.png", 0));
    }
}

/* A packed text of 6 MB of zeros, none of which is used. */
Test(claims, png_with_a_packed_text)
{
    skip_without_own_malloc();
    enum { ZEROS = 6000000 };
    text png = {.size = 0}, head = {.size = 0};
    unsigned char *zeros = calloc(1, ZEROS), packed[16000] = "key\0\0", pixel[64];
    uLongf length = sizeof packed - 5, pixel_length = sizeof pixel;
    cr_assert_eq(compress2(packed + 5, &length, zeros, ZEROS, 9), Z_OK);
    free(zeros);
    put(&png, "\x89PNG\r\n\x1a\n", 8);
    put_big(&head, 1, 4);
    put_big(&head, 1, 4);
    put_big(&head, 8ull << 32, 5);
    put_chunk(&png, "IHDR", head.byte, head.size);
    FILE *file = fopen(in_scratch("text.png"), "wb");
    fwrite(png.byte, 1, png.size, file);
    for (int i = 0; i < 3; i++) {
        const char *type = (const char *[]){"zTXt", "zTXt", "iCCP"}[i];
        text ends = {.size = 0};
        put_big(&ends, length + 5, 4);
        fwrite(ends.byte, 1, 4, file);
        fwrite(type, 1, 4, file);
        fwrite(packed, 1, length + 5, file);
        ends.size = 0;
        put_big(&ends, crc32(crc32(0, (const unsigned char *)type, 4), packed, (unsigned)length + 5), 4);
        fwrite(ends.byte, 1, 4, file);
    }
    png.size = 0;
    compress(pixel, &pixel_length, (const unsigned char *)"\0\7", 2);
    put_chunk(&png, "IDAT", pixel, pixel_length);
    put_chunk(&png, "IEND", "", 0);
    fwrite(png.byte, 1, png.size, file);
    fclose(file);
    cr_expect(is_read_within(read_image, "text.png", 0), "%s", atl_error());
}

static void write_claiming_jpeg(const char *name, int progressive)
{
    write_jpeg(in_scratch(name), 16, 16, JCS_RGB, progressive);
    size_t size;
    unsigned char *bytes = read_file(in_scratch(name), &size);
    for (size_t i = 0; i + 9 < size; i++)
        if (bytes[i] == 0xff && (bytes[i + 1] == 0xc0 || bytes[i + 1] == 0xc2)) { /* 10000 by 10000 */
            memcpy(bytes + i + 5, "\x27\x10\x27\x10", 4);
            break;
        }
    write_file(in_scratch(name), bytes, size);
    free(bytes);
}

Test(claims, jpeg)
{
    skip_without_own_malloc();
    for (int progressive = 0; progressive < 2; progressive++) {
        write_claiming_jpeg("large.jpg", progressive);
        cr_expect_not(is_read_within(read_image, "large.jpg", 0));
        assert_told("10000 x 10000 pixels cannot be in");
    }
}

Test(claims, idx)
{
    skip_without_own_malloc();
    text images = {.size = 0}, labels = {.size = 0};
    put_big(&images, 0x803, 4);
    put_big(&images, 4000000000, 4);
    put_big(&images, 1000, 4);
    put_big(&images, 1000, 4);
    put_big(&labels, 0x801, 4);
    put_big(&labels, 4000000000, 4);
    write_file(in_scratch("train-images-idx3-ubyte"), images.byte, images.size);
    write_file(in_scratch("train-labels-idx1-ubyte"), labels.byte, labels.size);
    cr_expect_not(is_read_within(read_folder, "train-images-idx3-ubyte", 0));
    assert_told("is said to hold");
}

/* As many lines as possible: four bytes each. */
Test(claims, times)
{
    skip_without_own_malloc();
    FILE *file = fopen(in_scratch("times"), "w");
    fprintf(file, "atled timing 1: nanoseconds, op, attributes, shapes, threads, algorithm\n");
    for (int i = 0; i < 1 << 18; i++)
        fprintf(file, "0 %x\n", i);
    fclose(file);
    cr_expect(is_read_within(read_times, "times", 50), "%s", atl_error());
}

/* ---- what is really there ---------------------------------------------------------------------------------------- */

/* Zeros compress best: still within the bounds, and readable. */
Test(claims, packed_zeros)
{
    skip_without_own_malloc();
    enum { SIZE = 8000000 };
    text header = {.size = 0};
    unsigned char *npy = calloc(1, SIZE + 128);
    put_npy_header(&header, SIZE / 4);
    memcpy(npy, header.byte, 128);
    zip_t *zip = zip_open(in_scratch("zeros.npz"), ZIP_CREATE, NULL);
    zip_set_file_compression(zip,
                             (zip_uint64_t)zip_file_add(zip, "w.npy", zip_source_buffer(zip, npy, SIZE + 128, 0), 0),
                             ZIP_CM_DEFLATE, 9);
    cr_assert_eq(zip_close(zip), 0);
    free(npy);
    cr_expect(is_read_within(read_npz, "zeros.npz", 4 * 1032), "%s", atl_error());
    atl_tensor *white = atl_uniform_tensor(ATL_SHAPE(1500, 1500), 255, 255, 1);
    cr_assert_eq(atl_write_png(in_scratch("white.png"), white), ATL_OK, "%s", atl_error());
    atl_tensor_free(white);
    cr_expect(is_read_within(read_image, "white.png", 12 * 1032), "%s", atl_error());
}

/* Damage everywhere: no reading takes more memory than its format allows. */
static void read_damaged_within(read_file_fn *read, const char *name, int times, int64_t multiple)
{
    size_t size;
    unsigned char *bytes = read_file(in_scratch(name), &size);
    for (int i = 0; i < times; i++) {
        unsigned char *copy = malloc(size);
        memcpy(copy, bytes, size);
        for (int changes = 0; changes < 1 + i % 4; changes++)
            copy[random_below(size)] = (unsigned char)random_below(256);
        write_file(in_scratch("damaged"), copy, size);
        free(copy);
        is_read_within(read, "damaged", multiple);
    }
    free(bytes);
}

Test(claims, damaged_files, .timeout = 120)
{
    skip_without_own_malloc();
    write_claiming_zip("a.npz", 128);
    read_damaged_within(read_npz, "a.npz", 2000, 4 * 1032);
    write_claiming_png("a.png", 2, 1, 8, 1);
    read_damaged_within(read_image, "a.png", 2000, 128 * 1032);
    write_claiming_jpeg("a.jpg", 1);
    read_damaged_within(read_image, "a.jpg", 2000, 9216);
}
