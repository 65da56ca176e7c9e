/* JPEG images.  As with PNG, libjpeg's errors jump back to the setjmp; resources that must be freed live outside the
 * function that is jumped into. */
#include <stdio.h> /* jpeglib.h needs it first */

#include <jerror.h>
#include <jpeglib.h>
#include <setjmp.h>

#include "graph/error.h"
#include "io/exif.h"
#include "io/picture.h"

typedef struct jpeg_reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
    int code; /* of the error */
    const atl_picture_file *file;
    atl_tensor *image;
    int orientation;   /* as in Exif: 1 is upright */
    atl_status status; /* of a failure that is not libjpeg's; its message is set */
} jpeg_reader;

static void on_error(j_common_ptr jpeg)
{
    jpeg_reader *reader = jpeg->client_data;
    reader->code = jpeg->err->msg_code;
    jpeg->err->format_message(jpeg, reader->message);
    longjmp(reader->back, 1);
}

/* libjpeg continues after damage and fills with grey: here that is an error.  Warnings that affect no pixel are
 * ignored. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level >= 0) /* a trace */
        return;
    switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL:
        return;
    default:
        on_error(jpeg);
    }
}

static void print_nothing(j_common_ptr jpeg) { (void)jpeg; }

/* A block of 8 x 8 pixels takes at least one bit of Huffman coding.  (Arithmetic coding can be shorter for an image of
 * a single colour, but is rare.) */
enum { MOST_PIXELS_PER_BYTE = 8 * 64 };

/* Checks the header, before memory for the pixels is allocated. */
static atl_status check_header(jpeg_reader *reader)
{
    switch (reader->jpeg.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
        return atl_new_picture(reader->file, reader->jpeg.image_height, reader->jpeg.image_width, MOST_PIXELS_PER_BYTE,
                               &reader->image);
    case JCS_CMYK:
    case JCS_YCCK:
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' is a CMYK JPEG, made for printing; atled reads grey and RGB: convert it to RGB",
                             reader->file->path);
    default:
        return atl_set_error(ATL_BAD_FILE,
                             "'%s' is a JPEG of %d components of an unknown kind; atled reads grey and RGB: "
                             "convert it to RGB",
                             reader->file->path, reader->jpeg.num_components);
    }
}

static void read_rows(jpeg_reader *reader)
{
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    int64_t values = (int64_t)jpeg->output_width * 3;
    /* libjpeg frees this with the rest of its memory. */
    JSAMPARRAY row = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, (JDIMENSION)values, 1);
    while (jpeg->output_scanline < jpeg->output_height) {
        float *to = atl_floats(reader->image) + (int64_t)jpeg->output_scanline * values;
        if (jpeg_read_scanlines(jpeg, row, 1) != 1)
            return;
        for (int64_t i = 0; i < values; i++)
            to[i] = row[0][i];
    }
}

/* Of the first segment that has one.  libjpeg owns the segments. */
static int orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    int orientation = 1;
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker && orientation == 1; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1)
            orientation = atl_exif_orientation(marker->data, marker->data_length);
    return orientation;
}

/* 0 if libjpeg failed, with its message, or reader->status is set. No local may change after setjmp. */
static int decode_pixels(jpeg_reader *reader)
{
    if (setjmp(reader->back))
        return 0;
    jpeg_create_decompress(&reader->jpeg);
    jpeg_stdio_src(&reader->jpeg, reader->file->stream);
    jpeg_save_markers(&reader->jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&reader->jpeg, TRUE);
    reader->orientation = orientation_of(&reader->jpeg);
    reader->status = check_header(reader);
    if (reader->status)
        return 0;
    reader->jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&reader->jpeg);
    read_rows(reader);
    jpeg_finish_decompress(&reader->jpeg);
    return 1;
}

atl_status atl_decode_jpeg(const atl_picture_file *file, atl_tensor **image_out)
{
    jpeg_reader reader = {.file = file};
    reader.jpeg.err = jpeg_std_error(&reader.errors);
    reader.jpeg.client_data = &reader;
    reader.errors.error_exit = on_error;
    reader.errors.emit_message = on_message;
    reader.errors.output_message = print_nothing;
    int decoded = decode_pixels(&reader);
    if (!decoded && !reader.status)
        reader.status = reader.code == JERR_OUT_OF_MEMORY
                            ? atl_set_error(ATL_OUT_OF_MEMORY, "out of memory reading '%s'", file->path)
                            : atl_set_error(ATL_BAD_FILE, "'%s' is a damaged JPEG: %s: fetch or save it again",
                                            file->path, reader.message);
    jpeg_destroy_decompress(&reader.jpeg); /* harmless if creating failed: the struct is zero */
    if (!decoded) {
        atl_tensor_free(reader.image);
        reader.image = NULL;
    }
    if (decoded && !(reader.image = atl_turn_upright(reader.image, reader.orientation)))
        reader.status = atl_set_error(ATL_OUT_OF_MEMORY, "out of memory turning '%s' upright", file->path);
    *image_out = reader.image;
    return reader.status;
}
