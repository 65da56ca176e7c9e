/* Convolutions with epilogues: bias, residual and relu on the result, and a relu's gradient on the image's gradient.
 * Both ops exist in compiled graphs only. */
#include <math.h>

#include "ops/conv.h"
#include "ops/conv_depthwise.h"
#include "ops/conv_pointwise.h"
#include "ops/conv_winograd.h"
#include "ops/mask.h"

/* conv2d_fused(image, filter [, bias] [, residual]): min(relu(conv2d + bias + residual), highest), with any of these.
 * Only the compiler creates it, and it is never differentiated. */
typedef struct fused_options {
    conv_options conv;
    int32_t has_bias, has_residual, has_relu;
    float highest; /* of the relu; 0: no limit */
} fused_options;

static int lower_fused(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    const fused_options *options = y->attributes;
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y->inputs[1], y);
    onednn_convolution c = atl_convolution_of(ONEDNN_FORWARD, &g, 0, 1, ONEDNN_NO_INPUT);
    if (options->has_bias)
        c.bias_input = 2;
    if (options->has_residual)
        c.residual_input = 2 + options->has_bias;
    c.activation = options->has_relu ? ONEDNN_RELU : ONEDNN_IDENTITY;
    c.highest = options->highest;
    return atl_lower_conv_best(lowering, &c, &g);
}

/* The residual must have the layout of the result. */
static double fused_blocked_benefit(const atl_node *y, unsigned *images)
{
    const fused_options *options = y->attributes;
    double gain = atl_conv2d_blocked_benefit(y, images);
    if (options->has_residual)
        *images |= 1u << (2 + options->has_bias);
    return gain;
}

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const fused_options *options = y->attributes;
    atl_describe_conv(y, y->inputs[1], text, size);
    size_t at = strlen(text);
    at += (size_t)snprintf(text + at, size - at, "%s%s%s", options->has_bias ? " + bias" : "",
                           options->has_residual ? " + residual" : "", options->has_relu ? ", relu" : "");
    if (options->highest > 0 && at < size)
        snprintf(text + at, size - at, " to %g", (double)options->highest);
}

/* The image and the residual. */
static unsigned fused_by_image(const atl_node *y)
{
    const fused_options *options = y->attributes;
    return options->has_residual ? 1 | 1u << (2 + options->has_bias) : 1;
}

static float kept_mask(const atl_node *y)
{
    const fused_options *options = y->attributes;
    return !options->has_relu ? 0 : options->highest > 0 ? options->highest : INFINITY;
}

static const atl_op fused_op = {.name = "conv2d_fused",
                                .arity = ATL_VARIADIC,
                                .attributes = sizeof(fused_options),
                                .infer = atl_infer_conv2d,
                                .describe = describe_fused,
                                .hooks = &(const atl_op_hooks){.lower = lower_fused,
                                                               .by_image = fused_by_image,
                                                               .blocked_benefit = fused_blocked_benefit,
                                                               .writes_strided = atl_conv2d_writes_strided,
                                                               .algos = atl_conv2d_algos,
                                                               .kept_mask = kept_mask,
                                                               .with_epilogue = atl_conv2d_with_epilogue}};

/* In this order: bias, residual, relu; an epilogue in another order is not fused. */
atl_node *atl_conv2d_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, float relu)
{
    fused_options options;
    atl_node *inputs[4];
    int count = y->input_count;
    memset(&options, 0, sizeof options);
    memcpy(&options, y->attributes, y->op->attributes);
    /* oneDNN 2.6.3's gemm loops, which it takes for groups and with SSE4.1, add the wrong elements of a residual. */
    if (residual && (options.conv.groups != 1 || atl_isa_in_use() == ATL_ISA_GENERIC))
        return NULL;
    if (y->shape->size[0] == 0 || options.has_relu || (bias && (options.has_bias || options.has_residual)) ||
        (residual && options.has_residual))
        return NULL;
    memcpy(inputs, y->inputs, (size_t)count * sizeof *inputs);
    if (bias)
        inputs[count++] = bias;
    if (residual)
        inputs[count++] = residual;
    options.has_bias |= bias != NULL;
    options.has_residual |= residual != NULL;
    options.has_relu |= relu > 0;
    options.highest = isinf(relu) ? 0 : relu;
    return atl_apply_with(&fused_op, &options, (atl_nodes){count, inputs});
}

/* conv2d_input_relu_grad(dy, filter, like image [, other] [, scale] [, addend], by): relu_grad(conv2d_input_grad +
 * other, by) * scale + addend, with any of these, or with a bit mask of by; conv2d_input_relu6_grad: the same with
 * relu6_grad.  Only the compiler creates them, and they are never differentiated. */
typedef struct relu_grad_options {
    conv_options conv;
    int32_t has_other, has_scale, has_addend, by_mask;
    float highest; /* of the relu; 0: no limit */
} relu_grad_options;

enum { MOST_INPUTS = 7 };

static int scale_of(const relu_grad_options *options) { return 3 + options->has_other; }
static int addend_of(const relu_grad_options *options) { return scale_of(options) + options->has_scale; }

