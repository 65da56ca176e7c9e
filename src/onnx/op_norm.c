/* Importers of normalizations, and of softmax and its kin. */
#include <math.h>
#include <string.h>

#include "atled/op.h"
#include "atled/train.h"
#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* x [n, c] and more, with the channels last. */
static atl_node *by_channels(onnx_op *op, onnx_order *order)
{
    *order = onnx_rank(op, 0) >= 3 ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
    return *order == ONNX_CHANNELS_LAST ? onnx_channels_last(op, 0) : onnx_float(op, 0);
}

/* The statistics of the batch, with the running ones moved towards them. */
static int train_batch_norm(onnx_op *op, atl_node *x, onnx_order order, atl_node *scale, atl_node *shift, float epsilon)
{
    float momentum = (float)onnx_attr_float(op, "momentum", 0.9);
    atl_node *moments = atl_moments(x);
    atl_node *mean = atl_reshape(atl_slice(moments, .end = {1}), ATL_SHAPE(ATL_ANY)),
             *variance = atl_reshape(atl_slice(moments, .begin = {1}), ATL_SHAPE(ATL_ANY));
    atl_node *y = atl_batch_norm(x, mean, variance, scale, shift, .epsilon = ATL_EXACTLY(epsilon));
    atl_node *old_mean = onnx_float(op, 3), *old_variance = onnx_float(op, 4);
    return old_mean && old_variance && onnx_give_in(op, 0, y, order) &&
           onnx_give(op, 1, atl_add(atl_scale(old_mean, momentum), atl_scale(mean, 1 - momentum))) &&
           onnx_give(op, 2, atl_add(atl_scale(old_variance, momentum), atl_scale(variance, 1 - momentum)));
}

static int import_batch_norm(onnx_op *op)
{
    onnx_order order;
    atl_node *x = by_channels(op, &order), *of[5];
    float epsilon = (float)onnx_attr_float(op, "epsilon", 1e-5);
    for (int i = 1; i < 5; i++)
        if (!x || !(of[i] = onnx_float(op, i)))
            return 0;
    if (onnx_attr_int(op, "spatial", 1) != 1)
        return onnx_reject(op, "spatial = 0 is not read");
    if (onnx_attr_int(op, "training_mode", 0))
        return train_batch_norm(op, x, order, of[1], of[2], epsilon);
    for (int64_t i = 1; i < op->outputs; i++)
        if (op->output[i])
            return onnx_reject(op, "its output %lld is used, which it makes only in training", (long long)i);
    for (int i = 3; i < 5; i++) /* the running statistics: a gradient step would make variances negative */
        if (atl_op_of(of[i])->flags & ATL_OP_VARIABLE)
            atl_variable_set_trainable(of[i], 0);
    return onnx_give_in(op, 0, atl_batch_norm(x, of[3], of[4], of[1], of[2], .epsilon = ATL_EXACTLY(epsilon)), order);
}

/* (x - mean) / sqrt(variance + epsilon) over the axes */
static atl_node *standardized(atl_node *x, const atl_reduce_args *over, float epsilon, atl_node **mean_out,
                              atl_node **inverse_out)
{
    atl_reduce_args args = *over;
    args.keep = 1;
    args.x = x;
    atl_node *mean = atl_reduce_mean_with(&args), *centred = atl_sub(x, mean);
    args.x = atl_square(centred);
    atl_node *inverse = atl_rsqrt(atl_add_scalar(atl_reduce_mean_with(&args), epsilon));
    if (mean_out)
        *mean_out = mean;
    if (inverse_out)
        *inverse_out = inverse;
    return atl_mul(centred, inverse);
}

static int import_instance_norm(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0), *scale = x ? onnx_float(op, 1) : NULL,
             *shift = scale ? onnx_float(op, 2) : NULL;
    atl_reduce_args over = {.axes = onnx_rank(op, 0) - 2};
    if (!shift)
        return 0;
    for (int i = 0; i < over.axes; i++)
        over.axis[i] = i + 1;
    atl_node *y = standardized(x, &over, (float)onnx_attr_float(op, "epsilon", 1e-5), NULL, NULL);
    return onnx_give_in(op, 0, atl_add(atl_mul(y, scale), shift), ONNX_CHANNELS_LAST);
}

/* Outputs 1 and 2 are the mean and one over the deviation. */
static int import_layer_norm(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *scale = x ? onnx_float(op, 1) : NULL,
             *shift = scale && onnx_has(op, 2) ? onnx_float(op, 2) : NULL;
    int rank = onnx_rank(op, 0), axis = onnx_axis(op, onnx_attr_int(op, "axis", -1), rank);
    float epsilon = (float)onnx_attr_float(op, "epsilon", 1e-5);
    if (!scale || axis < 0 || *op->why)
        return 0;
    int others = (op->outputs > 1 && op->output[1]) || (op->outputs > 2 && op->output[2]);
    if (axis == rank - 1 && !others && atl_shape_of(scale).rank == 1)
        return onnx_give(op, 0, atl_layer_norm(x, scale, shift, .epsilon = ATL_EXACTLY(epsilon)));
    atl_reduce_args over = {.axes = rank - axis};
    for (int i = 0; i < over.axes; i++)
        over.axis[i] = axis + i;
    atl_node *mean, *inverse, *y = atl_mul(standardized(x, &over, epsilon, &mean, &inverse), scale);
    return onnx_give(op, 0, shift ? atl_add(y, shift) : y) && onnx_give(op, 1, mean) && onnx_give(op, 2, inverse);
}

