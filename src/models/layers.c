/* Layers: an op with its variables, in a scope of its own.  They use public functions only, as a user's program
 * would. */
#include "models/layer.h"

#include <math.h>

#include "atled/op.h"
#include "atled/train.h"
#include "common/plural.h"
#include "graph/error.h"
#include "graph/option.h"

/* The fan-in of a unit, given explicitly: an initializer derives fans from a shape [.., in, out], but filters [out, in,
 * h, w] and transposed weights have another order. */
static atl_initializer he_of(int64_t fan_in)
{
    return atl_normal((float)sqrt(2.0 / (double)(fan_in > 0 ? fan_in : 1)));
}

static int is_given(atl_initializer initializer) { return initializer.kind != ATL_INIT_DEFAULT; }

static int64_t channels_of(atl_node *image, atl_layout layout)
{
    atl_shape shape = atl_shape_of(image);
    if (shape.rank != 4)
        return 1; /* conv2d itself reports the error */
    return shape.size[layout == ATL_NCHW ? 1 : 3];
}

/* Records an error if dimension `axis` of x, from which a variable takes its size, is unknown. */
static bool is_known(const atl_node *x, const char *layer, const char *what, int axis)
{
    atl_shape shape = atl_shape_of(x);
    if (axis < 0 || axis >= shape.rank || shape.size[axis] != ATL_ANY)
        return true;
    char text[160];
    atl_builder_error(atl_graph_of(x), layer, "the %s must be known when the layer is built, but '%s' is %s", what,
                      atl_name_of(x), atl_shape_text(shape, text, sizeof text));
    return false;
}

static bool has_known_channels(const atl_node *image, const char *layer, atl_layout layout)
{
    return atl_shape_of(image).rank != 4 || is_known(image, layer, "number of channels", layout == ATL_NCHW ? 1 : 3);
}

/* The filter variable: [h, w, in / groups, out] or [out, in / groups, h, w]. */
static atl_node *filter_of(const atl_conv_layer_args *args)
{
    int64_t in = channels_of(args->image, args->layout);
    int64_t h = args->window[0] ? args->window[0] : 1, w = args->window[1] ? args->window[1] : 1;
    if (args->groups > 1 && in > 0)
        in /= args->groups;
    atl_initializer by = args->initializer;
    if (!is_given(by) || by.kind == ATL_INIT_HE)
        by = he_of(h * w * in);
    atl_shape shape =
        args->weight_order == ATL_OUT_IN ? ATL_SHAPE(args->channels, in, h, w) : ATL_SHAPE(h, w, in, args->channels);
    return atl_variable_set_decay(atl_variable(atl_graph_of(args->image), "weights", shape, by), args->decay);
}

static atl_node *with_activation(atl_node *x, atl_activation *activation) { return activation ? activation(x) : x; }

/* Channels first: a bias [c] belongs to dimension 1. */
static atl_node *add_biases(atl_node *x, int64_t channels, atl_layout layout)
{
    atl_node *biases = atl_variable(atl_graph_of(x), "biases", ATL_SHAPE(channels), atl_zeros());
    return layout == ATL_NCHW ? atl_add(x, atl_reshape(biases, ATL_SHAPE(channels, 1, 1))) : atl_bias_add(x, biases);
}

atl_node *atl_conv_layer_with(const atl_conv_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_conv_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->image, args->name);
    if (!graph)
        return NULL;
    if (!has_known_channels(args->image, args->name, args->layout))
        return NULL;
    atl_enter(graph, args->name);
    atl_node *y = atl_conv2d_with(&(atl_conv2d_args){.image = args->image,
                                                     .filter = filter_of(args),
                                                     .stride = {args->stride[0], args->stride[1]},
                                                     .padding = args->padding,
                                                     .pad = {args->pad[0], args->pad[1], args->pad[2], args->pad[3]},
                                                     .dilation = {args->dilation[0], args->dilation[1]},
                                                     .groups = args->groups,
                                                     .layout = args->layout,
                                                     .weight_order = args->weight_order});
    if (!args->no_bias)
        y = add_biases(y, args->channels, args->layout);
    y = with_activation(y, args->activation);
    atl_leave(graph);
    return y;
}

/* The filter variable: [h, w, in, multiplier] or [in * multiplier, 1, h, w].  Each output reads one channel. */
static atl_node *depthwise_filter_of(const atl_depthwise_layer_args *args, int64_t in, int multiplier)
{
    int64_t h = args->window[0] ? args->window[0] : 1, w = args->window[1] ? args->window[1] : 1;
    atl_initializer by = args->initializer;
    if (!is_given(by) || by.kind == ATL_INIT_HE)
        by = he_of(h * w);
    atl_shape shape =
        args->weight_order == ATL_OUT_IN ? ATL_SHAPE(in * multiplier, 1, h, w) : ATL_SHAPE(h, w, in, multiplier);
    return atl_variable_set_decay(atl_variable(atl_graph_of(args->image), "weights", shape, by), args->decay);
}

