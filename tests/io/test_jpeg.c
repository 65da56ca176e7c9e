/* JPEG pictures, made here with libjpeg. */
#include "scratch.h"

#include <jpeglib.h>
#include <math.h>

#include "atled/files.h"

TestSuite(jpeg, .init = make_scratch, .fini = remove_scratch);

enum { WIDTH = 40, HEIGHT = 24 };

/* Smooth, so that little is lost: channel c of the pixel. */
static int value_of(int y, int x, int c) { return 60 + y * 3 + x * 2 - c * 20; }

static void write_jpeg(const char *path, J_COLOR_SPACE space, int channels, int progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    JSAMPLE row[WIDTH * 4];
    JSAMPROW rows[] = {row};
    FILE *stream = fopen(path, "wb");
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, stream);
    jpeg.image_width = WIDTH;
    jpeg.image_height = HEIGHT;
    jpeg.input_components = channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < HEIGHT; y++) {
        for (int i = 0; i < WIDTH * channels; i++)
            row[i] = (JSAMPLE)value_of(y, i / channels, i % channels);
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(stream);
}

static void assert_reads(int channels)
{
    atl_tensor *image = atl_read_image(in_scratch("a.jpg"));
    cr_assert_not_null(image, "%s", atl_error());
    cr_assert(atl_shape_equal(atl_tensor_shape(image), ATL_SHAPE(HEIGHT, WIDTH, 3)));
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++)
                cr_assert_float_eq(atl_floats(image)[(y * WIDTH + x) * 3 + c], value_of(y, x, channels == 1 ? 0 : c),
                                   4);
    atl_tensor_free(image);
}

Test(jpeg, colour_and_grey)
{
    for (int progressive = 0; progressive < 2; progressive++) {
        write_jpeg(in_scratch("a.jpg"), JCS_RGB, 3, progressive);
        assert_reads(3);
        write_jpeg(in_scratch("a.jpg"), JCS_GRAYSCALE, 1, progressive);
        assert_reads(1);
    }
}

Test(jpeg, cmyk)
{
    write_jpeg(in_scratch("a.jpg"), JCS_CMYK, 4, 0);
    cr_assert_null(atl_read_image(in_scratch("a.jpg")));
    assert_told("CMYK");
    assert_told("convert it to RGB");
}

/* The size is in the frame header, after the bytes ff c0, a length and the precision. */
Test(jpeg, too_large)
{
    size_t size;
    write_jpeg(in_scratch("a.jpg"), JCS_RGB, 3, 0);
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
        write_jpeg(in_scratch("a.jpg"), JCS_RGB, 3, progressive);
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
        write_jpeg(in_scratch("a.jpg"), JCS_RGB, 3, progressive);
        cr_assert_gt(read_damaged(in_scratch("a.jpg"), 2000, read_one), 500);
    }
}
