/* What the files of src/ops share: axes, shapes, and sources that need the inside of a node. */
#ifndef ATLED_OPS_OPS_H
#define ATLED_OPS_OPS_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "atled/ops.h"
#include "graph/graph.h"
#include "lowering/op_hooks.h"

/* Puts a descriptor into the table of built-in ops: one line under its definition.  The linker gathers the section. */
#define ATL_BUILTIN(op) static const atl_op *const op##_entry __attribute__((used, section("atl_ops"))) = &(op)

/* For a builder that is made of other ops: a descriptor with a name and samples only, which the tests treat like an op's. */
#define ATL_COMPOSED(op) static const atl_op *const op##_entry __attribute__((used, section("atl_composed"))) = &(op)

#define ATL_APPLY(op, attributes, ...)                                                                                 \
    atl_apply_with((op), (attributes), (int)ATL_COUNT_(atl_node *, __VA_ARGS__), (atl_node *const[]){__VA_ARGS__})

/* Fixed-size texts of shapes for messages. */
#define SHAPE_TEXT(shape) atl_shape_text((shape), (char[160]){0}, 160)
#define SHAPE_OF(node)    SHAPE_TEXT(*(node)->shape)

/* 0..rank-1 from an axis that may count from the end; -1, with the mistake recorded on y, if it is out of range. */
int atl_axis_of(atl_node *y, int axis, int rank);
/* The same for a list of axes, none of them twice; *set_out (which may be null) has a bit for each.  0 with the
 * mistake recorded. */
int atl_axes_of(atl_node *y, int count, const int *axis, int rank, unsigned *set_out);

/* The type of input 0, for ops that change nothing about it. */
int atl_infer_same(atl_node *y);

/* Fails unless input i is float32; `what` names it in the message. */
int atl_require_float(atl_node *y, int i, const char *what);
int atl_require_int(atl_node *y, int i, const char *what);

/* Why a shape may not be what its author had in mind: if x comes, through ops that keep its first dimension, from a
 * reshape that did not, "[40, 52416] comes from local3/reshape ([5, 26, 252, 64] -> [40, -1]): the first size, 40, is
 * not the batch, 5."; else "".  Returns text. */
const char *atl_explain_shape(const atl_node *x, char *text, size_t size);

/* x with ones put in, so that dimension i of the result is 1 for each bit i of `axes`. */
atl_node *atl_insert_dims(atl_node *x, unsigned axes);

/* For .simplify: input 0, if the op leaves its shape as it is (and then does nothing else). */
atl_node *atl_unchanged(atl_node *y);

/* For .simplify: input 0 in the shape of y, if that has as many elements (and then the op does nothing to them). */
atl_node *atl_only_reshaped(atl_node *y);

/* For .simplify: what an input is, so that two movements of the same elements can be one.  All shapes are known. */

/* Of a transpose: its input, and dimension i of x is dimension order[i] of that; null: x is none. */
atl_node *atl_before_transpose(const atl_node *x, int *order);
/* Of a transpose that swaps the last two dimensions, which a matrix product can do by itself: its input; null: x is none. */
atl_node *atl_before_swap(const atl_node *x);
/* Of a concat along that axis: the part that has all of first..last-1, and where it begins; null: there is none. */
atl_node *atl_part_with(const atl_node *x, int axis, int64_t first, int64_t last, int64_t *begins_out);
/* Two slices of one array, which are neighbours along the axis and equal otherwise, as one; null: they are not. */
atl_node *atl_join_slices(const atl_node *a, const atl_node *b, int axis);
/* Of a pad: its input, and how many elements are put before each dimension; null: x is none. */
atl_node *atl_before_pad(const atl_node *x, const int64_t **before_out);

/* atl_slice_with that may take nothing of a dimension: what was padded may have had no element. */
atl_node *atl_slice_or_nothing(const atl_slice_args *args);

/* The sum (mean, maximum, ..., by its builder) over some axes of an array that repeats another, of the given shape: each element is
 * taken once, and a sum is multiplied by how often it was there; null: nothing is repeated along those axes, or something along others. */
atl_node *atl_reduce_repeated(const atl_node *x, unsigned axes, atl_shape result,
                              atl_node *(*reduce)(const atl_reduce_args *), int is_sum);

/* While a compiler pass simplifies: true if nobody else reads the value of this input. */
int atl_is_read_once(const atl_node *x);

/* True unless ranks or known sizes differ. */
int atl_shapes_agree(atl_shape a, atl_shape b);

/* A dense array seen as [outer, size, inner], with `size` the dimension `axis`, which may count from the end. */
typedef struct atl_axis_split {
    int64_t outer, size, inner;
} atl_axis_split;
atl_axis_split atl_split_at(atl_shape shape, int axis);

/* The descriptors given to ATL_COMPOSED. */
const atl_op *const *atl_composed_ops(int *count);

/* Row-major strides, in elements. */
void atl_strides_of(atl_shape shape, int64_t *strides);

#endif
