/* Convolution of images, and its two gradients.
 *
 * With image x [n, h, w, in], filter w [fh, fw, in / groups, out] and result y [n, oh, ow, out], all three ops compute
 * the same sum over filter positions t.  p(q, t) is the pixel that output q reads at filter position t (none, if that
 * is padding), and i is in the group of o:
 *
 *     conv2d               y [q, o]       = sum over t, i of  x [p(q, t), i] * w [t, i, o]
 *     conv2d_input_grad    dx[p, i]       = sum over q, t with p(q, t) = p, and o, of  dy[q, o] * w[t, i, o]
 *     conv2d_filter_grad   dw[t, i, o]    = sum over q of  x[p(q, t), i] * dy[q, o]
 *
 * Each is linear in both of its inputs, and the derivatives of each are the other two. */
#include "ops/conv.h"

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static const atl_op conv2d_op, input_grad_op, filter_grad_op;

static atl_node *convolve(const atl_node *as, atl_node *image, atl_node *filter)
{
    return ATL_APPLY(&conv2d_op, as->attributes, image, filter);
}
static atl_node *input_grad(const atl_node *as, atl_node *dy, atl_node *filter, atl_node *image)
{
    return ATL_APPLY(&input_grad_op, as->attributes, dy, filter, image);
}
static atl_node *filter_grad(const atl_node *as, atl_node *image, atl_node *dy, atl_node *filter)
{
    return ATL_APPLY(&filter_grad_op, as->attributes, image, dy, filter);
}

/* y = conv(x, w) */
static atl_node *conv2d_by_image(atl_node *y, atl_node *dy)
{
    return input_grad(y, dy, atl_input_of(y, 1), atl_input_of(y, 0));
}
static atl_node *conv2d_by_filter(atl_node *y, atl_node *dy)
{
    return filter_grad(y, atl_input_of(y, 0), dy, atl_input_of(y, 1));
}

/* y = input_grad(d, w, like x): its adjoint dy is an image. */
static atl_node *input_grad_by_result(atl_node *y, atl_node *dy) { return convolve(y, dy, atl_input_of(y, 1)); }
static atl_node *input_grad_by_filter(atl_node *y, atl_node *dy)
{
    return filter_grad(y, dy, atl_input_of(y, 0), atl_input_of(y, 1));
}

/* y = filter_grad(x, d, like w): its adjoint dy is a filter. */
static atl_node *filter_grad_by_image(atl_node *y, atl_node *dy)
{
    return input_grad(y, atl_input_of(y, 1), dy, atl_input_of(y, 0));
}
static atl_node *filter_grad_by_result(atl_node *y, atl_node *dy) { return convolve(y, atl_input_of(y, 0), dy); }

/* conv(x, w) * s = conv(x, w * s): the outputs are the last dimension of both. */
static atl_node *conv2d_scaled(atl_node *y, atl_node *scale)
{
    return convolve(y, y->inputs[0], atl_mul(y->inputs[1], scale));
}
/* input_grad(d * s, w) = input_grad(d, w * s) */
static atl_node *input_grad_of_scaled(atl_node *y, atl_node *d, atl_node *scale)
{
    return input_grad(y, d, atl_mul(y->inputs[1], scale), y->inputs[2]);
}

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

static void describe_by_second(const atl_node *y, char *text, size_t size)
{
    atl_describe_conv(y, y->inputs[1], text, size);
}
static void describe_by_third(const atl_node *y, char *text, size_t size)
{
    atl_describe_conv(y, y->inputs[2], text, size);
}

/* Samples.  Those of the gradients take their third shape from a constant. */
static atl_node *zeros(const atl_node *in_graph_of, atl_shape shape)
{
    atl_tensor *value = in_graph_of ? atl_tensor_new(ATL_FLOAT32, shape) : NULL;
    atl_node *node = value ? atl_constant(in_graph_of->graph, value) : NULL;
    atl_tensor_free(value);
    return node;
}

#define CONV_SAMPLE(name, ...)                                                                                         \
    static atl_node *name(atl_node *image, atl_node *filter) { return atl_conv2d(image, filter, __VA_ARGS__); }
