/* Loops over one row of numbers, for softmax, layer norms and their gradients. */
#ifndef ATLED_KERNELS_ROWS_H
#define ATLED_KERNELS_ROWS_H

#include <stdint.h>

/* sum_of: the sum of n numbers, always in the same order
 * exp_below: e = e^(x - most), and 0 below e^-87, because products of numbers that are not normal are slow: masks of
 *     attention that subtract 100 would give such weights
 * softmax_grad_row: result = value (dy - sum of dy value)
 * normalize_row: result = (x - mean) / sqrt(variance + epsilon) * scale + shift + addend
 * normalize_grad_row: of dy, with y = (x - mean) / sqrt(variance + epsilon),
 *     result = (dy - mean of dy - y mean of dy y) / sqrt(variance + epsilon) + addend
 * Each of scale, shift and addend may be null; the result may lie over an operand. */
#define ATL_ROW_KERNELS(K)                                                                                             \
    K(float, sum_of, (const float *x, int64_t n))                                                                      \
    K(float, largest_of, (const float *x, int64_t n))                                                                  \
    K(void, exp_below, (const float *x, float most, int64_t n, float *e))                                              \
    K(void, softmax_grad_row, (int64_t n, const float *dy, const float *value, float *result))                         \
    K(void, normalize_row,                                                                                             \
      (int64_t n, float epsilon, const float *x, const float *scale, const float *shift, const float *addend,          \
       float *result))                                                                                                 \
    K(void, normalize_grad_row,                                                                                        \
      (int64_t n, float epsilon, const float *dy, const float *x, const float *addend, float *result))

#endif
