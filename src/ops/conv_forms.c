/* Other forms of convolution and pooling, composed of the two-dimensional ones: depthwise, transposed, and
 * one-dimensional. */
#include "common/plural.h"
#include "ops/image.h"

/* Returns 1 if it is float32 of that rank, else 0 with the error recorded for `builder`.  `order` names the
 * dimensions. */
static int check_array(const atl_node *x, int rank, const char *what, const char *order, const char *builder)
{
    if (x->dtype == ATL_FLOAT32 && x->shape->rank == rank)
        return 1;
    atl_builder_error(x->graph, builder, "the %s, '%s', is %s %s, but must be float32 %s", what, atl_name_of(x),
                      atl_dtype_name(x->dtype), SHAPE_OF(x), order);
    return 0;
}

/* ---- depthwise --------------------------------------------------------------------------------------------------- */

static int64_t channels_of(const atl_node *image, atl_layout layout)
{
    return image->shape->rank == 4 ? image->shape->size[layout == ATL_NCHW ? 1 : 3]
                                   : 1; /* else conv2d says what is wrong */
}

/* Each channel has its own filters: [fh, fw, in, multiplier] is the grouped filter [fh, fw, 1, in * multiplier]. */
atl_node *atl_depthwise_conv2d_with(const atl_depthwise_conv2d_args *args)
{
    if (!args)
        return atl_null_argument("atl_depthwise_conv2d", "the options are"), NULL;
    static const char name[] = "depthwise_conv2d";
    int out_in = args->weight_order == ATL_OUT_IN;
    atl_node *filter = args->filter;
    if (!args->image || !filter ||
        !check_array(filter, 4, "filter",
                     out_in ? "[in * multiplier, 1, height, width]" : "[height, width, in, multiplier]", name))
        return NULL;
    const int64_t *size = filter->shape->size;
    int64_t in = out_in ? channels_of(args->image, args->layout) : size[2];
    if (in < 1 || in > INT32_MAX || size[out_in ? 0 : 3] < 1)
        return atl_builder_error(filter->graph, name,
                                 "the filter, '%s', is %s; its numbers of channels must be known, and not 0",
                                 atl_name_of(filter), SHAPE_OF(filter));
    atl_enter(filter->graph, name);
    if (!out_in)
        filter = atl_reshape(filter, ATL_SHAPE(size[0], size[1], 1, size[2] * size[3]));
    atl_node *y = atl_conv2d(args->image, filter, .stride = {args->stride[0], args->stride[1]},
                             .padding = args->padding, .pad = {args->pad[0], args->pad[1], args->pad[2], args->pad[3]},
                             .dilation = {args->dilation[0], args->dilation[1]}, .groups = (int)in,
                             .layout = args->layout, .weight_order = args->weight_order);
    atl_leave(args->filter->graph);
    return y;
}

static atl_node *depthwise_same(atl_node *x, atl_node *w) { return atl_depthwise_conv2d(x, w); }
static atl_node *depthwise_stride(atl_node *x, atl_node *w)
{
    return atl_depthwise_conv2d(x, w, .stride = {2, 1}, .padding = ATL_VALID, .dilation = {1, 2});
}
static atl_node *depthwise_out_in(atl_node *x, atl_node *w)
{
    return atl_depthwise_conv2d(x, w, .weight_order = ATL_OUT_IN);
}
static atl_node *depthwise_nchw(atl_node *x, atl_node *w) { return atl_depthwise_conv2d(x, w, .layout = ATL_NCHW); }