CONV_SAMPLE(same, .padding = ATL_SAME)
CONV_SAMPLE(same_stride_2, .stride = {2, 2})
CONV_SAMPLE(same_stride_3_2, .stride = {3, 2})
CONV_SAMPLE(valid, .padding = ATL_VALID)
CONV_SAMPLE(valid_stride_2, .padding = ATL_VALID, .stride = {2, 2})
CONV_SAMPLE(dilated, .dilation = {2, 3}, .padding = ATL_VALID)
CONV_SAMPLE(dilated_same, .dilation = {2, 2}, .stride = {2, 1})
CONV_SAMPLE(explicit, .padding = ATL_EXPLICIT, .pad = {1, 0, 2, 1}, .stride = {2, 2})
CONV_SAMPLE(two_groups, .groups = 2)
CONV_SAMPLE(three_groups, .groups = 3, .stride = {2, 2})
CONV_SAMPLE(planes, .layout = ATL_NCHW, .weight_order = ATL_OUT_IN, .stride = {2, 2})
CONV_SAMPLE(planes_valid, .layout = ATL_NCHW, .padding = ATL_VALID)
CONV_SAMPLE(half_stride, .stride = {2})
CONV_SAMPLE(negative_stride, .stride = {1, -1})
CONV_SAMPLE(negative_dilation, .dilation = {-1, 1})
CONV_SAMPLE(negative_groups, .groups = -2)
CONV_SAMPLE(wide_padding, .padding = ATL_EXPLICIT, .pad = {0, 3, 0, 0})
CONV_SAMPLE(negative_padding, .padding = ATL_EXPLICIT, .pad = {0, 0, -1, 0})
CONV_SAMPLE(stray_padding, .pad = {1, 1, 1, 1})
static atl_node *twice(atl_node *image, atl_node *filter) { return same(same(image, filter), filter); }

