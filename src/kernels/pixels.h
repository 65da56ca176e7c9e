/* Loops over the pixels of an image: one iteration of gradient descent, and rounding to what a file can store. */
#ifndef ATLED_KERNELS_PIXELS_H
#define ATLED_KERNELS_PIXELS_H

#include <stdint.h>

enum { ATL_DESCENT_PARTS = 16 }; /* independent partial results, so that the compiler can vectorise the loops */

typedef struct atl_descent_job {
    float *pixels, *mean, *square;
    const float *gradient;
    float factor, lowest, highest; /* pixels move by -factor * direction, and stay within the bounds */
    double large_factor;           /* the factor, if it is beyond a float's range */
    float mean_left, square_left;  /* Adam: the weights of the old moments */
    float largest[ATL_DESCENT_PARTS];
    int32_t moved[ATL_DESCENT_PARTS]; /* pixels that changed */
} atl_descent_job;

/* clamp_pixels: to 0..255; NaN becomes 0 round_pixels: to whole grey levels, as an 8-bit file stores them
 * largest_magnitude: NaN if there is one descend_...: along the gradient, also if it is so small that the factor is not
 * a float; along its sign; along Adam's moments */
#define ATL_PIXEL_KERNELS(K)                                                                                           \
    K(void, clamp_pixels, (int64_t n, float *x))                                                                       \
    K(void, round_pixels, (int64_t n, const float *x, float *rounded))                                                 \
    K(float, largest_magnitude, (int64_t n, const float *x))                                                           \
    K(void, descend_gradient, (atl_descent_job * d, int64_t count))                                                    \
    K(void, descend_tiny_gradient, (atl_descent_job * d, int64_t count))                                               \
    K(void, descend_sign, (atl_descent_job * d, int64_t count))                                                        \
    K(void, descend_moments, (atl_descent_job * d, int64_t count))

#endif