static const atl_op depthwise_conv2d_composed = {
    .name = "depthwise_conv2d",
    .samples = (const atl_sample[]){
        {"3x3", .binary = depthwise_same, .input = {{4, {2, 4, 5, 3}}, {4, {3, 3, 3, 1}}}, .inputs = 2},
        {"multiplier 2", .binary = depthwise_same, .input = {{4, {2, 4, 3, 3}}, {4, {2, 3, 3, 2}}}, .inputs = 2},
        {"stride, dilation", .binary = depthwise_stride, .input = {{4, {1, 6, 6, 2}}, {4, {3, 2, 2, 2}}}, .inputs = 2},
        {"as PyTorch keeps it", .binary = depthwise_out_in, .input = {{4, {2, 4, 3, 3}}, {4, {6, 1, 2, 3}}},
         .inputs = 2},
        {"NCHW", .binary = depthwise_nchw, .input = {{4, {2, 3, 4, 5}}, {4, {3, 3, 3, 1}}}, .inputs = 2},
        {"4 channels for 3", .binary = depthwise_same, .input = {{4, {2, 4, 5, 4}}, {4, {3, 3, 3, 1}}}, .inputs = 2,
         .error = "[2, 4, 5, 4]"},
        {"filter of three dimensions", .binary = depthwise_same, .input = {{4, {2, 4, 5, 3}}, {3, {3, 3, 3}}},
         .inputs = 2, .error = "[3, 3, 3]"},
        {0}}};
ATL_COMPOSED(depthwise_conv2d_composed);

/* ---- transposed -------------------------------------------------------------------------------------------------- */

/* The number of pixels by which the smallest valid result exceeds input * stride, in one direction. */
static int64_t excess(const atl_conv2d_transpose_args *args, int d)
{
    int64_t stride = args->stride[d] > 0 ? args->stride[d] : 1,
            dilation = args->dilation[d] > 0 ? args->dilation[d] : 1;
    int64_t span = (args->filter->shape->size[d] - 1) * dilation + 1;
    if (args->padding == ATL_SAME)
        return 0;
    return span - stride - (args->padding == ATL_EXPLICIT ? (int64_t)args->pad[2 * d] + args->pad[2 * d + 1] : 0);
}

/* A node of the result's shape, [n, h, w, out], whose value is never computed. */
static atl_node *result_like(const atl_conv2d_transpose_args *args, atl_node *image)
{
    int64_t out = args->filter->shape->size[2] * (args->groups ? args->groups : 1), add[2] = {0, 0}, cut[2] = {0, 0};
    atl_node *like = atl_reduce_sum(image, ATL_AXES(3), .keep = 1);
    like = atl_tile(like, 1, args->stride[0] > 0 ? args->stride[0] : 1, args->stride[1] > 0 ? args->stride[1] : 1, 1);
    for (int d = 0; d < 2; d++) {
        add[d] = excess(args, d) > 0 ? excess(args, d) : 0;
        cut[d] = excess(args, d) < 0 ? excess(args, d) : 0;
    }
    like = atl_pad(like, .after = {0, add[0], add[1], 0});
    like = atl_slice(like, .end = {0, cut[0], cut[1], 0});
    return atl_broadcast_to(like, ATL_SHAPE(-1, -1, -1, out));
}

static const char *order_of(const atl_conv2d_transpose_args *args)
{
    return args->weight_order == ATL_OUT_IN ? "[in, out, height, width]" : "[height, width, out, in]";
}

static int check_transpose(const atl_conv2d_transpose_args *args, const char *name)
{
    const atl_node *filter = args->filter;
    if (!check_array(args->image, 4, "image", "with four dimensions", name) ||
        !check_array(filter, 4, "filter", order_of(args), name))
        return 0;
    if (atl_shape_count(*filter->shape) < 1)
        return atl_builder_error(filter->graph, name, "the filter, '%s', is %s; its sizes must be known, and not 0",
                                 atl_name_of(filter), SHAPE_OF(filter)) != NULL;
    int64_t channels = args->image->shape->size[args->layout == ATL_NCHW ? 1 : 3];
    int64_t in = filter->shape->size[args->weight_order == ATL_OUT_IN ? 0 : 3];
    if (args->groups < 0 || (args->groups && in % args->groups))
        return atl_builder_error(filter->graph, name,
                                 "%d groups do not divide the %lld input channel%s of the filter '%s', %s",
                                 args->groups, (long long)in, atl_plural(in), atl_name_of(filter),
                                 SHAPE_OF(filter)) != NULL;
    if (channels != ATL_ANY && channels != in)
        return atl_builder_error(
                   filter->graph, name,
                   "the image, '%s', is %s, with %lld channel%s, but the filter, '%s', %s, takes %lld (it is "
                   "%s)",
                   atl_name_of(args->image), SHAPE_OF(args->image), (long long)channels, atl_plural(channels),
                   atl_name_of(filter), SHAPE_OF(filter), (long long)in, order_of(args)) != NULL;
    return 1;
}

