/* Writers of ops that sum elements: reductions, matrix products, losses. */
#include <string.h>

#include "onnx/write.h"
#include "ops/attributes.h"

enum { FLOAT = 1, INT32 = 6 };

static int rank_of(const atl_node *x) { return atl_shape_of(x).rank; }
static int axis_of(int axis, int rank) { return axis < 0 ? axis + rank : axis; }
static const char *with_int(onnx_writer *w, const char *op, const char *attribute, int64_t value, const char *x)
{
    return ONNX_EMIT(w, op, ONNX_ATTRIBUTES({attribute, .integer = value}), x);
}

static const char *reduce(onnx_writer *w, const atl_node *y, const char *const *in)
{
    static const char *const op[][2] = {{"reduce_sum", "ReduceSum"},
                                        {"reduce_sum_square", "ReduceSumSquare"},
                                        {"reduce_mean", "ReduceMean"},
                                        {"reduce_max", "ReduceMax"},
                                        {"reduce_min", "ReduceMin"},
                                        {"reduce_prod", "ReduceProd"},
                                        {"reduce_log_sum_exp", "ReduceLogSumExp"},
                                        {"reduce_l2_norm", "ReduceL2"}};
    const reduce_attributes *of = atl_attributes_of(y);
    int64_t axes[ATL_MAX_RANK];
    int rank = rank_of(atl_input_of(y, 0)), count = of->axes ? of->axes : rank;
    for (int i = 0; i < count; i++)
        axes[i] = of->axes ? axis_of(of->axis[i], rank) : i;
    const char *x = in[0];
    int keep = of->keep && rank;
    if (rank == 0) { /* a scalar is reduced as one element */
        x = onnx_write_reshape(w, x, 1, (const int64_t[]){1});
        axes[0] = 0;
        count = 1;
    }
    for (size_t i = 0; i < sizeof op / sizeof *op; i++) {
        if (strcmp(op[i][0], atl_op_of(y)->name) != 0)
            continue;
        if (i == 0)
            return ONNX_EMIT(w, "ReduceSum", ONNX_ATTRIBUTES({"keepdims", .integer = keep}), x,
                             onnx_write_ints(w, count, axes));
        return ONNX_EMIT(w, op[i][1], ONNX_ATTRIBUTES({"axes", count, axes}, {"keepdims", .integer = keep}), x);
    }
    return onnx_cannot_write(w, "%s has no op in ONNX", atl_op_of(y)->name);
}

/* x summed over what was repeated to get it from the shape of y. */
static const char *sum_to(onnx_writer *w, const atl_node *y, const char *const *in)
{
    atl_shape from = atl_shape_of(atl_input_of(y, 0)), to = atl_shape_of(y);
    int64_t axes[ATL_MAX_RANK];
    int count = 0, shift = from.rank - to.rank;
    for (int i = 0; i < from.rank; i++)
        if (i < shift || (to.size[i - shift] == 1 && from.size[i] != 1))
            axes[count++] = i;
    const char *x = count ? ONNX_EMIT(w, "ReduceSum", ONNX_ATTRIBUTES({"keepdims", .integer = 1}), in[0],
                                      onnx_write_ints(w, count, axes))
                          : in[0];
    int64_t leading[ATL_MAX_RANK];
    for (int i = 0; i < shift; i++)
        leading[i] = i;
    return shift > 0 ? ONNX_EMIT(w, "Squeeze", NULL, x, onnx_write_ints(w, shift, leading)) : x;
}

static const char *cumulative_sum(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const cumulative_attributes *of = atl_attributes_of(y);
    int64_t axis[] = {axis_of(of->axis, rank_of(y))}, none[1] = {0};
    return ONNX_EMIT(w, "CumSum",
                     ONNX_ATTRIBUTES({"exclusive", .integer = of->exclusive != 0},
                                     {"reverse", .integer = of->reverse != 0}),
                     in[0], onnx_write_reshape(w, onnx_write_ints(w, 1, axis), 0, none));
}

