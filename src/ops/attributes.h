/* The attributes of ops, for whoever writes a graph down in another language (src/onnx). */
#ifndef ATLED_OPS_ATTRIBUTES_H
#define ATLED_OPS_ATTRIBUTES_H

#include "ops/ops.h"

typedef struct concat_attributes {
    int axis, part; /* part: of concat_part */
} concat_attributes;

typedef struct cumulative_attributes {
    int axis, exclusive, reverse;
} cumulative_attributes;

/* Of expand_dims. */
typedef struct inserted_axes {
    int count, axis[ATL_MAX_RANK];
} inserted_axes;

/* Of int_binary. */
typedef struct integer_attributes {
    int32_t kind; /* atl_int_op */
} integer_attributes;

typedef struct lrn_options {
    int32_t radius;
    float bias, alpha, beta;
    int32_t relu_gradient; /* of the gradient: zero where x is not positive */
} lrn_options;

typedef struct matmul_options {
    int32_t transpose_a, transpose_b;
} matmul_options;

typedef struct pad_attributes {
    int64_t before[ATL_MAX_RANK], after[ATL_MAX_RANK];
    float value;
    int32_t zero; /* no padding bytes: attributes are compared */
} pad_attributes;

typedef struct reduce_attributes {
    int axes, axis[ATL_MAX_RANK]; /* as given; none: all */
    int keep;
} reduce_attributes;

typedef struct reverse_attributes {
    int count, axis[ATL_MAX_RANK];
} reverse_attributes;

/* Of slice, and of unslice, its gradient. */
typedef struct slice_attributes {
    int64_t begin[ATL_MAX_RANK], end[ATL_MAX_RANK], stride[ATL_MAX_RANK]; /* as given: see atl_slice_args */
    int64_t may_be_empty;
} slice_attributes;

typedef struct tile_attributes {
    int64_t count, times[ATL_MAX_RANK];
} tile_attributes;

typedef struct top_attributes {
    int64_t k;
} top_attributes;

typedef struct transpose_attributes {
    int order[ATL_MAX_RANK]; /* as given: all 0 is the reverse */
} transpose_attributes;

#endif