/* The gradient of the conv2d from the result to the image, with respect to its image: conv2d's own rule builds it. */
atl_node *atl_conv2d_transpose_with(const atl_conv2d_transpose_args *args)
{
    if (!args)
        return atl_null_argument("atl_conv2d_transpose", "the options are"), NULL;
    static const char name[] = "conv2d_transpose";
    if (!args->image || !args->filter || !check_transpose(args, name))
        return NULL;
    atl_node *image = atl_image_to_nhwc(args->image, args->layout, name);
    if (!image)
        return NULL;
    atl_enter(image->graph, name);
    atl_conv2d_transpose_args form = *args;
    if (args->weight_order == ATL_OUT_IN)
        form.filter = atl_transpose(args->filter, .order = {2, 3, 1, 0});
    atl_node *forward =
        atl_conv2d(result_like(&form, image), form.filter, .stride = {args->stride[0], args->stride[1]},
                   .padding = args->padding, .pad = {args->pad[0], args->pad[1], args->pad[2], args->pad[3]},
                   .dilation = {args->dilation[0], args->dilation[1]}, .groups = args->groups);
    atl_node *y = forward ? forward->op->gradient[0](forward, image) : NULL;
    atl_leave(image->graph);
    return atl_image_from_nhwc(y, args->layout);
}

static atl_node *transpose_same(atl_node *x, atl_node *w) { return atl_conv2d_transpose(x, w, .stride = {2, 3}); }
static atl_node *transpose_valid(atl_node *x, atl_node *w)
{
    return atl_conv2d_transpose(x, w, .stride = {2, 1}, .padding = ATL_VALID, .dilation = {1, 2});
}
static atl_node *transpose_gaps(atl_node *x, atl_node *w)
{
    return atl_conv2d_transpose(x, w, .stride = {4, 4}, .padding = ATL_VALID);
}
static atl_node *transpose_explicit(atl_node *x, atl_node *w)
{
    return atl_conv2d_transpose(x, w, .stride = {2, 2}, .padding = ATL_EXPLICIT, .pad = {1, 1, 0, 1});
}
static atl_node *transpose_groups(atl_node *x, atl_node *w)
{
    return atl_conv2d_transpose(x, w, .stride = {2, 1}, .groups = 2);
}
static atl_node *transpose_nchw(atl_node *x, atl_node *w)
{
    return atl_conv2d_transpose(x, w, .stride = {2, 2}, .layout = ATL_NCHW);
}

static atl_node *transpose_out_in(atl_node *x, atl_node *w)
{
    return atl_conv2d_transpose(x, w, .stride = {2, 2}, ATL_PAD(1), .weight_order = ATL_OUT_IN);
}

