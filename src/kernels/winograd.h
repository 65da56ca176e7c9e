/* Convolutions by Winograd's method, of images in NHWC (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", 2015).
 *
 * Six pixels in each direction are read for a tile of 4 x 4 results of a 3x3 filter, eight for those of a 5x5 filter.
 * Both are transformed to values at the points 0, 1, -1, 2, -2 (and 1/2, -1/2) and infinity of a polynomial, where a
 * convolution is a product: 36 multiplications for each pair of channels take the place of 144, or 64 of 400.
 *
 * Where a 3x3 filter leaves one or two results at the lower or the right edge, as of 14 x 14 pixels, the tiles there
 * have two results in that direction, and four points: 0, 1, -1 and infinity, with the same transformed filter.
 *
 * A dilated convolution is one of each of the images that take every dilation-th pixel: tiles are of such an image, and
 * lie in one another.
 *
 * An infinity or a NaN in the image spoils every result of the tiles that read it, not only those whose window it is
 * in.
 *
 *     winograd_convolve          with a transformed filter that is kept.  A block of tiles is transformed, multiplied
 *                                and transformed back while it is in the second-level cache
 *     winograd_convolve_large    transforms the filter as it goes, as many outputs at a time as the second-level cache
 *                                holds, for filters whose transform is too large to keep or to read again
 *     winograd_filter_gradient   the gradient by the filter */
#ifndef ATLED_KERNELS_WINOGRAD_H
#define ATLED_KERNELS_WINOGRAD_H

#include "kernels/epilogue.h"

/* All strides are 1.  `in` and `out` are multiples of a vector. */
typedef struct atl_winograd {
    int64_t batch, height, width; /* of the image that is read */
    int64_t result_height, result_width;
    int64_t in, out;                /* channels */
    int64_t pad_top, pad_left;      /* zeros before the image, up to (kernel_size - 1) * dilation */
    int64_t dilation_y, dilation_x; /* pixels from one element of the window to the next; 0: 1 */
    int64_t in_pixel_stride;        /* floats from pixel to pixel; 0: dense */
    int64_t out_pixel_stride;       /* the same; not used by the gradient by the filter */
    int64_t cache_bytes;            /* of a core, for blocks of tiles */
    int64_t shared_bytes;           /* of the last-level cache, for the tiles of winograd_convolve_large */
    int kernel_size;                /* 3 or 5, in each direction */
    int workers;                    /* the work is shared among so many threads; scratch and sums depend on it */
} atl_winograd;

/* The kernels, see kernels.h.  The filter is [kernel_size, kernel_size, in, out]; `transposed`: it lies as
 * [kernel_size, kernel_size, out, in] and is turned by 180 degrees, which makes of a convolution its gradient by the
 * image. The result is [batch, result_height, result_width, out]. */
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
