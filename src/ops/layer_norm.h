/* What the files about layer normalisation share. */
#ifndef ATLED_OPS_LAYER_NORM_H
#define ATLED_OPS_LAYER_NORM_H

#include "ops/ops.h"

/* Rows to normalise, or, with dy, the gradient by them: see kernels/rows.h.  Scale, shift and addend may be null; the
 * addend has as many rows as x. */
typedef struct atl_rows_job {
    int64_t count, width;
    float epsilon;
    const float *x, *dy, *scale, *shift, *addend;
    float *result;
} atl_rows_job;

/* For a result of that shape; the caller sets the arrays. */
atl_rows_job atl_rows_job_of(const atl_node *y, float epsilon);
void atl_normalize_rows(const atl_rows_job *job);

/* Hooks of both ops, and of those with an epilogue, which only the compiler creates: layer_norm_fused.c. */
atl_node *atl_rows_with_epilogue(atl_node *y, atl_node *shift, atl_node *addend, float relu);
atl_node *atl_rows_multiplied(atl_node *y, atl_node *scale, atl_node *factor);

#endif
