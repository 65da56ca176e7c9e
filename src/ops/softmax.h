/* Rows of logits, for softmax and the cross entropies. */
#ifndef ATLED_OPS_SOFTMAX_H
#define ATLED_OPS_SOFTMAX_H

#include <stdint.h>

/* The softmax of a row, in double. */
void atl_exact_softmax(const double *x, int64_t n, double *result);

/* For rows of x, at least one and at most ATL_ROWS of the remaining ones: most[r], the maximum of row r, and sum[r],
 * the sum of e^(x_i - most[r]) over it.  Writes each e^(x_i - most[r]) to e, if that is not null.  Returns the number
 * of rows. */
enum { ATL_ROWS = 64 };
int64_t atl_exp_rows(int64_t left, int64_t width, const float *x, float *e, float *most, float *sum);

/* log sum_i e^(x_i - most) of such a row.  Where the largest stands out, the sum of the others is what counts: 1 plus
 * it would round to 1, and a confident loss would be 0. */
float atl_log_of_sum(const float *x, int64_t n, float most, float sum);
double atl_log_of_exact_sum(const double *x, int64_t n, double *most_out);

#endif
