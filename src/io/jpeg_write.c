/* JPEG images in memory: what a file of some quality keeps of a picture.  libjpeg's errors jump back to the setjmp, so
 * what must be freed lives outside the function that is jumped into. */
#include <stdio.h> /* jpeglib.h needs it first */

#include <jerror.h>
#include <jpeglib.h>
#include <math.h>
#include <setjmp.h>

#include "atled/files.h"
#include "graph/error.h"
#include "graph/memory.h"
#include "io/picture.h"

typedef struct jpeg_writer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr to;
    jmp_buf back;
    char message[JMSG_LENGTH_MAX];
    int code; /* of the error */
    JSAMPLE *row;
    JOCTET *bytes;
    size_t room;
} jpeg_writer;

static void on_error(j_common_ptr jpeg)
{
    jpeg_writer *w = jpeg->client_data;
    w->code = jpeg->err->msg_code;
    jpeg->err->format_message(jpeg, w->message);
    longjmp(w->back, 1);
}

static void print_nothing(j_common_ptr jpeg) { (void)jpeg; }

/* ---- the bytes --------------------------------------------------------------------------------------------------- */

static void make_room(jpeg_writer *w, size_t used)
{
    size_t room = used ? 2 * w->room : 4096;
    JOCTET *bytes = atl_reallocate(w->bytes, room, 1);
    if (!bytes)
        ERREXIT1(&w->jpeg, JERR_OUT_OF_MEMORY, 0);
    w->bytes = bytes;
    w->room = room;
    w->to.next_output_byte = bytes + used;
    w->to.free_in_buffer = room - used;
}

static void begin_bytes(j_compress_ptr jpeg) { make_room(jpeg->client_data, 0); }

/* All of the room is used. */
static boolean add_room(j_compress_ptr jpeg)
{
    jpeg_writer *w = jpeg->client_data;
    make_room(w, w->room);
    return TRUE;
}

static void end_bytes(j_compress_ptr jpeg) { (void)jpeg; }

/* ---- the picture ------------------------------------------------------------------------------------------------- */

/* 0 if libjpeg failed, with its message.  No local may change after setjmp. */
static int encode_pixels(jpeg_writer *w, const float *pixels, atl_picture_size size, int quality)
{
    int64_t values = size.width * size.channels;
    if (setjmp(w->back))
        return 0;
    jpeg_create_compress(&w->jpeg);
    w->jpeg.dest = &w->to;
    w->jpeg.image_height = (JDIMENSION)size.height;
    w->jpeg.image_width = (JDIMENSION)size.width;
    w->jpeg.input_components = (int)size.channels;
    w->jpeg.in_color_space = size.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&w->jpeg);
    jpeg_set_quality(&w->jpeg, quality, TRUE);
    jpeg_start_compress(&w->jpeg, TRUE);
    while (w->jpeg.next_scanline < w->jpeg.image_height) {
        const float *from = pixels + (int64_t)w->jpeg.next_scanline * values;
        for (int64_t i = 0; i < values; i++)
            w->row[i] = (JSAMPLE)fminf(fmaxf(roundf(from[i]), 0), 255);
        jpeg_write_scanlines(&w->jpeg, &w->row, 1);
    }
    jpeg_finish_compress(&w->jpeg);
    return 1;
}

static atl_status check(const atl_tensor *pixels, int quality, atl_picture_size *size_out)
{
    atl_status status = atl_picture_size_of(pixels, "atl_encode_jpeg", size_out);
    if (status)
        return status;
    if (size_out->channels != 1 && size_out->channels != 3)
        return atl_set_error(ATL_INVALID, "atl_encode_jpeg: the picture has %lld channels; it must have 1 or 3",
                             (long long)size_out->channels);
    if (size_out->height > JPEG_MAX_DIMENSION || size_out->width > JPEG_MAX_DIMENSION)
        return atl_set_error(ATL_INVALID, "atl_encode_jpeg: the picture is %lld x %lld; a side has at most %lld pixels",
                             (long long)size_out->height, (long long)size_out->width, (long long)JPEG_MAX_DIMENSION);
    if (quality < 1 || quality > 100)
        return atl_set_error(ATL_INVALID, "atl_encode_jpeg: the quality is %d, not 1 to 100", quality);
    for (int64_t i = 0; i < atl_tensor_count(pixels); i++)
        if (isnan(atl_floats(pixels)[i]))
            return atl_set_error(ATL_NOT_FINITE, "atl_encode_jpeg: element %lld of the picture is NaN", (long long)i);
    return ATL_OK;
}

atl_status atl_encode_jpeg(const atl_tensor *pixels, int quality, void **bytes_out, size_t *size_out)
{
    if (!pixels || !bytes_out || !size_out)
        return atl_null_argument("atl_encode_jpeg", "an argument is");
    atl_picture_size size;
    atl_status status = check(pixels, quality, &size);
    *bytes_out = NULL;
    *size_out = 0;
    if (status)
        return status;
    jpeg_writer w = {.row = atl_allocate((size_t)(size.width * size.channels), sizeof(JSAMPLE))};
    if (!w.row)
        return atl_out_of_memory();
    w.jpeg.err = jpeg_std_error(&w.errors);
    w.jpeg.client_data = &w;
    w.errors.error_exit = on_error;
    w.errors.output_message = print_nothing;
    w.to = (struct jpeg_destination_mgr){.init_destination = begin_bytes,
                                         .empty_output_buffer = add_room,
                                         .term_destination = end_bytes};
    if (!encode_pixels(&w, atl_floats(pixels), size, quality)) {
        status = w.code == JERR_OUT_OF_MEMORY ? atl_out_of_memory()
                                              : atl_set_error(ATL_INTERNAL, "atl_encode_jpeg: %s", w.message);
        atl_release(w.bytes);
    } else {
        *bytes_out = w.bytes;
        *size_out = w.room - w.to.free_in_buffer;
    }
    jpeg_destroy_compress(&w.jpeg); /* harmless if creating failed: the struct is zero */
    atl_release(w.row);
    return status;
}

void atl_bytes_free(void *bytes) { atl_release(bytes); }

atl_tensor *atl_decode_image(const void *bytes, size_t size)
{
    if (!bytes || size == 0)
        return atl_null_argument("atl_decode_image", "the picture is"), NULL;
    atl_picture_file file = {fmemopen((void *)(uintptr_t)bytes, size, "rb"), "the picture in memory", (int64_t)size};
    if (!file.stream)
        return atl_out_of_memory(), NULL;
    atl_tensor *image = atl_picture_of(&file);
    fclose(file.stream);
    return image;
}
