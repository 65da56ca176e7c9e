/* Reduces dense arrays over any of their dimensions. */
#ifndef ATLED_OPS_REDUCTION_H
#define ATLED_OPS_REDUCTION_H

#include "kernels/fold.h"
#include "ops/strided_copy.h"
#include "lowering/lowering.h"
#include "lowering/op_hooks.h"

/* Dimensions of a dense array, and a bit for each reduced one.  The result is dense, with the remaining dimensions. */
typedef struct atl_reduction {
    int rank;
    int64_t size[ATL_STRIDED_COPY_RANK];
    unsigned reduced;
} atl_reduction;

atl_reduction atl_reduction_over(atl_shape shape, unsigned reduced);

/* For atl_op_hooks.as_sum: the sum of input 0 over those axes.  Returns 0 if they are not adjacent, or if there is
 * nothing to add. */
int atl_sum_over(atl_shape shape, unsigned reduced, atl_sum_form *form_out);

/* Sums are computed as sums of short blocks, so the error does not grow with the number of terms.  The terms of a block
 * depend on the sizes alone: the same bits for any number of threads. */
void atl_reduce_floats(const atl_reduction *reduction, atl_fold fold, const float *x, float *result);
/* For the reference: plain loops. */
void atl_reduce_doubles(const atl_reduction *reduction, atl_fold fold, const double *x, double *result);

#endif
