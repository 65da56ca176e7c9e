/* Loops over one row of numbers, for softmax and its gradient. */
#ifndef ATLED_KERNELS_ROWS_H
#define ATLED_KERNELS_ROWS_H

#include <stdint.h>

/* sum_of: the sum of n numbers, always in the same order
 * exp_below: e = e^(x - most)
 * softmax_grad_row: result = value (dy - sum of dy value)
 * normalize_row: result = (x - mean) / sqrt(variance + epsilon)
 * normalize_grad_row: of dy, with y = normalize_row(x), result = (dy - mean of dy - y mean of dy y) / sqrt(variance +
 *     epsilon) */
#define ATL_ROW_KERNELS(K)                                                                                             \
    K(float, sum_of, (const float *x, int64_t n))                                                                      \
    K(float, largest_of, (const float *x, int64_t n))                                                                  \
    K(void, exp_below, (const float *x, float most, int64_t n, float *e))                                              \
    K(void, softmax_grad_row, (int64_t n, const float *dy, const float *value, float *result))                         \
    K(void, normalize_row, (int64_t n, float epsilon, const float *x, float *result))                                  \
    K(void, normalize_grad_row, (int64_t n, float epsilon, const float *dy, const float *x, float *result))

#endif
