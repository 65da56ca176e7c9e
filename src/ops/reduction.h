/* Reducing dense arrays over any of their dimensions. */
#ifndef ATLED_OPS_REDUCTION_H
#define ATLED_OPS_REDUCTION_H

#include "kernels/fold.h"
#include "ops/strided_copy.h"
#include "lowering/lowering.h"
#include "lowering/op_hooks.h"

/* Dimensions of a dense array, and a bit for each that is reduced.  The result is dense, of the dimensions that are
 * left. */
typedef struct atl_reduction {
    int rank;
    int64_t size[ATL_STRIDED_COPY_RANK];
    unsigned reduced;
} atl_reduction;

atl_reduction atl_reduction_over(atl_shape shape, unsigned reduced);

/* For atl_op_hooks.as_sum: the sum of input 0 over those axes.  0 if they are not side by side, or there is nothing to add. */
int atl_sum_over(atl_shape shape, unsigned reduced, atl_sum_form *form_out);

/* Sums are made of sums of short blocks, so the error does not grow with the number of terms, and which terms make up
 * a block depends on the sizes alone: the same bits for any number of threads. */
void atl_reduce_floats(const atl_reduction *reduction, atl_fold fold, const float *x, float *result);
/* The oracle's, plain. */
void atl_reduce_doubles(const atl_reduction *reduction, atl_fold fold, const double *x, double *result);

#endif
