/* JPEG pictures, made with libjpeg. */
#include "scratch.h"

#include <math.h>

#include "atled/files.h"
#include "jpeg_file.h"

TestSuite(jpeg, .init = make_scratch, .fini = remove_scratch);

enum { WIDTH = 40, HEIGHT = 24 };

static void assert_reads(int channels)
{
    atl_tensor *image = atl_read_image(in_scratch("a.jpg"));
    cr_assert_not_null(image, "%s", atl_error());
    cr_assert(atl_shape_equal(atl_tensor_shape(image), ATL_SHAPE(HEIGHT, WIDTH, 3)));
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++)
                cr_assert_float_eq(atl_floats(image)[(y * WIDTH + x) * 3 + c], jpeg_pixel(y, x, channels == 1 ? 0 : c),
                                   4);
    atl_tensor_free(image);
}

Test(jpeg, colour_and_grey)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_RGB, progressive);
        assert_reads(3);
        write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_GRAYSCALE, progressive);
        assert_reads(1);
    }
}

Test(jpeg, cmyk)
{
    write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_CMYK, 0);
    cr_assert_null(atl_read_image(in_scratch("a.jpg")));
    assert_told("CMYK");
    assert_told("convert it to RGB");
}

/* The size is in the frame header, after the bytes ff c0, a length and the precision. */
Test(jpeg, too_large)
{
    size_t size;
    write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_RGB, 0);
    unsigned char *bytes = read_file(in_scratch("a.jpg"), &size);
    for (size_t i = 0; i + 9 < size; i++)
        if (bytes[i] == 0xff && bytes[i + 1] == 0xc0) {
            memset(bytes + i + 5, 0x7f, 4);
            break;
        }
    write_file(in_scratch("a.jpg"), bytes, size);
    free(bytes);
    cr_assert_null(atl_read_image(in_scratch("a.jpg")));
    assert_told("32639 x 32639");
    assert_told("100 megapixels");
}

/* libjpeg would fill the missing part with grey and continue. */
Test(jpeg, cut_short)
{
    size_t size;
    for (int progressive = 0; progressive < 2; progressive++) {
        write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_RGB, progressive);
        unsigned char *bytes = read_file(in_scratch("a.jpg"), &size);
        for (size_t kept = 3; kept < size; kept++) {
            write_file(in_scratch("b.jpg"), bytes, kept);
            cr_assert_null(atl_read_image(in_scratch("b.jpg")), "%zu of %zu bytes", kept, size);
            assert_told("damaged JPEG");
        }
        free(bytes);
    }
}

static int read_one(const char *path)
{
    atl_tensor *image = atl_read_image(path);
    atl_tensor_free(image);
    return image != NULL;
}

Test(jpeg, damaged_pictures_are_refused_or_read, .timeout = 120)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_RGB, progressive);
        cr_assert_gt(read_damaged(in_scratch("a.jpg"), 2000, read_one), 500);
    }
}

/* ---- the camera's orientation ------------------------------------------------------------------------------------ */

/* Inserts an APP1 segment with this orientation after the first two bytes. */
static void add_exif(const char *path, int orientation, int big_endian)
{
    unsigned char segment[36] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
    static const unsigned char big[] = {'M', 'M', 0, '*', 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0},
                               little[] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0};
    size_t size;
    unsigned char *bytes = read_file(path, &size), *longer = malloc(size + sizeof segment);
    memcpy(segment + 10, big_endian ? big : little, big_endian ? sizeof big : sizeof little);
    segment[10 + 18 + (big_endian ? 1 : 0)] = (unsigned char)orientation;
    memcpy(longer, bytes, 2);
    memcpy(longer + 2, segment, sizeof segment);
    memcpy(longer + 2 + sizeof segment, bytes + 2, size - 2);
    write_file(path, longer, size + sizeof segment);
    free(longer);
    free(bytes);
}

/* Where row y and column x of the upright picture lie in the file, by the words of the standard: which edge of the
 * scene row 0 and column 0 of the file are. */
static void place_in_file(int orientation, int y, int x, int *row, int *column)
{
    static const char *const edges[] = {"top left", "top right", "bottom right", "bottom left",
                                        "left top", "right top", "right bottom", "left bottom"};
    const char *first = edges[orientation - 1], *second = strchr(first, ' ') + 1;
    const char *edge[] = {first, second};
    int *to[] = {row, column}, height = orientation < 5 ? HEIGHT : WIDTH, width = orientation < 5 ? WIDTH : HEIGHT;
    for (int i = 0; i < 2; i++)
        *to[i] = edge[i][0] == 't' ? y : edge[i][0] == 'b' ? height - 1 - y : edge[i][0] == 'l' ? x : width - 1 - x;
}

Test(jpeg, is_turned_upright)
{
    for (int k = 0; k < 16; k++) {
        int orientation = k % 8 + 1, swaps = orientation > 4;
        write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_RGB, 0);
        add_exif(in_scratch("a.jpg"), orientation, k / 8);
        atl_tensor *image = atl_read_image(in_scratch("a.jpg"));
        cr_assert(image, "%s", atl_error());
        int64_t height = atl_tensor_shape(image).size[0], width = atl_tensor_shape(image).size[1];
        cr_assert(height == (swaps ? WIDTH : HEIGHT) && width == (swaps ? HEIGHT : WIDTH), "orientation %d",
                  orientation);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                int row = 0, column = 0;
                place_in_file(orientation, y, x, &row, &column);
                cr_assert_float_eq(atl_floats(image)[(y * width + x) * 3], jpeg_pixel(row, column, 0), 4,
                                   "orientation %d at %d %d", orientation, y, x);
            }
        atl_tensor_free(image);
    }
}

