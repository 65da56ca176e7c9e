/* PNG images, written here with libpng in every variant of the format. */
#include "scratch.h"

#include <math.h>
#include <png.h>
#include <signal.h>
#include <sys/resource.h>

#include "atled/files.h"
#include "graph/memory.h"

TestSuite(png, .init = make_scratch, .fini = remove_scratch);

typedef struct form {
    int colour, bits, interlace;
} form;

enum { WIDTH = 13, HEIGHT = 11, MOST = WIDTH * 8 };

/* The sample of row y, column x, channel c, with this many bits: any values that differ. */
static unsigned sample(int y, int x, int c, int bits)
{
    return (unsigned)(y * 7919 + x * 104729 + c * 1299709) * 2654435761u >> (32 - bits);
}

static int channels_of(int colour)
{
    return colour == PNG_COLOR_TYPE_RGBA         ? 4
           : colour == PNG_COLOR_TYPE_RGB        ? 3
           : colour == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                 : 1;
}

/* Palette entry i has alpha i * 16 for the first 8. */
static void set_palette(png_structp png, png_infop info, int count)
{
    png_color palette[256];
    png_byte alpha[8];
    for (int i = 0; i < count; i++)
        palette[i] = (png_color){(png_byte)(i * 11), (png_byte)(255 - i), (png_byte)(i * 5 + 3)};
    for (int i = 0; i < 8; i++)
        alpha[i] = (png_byte)(i * 16);
    png_set_PLTE(png, info, palette, count);
    png_set_tRNS(png, info, alpha, count < 8 ? count : 8, NULL);
}

static void write_png(const char *path, form f)
{
    static png_byte rows[HEIGHT][MOST];
    png_bytep row[HEIGHT];
    int channels = channels_of(f.colour);
    memset(rows, 0, sizeof rows);
    for (int y = 0; y < HEIGHT; y++) {
        row[y] = rows[y];
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++) {
                unsigned value = sample(y, x, c, f.bits);
                int at = (x * channels + c) * f.bits;
                if (f.bits == 16) {
                    rows[y][at / 8] = (png_byte)(value >> 8);
                    rows[y][at / 8 + 1] = (png_byte)value;
                } else {
                    rows[y][at / 8] |= (png_byte)(value << (8 - f.bits - at % 8));
                }
            }
    }
    FILE *stream = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, stream);
    png_set_IHDR(png, info, WIDTH, HEIGHT, f.bits, f.colour, f.interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (f.colour == PNG_COLOR_TYPE_PALETTE)
        set_palette(png, info, 1 << f.bits);
    png_set_rows(png, info, row);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(stream);
}

/* The expected value of channel c of a pixel, by the definition of the format, over white. */
static double wanted(form f, int y, int x, int c)
{
    double colour, alpha = 1, full = (1 << f.bits) - 1;
    if (f.colour == PNG_COLOR_TYPE_PALETTE) {
        int i = (int)sample(y, x, 0, f.bits);
        colour = c == 0 ? (i * 11) % 256 : c == 1 ? 255 - i : (i * 5 + 3) % 256;
        alpha = i < 8 ? i * 16 / 255.0 : 1;
    } else {
        int channels = channels_of(f.colour), grey = channels < 3;
        colour = round(sample(y, x, grey ? 0 : c, f.bits) / full * 255);
        if (channels == 2 || channels == 4)
            alpha = round(sample(y, x, channels - 1, f.bits) / full * 255) / 255;
    }
    return round(alpha * colour + (1 - alpha) * 255);
}

