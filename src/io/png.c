/* PNG images.  libpng reports errors by a callback that must not return: it jumps back to the setjmp, so all resources
 * that must be freed live in a struct outside the function that is jumped into. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "files/atomic_file.h"
#include "io/picture.h"

/* The data that libpng's callbacks share, for reading and writing. */
typedef struct png_trouble {
    jmp_buf back;
    char message[160];
} png_trouble;

static void on_error(png_structp png, png_const_charp message)
{
    png_trouble *trouble = png_get_error_ptr(png);
    snprintf(trouble->message, sizeof trouble->message, "%s", message);
    longjmp(trouble->back, 1);
}

/* An image that can be decoded is accepted: a wrong date or colour profile does not matter here. */
static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

typedef struct png_reader {
    png_trouble trouble; /* first, as libpng is handed its address */
    png_structp png;
    png_infop info;
    const atl_picture_file *file;
    int64_t height, width;
    png_bytep rgba; /* of 8 bits: one row, or all rows of an interlaced image, whose rows come several times */
    int is_interlaced;
    atl_tensor *image;
    atl_status status; /* of a failure that is not libpng's; its message is set */
} png_reader;

static void read_bytes(png_structp png, png_bytep bytes, size_t size)
{
    png_reader *reader = png_get_io_ptr(png);
    if (fread(bytes, 1, size, reader->file->stream) != size)
        png_error(png, ferror(reader->file->stream) ? "it could not be read" : "it ends early");
}

/* Requests 8-bit RGBA for any file.  Returns how often the rows will come. */
static int ask_for_rgba(png_reader *reader)
{
    png_set_expand(reader->png);   /* palettes, grey of 1, 2 and 4 bits, and transparent colours, to 8 bits and alpha */
    png_set_scale_16(reader->png); /* 65535 is 255, rounded to nearest */
    png_set_gray_to_rgb(reader->png);
    png_set_add_alpha(reader->png, 255, PNG_FILLER_AFTER); /* where there is none */
    int passes = png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
    return passes;
}

/* Skips other chunks of the file; some are compressed and could expand a thousandfold. */
static void pass_over_texts(png_structp png)
{
    static const png_byte chunks[] = "iCCP\0zTXt\0iTXt\0tEXt\0sPLT\0eXIf";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, chunks, (int)(sizeof chunks / 5));
}

/* Reads the size, and allocates memory after checking that the file is long enough. */
static atl_status begin_picture(png_reader *reader)
{
    enum { DEFLATE_RATIO = 1032 }; /* deflate's maximum: 258 bytes for 2 bits */
    int64_t bits = png_get_bit_depth(reader->png, reader->info) * png_get_channels(reader->png, reader->info);
    reader->height = png_get_image_height(reader->png, reader->info);
    reader->width = png_get_image_width(reader->png, reader->info);
    reader->is_interlaced = png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE;
    atl_status status =
        atl_new_picture(reader->file, reader->height, reader->width, DEFLATE_RATIO * 8 / bits, &reader->image);
    if (status)
        return status;
    int64_t rows = reader->is_interlaced ? reader->height : 1;
    reader->rgba = atl_allocate((size_t)(rows * reader->width), 4);
    return reader->rgba
               ? ATL_OK
               : atl_set_error(ATL_OUT_OF_MEMORY, "out of memory reading '%s' (%" PRId64 " x %" PRId64 " pixels)",
                               reader->file->path, reader->width, reader->height);
}

/* Composes RGBA over white, rounded to integers: alpha * colour + (1 - alpha) * 255, with alpha in 255ths. */
static void lay_over_white(const unsigned char *rgba, float *rgb, int64_t pixels)
{
    for (; pixels > 0; pixels--, rgba += 4, rgb += 3)
        for (int c = 0; c < 3; c++)
            rgb[c] = (float)((rgba[c] * rgba[3] + 255 * (255 - rgba[3]) + 127) / 255);
}

/* Each pass of an interlaced image adds to the rows of the previous one; the last pass completes them. */
static void read_rows(png_reader *reader, int passes)
{
    float *pixels = atl_floats(reader->image);
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < reader->height; y++) {
            png_bytep row = reader->rgba + (reader->is_interlaced ? y * reader->width * 4 : 0);
            png_read_row(reader->png, row, NULL);
            if (pass == passes - 1)
                lay_over_white(row, pixels + y * reader->width * 3, reader->width);
        }
}

/* Fills reader->image; 0 if libpng failed, with its message, or reader->status is set. No local may change after
 * setjmp. */
static int decode_pixels(png_reader *reader)
{
    if (setjmp(reader->trouble.back))
        return 0;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader->trouble, on_error, on_warning);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    if (!reader->info) {
        reader->status = atl_set_error(ATL_OUT_OF_MEMORY, "out of memory reading '%s'", reader->file->path);
        return 0;
    }
    png_set_user_limits(reader->png, PNG_UINT_31_MAX,
                        PNG_UINT_31_MAX); /* our own check of the size has a better message */
    png_set_read_fn(reader->png, reader, read_bytes);
    pass_over_texts(reader->png);
    png_read_info(reader->png, reader->info);
    reader->status = begin_picture(reader);
    if (reader->status)
        return 0;
    read_rows(reader, ask_for_rgba(reader));
    png_read_end(reader->png, NULL);
    return 1;
}

