/* Activations together with their slopes, which the gradient multiplies by: both have most of their arithmetic in
 * common. */
#ifndef ATLED_KERNELS_SLOPES_H
#define ATLED_KERNELS_SLOPES_H

#include <stdint.h>

/* gelu_and_slope: y = gelu(x) and its derivative at x; the slope may be written over x. */
#define ATL_SLOPE_KERNELS(K) K(void, gelu_and_slope, (int64_t n, const float *x, float *y, float *slope))

#endif