static const atl_op conv2d_transpose_composed = {
    .name = "conv2d_transpose",
    .samples = (const atl_sample[]){
        {"same", .binary = transpose_same, .input = {{4, {2, 3, 2, 3}}, {4, {3, 3, 2, 3}}}, .inputs = 2},
        {"valid, dilation", .binary = transpose_valid, .input = {{4, {1, 3, 4, 2}}, {4, {3, 2, 3, 2}}}, .inputs = 2},
        {"stride over gaps", .binary = transpose_gaps, .input = {{4, {1, 2, 3, 2}}, {4, {3, 2, 3, 2}}}, .inputs = 2},
        {"explicit padding", .binary = transpose_explicit, .input = {{4, {2, 3, 3, 2}}, {4, {3, 4, 2, 2}}},
         .inputs = 2},
        {"groups", .binary = transpose_groups, .input = {{4, {2, 3, 2, 4}}, {4, {3, 3, 3, 4}}}, .inputs = 2},
        {"groups that do not divide", .binary = transpose_groups, .input = {{4, {2, 3, 2, 3}}, {4, {3, 3, 3, 3}}},
         .inputs = 2, .error = "2 groups"},
        {"NCHW", .binary = transpose_nchw, .input = {{4, {2, 3, 2, 4}}, {4, {3, 3, 2, 3}}}, .inputs = 2},
        {"as PyTorch keeps it", .binary = transpose_out_in, .input = {{4, {2, 3, 4, 3}}, {4, {3, 2, 3, 4}}},
         .inputs = 2},
        {"5 channels for 3", .binary = transpose_out_in, .input = {{4, {2, 3, 4, 5}}, {4, {3, 2, 3, 4}}}, .inputs = 2,
         .error = "takes 3 (it is [in, out, height, width])"},
        {"4 channels for 3", .binary = transpose_same, .input = {{4, {2, 3, 2, 4}}, {4, {3, 3, 2, 3}}}, .inputs = 2,
         .error = "takes 3"},
        {"filter of three dimensions", .binary = transpose_same, .input = {{4, {2, 4, 5, 3}}, {3, {3, 3, 3}}},
         .inputs = 2, .error = "[3, 3, 3]"},
        {0}}};
ATL_COMPOSED(conv2d_transpose_composed);

/* ---- one dimension ----------------------------------------------------------------------------------------------- */

/* [n, width, in] and [fw, in, out] are an image and a filter of height 1. */
atl_node *atl_conv1d_with(const atl_conv1d_args *args)
{
    if (!args)
        return atl_null_argument("atl_conv1d", "the options are"), NULL;
    static const char name[] = "conv1d";
    int out_in = args->weight_order == ATL_OUT_IN;
    if (!args->signal || !args->filter || !check_array(args->signal, 3, "signal", "[batch, width, channels]", name) ||
        !check_array(args->filter, 3, "filter", out_in ? "[out, in / groups, width]" : "[width, in / groups, out]",
                     name))
        return NULL;
    atl_enter(args->signal->graph, name);
    atl_node *y =
        atl_conv2d(atl_expand_dims(args->signal, 1), atl_expand_dims(args->filter, out_in ? 2 : 0),
                   .stride = {1, args->stride ? args->stride : 1}, .padding = args->padding,
                   .pad = {0, 0, args->pad[0], args->pad[1]}, .dilation = {1, args->dilation ? args->dilation : 1},
                   .groups = args->groups, .weight_order = args->weight_order);
    y = atl_squeeze(y, 1);
    atl_leave(args->signal->graph);
    return y;
}

static atl_node *conv1d_same(atl_node *x, atl_node *w) { return atl_conv1d(x, w, .stride = 2); }
static atl_node *conv1d_valid(atl_node *x, atl_node *w)
{
    return atl_conv1d(x, w, .padding = ATL_VALID, .dilation = 2, .groups = 2);
}
static atl_node *conv1d_explicit(atl_node *x, atl_node *w)
{
    return atl_conv1d(x, w, .padding = ATL_EXPLICIT, .pad = {2, 0});
}
static atl_node *conv1d_out_in(atl_node *x, atl_node *w)
{
    return atl_conv1d(x, w, .groups = 2, .weight_order = ATL_OUT_IN);
}
static atl_node *conv1d_stride(atl_node *x, atl_node *w) { return atl_conv1d(x, w, .stride = -1); }