atl_node *onnx_rms_norm(atl_node *x, atl_node *scale, int axis, float epsilon)
{
    int rank = atl_shape_of(x).rank, first = axis < 0 ? axis + rank : axis;
    atl_reduce_args over = {.x = atl_square(x), .axes = rank - first, .keep = 1};
    for (int i = 0; i < over.axes; i++)
        over.axis[i] = first + i;
    return atl_mul(atl_mul(x, atl_rsqrt(atl_add_scalar(atl_reduce_mean_with(&over), epsilon))), scale);
}

static int import_rms_norm(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *scale = x ? onnx_float(op, 1) : NULL;
    int axis = onnx_axis(op, onnx_attr_int(op, "axis", -1), onnx_rank(op, 0));
    if (!scale || axis < 0)
        return 0;
    return onnx_give(op, 0, onnx_rms_norm(x, scale, axis, (float)onnx_attr_float(op, "epsilon", 1e-5)));
}

/* Groups of channels: [n, groups, the rest].  Of opset 18 scale and shift are for each group, of 21 for each
 * channel. */
static int import_group_norm(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *scale = x ? onnx_float(op, 1) : NULL, *shift = scale ? onnx_float(op, 2) : NULL;
    atl_shape shape = onnx_shape(op, 0), split = {.rank = 3};
    int64_t groups = onnx_attr_int(op, "num_groups", 0), channels = shape.rank > 1 ? shape.size[1] : 0;
    if (!shift || shape.rank < 3)
        return onnx_reject(op, "it takes [batch, channels, ...]");
    if (groups < 1 || channels == ATL_ANY || channels % groups)
        return onnx_reject(op, "%lld group%s of %lld channel%s", (long long)groups, atl_plural(groups),
                           (long long)channels, atl_plural(channels));
    split.size[0] = shape.size[0] == ATL_ANY ? ATL_ANY : shape.size[0];
    split.size[1] = groups;
    split.size[2] = 1;
    for (int i = 1; i < shape.rank; i++) {
        if (shape.size[i] == ATL_ANY)
            return onnx_reject(op, "the size of the picture is unknown: fix it");
        split.size[2] *= shape.size[i];
    }
    split.size[2] /= groups;
    atl_node *y = standardized(atl_reshape(x, split), &(atl_reduce_args){.axis = {2}, .axes = 1},
                               (float)onnx_attr_float(op, "epsilon", 1e-5), NULL, NULL);
    atl_shape by_channel = {.rank = shape.rank - 1}, by_group = ATL_SHAPE(groups, 1);
    for (int i = 0; i < by_channel.rank; i++)
        by_channel.size[i] = i ? 1 : channels;
    if (op->version < 21)
        return onnx_give(
            op, 0,
            atl_reshape_like(atl_add(atl_mul(y, atl_reshape(scale, by_group)), atl_reshape(shift, by_group)), x));
    return onnx_give(op, 0,
                     atl_add(atl_mul(atl_reshape_like(y, x), atl_reshape(scale, by_channel)),
                             atl_reshape(shift, by_channel)));
}

/* Over the axes, by default all but the channels: (x - mean) / deviation. */
static int import_mean_variance_norm(onnx_op *op)
{
    int64_t axes[ATL_MAX_RANK] = {0, 2, 3};
    atl_node *x = onnx_float(op, 0);
    int count = x ? onnx_attr_ints(op, "axes", ATL_MAX_RANK, axes) : -1;
    if (count < 0)
        return 0;
    atl_reduce_args over = {.axes = count ? count : 3};
    for (int i = 0; i < over.axes; i++)
        if ((over.axis[i] = onnx_axis(op, axes[i], onnx_rank(op, 0))) < 0)
            return 0;
    return onnx_give(op, 0, standardized(x, &over, 1e-9f, NULL, NULL));
}

/* x / (its norm along the axis); 0 where that is 0 */
static int import_lp_norm(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    int axis = x ? onnx_axis(op, onnx_attr_int(op, "axis", -1), onnx_rank(op, 0)) : -1;
    int64_t p = onnx_attr_int(op, "p", 2);
    if (axis < 0)
        return 0;
    if (p != 1 && p != 2)
        return onnx_reject(op, "its p is %lld; it takes 1 or 2", (long long)p);
    atl_reduce_args over = {.x = p == 1 ? atl_abs(x) : x, .axis = {axis}, .axes = 1, .keep = 1};
    atl_node *norm = p == 1 ? atl_reduce_sum_with(&over) : atl_reduce_l2_norm_with(&over);
    /* of nothing but zeros: zeros, and no gradient of 1e30 */
    atl_node *is_zero = atl_equal(norm, onnx_scalar(op, 0));
    return onnx_give(op, 0, atl_div(x, atl_select(is_zero, onnx_scalar(op, 1), norm)));
}

