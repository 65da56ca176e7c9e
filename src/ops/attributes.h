/* Ops by their names, and their attributes, for whoever writes a graph down in another language (src/onnx), and for
 * passes that look at single ops (compiler/passes/peephole.c). */
#ifndef ATLED_OPS_ATTRIBUTES_H
#define ATLED_OPS_ATTRIBUTES_H

#include "ops/ops.h"

/* The built-in op with that name; null: none, or the name is null. */
const atl_op *atl_op_named(const char *name);
/* The same for a name of so many characters, of which more text may follow. */
const atl_op *atl_op_of_length(const char *name, size_t length);

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

/* Of int_wrap. */
typedef struct wrap_attributes {
    int32_t bits, is_signed;
} wrap_attributes;

typedef struct lrn_options {
    int32_t radius;
    float bias, alpha, beta;
    int32_t relu_gradient; /* of the gradient: zero where x is not positive */
} lrn_options;

typedef struct matmul_options {
    int32_t transpose_a, transpose_b;
    int32_t lasting; /* set by the compiler: the second matrix is a weight that changes with no run, and is packed */
} matmul_options;

typedef struct pad_attributes {
    int64_t before[ATL_MAX_RANK], after[ATL_MAX_RANK];
    float value;
    int32_t zero; /* no padding bytes: attributes are compared */
} pad_attributes;

/* conv2d, or its gradient by the filter, whose input 0 is that pad: the same node on what is inside of the pad; null if
 * the pad adds anything but zeros on the four sides, or more than the window allows. */
atl_node *atl_conv_of_pad(atl_node *y, const atl_node *pad);
/* The gradient dx by an image that is a pad: the gradient by what is inside of the pad, under the same conditions. */
atl_node *atl_input_grad_inside_pad(const atl_node *dx, const atl_node *pad);
/* The same convolution, or gradient by the filter, of an image whose channels are not reversed; or null. */
atl_node *atl_conv_of_reverse(atl_node *y, const atl_node *reverse);
/* The gradient by the image, if y reverses the channels of dx, by a filter with the channels reversed; or null. */
atl_node *atl_reverse_of_input_grad(atl_node *y, const atl_node *dx);

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

/* A slice in one dimension: first element, step, and number of elements; ATL_ANY where the size is unknown. */
typedef struct atl_range {
    int64_t begin, end, stride, count;
} atl_range;
atl_range atl_range_of(const slice_attributes *attributes, int axis, int64_t size);

typedef struct tile_attributes {
    int64_t count, times[ATL_MAX_RANK];
} tile_attributes;

typedef struct top_attributes {
    int64_t k;
} top_attributes;

typedef struct transpose_attributes {
    int order[ATL_MAX_RANK]; /* as given: all 0 is the reverse */
} transpose_attributes;

/* Dimension i of a transpose is dimension order_out[i] of its input. */
void atl_transpose_order(const atl_node *transpose, int *order_out);

/* The axes that a reduction, or sum_to, reduces, as bits. */
unsigned atl_reduced_axes(const atl_node *reduce);
unsigned atl_summed_axes(const atl_node *sum_to);
/* Reduces those axes of x, to the given shape. */
typedef atl_node *atl_reduce_builder(const atl_reduce_args *args);
atl_node *atl_reduce_axes(atl_node *x, unsigned axes, atl_shape result, atl_reduce_builder *build);

#endif