static const atl_op conv2d_op = {
    .name = "conv2d",
    .arity = 2,
    .attributes = sizeof(conv_options),
    .infer = atl_infer_conv2d,
    .gradient = {conv2d_by_image, conv2d_by_filter},
    .reference = atl_conv2d_reference,
    .describe = describe_by_second,
    .samples =
        (const atl_sample[]){
            {"3x3", .binary = same, .input = {{4, {2, 5, 4, 3}}, {4, {3, 3, 3, 6}}}, .inputs = 2},
            {"1x1", .binary = same, .input = {{4, {2, 3, 4, 5}}, {4, {1, 1, 5, 2}}}, .inputs = 2},
            {"even window", .binary = same, .input = {{4, {1, 5, 6, 2}}, {4, {2, 4, 2, 3}}}, .inputs = 2},
            {"stride 2, odd image", .binary = same_stride_2, .input = {{4, {2, 7, 5, 3}}, {4, {3, 3, 3, 2}}},
             .inputs = 2},
            {"stride 2, even image", .binary = same_stride_2, .input = {{4, {1, 6, 8, 1}}, {4, {3, 3, 1, 4}}},
             .inputs = 2},
            {"stride over the window", .binary = same_stride_3_2, .input = {{4, {1, 7, 6, 2}}, {4, {1, 1, 2, 3}}},
             .inputs = 2},
            {"valid", .binary = valid, .input = {{4, {1, 5, 6, 2}}, {4, {3, 2, 2, 3}}}, .inputs = 2},
            {"valid, pixels left over", .binary = valid_stride_2, .input = {{4, {2, 6, 8, 1}}, {4, {3, 3, 1, 2}}},
             .inputs = 2},
            {"dilated", .binary = dilated, .input = {{4, {1, 6, 9, 2}}, {4, {3, 3, 2, 2}}}, .inputs = 2},
            {"dilated, same, strided", .binary = dilated_same, .input = {{4, {1, 6, 7, 2}}, {4, {3, 3, 2, 2}}},
             .inputs = 2},
            {"explicit padding", .binary = explicit, .input = {{4, {1, 5, 4, 2}}, {4, {3, 3, 2, 2}}}, .inputs = 2},
            {"two groups", .binary = two_groups, .input = {{4, {2, 4, 3, 4}}, {4, {3, 3, 2, 6}}}, .inputs = 2},
            {"depthwise", .binary = three_groups, .input = {{4, {2, 5, 4, 3}}, {4, {3, 3, 1, 3}}}, .inputs = 2},
            {"depthwise, two each", .binary = three_groups, .input = {{4, {1, 4, 4, 3}}, {4, {3, 3, 1, 6}}},
             .inputs = 2},
            {"NCHW, OIHW", .binary = planes, .input = {{4, {2, 3, 5, 4}}, {4, {2, 3, 3, 3}}}, .inputs = 2},
            {"NCHW, HWIO", .binary = planes_valid, .input = {{4, {1, 2, 4, 5}}, {4, {3, 3, 2, 3}}}, .inputs = 2},
            {"one filter twice", .binary = twice, .input = {{4, {1, 4, 4, 2}}, {4, {3, 3, 2, 2}}}, .inputs = 2},
            {"image rank", .binary = same, .input = {{3, {5, 4, 3}}, {4, {3, 3, 3, 6}}}, .inputs = 2,
             .error = "[batch, height, width, channels]"},
            {"image rank, NCHW", .binary = planes, .input = {{3, {5, 4, 3}}, {4, {3, 3, 3, 6}}}, .inputs = 2,
             .error = "[batch, channels, height, width]"},
            {"filter rank", .binary = same, .input = {{4, {1, 5, 4, 3}}, {3, {3, 3, 3}}}, .inputs = 2,
             .error = "[height, width, in, out]"},
            {"filter rank, OIHW", .binary = planes, .input = {{4, {1, 5, 4, 3}}, {2, {3, 3}}}, .inputs = 2,
             .error = "[out, in, height, width]"},
            {"channels", .binary = same, .input = {{4, {1, 5, 4, 3}}, {4, {5, 5, 64, 64}}}, .inputs = 2,
             .error = "has 3 channels but the filter [5, 5, 64, 64]"},
            {"channels and groups", .binary = two_groups, .input = {{4, {1, 5, 4, 4}}, {4, {3, 3, 4, 4}}}, .inputs = 2,
             .error = "2 groups of 4"},
            {"outputs and groups", .binary = two_groups, .input = {{4, {1, 5, 4, 4}}, {4, {3, 3, 2, 5}}}, .inputs = 2,
             .error = "cannot be split into 2 groups"},
            {"empty filter", .binary = same, .input = {{4, {1, 5, 4, 3}}, {4, {3, 0, 3, 6}}}, .inputs = 2,
             .error = "is empty"},
            {"no pixels", .binary = same, .input = {{4, {1, 0, 4, 3}}, {4, {3, 3, 3, 6}}}, .inputs = 2,
             .error = "height of 0"},
            {"window over the image", .binary = valid, .input = {{4, {1, 5, 2, 1}}, {4, {3, 3, 1, 1}}}, .inputs = 2,
             .error = "larger than the image's, 2"},
            {"half a stride", .binary = half_stride, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}}, .inputs = 2,
             .error = "stride {2, 0}"},
            {"negative stride", .binary = negative_stride, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}}, .inputs = 2,
             .error = "stride {1, -1}"},
            {"negative dilation", .binary = negative_dilation, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}},
             .inputs = 2, .error = "dilation {-1, 1}"},
            {"negative groups", .binary = negative_groups, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}}, .inputs = 2,
             .error = "groups is -2"},
            {"padding over the window", .binary = wide_padding, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}},
             .inputs = 2, .error = "padding at the bottom, 3"},
            {"negative padding", .binary = negative_padding, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}},
             .inputs = 2, .error = "padding at the left is -1"},
            {"padding that does not count", .binary = stray_padding, .input = {{4, {1, 5, 4, 1}}, {4, {3, 3, 1, 1}}},
             .inputs = 2, .error = "ATL_EXPLICIT"},
            {"int32 image", .binary = same, .input = {{4, {1, 5, 4, 1}, 0, 9, 1}, {4, {3, 3, 1, 1}}}, .inputs = 2,
             .error = "must be float32"},
            {0}},
    .hooks = &(const atl_op_hooks){.lower = atl_lower_conv2d,
                                   .by_image = atl_first_by_image,
                                   .blocked_benefit = atl_conv2d_blocked_benefit,
                                   .writes_strided = atl_conv2d_writes_strided,
                                   .algos = atl_conv2d_algos,
                                   .scaled = conv2d_scaled,
                                   .with_epilogue = atl_conv2d_with_epilogue}};
ATL_BUILTIN(conv2d_op);

static atl_node *sample_input_grad(atl_node *dy, atl_node *filter)
{
    conv_options options;
    memset(&options, 0, sizeof options);
    options = (conv_options){{.stride = {2, 1}, .dilation = {1, 2}}, .groups = 2};
    return ATL_APPLY(&input_grad_op, &options, dy, filter, zeros(dy, ATL_SHAPE(2, 5, 6, 4)));
}

/* All but the filter. */
static unsigned input_grad_by_image(const atl_node *y) { return atl_all_by_image(y) & ~2u; }

