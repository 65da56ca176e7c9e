/* Element-wise running sums: of elements, of products, and of deviations and their squares; sums of short runs; and one
 * number again and again. */
#ifndef ATLED_KERNELS_SUMS_H
#define ATLED_KERNELS_SUMS_H

#include <stdint.h>

/* add_to_sums: sum += a
 * add_rows_to_sums: sum += each of some rows of a, in their order; stride: floats from row to row
 * add_products_to_sums: sum += a b
 * add_deviations: with d = x - first, sum += d and square += d^2
 * flush_sums: total [columns] += each run of `columns` of sum [n], whose last one may be shorter; clears sum.  So
 * floats are summed for a few hundred terms only, and then added to doubles.
 * sum_runs: result [runs, columns] = scale times the sum of a [runs, n, columns] over n, in double; of a b if b is not
 *     null
 * fill_with: to [n] = value
 * repeat_each: to [count, run] = from[i * stride] */
#define ATL_SUM_KERNELS(K)                                                                                             \
    K(void, add_to_sums, (float *restrict sum, const float *a, int64_t n))                                             \
    K(void, add_rows_to_sums, (float *sum, const float *a, int64_t rows, int64_t stride, int64_t n))                   \
    K(void, add_products_to_sums, (float *restrict sum, const float *a, const float *b, int64_t n))                    \
    K(void, add_deviations,                                                                                            \
      (float *restrict sum, float *restrict square, const float *x, const float *first, int64_t n))                    \
    K(void, flush_sums, (float *restrict sum, double *restrict total, int64_t columns, int64_t n))                     \
    K(void, sum_runs,                                                                                                  \
      (const float *a, const float *b, int64_t runs, int64_t n, int64_t columns, double scale, float *result))         \
    K(void, fill_with, (float *to, float value, int64_t n))                                                            \
    K(void, repeat_each, (float *to, const float *from, int64_t stride, int64_t count, int64_t run))

#endif