static const char *swapped(onnx_writer *w, const char *x, int rank)
{
    int order[ATL_MAX_RANK];
    for (int i = 0; i < rank; i++)
        order[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return onnx_write_transpose(w, x, rank, order);
}

static const char *matmul(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const matmul_options *of = atl_attributes_of(y);
    const char *a = of->transpose_a ? swapped(w, in[0], rank_of(atl_input_of(y, 0))) : in[0];
    const char *b = of->transpose_b ? swapped(w, in[1], rank_of(atl_input_of(y, 1))) : in[1];
    return ONNX_EMIT(w, "MatMul", NULL, a, b);
}

/* y (dy - sum of dy y): inputs are dy and y. */
static const char *softmax_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t axes[] = {rank_of(y) - 1};
    const char *sum =
        ONNX_EMIT(w, "ReduceSum", NULL, ONNX_EMIT(w, "Mul", NULL, in[0], in[1]), onnx_write_ints(w, 1, axes));
    return ONNX_EMIT(w, "Mul", NULL, in[1], ONNX_EMIT(w, "Sub", NULL, in[0], sum));
}

/* -log softmax(x) at the label: inputs are logits and labels [..] or a scalar. */
static const char *sparse_cross_entropy(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int last = rank_of(y);
    int64_t axes[] = {last};
    const char *log_p = with_int(w, "LogSoftmax", "axis", -1, in[0]), *labels = in[1];
    if (rank_of(atl_input_of(y, 1)) != last) /* one for all */
        labels =
            ONNX_EMIT(w, "Expand", NULL, labels, onnx_write_slice(w, ONNX_EMIT(w, "Shape", NULL, in[0]), 0, 0, -1, 1));
    const char *z = ONNX_EMIT(w, "GatherElements", ONNX_ATTRIBUTES({"axis", .integer = last}), log_p,
                              onnx_unsqueezed(w, labels, last));
    return ONNX_EMIT(w, "Neg", NULL, ONNX_EMIT(w, "Squeeze", NULL, z, onnx_write_ints(w, 1, axes)));
}

/* -sum of targets log softmax(x) */
static const char *dense_cross_entropy(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t axes[] = {rank_of(y)};
    const char *product = ONNX_EMIT(w, "Mul", NULL, in[1], with_int(w, "LogSoftmax", "axis", -1, in[0]));
    return ONNX_EMIT(w, "Neg", NULL,
                     ONNX_EMIT(w, "ReduceSum", ONNX_ATTRIBUTES({"keepdims", .integer = 0}), product,
                               onnx_write_ints(w, 1, axes)));
}

/* Mean and variance of each channel: [2, channels]. */
static const char *moments(onnx_writer *w, const atl_node *y, const char *const *in)
{
    int64_t axes[ATL_MAX_RANK];
    int count = rank_of(atl_input_of(y, 0)) - 1;
    for (int i = 0; i < count; i++)
        axes[i] = i;
    if (count == 0) { /* one number for each channel */
        const char *x = onnx_unsqueezed(w, in[0], 0), *none = ONNX_EMIT(w, "Sub", NULL, x, x);
        const char *both[] = {x, none};
        return onnx_emit_two(w, "Concat", 2, both, ONNX_ATTRIBUTES({"axis", .integer = 0}), NULL);
    }
    const char *part[2],
        *mean = ONNX_EMIT(w, "ReduceMean", ONNX_ATTRIBUTES({"axes", count, axes}, {"keepdims", .integer = 0}), in[0]);
    const char *centred = ONNX_EMIT(w, "Sub", NULL, in[0], mean),
               *squares = ONNX_EMIT(w, "Mul", NULL, centred, centred);
    part[0] = onnx_unsqueezed(w, mean, 0);
    part[1] = onnx_unsqueezed(
        w, ONNX_EMIT(w, "ReduceMean", ONNX_ATTRIBUTES({"axes", count, axes}, {"keepdims", .integer = 0}), squares), 0);
    return onnx_emit_two(w, "Concat", 2, part, ONNX_ATTRIBUTES({"axis", .integer = 0}), NULL);
}

const onnx_write_entry onnx_written_sums[] = {{"cumulative_sum", cumulative_sum},
                                              {"matmul", matmul},
                                              {"moments", moments},
                                              {"reduce_l2_norm", reduce},
                                              {"reduce_log_sum_exp", reduce},
                                              {"reduce_max", reduce},
                                              {"reduce_mean", reduce},
                                              {"reduce_min", reduce},
                                              {"reduce_prod", reduce},
                                              {"reduce_sum", reduce},
                                              {"reduce_sum_square", reduce},
                                              {"softmax_cross_entropy", dense_cross_entropy},
                                              {"softmax_grad", softmax_grad},
                                              {"sparse_softmax_cross_entropy", sparse_cross_entropy},
                                              {"sum_to", sum_to},
                                              {0}};
