/* Small JPEG files, made with libjpeg. */
#ifndef ATLED_TESTS_IO_JPEG_FILE_H
#define ATLED_TESTS_IO_JPEG_FILE_H

#include <stdlib.h>

#include "support.h"

#include <jpeglib.h> /* needs stdio.h */

/* Channel c of the pixel: smooth, so that little is lost. */
static inline int jpeg_pixel(int y, int x, int c) { return 60 + y * 3 + x * 2 - c * 20; }

/* space: JCS_GRAYSCALE, JCS_RGB or JCS_CMYK. */
static inline void write_jpeg(const char *path, int height, int width, J_COLOR_SPACE space, int progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    int channels = space == JCS_GRAYSCALE ? 1 : space == JCS_RGB ? 3 : 4;
    JSAMPROW row = malloc((size_t)(width * channels));
    FILE *stream = fopen(path, "wb");
    cr_assert(row && stream, "%s cannot be written", path);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, stream);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < height; y++) {
        for (int i = 0; i < width * channels; i++)
            row[i] = (JSAMPLE)jpeg_pixel(y, i / channels, i % channels);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    free(row);
    cr_assert_eq(fclose(stream), 0);
}

#endif