/* A damaged tag is none: the pixels are there. */
Test(jpeg, a_damaged_orientation_is_none)
{
    for (int i = 0; i < 400; i++) {
        size_t size;
        write_jpeg(in_scratch("a.jpg"), HEIGHT, WIDTH, JCS_RGB, 0);
        add_exif(in_scratch("a.jpg"), i < 2 ? 9 * i : 6, i % 2);
        unsigned char *bytes = read_file(in_scratch("a.jpg"), &size);
        for (int k = 0; i >= 2 && k < 3; k++)
            bytes[6 + random_below(32)] = (unsigned char)random_below(256);
        write_file(in_scratch("a.jpg"), bytes, size);
        free(bytes);
        atl_tensor *image = atl_read_image(in_scratch("a.jpg"));
        cr_assert(image, "%s", atl_error());
        cr_assert_eq(atl_tensor_count(image), HEIGHT * WIDTH * 3);
        atl_tensor_free(image);
    }
}

/* ---- encoding ---------------------------------------------------------------------------------------------------- */

/* The largest difference between a picture and what its file stores. */
static double loss_of(const atl_tensor *picture, int channels, int quality, size_t *size_out)
{
    void *bytes;
    double most = 0;
    cr_assert_eq(atl_encode_jpeg(picture, quality, &bytes, size_out), ATL_OK, "%s", atl_error());
    atl_tensor *back = atl_decode_image(bytes, *size_out);
    cr_assert(back && atl_shape_equal(atl_tensor_shape(back), ATL_SHAPE(HEIGHT, WIDTH, 3)), "%s", atl_error());
    write_file(in_scratch("a.jpg"), bytes, *size_out);
    atl_tensor *from_file = atl_read_image(in_scratch("a.jpg"));
    cr_assert_arr_eq(atl_floats(from_file), atl_floats(back), HEIGHT * WIDTH * 3 * sizeof(float));
    for (int i = 0; i < HEIGHT * WIDTH * 3; i++)
        most = fmax(most, fabs((double)atl_floats(back)[i] -
                               fmin(fmax((double)atl_floats(picture)[channels == 1 ? i / 3 : i], 0), 255)));
    atl_tensor_free(from_file);
    atl_tensor_free(back);
    atl_bytes_free(bytes);
    return most;
}

Test(jpeg, what_is_encoded_is_read_back)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        size_t best_size, worst_size;
        atl_tensor *picture = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(HEIGHT, WIDTH, channels));
        for (int i = 0; i < HEIGHT * WIDTH * channels; i++)
            atl_floats(picture)[i] =
                1.6f * (float)jpeg_pixel(i / channels / WIDTH, i / channels % WIDTH, i % channels) -
                60; /* beyond 255 */
        double best = loss_of(picture, channels, 100, &best_size), worst = loss_of(picture, channels, 5, &worst_size);
        cr_assert(best <= 6 && worst > best && worst_size < best_size, "%g %g, %zu %zu", best, worst, best_size,
                  worst_size);
        atl_tensor_free(picture);
    }
}

Test(jpeg, noise_of_many_bytes_is_encoded)
{
    void *bytes;
    size_t size;
    atl_tensor *noise = random_tensor(ATL_SHAPE(1, 64, 65, 3), 0, 255);
    cr_assert_eq(atl_encode_jpeg(noise, 100, &bytes, &size), ATL_OK, "%s", atl_error());
    cr_assert_gt(size, 8192); /* the room has grown */
    atl_tensor *back = atl_decode_image(bytes, size);
    cr_assert(back && atl_shape_equal(atl_tensor_shape(back), ATL_SHAPE(64, 65, 3)), "%s", atl_error());
    atl_tensor_free(back);
    atl_bytes_free(bytes);
    atl_tensor_free(noise);
}

Test(jpeg, what_cannot_be_encoded_is_told)
{
    void *bytes;
    size_t size;
    atl_tensor *fine = random_tensor(ATL_SHAPE(4, 4, 3), 0, 255), *two = random_tensor(ATL_SHAPE(4, 4, 2), 0, 255),
               *wide = random_tensor(ATL_SHAPE(1, 70000, 1), 0, 255);
    cr_assert_eq(atl_encode_jpeg(fine, 0, &bytes, &size), ATL_INVALID);
    assert_told("quality is 0");
    cr_assert_eq(atl_encode_jpeg(two, 90, &bytes, &size), ATL_INVALID);
    assert_told("2 channels");
    cr_assert_eq(atl_encode_jpeg(wide, 90, &bytes, &size), ATL_INVALID);
    assert_told("1 x 70000");
    atl_floats(fine)[5] = NAN;
    cr_assert_eq(atl_encode_jpeg(fine, 90, &bytes, &size), ATL_NOT_FINITE);
    assert_told("element 5");
    cr_assert(bytes == NULL && size == 0);
    cr_assert_null(atl_decode_image("no picture at all", 17));
    assert_told("neither PNG nor JPEG");
    atl_tensor_free(fine);
    atl_tensor_free(two);
    atl_tensor_free(wide);
}