static atl_status tell_damage(const png_reader *reader)
{
    if (strstr(reader->trouble.message, "memory"))
        return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory reading '%s'", reader->file->path);
    return atl_set_error(ATL_BAD_FILE, "'%s' is a damaged PNG: %s: fetch or save it again", reader->file->path,
                         reader->trouble.message);
}

atl_status atl_decode_png(const atl_picture_file *file, atl_tensor **image_out)
{
    png_reader reader = {.file = file};
    int decoded = decode_pixels(&reader);
    if (!decoded && !reader.status)
        reader.status = tell_damage(&reader);
    if (reader.png)
        png_destroy_read_struct(&reader.png, &reader.info, NULL);
    atl_release(reader.rgba);
    if (!decoded) {
        atl_tensor_free(reader.image);
        reader.image = NULL;
    }
    *image_out = reader.image;
    return reader.status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct png_writer {
    png_trouble trouble;
    png_structp png;
    png_infop info;
    FILE *stream;
    atl_picture_size size;
    const float *pixels;
    png_bytep row;
} png_writer;

static void write_bytes(png_structp png, png_bytep bytes, size_t size)
{
    png_writer *writer = png_get_io_ptr(png);
    errno = 0;
    if (fwrite(bytes, 1, size, writer->stream) != size)
        png_error(png, strerror(errno));
}

static void flush_nothing(png_structp png) { (void)png; }

/* One row of pixels, rounded to nearest and clipped. */
static void quantize(const float *from, png_bytep to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (png_byte)(from[i] <= 0 ? 0 : from[i] >= 255 ? 255 : roundf(from[i]));
}

/* 0 if libpng failed, with its message. No local may change after setjmp, so that the row count is the writer's. */
static int encode_pixels(png_writer *writer)
{
    if (setjmp(writer->trouble.back))
        return 0;
    writer->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer->trouble, on_error, on_warning);
    writer->info = writer->png ? png_create_info_struct(writer->png) : NULL;
    if (!writer->info) {
        snprintf(writer->trouble.message, sizeof writer->trouble.message, "out of memory");
        return 0;
    }
    png_set_user_limits(writer->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(writer->png, writer, write_bytes, flush_nothing);
    png_set_IHDR(writer->png, writer->info, (png_uint_32)writer->size.width, (png_uint_32)writer->size.height, 8,
                 writer->size.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(writer->png, writer->info);
    int64_t values = writer->size.width * writer->size.channels;
    for (int64_t y = 0; y < writer->size.height; y++) {
        quantize(writer->pixels + y * values, writer->row, values);
        png_write_row(writer->png, writer->row);
    }
    png_write_end(writer->png, NULL);
    return 1;
}

/* Checks size and channels, and that no pixel is NaN. */
static atl_status check_pixels(const atl_tensor *pixels, const char *what, atl_picture_size *size_out)
{
    atl_status status = atl_picture_size_of(pixels, what, size_out);
    if (status)
        return status;
    if (size_out->channels != 1 && size_out->channels != 3)
        return atl_set_error(ATL_INVALID, "%s: the picture has %" PRId64 " channels; a PNG takes 1 (grey) or 3 (RGB)",
                             what, size_out->channels);
    const float *value = atl_floats(pixels);
    for (int64_t i = 0; i < atl_tensor_count(pixels); i++) {
        int64_t pixel = i / size_out->channels;
        if (isnan(value[i]))
            return atl_set_error(ATL_INVALID,
                                 "%s: the pixel in row %" PRId64 ", column %" PRId64
                                 " is not a number (NaN): look for where the "
                                 "values went wrong",
                                 what, pixel / size_out->width, pixel % size_out->width);
    }
    return ATL_OK;
}

atl_status atl_write_png(const char *path, const atl_tensor *pixels)
{
    char what[320];
    snprintf(what, sizeof what, "'%.300s' was not written", path ? path : "");
    png_writer writer = {.pixels = atl_floats(pixels)};
    atl_status status = check_pixels(pixels, what, &writer.size);
    if (status)
        return status;
    atl_atomic_file *file;
    status = atl_atomic_open(&file, path);
    if (status)
        return status;
    writer.stream = atl_atomic_stream(file);
    writer.row = atl_allocate((size_t)writer.size.width, (size_t)writer.size.channels);
    snprintf(writer.trouble.message, sizeof writer.trouble.message, "out of memory");
    int written = writer.row && encode_pixels(&writer);
    if (writer.png)
        png_destroy_write_struct(&writer.png, &writer.info);
    atl_release(writer.row);
    if (written)
        return atl_atomic_commit(file);
    int is_memory = strstr(writer.trouble.message, "memory") != NULL;
    return atl_atomic_fail(file, is_memory ? ATL_OUT_OF_MEMORY : ATL_BAD_FILE, writer.trouble.message);
}