static const atl_op conv1d_composed = {
    .name = "conv1d",
    .samples = (const atl_sample[]){
        {"same, stride 2", .binary = conv1d_same, .input = {{3, {2, 7, 3}}, {3, {3, 3, 2}}}, .inputs = 2},
        {"valid, dilation, groups", .binary = conv1d_valid, .input = {{3, {2, 7, 4}}, {3, {2, 2, 4}}}, .inputs = 2},
        {"causal", .binary = conv1d_explicit, .input = {{3, {2, 5, 2}}, {3, {3, 2, 2}}}, .inputs = 2},
        {"as PyTorch keeps it", .binary = conv1d_out_in, .input = {{3, {2, 7, 4}}, {3, {6, 2, 3}}}, .inputs = 2},
        {"stride -1", .binary = conv1d_stride, .input = {{3, {2, 7, 3}}, {3, {3, 3, 2}}}, .inputs = 2,
         .error = "stride"},
        {"4 channels for 3", .binary = conv1d_same, .input = {{3, {2, 7, 4}}, {3, {3, 3, 2}}}, .inputs = 2,
         .error = "4 channels"},
        {"image", .binary = conv1d_same, .input = {{4, {2, 7, 7, 3}}, {3, {3, 3, 2}}}, .inputs = 2,
         .error = "[batch, width, channels]"},
        {0}}};
ATL_COMPOSED(conv1d_composed);

static atl_node *pool1d(const atl_pool1d_args *args, atl_node *pool(const atl_pool2d_args *args), const char *name)
{
    if (!args->signal || !check_array(args->signal, 3, "signal", "[batch, width, channels]", name))
        return NULL;
    atl_enter(args->signal->graph, name);
    atl_node *y = pool(&(atl_pool2d_args){.image = atl_expand_dims(args->signal, 1),
                                          .window = {args->window ? 1 : 0, args->window},
                                          .stride = {args->window ? 1 : 0, args->stride ? args->stride : args->window},
                                          .padding = args->padding,
                                          .pad = {0, 0, args->pad[0], args->pad[1]}});
    y = atl_squeeze(y, 1);
    atl_leave(args->signal->graph);
    return y;
}

atl_node *atl_max_pool1d_with(const atl_pool1d_args *args)
{
    if (!args)
        return atl_null_argument("atl_max_pool1d", "the options are"), NULL;
    return pool1d(args, atl_max_pool2d_with, "max_pool1d");
}
atl_node *atl_avg_pool1d_with(const atl_pool1d_args *args)
{
    if (!args)
        return atl_null_argument("atl_avg_pool1d", "the options are"), NULL;
    return pool1d(args, atl_avg_pool2d_with, "avg_pool1d");
}

#define POOL1D_SAMPLES(pool)                                                                                           \
    static atl_node *pool##_same(atl_node *x) { return atl_##pool(x, .window = 3, .stride = 2); }                      \
    static atl_node *pool##_valid(atl_node *x) { return atl_##pool(x, .window = 2, .padding = ATL_VALID); }            \
    static atl_node *pool##_whole(atl_node *x) { return atl_##pool(x); }                                               \
    static atl_node *pool##_negative(atl_node *x) { return atl_##pool(x, .window = -3); }                              \
    static const atl_op pool##_composed = {                                                                            \
        .name = #pool,                                                                                                 \
        .samples =                                                                                                     \
            (const atl_sample[]){{"same", .unary = pool##_same, .input = {{3, {2, 6, 3}, -8, 8}}, .inputs = 1},        \
                                 {"valid", .unary = pool##_valid, .input = {{3, {2, 7, 3}, -8, 8}}, .inputs = 1},      \
                                 {"whole", .unary = pool##_whole, .input = {{3, {2, 5, 3}, -8, 8}}, .inputs = 1},      \
                                 {"window -3", .unary = pool##_negative, .input = {{3, {2, 5, 3}}}, .inputs = 1,       \
                                  .error = "window"},                                                                  \
                                 {"image", .unary = pool##_same, .input = {{4, {2, 7, 7, 3}}}, .inputs = 1,            \
                                  .error = "[batch, width, channels]"},                                                \
                                 {0}}};                                                                                \
    ATL_COMPOSED(pool##_composed)

POOL1D_SAMPLES(max_pool1d);
POOL1D_SAMPLES(avg_pool1d);
