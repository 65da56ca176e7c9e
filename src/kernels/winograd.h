/* Winograd convolution of images in NHWC (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015). A
 * tile of 4 x 4 results of a 3x3 filter reads six pixels in each direction, that of a 5x5 filter eight.  Tile and
 * filter are transformed to values at the points 0, 1, -1, 2, -2 (and 1/2, -1/2) and infinity of a polynomial, where a
 * convolution is a product: 36 multiplications per pair of channels instead of 144, or 64 instead of 400. An infinity
 * or a NaN in the image affects every result of the tiles that read it, not only those whose window contains it.
 *     winograd_convolve          with a prepacked transformed filter.  It transforms, multiplies and transforms back a
 *     block of
 *                                tiles while the block is in the second-level cache
 *     winograd_convolve_large    transforms the filter on the fly, as many outputs at a time as fit into the
 *     second-level cache,
 *                                for filters whose transform is too large to keep or to read again
 *     winograd_filter_gradient   the gradient with respect to the filter */
#ifndef ATLED_KERNELS_WINOGRAD_H
#define ATLED_KERNELS_WINOGRAD_H

#include "kernels/epilogue.h"

/* All strides are 1.  `in` and `out` are multiples of a vector. */
typedef struct atl_winograd {
    int64_t batch, height, width; /* of the input image */
    int64_t result_height, result_width;
    int64_t in, out;           /* channels */
    int64_t pad_top, pad_left; /* zeros before the image, fewer than kernel_size */
    int64_t in_pixel_stride;   /* floats from pixel to pixel; 0: dense */
    int64_t out_pixel_stride;  /* the same; unused by the filter gradient */
    int64_t cache_bytes;       /* of a core, for blocks of tiles */
    int64_t shared_bytes;      /* of the last-level cache, for the tiles of winograd_convolve_large */
    int kernel_size;           /* 3 or 5, in each direction */
    int workers;               /* number of threads; scratch memory and sums depend on it */
} atl_winograd;

/* The kernels, see kernels.h.  The filter is [kernel_size, kernel_size, in, out].  `transposed`: it is stored as
 * [kernel_size, kernel_size, out, in] and rotated by 180 degrees, which turns a convolution into its gradient with
 * respect to the image.  The result is [batch, result_height, result_width, out]. */
#define ATL_WINOGRAD_KERNELS(K)                                                                                        \
    K(int64_t, winograd_filter_floats, (const atl_winograd *w))                                                        \
    K(int64_t, winograd_scratch_floats, (const atl_winograd *w))                                                       \
    K(void, winograd_transform_filter,                                                                                 \
      (const atl_winograd *w, const float *filter, int transposed, float *transformed))                                \
    K(void, winograd_convolve,                                                                                         \
      (const atl_winograd *w, const float *image, const float *transformed, const atl_epilogue *end, float *scratch,   \
       float *result))                                                                                                 \
    K(int64_t, winograd_large_scratch_floats, (const atl_winograd *w))                                                 \
    K(void, winograd_convolve_large,                                                                                   \
      (const atl_winograd *w, const float *image, const float *filter, int transposed, const atl_epilogue *end,        \
       float *scratch, float *result))                                                                                 \
    K(int64_t, winograd_gradient_scratch_floats, (const atl_winograd *w))                                              \
    K(void, winograd_filter_gradient,                                                                                  \
      (const atl_winograd *w, const float *image, const float *dy, float *scratch, float *dw))

#endif
