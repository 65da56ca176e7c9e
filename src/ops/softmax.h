/* Rows of logits, as softmax and the cross entropies see them. */
#ifndef ATLED_OPS_SOFTMAX_H
#define ATLED_OPS_SOFTMAX_H

#include <stdint.h>

/* log sum_i e^x_i, without overflow */
double atl_log_sum_exp(const double *x, int64_t n);

/* sum_i e^(x_i - most), where *most_out = most is the largest of them.  Writes each e^(x_i - most) to e, if that is not null. */
float atl_sum_exp(const float *x, int64_t n, float *e, float *most_out);

#endif
