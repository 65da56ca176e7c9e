/* Loops over the pixels of a picture: one step downhill, and keeping to what a file can hold. */
#ifndef ATLED_KERNELS_PIXELS_H
#define ATLED_KERNELS_PIXELS_H

#include <stdint.h>

enum { ATL_DESCENT_PARTS = 16 }; /* independent partial results, so that the loops vectorise */

typedef struct atl_descent_job {
    float *pixels, *mean, *square;
    const float *gradient;
    float factor, lowest, highest; /* pixels move by -factor * direction, and stay within the bounds */
    double large_factor;           /* the factor, where it is beyond a float's range */
    float mean_left, square_left;  /* Adam: shares of the moments that are kept */
    float largest[ATL_DESCENT_PARTS];
    int32_t moved[ATL_DESCENT_PARTS]; /* pixels that changed */
} atl_descent_job;

/* clamp_pixels: to 0..255, and 0 for what is not a number
 * round_pixels: to whole grey levels, as a file of 8 bits holds them
 * largest_magnitude: NaN if there is one
 * descend_...: along the gradient, also where it is so small that the factor is no float, along its sign, along Adam's moments */
#define ATL_PIXEL_KERNELS(K)                                                                                           \
    K(void, clamp_pixels, (int64_t n, float *x))                                                                       \
    K(void, round_pixels, (int64_t n, const float *x, float *rounded))                                                 \
    K(float, largest_magnitude, (int64_t n, const float *x))                                                           \
    K(void, descend_gradient, (atl_descent_job * d, int64_t count))                                                    \
    K(void, descend_tiny_gradient, (atl_descent_job * d, int64_t count))                                               \
    K(void, descend_sign, (atl_descent_job * d, int64_t count))                                                        \
    K(void, descend_moments, (atl_descent_job * d, int64_t count))

#endif
