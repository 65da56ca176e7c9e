/* A picture as text within a page. */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h> /* it needs what stdio.h declares */

#include "atled/files.h"
#include "html_report.h"

/* libjpeg's own handlers print, and end the process. */
typedef struct jpeg_errors {
    struct jpeg_error_mgr base;
    jmp_buf out;
} jpeg_errors;

static void give_up(j_common_ptr codec) { longjmp(((jpeg_errors *)(void *)codec->err)->out, 1); }
static void say_nothing(j_common_ptr codec) { (void)codec; }

typedef struct jpeg_bytes {
    unsigned char *data; /* to be freed */
    unsigned long size;
} jpeg_bytes;

static void set_up(struct jpeg_compress_struct *codec, int64_t height, int64_t width, int quality)
{
    codec->image_height = (JDIMENSION)height;
    codec->image_width = (JDIMENSION)width;
    codec->input_components = 3;
    codec->in_color_space = JCS_RGB;
    jpeg_set_defaults(codec);
    jpeg_set_quality(codec, quality, TRUE);
    codec->optimize_coding = TRUE;
    for (int c = 0; quality >= 90 && c < 3; c++) /* small pictures keep their colours */
        codec->comp_info[c].h_samp_factor = codec->comp_info[c].v_samp_factor = 1;
}

/* Returns 0 on failure. */
static int encode(const unsigned char *rgb, int64_t height, int64_t width, int quality, jpeg_bytes *to)
{
    struct jpeg_compress_struct codec;
    jpeg_errors errors;
    codec.err = jpeg_std_error(&errors.base);
    errors.base.error_exit = give_up;
    errors.base.output_message = say_nothing;
    if (setjmp(errors.out)) {
        jpeg_destroy_compress(&codec);
        return 0;
    }
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &to->data, &to->size);
    set_up(&codec, height, width, quality);
    jpeg_start_compress(&codec, TRUE);
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(rgb + (int64_t)codec.next_scanline * width * 3);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    return 1;
}

static void write_base64(FILE *to, const unsigned char *data, size_t size)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned left = size - i < 3 ? (unsigned)(size - i) : 3, bits = (unsigned)data[i] << 16;
        bits |= left > 1 ? (unsigned)data[i + 1] << 8 : 0;
        bits |= left > 2 ? data[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++)
            fputc(k <= left ? digit[bits >> (18 - 6 * k) & 63] : '=', to);
    }
}

static unsigned char byte_of(float x) { return (unsigned char)(x > 0 ? x < 255 ? x + 0.5f : 255 : 0); }

/* The best of several qualities that fits, or the last. */
static int encode_within(const atl_tensor *pixels, size_t bytes, jpeg_bytes *to)
{
    static const int quality[] = {95, 85, 75, 60, 45, 30};
    atl_shape s = atl_tensor_shape(pixels);
    int64_t count = atl_tensor_count(pixels), height = s.size[s.rank - 3], width = s.size[s.rank - 2];
    unsigned char *rgb = malloc((size_t)count);
    int ok = rgb != NULL;
    for (int64_t i = 0; ok && i < count; i++)
        rgb[i] = byte_of(atl_floats(pixels)[i]);
    for (size_t k = 0; ok && k < sizeof quality / sizeof *quality && (k == 0 || to->size > bytes); k++) {
        free(to->data);
        *to = (jpeg_bytes){0};
        ok = encode(rgb, height, width, quality[k], to);
    }
    free(rgb);
    return ok;
}

atl_status write_image_url(FILE *to, const atl_tensor *pixels, size_t bytes)
{
    enum { SMALLEST = 64 };
    size_t most = bytes / 4 * 3; /* before base64 */
    jpeg_bytes jpeg = {0};
    atl_shape s = atl_tensor_shape(pixels);
    int ok = encode_within(pixels, most, &jpeg);
    int64_t height = s.size[s.rank - 3], width = s.size[s.rank - 2];
    while (ok && jpeg.size > most && height > SMALLEST && width > SMALLEST) {
        height /= 2;
        width /= 2;
        atl_tensor *small = atl_resize_image(pixels, height, width);
        ok = small && encode_within(small, most, &jpeg);
        atl_tensor_free(small);
    }
    if (ok) {
        fputs("data:image/jpeg;base64,", to);
        write_base64(to, jpeg.data, jpeg.size);
    }
    free(jpeg.data);
    return ok ? ATL_OK : atl_set_error(ATL_OUT_OF_MEMORY, "a picture of the report cannot be encoded");
}
