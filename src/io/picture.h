/* The image formats, each in its own file, behind atl_read_image and atl_write_png. */
#ifndef ATLED_IO_PICTURE_H
#define ATLED_IO_PICTURE_H

#include <stdint.h>
#include <stdio.h>

#include "atled/tensor.h"

/* An image file, positioned at its beginning. */
typedef struct atl_picture_file {
    FILE *stream;
    const char *path; /* for messages */
    int64_t size;     /* bytes */
} atl_picture_file;

/* An image of any format; null on failure. */
atl_tensor *atl_picture_of(const atl_picture_file *file);

/* Each reads an image into float32 [height, width, 3]. */
atl_status atl_decode_png(const atl_picture_file *file, atl_tensor **image_out);
atl_status atl_decode_jpeg(const atl_picture_file *file, atl_tensor **image_out);

/* The tensor for an image of that size, with uninitialised pixels.  Before it allocates, it rejects an empty image, one
 * of more than ATL_MAX_PIXELS, and one of more pixels than the file can contain, at `most_per_byte`. */
atl_status atl_new_picture(const atl_picture_file *file, int64_t height, int64_t width, int64_t most_per_byte,
                           atl_tensor **image_out);

/* The size of a float32 tensor as an image: [h, w], [h, w, c], [1, h, w] + [c]; at most ATL_MAX_PIXELS. */
typedef struct atl_picture_size {
    int64_t height, width, channels;
} atl_picture_size;
atl_status atl_picture_size_of(const atl_tensor *image, const char *what, atl_picture_size *size_out);

#endif
