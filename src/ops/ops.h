/* Functions shared by the files of src/ops: axes, shapes, and sources. */
#ifndef ATLED_OPS_OPS_H
#define ATLED_OPS_OPS_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "atled/ops.h"
#include "graph/graph.h"
#include "lowering/op_hooks.h"

/* Enters a descriptor in the table of built-in ops: write it below the descriptor's definition.  The linker collects
 * the section. */
#define ATL_BUILTIN(op) static const atl_op *const op##_entry __attribute__((used, section("atl_ops"))) = &(op)

/* For a builder composed of other ops: a descriptor with only a name and samples, which the tests treat like an
 * op's. */
#define ATL_COMPOSED(op) static const atl_op *const op##_entry __attribute__((used, section("atl_composed"))) = &(op)

#define ATL_APPLY(op, attributes, ...) atl_apply_with((op), (attributes), ATL_NODES(__VA_ARGS__))

/* Fixed-size texts of shapes for messages. */
#define SHAPE_TEXT(shape) atl_shape_text((shape), (char[160]){0}, 160)
#define SHAPE_OF(node)    SHAPE_TEXT(*(node)->shape)

/* 0..rank-1 from an axis that may count from the end; -1, with the error recorded on y, if it is out of range. */
int atl_axis_of(atl_node *y, int axis, int rank);
/* The same for a list of distinct axes; *set_out (which may be null) has a bit for each.  Returns 0 with the error
 * recorded. */
int atl_axes_of(atl_node *y, int count, const int *axis, int rank, unsigned *set_out);

/* Sets the type and shape of input 0. */
bool atl_infer_same(atl_node *y);

/* Fails unless input i is float32; `what` names it in the message. */
int atl_require_float(atl_node *y, int i, const char *what);
int atl_require_int(atl_node *y, int i, const char *what);

/* A hint where a wrong shape may come from: if x comes, through ops that keep its first dimension, from a reshape that
 * did not, "[40, 52416] comes from local3/reshape ([5, 26, 252, 64] -> [40, -1]): the first size, 40, is not the batch,
 * 5."; else "".  Returns text. */
const char *atl_explain_shape(const atl_node *x, char *text, size_t size);

/* x with dimensions of 1 inserted: dimension i of the result is 1 for each bit i of `axes`. */
atl_node *atl_insert_dims(atl_node *x, unsigned axes);

/* For .simplify: input 0, if the op does not change its shape (and then changes nothing). */
atl_node *atl_unchanged(atl_node *y);

/* For .simplify: input 0 reshaped to the shape of y, if that has as many elements (and then the op does not change
 * them). */
atl_node *atl_only_reshaped(atl_node *y);

/* 0 < by < 6 ? x : 0, the gradient of relu6 whose result is `by`; no gradient with respect to `by`. */
atl_node *atl_relu6_grad(atl_node *x, atl_node *by);

/* The gradients of swish(x) and hard_swish(x). */
atl_node *atl_swish_grad(atl_node *dy, atl_node *x);
atl_node *atl_hard_swish_grad(atl_node *dy, atl_node *x);

/* The gradient of gelu(x). */
atl_node *atl_gelu_grad(atl_node *dy, atl_node *x);

/* atl_slice_with that may take nothing of a dimension: what was padded may have had no element. */
atl_node *atl_slice_or_nothing(const atl_slice_args *args);

/* During simplification: true if nobody else reads the value of this input. */
int atl_is_read_once(const atl_node *x);

/* True unless ranks or known sizes differ. */
int atl_shapes_agree(atl_shape a, atl_shape b);

/* Copies a shape that is to be an attribute: attributes are compared as bytes, so those that mean nothing are 0. */
void atl_set_shape(atl_shape *to, atl_shape from);

/* A dense array as [outer, size, inner], where `size` is the dimension `axis`, which may count from the end. */
typedef struct atl_axis_split {
    int64_t outer, size, inner;
} atl_axis_split;
atl_axis_split atl_split_at(atl_shape shape, int axis);

/* The descriptors of ATL_COMPOSED. */
const atl_op *const *atl_composed_ops(int *count);

/* Row-major strides, in elements. */
void atl_strides_of(atl_shape shape, int64_t *strides);

#endif
