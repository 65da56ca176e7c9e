/* Loops over the channels of one pixel of a pooling window. */
#ifndef ATLED_KERNELS_POOLING_H
#define ATLED_KERNELS_POOLING_H

#include <stdint.h>

/* If a window contains NaN, its maximum is the first NaN.
 * keep_larger: best = max(best, x)
 * add_where_largest: dx += dy where x is the maximum and no earlier element is equal, which `waiting` (1 or 0) tells
 * pick_where_larger: best = max(best, x), and picked = the element of g at the maximum
 * add_scaled: sum += factor * x */
#define ATL_POOLING_KERNELS(K)                                                                                         \
    K(void, keep_larger, (int64_t n, const float *x, float *best))                                                     \
    K(void, add_where_largest,                                                                                         \
      (int64_t n, const float *x, const float *best, const float *dy, float *waiting, float *dx))                      \
    K(void, pick_where_larger, (int64_t n, const float *x, const float *g, float *best, float *picked))                \
    K(void, add_scaled, (int64_t n, float factor, const float *x, float *sum))

#endif
