/* Convolutions by Winograd's method, of images in NHWC (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015).
 *
 * Six pixels in each direction are read for a tile of 4 x 4 results of a 3x3 filter, eight for those of a 5x5 filter.  Both are
 * transformed to values at the points 0, 1, -1, 2, -2 (and 1/2, -1/2) and infinity of a polynomial, where a convolution is a product: 36
 * multiplications for each pair of channels take the place of 144, or 64 of 400.  A block of tiles is transformed, multiplied and
 * transformed back while it is in the second-level cache. */
#ifndef ATLED_OPS_WINOGRAD_H
#define ATLED_OPS_WINOGRAD_H

#include "ops/lanes.h"

/* All strides are 1.  `in` and `out` are multiples of 16. */
typedef struct atl_winograd {
    int64_t batch, height, width; /* of the image that is read */
    int64_t result_height, result_width;
    int64_t in, out;           /* channels */
    int64_t pad_top, pad_left; /* zeros before the image, fewer than taps */
    int64_t in_pixel_stride,
        out_pixel_stride; /* floats from pixel to pixel; 0: dense.  Of the gradient by the filter, only the image's is used */
    int taps;             /* 3 or 5, in each direction */
    int workers;          /* the work is shared among so many threads; scratch and sums depend on it */
} atl_winograd;

/* True if this processor has the registers that make it worthwhile (AVX-512).  It works on any. */
int atl_winograd_pays(void);

/* Floats of the transformed filter, and of the scratch that convolving needs. */
int64_t atl_winograd_filter_floats(const atl_winograd *w);
int64_t atl_winograd_scratch_floats(const atl_winograd *w);

/* The filter [taps, taps, in, out]; `turned`: it lies as [taps, taps, out, in] and is turned by 180 degrees, which makes of a
 * convolution its gradient by the image. */
void atl_winograd_transform_filter(const atl_winograd *w, const float *filter, int transposed, float *transformed);

/* result [batch, result_height, result_width, out] */
void atl_winograd_convolve(const atl_winograd *w, const float *image, const float *transformed, const atl_epilogue *end,
                           float *scratch, float *result);

/* The gradient by the filter, [taps, taps, in, out], given the image and the gradient of the result. */
int64_t atl_winograd_gradient_scratch_floats(const atl_winograd *w);
void atl_winograd_filter_gradient(const atl_winograd *w, const float *image, const float *dy, float *scratch,
                                  float *dw);

#endif