Test(png, every_form)
{
    static const form forms[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 0},        {PNG_COLOR_TYPE_GRAY, 2, 0},    {PNG_COLOR_TYPE_GRAY, 4, 0},
        {PNG_COLOR_TYPE_GRAY, 8, 0},        {PNG_COLOR_TYPE_GRAY, 16, 0},   {PNG_COLOR_TYPE_RGB, 8, 0},
        {PNG_COLOR_TYPE_RGB, 16, 0},        {PNG_COLOR_TYPE_PALETTE, 1, 0}, {PNG_COLOR_TYPE_PALETTE, 2, 0},
        {PNG_COLOR_TYPE_PALETTE, 4, 0},     {PNG_COLOR_TYPE_PALETTE, 8, 0}, {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 0},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 0}, {PNG_COLOR_TYPE_RGBA, 8, 0},    {PNG_COLOR_TYPE_RGBA, 16, 0},
    };
    for (size_t i = 0; i < 2 * sizeof forms / sizeof *forms; i++) {
        form f = forms[i / 2];
        f.interlace = i % 2 ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE;
        write_png(in_scratch("a.png"), f);
        atl_tensor *image = atl_read_image(in_scratch("a.png"));
        cr_assert_not_null(image, "%s", atl_error());
        cr_assert(atl_shape_equal(atl_tensor_shape(image), ATL_SHAPE(HEIGHT, WIDTH, 3)));
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                for (int c = 0; c < 3; c++)
                    cr_assert_eq(atl_floats(image)[(y * WIDTH + x) * 3 + c], wanted(f, y, x, c),
                                 "colour %d, %d bits, interlace %d, at %d %d %d", f.colour, f.bits, f.interlace, y, x,
                                 c);
        atl_tensor_free(image);
    }
}

Test(png, written_and_read_back)
{
    static const float in[] = {0, 0.4f, 0.6f, 254.4f, 254.6f, 300, -7, INFINITY, 128, 127.49f, -INFINITY, 255};
    static const float out[] = {0, 0, 1, 254, 255, 255, 0, 255, 128, 127, 0, 255};
    atl_shape shapes[] = {ATL_SHAPE(2, 2, 3), ATL_SHAPE(1, 2, 2, 3)};
    for (int s = 0; s < 2; s++) {
        atl_tensor *x = atl_tensor_of_floats(shapes[s], in);
        cr_assert_eq(atl_write_png(in_scratch("a.png"), x), ATL_OK, "%s", atl_error());
        atl_tensor *y = atl_read_image(in_scratch("a.png"));
        cr_assert_not_null(y, "%s", atl_error());
        cr_assert_arr_eq(atl_floats(y), out, sizeof out);
        atl_tensor_free(x);
        atl_tensor_free(y);
    }
    cr_assert_eq(files_in_scratch(), 1);
}

Test(png, grey_is_written_as_grey)
{
    static const float in[] = {0, 50, 100, 150, 200, 250};
    atl_shape shapes[] = {ATL_SHAPE(2, 3), ATL_SHAPE(2, 3, 1), ATL_SHAPE(1, 2, 3, 1)};
    for (int s = 0; s < 3; s++) {
        size_t size;
        atl_tensor *x = atl_tensor_of_floats(shapes[s], in);
        cr_assert_eq(atl_write_png(in_scratch("a.png"), x), ATL_OK, "%s", atl_error());
        unsigned char *bytes = read_file(in_scratch("a.png"), &size);
        cr_assert_eq(bytes[25], PNG_COLOR_TYPE_GRAY);
        free(bytes);
        atl_tensor *y = atl_read_image(in_scratch("a.png"));
        cr_assert(atl_shape_equal(atl_tensor_shape(y), ATL_SHAPE(2, 3, 3)));
        for (int i = 0; i < 18; i++)
            cr_assert_eq(atl_floats(y)[i], in[i / 3]);
        atl_tensor_free(x);
        atl_tensor_free(y);
    }
}