static int lower_relu_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    const relu_grad_options *options = y->attributes;
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    onednn_convolution c = atl_convolution_of(ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
    if (options->has_other)
        c.residual_input = 3;
    if (options->has_scale)
        c.scale_input = scale_of(options);
    if (options->has_addend)
        c.addend_input = addend_of(options);
    c.relu_grad_input = addend_of(options) + options->has_addend;
    c.relu_grad_is_mask = options->by_mask;
    c.highest = options->highest;
    if (atl_conv_prefers_depthwise(&c))
        return atl_lower_conv_depthwise(lowering, &c);
    return atl_conv_is_pointwise(&c) ? atl_lower_conv_pointwise(lowering, &c) : atl_lower_conv_winograd(lowering, &c);
}

static int relu_grad_writes_strided(const atl_node *y, int winograd)
{
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    onednn_convolution c = atl_convolution_of(ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
    return atl_conv_is_pointwise(&c) || (winograd != ATL_NO_WINOGRAD && g.groups == 1);
}

static void describe_relu_grad(const atl_node *y, char *text, size_t size)
{
    const relu_grad_options *options = y->attributes;
    atl_describe_conv(y, y->inputs[1], text, size);
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s, %s%s%s", options->has_other ? " + other" : "",
             options->highest > 0 ? "gradient of relu6" : "gradient of relu", options->has_scale ? " * scale" : "",
             options->has_addend ? " + addend" : "");
}

/* All but the filter and the scale, unless there is a mask, whose bits have another order. */
static unsigned relu_grad_by_image(const atl_node *y)
{
    const relu_grad_options *options = y->attributes;
    unsigned whole = options->has_scale ? 2u | 1u << scale_of(options) : 2u;
    return options->by_mask ? 0 : ~whole;
}

/* Only 1x1 kernels scale and add. */
static atl_node *relu_grad_scaled_sum(atl_node *y, atl_node *scale, atl_node *addend)
{
    relu_grad_options options;
    atl_node *inputs[MOST_INPUTS];
    int count = y->input_count - 1;
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    onednn_convolution c = atl_convolution_of(ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
    memcpy(&options, y->attributes, sizeof options);
    if (options.has_addend || (scale && options.has_scale) || options.by_mask || atl_conv_prefers_depthwise(&c) ||
        !atl_conv_is_pointwise(&c))
        return NULL;
    memcpy(inputs, y->inputs, (size_t)count * sizeof *inputs);
    if (scale)
        inputs[count++] = scale;
    if (addend)
        inputs[count++] = addend;
    inputs[count++] = y->inputs[y->input_count - 1];
    options.has_scale |= scale != NULL;
    options.has_addend |= addend != NULL;
    return atl_apply_with(y->op, &options, (atl_nodes){count, inputs});
}

static atl_node *relu_grad_by_mask_of(const atl_node *y, atl_node *const *inputs, atl_node *mask);
/* One op for each kind of mask. */
#define INPUT_RELU_GRAD_OP(op, title, mask)                                                                            \
    static const atl_op op = {.name = title,                                                                           \
                              .arity = ATL_VARIADIC,                                                                   \
                              .attributes = sizeof(relu_grad_options),                                                 \
                              .shape_inputs = 1 << 2,                                                                  \
                              .infer = atl_infer_input_grad,                                                           \
                              .describe = describe_relu_grad,                                                          \
                              .hooks = &(const atl_op_hooks){.lower = lower_relu_grad,                                 \
                                                             .by_image = relu_grad_by_image,                           \
                                                             .writes_strided = relu_grad_writes_strided,               \
                                                             .scaled_sum = relu_grad_scaled_sum,                       \
                                                             .compress = mask,                                         \
                                                             .from_compressed = relu_grad_by_mask_of}}
INPUT_RELU_GRAD_OP(input_relu_grad_op, "conv2d_input_relu_grad", atl_mask_of);
INPUT_RELU_GRAD_OP(input_relu6_grad_op, "conv2d_input_relu6_grad", atl_relu6_mask_of);

static atl_node *relu_grad_by_mask_of(const atl_node *y, atl_node *const *inputs, atl_node *mask)
{
    relu_grad_options options;
    atl_node *given[MOST_INPUTS];
    memcpy(&options, y->attributes, sizeof options);
    memcpy(given, inputs, (size_t)y->input_count * sizeof *given);
    options.by_mask = 1;
    given[y->input_count - 1] = mask;
    return atl_apply_with(y->op, &options, (atl_nodes){y->input_count, given});
}

/* Only where our own kernels compute it. */
atl_node *atl_input_grad_with_relu_grad(atl_node *y, atl_node *other, atl_node *by, float limit, int winograd)
{
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    onednn_convolution c = atl_convolution_of(ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
    relu_grad_options options;
    memset(&options, 0, sizeof options);
    memcpy(&options.conv, y->attributes, sizeof options.conv);
    options.has_other = other != NULL;
    options.highest = isinf(limit) ? 0 : limit;
    c.relu_grad_input = 3;
    int by_winograd =
        atl_conv_prefers_winograd(&c, &g, winograd) && atl_conv_blocked_benefit(ONEDNN_INPUT_GRADIENT, &g) <= 0;
    if (!by_winograd && !atl_conv_pointwise_pays(&c) && !atl_conv_prefers_depthwise(&c))
        return NULL;
    atl_node *inputs[5] = {y->inputs[0], y->inputs[1], y->inputs[2], other ? other : by, by};
    return atl_apply_with(options.highest > 0 ? &input_relu6_grad_op : &input_relu_grad_op, &options,
                          (atl_nodes){4 + options.has_other, inputs});
}