static const atl_op input_grad_op = {.name = "conv2d_input_grad",
                                     .arity = 3,
                                     .attributes = sizeof(conv_options),
                                     .shape_inputs = 1u << 2,
                                     .infer = atl_infer_input_grad,
                                     .gradient = {input_grad_by_result, input_grad_by_filter},
                                     .reference = atl_input_grad_reference,
                                     .describe = describe_by_second,
                                     .simplify = atl_input_grad_of_patches,
                                     .samples =
                                         (const atl_sample[]){{"strided, dilated, groups", .binary = sample_input_grad,
                                                               .input = {{4, {2, 3, 6, 6}}, {4, {3, 2, 2, 6}}},
                                                               .inputs = 2},
                                                              {"another size", .binary = sample_input_grad,
                                                               .input = {{4, {2, 2, 6, 6}}, {4, {3, 2, 2, 6}}},
                                                               .inputs = 2, .error = "give [2, 3, 6, 6]"},
                                                              {0}},
                                     .hooks = &(const atl_op_hooks){.lower = atl_lower_input_grad,
                                                                    .by_image = input_grad_by_image,
                                                                    .blocked_benefit = atl_input_grad_blocked_benefit,
                                                                    .algos = atl_input_grad_algos,
                                                                    .with_scaled_input = input_grad_of_scaled,
                                                                    .with_relu_grad = atl_input_grad_with_relu_grad}};
ATL_BUILTIN(input_grad_op);

static atl_node *sample_filter_grad(atl_node *image, atl_node *dy)
{
    conv_options options;
    memset(&options, 0, sizeof options);
    options = (conv_options){{.stride = {2, 1}, .dilation = {1, 2}}, .groups = 2};
    return ATL_APPLY(&filter_grad_op, &options, image, dy, zeros(dy, ATL_SHAPE(3, 2, 2, 6)));
}

static const atl_op filter_grad_op = {
    .name = "conv2d_filter_grad",
    .arity = 3,
    .attributes = sizeof(conv_options),
    .shape_inputs = 1u << 2,
    .infer = atl_infer_filter_grad,
    .gradient = {filter_grad_by_image, filter_grad_by_result},
    .reference = atl_filter_grad_reference,
    .describe = describe_by_third,
    .samples = (const atl_sample[]){{"strided, dilated, groups", .binary = sample_filter_grad,
                                     .input = {{4, {2, 5, 6, 4}}, {4, {2, 3, 6, 6}}}, .inputs = 2},
                                    {"another size", .binary = sample_filter_grad,
                                     .input = {{4, {2, 5, 6, 4}}, {4, {2, 3, 6, 4}}}, .inputs = 2,
                                     .error = "give [2, 3, 6, 6]"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.lower = atl_lower_filter_grad,
                                   .blocked_benefit = atl_filter_grad_blocked_benefit,
                                   .algos = atl_filter_grad_algos}};
ATL_BUILTIN(filter_grad_op);

/* ---- builder ----------------------------------------------------------------------------------------------------- */

/* Transposes other orders to NHWC and HWIO; the compiler lets transposes of adjacent ops cancel. */
static int check_order(atl_node *x, const char *what, const char *order)
{
    if (!x || x->shape->rank == 4)
        return x != NULL;
    atl_graph_fail(x->graph, "%s%sconv2d: the %s, '%s', is %s; it must be %s", x->graph->scope,
                   x->graph->scope[0] ? "/" : "", what, atl_name_of(x), SHAPE_OF(x), order);
    return 0;
}

atl_node *atl_conv2d_with(const atl_conv2d_args *args)
{
    if (!args)
        return atl_null_argument("atl_conv2d", "the options are"), NULL;
    conv_options options;
    int planes = args->layout == ATL_NCHW;
    atl_node *image = args->image, *filter = args->filter;
    if (image && ((unsigned)args->layout > ATL_NCHW || (unsigned)args->weight_order > ATL_OUT_IN))
        return atl_builder_error(image->graph, "conv2d", "there is no %s with the number %d",
                                 (unsigned)args->layout > ATL_NCHW ? ".layout" : ".weight_order",
                                 (unsigned)args->layout > ATL_NCHW ? (int)args->layout : (int)args->weight_order);
    memset(&options, 0, sizeof options);
    atl_window_options(&options.window, args->stride, NULL, args->dilation, args->padding, args->pad);
    options.groups = args->groups ? args->groups : 1;
    if (planes && check_order(image, "image", "[batch, channels, height, width] (.layout = ATL_NCHW)"))
        image = atl_transpose(image, .order = {0, 2, 3, 1});
    if (args->weight_order == ATL_OUT_IN &&
        check_order(filter, "filter", "[out, in, height, width] (.weight_order = ATL_OUT_IN)"))
        filter = atl_transpose(filter, .order = {2, 3, 1, 0});
    atl_node *result = ATL_APPLY(&conv2d_op, &options, image, filter);
    return planes ? atl_transpose(result, .order = {0, 3, 1, 2}) : result;
}
