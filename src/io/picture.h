/* The picture formats, each in its own file, behind atl_read_image and atl_write_png. */
#ifndef ATLED_IO_PICTURE_H
#define ATLED_IO_PICTURE_H

#include <stdint.h>
#include <stdio.h>

#include "atled/tensor.h"

/* Each reads a picture from a stream that stands at its beginning, into float32 [height, width, 3]; `path` is for
 * messages. */
atl_status atl_decode_png(FILE *stream, const char *path, atl_tensor **image_out);
atl_status atl_decode_jpeg(FILE *stream, const char *path, atl_tensor **image_out);

/* The tensor for a picture of that size; refuses an empty one and one of more than ATL_MAX_PIXELS before allocating. */
atl_status atl_new_picture(int64_t height, int64_t width, const char *path, atl_tensor **image_out);

/* What a float32 tensor is as a picture: [h, w], [h, w, c], [1, h, w] + [c]; not more than ATL_MAX_PIXELS. */
typedef struct atl_picture_size {
    int64_t height, width, channels;
} atl_picture_size;
atl_status atl_picture_size_of(const atl_tensor *image, const char *what, atl_picture_size *size_out);

#endif