Test(png, what_is_no_picture_is_not_written)
{
    atl_tensor *two = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 2, 2)),
               *flat = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(7)), *ints = atl_tensor_new(ATL_INT32, ATL_SHAPE(2, 2, 3)),
               *none = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(0, 2, 3)),
               *wrong = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 5, 3));
    cr_assert_eq(atl_write_png(in_scratch("a.png"), NULL), ATL_INVALID);
    cr_assert_eq(atl_write_png(in_scratch("a.png"), two), ATL_INVALID);
    assert_told("2 channels");
    cr_assert_eq(atl_write_png(in_scratch("a.png"), flat), ATL_INVALID);
    cr_assert_eq(atl_write_png(in_scratch("a.png"), ints), ATL_INVALID);
    cr_assert_eq(atl_write_png(in_scratch("a.png"), none), ATL_INVALID);
    atl_floats(wrong)[1 * 15 + 3 * 3 + 2] = NAN;
    cr_assert_eq(atl_write_png(in_scratch("a.png"), wrong), ATL_INVALID);
    assert_told("row 1, column 3");
    cr_assert_eq(files_in_scratch(), 0);
    atl_tensor_free(two);
    atl_tensor_free(flat);
    atl_tensor_free(ints);
    atl_tensor_free(none);
    atl_tensor_free(wrong);
}

Test(png, full_disk)
{
    struct rlimit limit = {1000, 1000};
    atl_tensor *noise = atl_uniform_tensor(ATL_SHAPE(100, 100, 3), 0, 255, 1);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(atl_write_png(in_scratch("a.png"), noise), ATL_BAD_FILE);
    assert_told("could not be written");
    cr_assert_eq(files_in_scratch(), 0);
    atl_tensor_free(noise);
}

/* A header that claims 100,000 x 100,000 pixels, with a right checksum; nothing follows. */
Test(png, too_large)
{
    static const unsigned char bytes[] =
        "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\x86\xa0\0\1\x86\xa0\x8\2\0\0\0\x27\x30\x9c\x9f"
        "\0\0\0\0IDAT\x35\xaf\x06\x1e";
    write_file(in_scratch("a.png"), bytes, sizeof bytes - 1);
    cr_assert_null(atl_read_image(in_scratch("a.png")));
    assert_told("100000 x 100000");
    assert_told("100 megapixels");
}

static int read_one(const char *path)
{
    atl_tensor *image = atl_read_image(path);
    atl_tensor_free(image);
    return image != NULL;
}

Test(png, damaged_pictures_are_refused_or_read, .timeout = 120)
{
    write_png(in_scratch("a.png"), (form){PNG_COLOR_TYPE_PALETTE, 8, PNG_INTERLACE_ADAM7});
    cr_assert_gt(read_damaged(in_scratch("a.png"), 2000, read_one), 1000);
    write_png(in_scratch("a.png"), (form){PNG_COLOR_TYPE_RGBA, 16, PNG_INTERLACE_NONE});
    cr_assert_gt(read_damaged(in_scratch("a.png"), 2000, read_one), 1000);
}

Test(png, cut_short)
{
    size_t size;
    write_png(in_scratch("a.png"), (form){PNG_COLOR_TYPE_RGB, 8, 0});
    unsigned char *bytes = read_file(in_scratch("a.png"), &size);
    for (size_t kept = 8; kept < size; kept++) {
        write_file(in_scratch("b.png"), bytes, kept);
        cr_assert_null(atl_read_image(in_scratch("b.png")), "%zu of %zu bytes", kept, size);
        assert_told("damaged PNG");
    }
    free(bytes);
}

/* Each allocation fails in turn. */
Test(png, out_of_memory)
{
    atl_tensor *x = random_tensor(ATL_SHAPE(5, 7, 3), 0, 255), *y = NULL;
    atl_status status = ATL_OUT_OF_MEMORY;
    for (int allowed = 0; status != ATL_OK; allowed++) {
        cr_assert_lt(allowed, 100);
        atl_fail_allocations_after(allowed);
        status = atl_write_png(in_scratch("a.png"), x);
        atl_fail_allocations_after(-1);
        cr_assert(status == ATL_OK || status == ATL_OUT_OF_MEMORY, "%s", atl_error());
        cr_assert_eq(files_in_scratch(), status == ATL_OK);
    }
    for (int allowed = 0; !y; allowed++) {
        cr_assert_lt(allowed, 100);
        atl_fail_allocations_after(allowed);
        y = atl_read_image(in_scratch("a.png"));
        atl_fail_allocations_after(-1);
        if (!y)
            assert_told("out of memory");
    }
    atl_tensor_free(x);
    atl_tensor_free(y);
}
