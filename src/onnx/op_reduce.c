/* Importers of reductions. */
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

enum { AXES_FROM_INPUT = 18 }; /* opset in which axes became an input, of all but ReduceSum, for which it was 13 */

static atl_node *reduce_l1(const atl_reduce_args *args)
{
    atl_reduce_args of_abs = *args;
    of_abs.x = atl_abs(args->x);
    return atl_reduce_sum_with(&of_abs);
}

static atl_node *reduce_log_sum(const atl_reduce_args *args) { return atl_log(atl_reduce_sum_with(args)); }

static int import_reduce(onnx_op *op)
{
    onnx_order order;
    int64_t axes[ATL_MAX_RANK];
    int rank = onnx_rank(op, 0), since = op->entry->kind ? op->entry->kind : AXES_FROM_INPUT;
    int keep = onnx_attr_int(op, "keepdims", 1) != 0, from[ATL_MAX_RANK], at = 0;
    unsigned gone = 0;
    atl_node *x = onnx_native(op, 0, &order);
    int count = !x                    ? -1
                : op->version < since ? onnx_attr_ints(op, "axes", ATL_MAX_RANK, axes)
                : onnx_has(op, 1)     ? onnx_whole(op, 1, ATL_MAX_RANK, axes)
                                      : 0;
    if (count < 0)
        return 0;
    if (count == 0 && onnx_attr_int(op, "noop_with_empty_axes", 0))
        return onnx_give_value(op, 0, op->input[0]);
    if (!keep && order == ONNX_CHANNELS_LAST) { /* what is left is in the file's order only if that is asked for */
        x = onnx_any(op, 0);
        order = ONNX_AS_WRITTEN;
    }
    atl_reduce_args args = {.axes = count ? count : rank, .keep = keep};
    for (int i = 0; i < args.axes; i++) {
        int axis = onnx_axis(op, count ? axes[i] : i, rank);
        if (axis < 0)
            return 0;
        gone |= 1u << axis;
        args.axis[i] = onnx_axis_in(order, rank, axis);
    }
    int whole = onnx_is_int(op, 0);
    args.x = whole ? atl_cast(x, ATL_FLOAT32) : x;
    if (rank == 0) { /* a scalar is reduced as one element */
        args.x = atl_expand_dims(args.x, 0);
        args.axes = 1;
        args.keep = 0;
    }
    atl_node *y = op->entry->reduce(&args);
    if (onnx_type_of(op, 0) == ONNX_BOOL && op->entry->reduce == atl_reduce_max_with) /* of none: false, or true */
        y = atl_maximum(y, onnx_scalar(op, 0));
    if (onnx_type_of(op, 0) == ONNX_BOOL && op->entry->reduce == atl_reduce_min_with)
        y = atl_minimum(y, onnx_scalar(op, 1));
    if (!onnx_give_in(op, 0, whole ? atl_cast(y, ATL_INT32) : y, order))
        return 0;
    for (int i = 0; i < rank; i++)
        if (keep || !(gone >> i & 1))
            from[at++] = gone >> i & 1 ? -1 : i;
    onnx_batch_from(op, 0, from);
    return 1;
}

/* The place of the largest or smallest along an axis: the first of equal ones, or with select_last_index the last. */
static int import_arg(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    atl_shape shape = onnx_shape(op, 0);
    int axis = x ? onnx_axis(op, onnx_attr_int(op, "axis", 0), shape.rank) : -1, from[ATL_MAX_RANK], at = 0;
    int keep = onnx_attr_int(op, "keepdims", 1) != 0;
    if (axis < 0)
        return 0;
    if (op->entry->kind)
        x = atl_neg(x);
    atl_node *y;
    if (onnx_attr_int(op, "select_last_index", 0)) {
        if (shape.size[axis] == ATL_ANY)
            return onnx_reject(op, "the size along its axis is unknown: fix it");
        y = atl_int_binary(ATL_INT_SUB,
                           atl_reshape(onnx_int_vector(op, 1, &(int32_t){(int32_t)shape.size[axis] - 1}), ATL_SCALAR),
                           atl_argmax(atl_reverse(x, axis), axis));
    } else
        y = atl_argmax(x, axis);
    if (!onnx_give_type(op, 0, keep ? atl_expand_dims(y, axis) : y, ONNX_INT64))
        return 0;
    for (int i = 0; i < shape.rank; i++)
        if (keep || i != axis)
            from[at++] = i == axis ? -1 : i;
    onnx_batch_from(op, 0, from);
    return 1;
}

static int import_cumulative_sum(onnx_op *op)
{
    int64_t given;
    atl_node *x = onnx_float(op, 0);
    int axis = x && onnx_one_whole(op, 1, &given) ? onnx_axis(op, given, onnx_rank(op, 0)) : -1;
    if (axis < 0)
        return 0;
    atl_node *y = atl_cumulative_sum(x, .axis = axis, .exclusive = (int)onnx_attr_int(op, "exclusive", 0),
                                     .reverse = (int)onnx_attr_int(op, "reverse", 0));
    return onnx_give(op, 0, onnx_is_integer(onnx_type_of(op, 0)) ? atl_cast(y, ATL_INT32) : y);
}

const onnx_entry onnx_reductions[] = {{"ArgMax", 1, import_arg},
                                      {"ArgMin", 1, import_arg, .kind = 1},
                                      {"CumSum", 11, import_cumulative_sum},
                                      {"ReduceL1", 1, import_reduce, .reduce = reduce_l1},
                                      {"ReduceL2", 1, import_reduce, .reduce = atl_reduce_l2_norm_with},
                                      {"ReduceLogSum", 1, import_reduce, .reduce = reduce_log_sum},
                                      {"ReduceLogSumExp", 1, import_reduce, .reduce = atl_reduce_log_sum_exp_with},
                                      {"ReduceMax", 1, import_reduce, .reduce = atl_reduce_max_with},
                                      {"ReduceMean", 1, import_reduce, .reduce = atl_reduce_mean_with},
                                      {"ReduceMin", 1, import_reduce, .reduce = atl_reduce_min_with},
                                      {"ReduceProd", 1, import_reduce, .reduce = atl_reduce_prod_with},
                                      {"ReduceSum", 1, import_reduce, .reduce = atl_reduce_sum_with, .kind = 13},
                                      {"ReduceSumSquare", 1, import_reduce, .reduce = atl_reduce_sum_square_with},
                                      {0}};