/* alpha is over the size of the window; of an even one the longer half comes after the channel. */
static int import_lrn(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0);
    int64_t size = onnx_attr_int(op, "size", 1);
    double alpha = onnx_attr_float(op, "alpha", 1e-4), beta = onnx_attr_float(op, "beta", 0.75),
           bias = onnx_attr_float(op, "bias", 1);
    if (!x)
        return 0;
    if (size < 1 || size > 4096)
        return onnx_reject(op, "its size is %lld", (long long)size);
    if (size % 2 && size > 1 && onnx_rank(op, 0) == 4 && alpha > 0 && bias > 0 && beta > 0)
        return onnx_give_in(op, 0,
                            atl_lrn(x, .radius = (int)(size / 2), .bias = (float)bias,
                                    .alpha = (float)(alpha / (double)size), .beta = (float)beta),
                            ONNX_CHANNELS_LAST);
    int last = onnx_rank(op, 0) - 1;
    int64_t before = (size - 1) / 2, channels = onnx_shape(op, 0).size[1];
    if (channels == ATL_ANY)
        return onnx_reject(op, "the number of channels is unknown");
    atl_pad_args pad = {.x = atl_square(x)};
    pad.before[last] = before;
    pad.after[last] = size - 1 - before;
    atl_node *padded = atl_pad_with(&pad), *sum = NULL;
    for (int64_t i = 0; i < size; i++) {
        atl_slice_args cut = {.x = padded};
        cut.begin[last] = i;
        cut.end[last] = i + channels;
        sum = sum ? atl_add(sum, atl_slice_with(&cut)) : atl_slice_with(&cut);
    }
    atl_node *base = atl_add_scalar(atl_scale(sum, (float)(alpha / (double)size)), (float)bias);
    return onnx_give_in(op, 0, atl_mul(x, atl_pow(base, atl_scalar(x, (float)-beta))), ONNX_CHANNELS_LAST);
}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

/* 1 at the first of the largest along the last dimension. */
static atl_node *hard_max(atl_node *x)
{
    atl_shape shape = atl_shape_of(x);
    return atl_one_hot(atl_argmax(x, -1), shape.size[shape.rank - 1]);
}

/* Before opset 13 the dimensions from the axis on are one. */
static int import_softmax_flat(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    atl_shape shape = onnx_shape(op, 0);
    int64_t axis = onnx_attr_int(op, "axis", 1), inner = 1;
    int first = !x ? -1 : axis == shape.rank ? shape.rank : onnx_axis(op, axis, shape.rank);
    if (first < 0)
        return 0;
    for (int i = first; i < shape.rank; i++) {
        if (shape.size[i] == ATL_ANY)
            return onnx_reject(op, "a size from its axis on is unknown: fix it");
        inner *= shape.size[i];
    }
    if (first == shape.rank - 1)
        return onnx_give(op, 0, op->entry->unary(x));
    return onnx_give(op, 0, atl_reshape_like(op->entry->unary(atl_reshape(x, ATL_SHAPE(ATL_ANY, inner))), x));
}

static int import_softmax(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    int rank = onnx_rank(op, 0), axis = x ? onnx_axis(op, onnx_attr_int(op, "axis", -1), rank) : -1;
    if (axis < 0)
        return 0;
    axis = onnx_axis_in(order, rank, axis);
    return onnx_give_in(op, 0, onnx_axis_back(op->entry->unary(onnx_axis_last(x, axis)), axis), order);
}

const onnx_entry onnx_normalizations[] = {{"BatchNormalization", 6, import_batch_norm, .most_outputs = 5},
                                          {"GroupNormalization", 18, import_group_norm},
                                          {"Hardmax", 1, import_softmax_flat, .unary = hard_max},
                                          {"Hardmax", 13, import_softmax, .unary = hard_max},
                                          {"InstanceNormalization", 6, import_instance_norm},
                                          {"LRN", 1, import_lrn},
                                          {"LayerNormalization", 1, import_layer_norm,
                                           .most_outputs = 3}, /* of 17; onnxruntime writes it in older opsets, too */
                                          {"LogSoftmax", 1, import_softmax_flat, .unary = atl_log_softmax},
                                          {"LogSoftmax", 13, import_softmax, .unary = atl_log_softmax},
                                          {"LpNormalization", 1, import_lp_norm},
                                          {"MeanVarianceNormalization", 9, import_mean_variance_norm},
                                          {"RMSNormalization", 23, import_rms_norm},
                                          {"Softmax", 1, import_softmax_flat, .unary = atl_softmax},
                                          {"Softmax", 13, import_softmax, .unary = atl_softmax},
                                          {0}};
