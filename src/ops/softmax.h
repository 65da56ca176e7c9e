/* Rows of logits, as softmax and the cross entropies see them. */
#ifndef ATLED_OPS_SOFTMAX_H
#define ATLED_OPS_SOFTMAX_H

#include <stdint.h>

/* log sum_i e^x_i, without overflow */
double atl_log_sum_exp(const double *x, int64_t n);

/* For rows of x, at least one and at most ATL_ROWS of those that are left: most[r], the largest of row r, and sum[r], the sum of
 * e^(x_i - most[r]) over it.  Writes each e^(x_i - most[r]) to e, if that is not null.  Returns how many rows that were. */
enum { ATL_ROWS = 64 };
int64_t atl_exp_rows(int64_t left, int64_t width, const float *x, float *e, float *most, float *sum);

#endif