atl_node *atl_depthwise_layer_with(const atl_depthwise_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_depthwise_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->image, args->name);
    if (!graph)
        return NULL;
    if (!has_known_channels(args->image, args->name, args->layout))
        return NULL;
    int multiplier = args->multiplier ? args->multiplier : 1;
    int64_t in = channels_of(args->image, args->layout);
    if (multiplier < 1 || in > INT32_MAX / multiplier)
        return atl_builder_error(graph, args->name,
                                 "%lld channel%s with %d filters each: .multiplier must be 1 or more", (long long)in,
                                 atl_plural(in), args->multiplier);
    atl_enter(graph, args->name);
    atl_node *y = atl_depthwise_conv2d(args->image, depthwise_filter_of(args, in, multiplier),
                                       .stride = {args->stride[0], args->stride[1]}, .padding = args->padding,
                                       .pad = {args->pad[0], args->pad[1], args->pad[2], args->pad[3]},
                                       .dilation = {args->dilation[0], args->dilation[1]}, .layout = args->layout,
                                       .weight_order = args->weight_order);
    if (y && !args->no_bias)
        y = add_biases(y, in * multiplier, args->layout);
    y = with_activation(y, args->activation);
    atl_leave(graph);
    return y;
}

atl_node *atl_dense_layer_with(const atl_dense_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_dense_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->x, args->name);
    if (!graph)
        return NULL;
    atl_shape shape = atl_shape_of(args->x);
    char text[160];
    if (shape.rank != 2 && shape.rank != 3)
        return atl_builder_error(graph, args->name,
                                 "a dense layer takes [n, in] or [n, tokens, in], but '%s' is %s: %s",
                                 atl_name_of(args->x), atl_shape_text(shape, text, sizeof text),
                                 shape.rank > 3 ? "take atl_flatten of it first" : "atl_reshape gives it a batch");
    if (args->width < 1)
        return atl_builder_error(graph, args->name, "a dense layer has a width of 1 or more, not %d", args->width);
    if (!is_known(args->x, args->name, "last size", shape.rank - 1))
        return NULL;
    atl_enter(graph, args->name);
    int64_t in = shape.rank > 0 ? shape.size[shape.rank - 1] : 1;
    atl_initializer by = is_given(args->initializer) ? args->initializer : atl_glorot();
    if (by.kind == ATL_INIT_HE)
        by = he_of(in);
    atl_node *weights =
        atl_variable(graph, "weights",
                     args->weight_order == ATL_OUT_IN ? ATL_SHAPE(args->width, in) : ATL_SHAPE(in, args->width), by);
    atl_variable_set_decay(weights, args->decay);
    atl_node *y = atl_matmul(args->x, weights, .transpose_b = args->weight_order == ATL_OUT_IN);
    if (!args->no_bias)
        y = add_biases(y, args->width, ATL_NHWC);
    y = with_activation(y, args->activation);
    atl_leave(graph);
    return y;
}

static atl_node *row_of(atl_node *x, int64_t row)
{
    return atl_squeeze(atl_slice(x, .begin = {row}, .end = {row + 1}), 0);
}

/* kept <- kept + (1 - momentum) (now - kept), with every step. */
static void keep_up(atl_node *kept, atl_node *now, float momentum)
{
    atl_node *off = atl_sub(atl_stop_gradient(now), kept);
    atl_add_update(atl_assign(kept, atl_add(kept, atl_scale(off, 1 - momentum))));
}

/* The moments over all parts of a batch: mean = mean of the parts' means m; variance = mean of v + (m - mean)^2. */
static void average_moments(atl_all_reduce *r, atl_node **mean, atl_node **variance, atl_node **count)
{
    atl_node *all = atl_all_reduce_mean(*mean, r), *off = atl_sub(*mean, all);
    *variance = atl_all_reduce_mean(atl_add(*variance, atl_square(off)), r);
    *mean = all;
    *count = atl_scale(*count, (float)atl_all_reduce_all_parts(r));
}

/* Normalises with the batch's statistics, and updates the running statistics. */
static void take_moments(const atl_batch_norm_layer_args *args, atl_batch_norm_args *norm)
{
    atl_node *moments = atl_moments(args->x), *mean = row_of(moments, 0), *variance = row_of(moments, 1);
    atl_node *count = atl_size_ratio(args->x, mean), *one = atl_scalar(args->x, 1);
    if (args->all_reduce)
        average_moments(args->all_reduce, &mean, &variance, &count);
    atl_node *unbiased = atl_div(count, atl_maximum(atl_sub(count, one), one));
    float momentum = (float)atl_option(args->momentum, 0.9);
    keep_up(norm->mean, mean, momentum);
    keep_up(norm->variance, atl_mul(variance, unbiased), momentum);
    norm->mean = mean;
    norm->variance = variance;
}

atl_node *atl_batch_norm_layer_with(const atl_batch_norm_layer_args *args)
{
    if (!args)
        return atl_null_argument("atl_batch_norm_layer", "the options are"), NULL;
    atl_graph *graph = atl_layer_graph(args->x, args->name);
    if (!graph)
        return NULL;
    atl_shape shape = atl_shape_of(args->x);
    if (!is_known(args->x, args->name, "last size", shape.rank - 1))
        return NULL;
    int64_t channels = shape.rank > 0 ? shape.size[shape.rank - 1] : 1;
    atl_enter(graph, args->name);
    atl_batch_norm_args norm = {.x = args->x,
                                .epsilon = args->epsilon,
                                .scale = atl_variable(graph, "scale", ATL_SHAPE(channels), atl_fill_with(1)),
                                .shift = atl_variable(graph, "shift", ATL_SHAPE(channels), atl_zeros()),
                                .mean = atl_variable(graph, "mean", ATL_SHAPE(channels), atl_zeros()),
                                .variance = atl_variable(graph, "variance", ATL_SHAPE(channels), atl_fill_with(1))};
    atl_variable_set_trainable(norm.mean, 0);
    atl_variable_set_trainable(norm.variance, 0);
    if (args->training)
        take_moments(args, &norm);
    atl_node *y = atl_batch_norm_with(&norm);
    atl_leave(graph);
    return y;
}
