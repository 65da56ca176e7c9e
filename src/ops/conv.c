/* Convolution of images, and its two gradients.
 *
 * With image x [n, h, w, in], filter w [fh, fw, in / groups, out] and result y [n, oh, ow, out], all three ops are the same sum over
 * taps t, with p(q, t) the pixel that output q sees through tap t (nothing, if that is padding), and i in the group of o:
 *
 *     conv2d               y [q, o]       = sum over t, i of  x [p(q, t), i] * w [t, i, o]
 *     conv2d_input_grad    dx[p, i]       = sum over q, t with p(q, t) = p, and o, of  dy[q, o] * w[t, i, o]
 *     conv2d_filter_grad   dw[t, i, o]    = sum over q of  x[p(q, t), i] * dy[q, o]
 *
 * Each is linear in both of its inputs, and the derivative of each is the other two. */
#include "onednn/onednn.h"
#include "ops/conv_pointwise.h"
#include "ops/conv_winograd.h"
#include "ops/mask.h"
#include "ops/window.h"

typedef struct conv_options {
    window_options window;
    int32_t groups;
} conv_options;

/* ---- shapes -------------------------------------------------------------------------------------------------------- */

static int is_any_or(int64_t size, int64_t expected)
{
    return size == ATL_ANY || expected == ATL_ANY || size == expected;
}

static int check_image(atl_node *y, const atl_node *image, const char *what)
{
    if (image->dtype != ATL_FLOAT32)
        return atl_fail(y, "%s, '%s', is %s but must be float32: use atl_cast(x, ATL_FLOAT32)", what,
                        atl_name_of(image), atl_dtype_name(image->dtype));
    if (image->shape->rank != 4)
        return atl_fail(y, "%s, '%s', is %s; it must be [batch, height, width, channels]", what, atl_name_of(image),
                        SHAPE_OF(image));
    return 1;
}

static int check_filter(atl_node *y, const conv_options *options, const atl_node *filter)
{
    const int64_t *size = filter->shape->size;
    if (filter->dtype != ATL_FLOAT32)
        return atl_fail(y, "the filter, '%s', is %s but must be float32: use atl_cast(x, ATL_FLOAT32)",
                        atl_name_of(filter), atl_dtype_name(filter->dtype));
    if (filter->shape->rank != 4)
        return atl_fail(y, "the filter, '%s', is %s; it must be [height, width, in, out]", atl_name_of(filter),
                        SHAPE_OF(filter));
    for (int i = 0; i < 4; i++)
        if (size[i] == 0)
            return atl_fail(y,
                            "the filter %s ('%s') is empty; every size of [height, width, in, out] must be 1 or more",
                            SHAPE_OF(filter), atl_name_of(filter));
    if (options->groups < 1)
        return atl_fail(y, "groups is %d; it must be 1 or more", options->groups);
    if (size[3] != ATL_ANY && size[3] % options->groups)
        return atl_fail(y, "the %lld outputs of the filter %s ('%s') cannot be split into %d groups",
                        (long long)size[3], SHAPE_OF(filter), atl_name_of(filter), options->groups);
    return 1;
}

static int check_channels(atl_node *y, const conv_options *options, const atl_node *image, const atl_node *filter)
{
    int64_t channels = image->shape->size[3], in = filter->shape->size[2];
    const char *image_text = SHAPE_OF(image), *filter_text = SHAPE_OF(filter);
    if (channels == ATL_ANY || in == ATL_ANY)
        return 1;
    if (options->groups == 1 && channels != in)
        return atl_fail(y,
                        "the image %s ('%s') has %lld channels but the filter %s ('%s') takes %lld (an image is "
                        "[batch, height, width, "
                        "channels], a filter [height, width, in, out])",
                        image_text, atl_name_of(image), (long long)channels, filter_text, atl_name_of(filter),
                        (long long)in);
    if (channels % options->groups || channels / options->groups != in)
        return atl_fail(y,
                        "the image %s ('%s') has %lld channels but the filter %s ('%s') takes %d groups of %lld (a "
                        "filter is [height, "
                        "width, in / groups, out])",
                        image_text, atl_name_of(image), (long long)channels, filter_text, atl_name_of(filter),
                        options->groups, (long long)in);
    return 1;
}

/* The shape of conv2d(image, filter), or 0 with the mistake recorded on y. */
static int infer_result(atl_node *y, const atl_node *image, const atl_node *filter, atl_shape *result)
{
    const conv_options *options = y->attributes;
    if (!check_image(y, image, "the image") || !check_filter(y, options, filter) ||
        !atl_check_window_options(y, &options->window) || !check_channels(y, options, image, filter))
        return 0;
    *result = *image->shape;
    result->size[3] = filter->shape->size[3];
    for (int i = 0; i < 2; i++)
        if (!atl_slide_window(y, &options->window, i, image->shape->size[1 + i], filter->shape->size[i],
                              &result->size[1 + i], NULL))
            return 0;
    return 1;
}

static int infer_conv2d(atl_node *y)
{
    atl_shape result;
    return infer_result(y, y->inputs[0], y->inputs[1], &result) && atl_set_type(y, ATL_FLOAT32, result);
}

/* dy must be what conv2d(image, filter) gives. */
static int check_result_gradient(atl_node *y, const atl_node *dy, const atl_node *image, const atl_node *filter)
{
    atl_shape result;
    if (!check_image(y, dy, "the gradient of the result") || !infer_result(y, image, filter, &result))
        return 0;
    for (int i = 0; i < 4; i++)
        if (!is_any_or(dy->shape->size[i], result.size[i]))
            return atl_fail(y, "the gradient of the result, '%s', is %s, but the image %s and the filter %s give %s",
                            atl_name_of(dy), SHAPE_OF(dy), SHAPE_OF(image), SHAPE_OF(filter), SHAPE_TEXT(result));
    return 1;
}

static int infer_input_grad(atl_node *y) /* dy, filter, like the image */
{
    return check_result_gradient(y, y->inputs[0], y->inputs[2], y->inputs[1]) &&
           atl_set_type(y, ATL_FLOAT32, *y->inputs[2]->shape);
}

static int infer_filter_grad(atl_node *y) /* image, dy, like the filter */
{
    return check_result_gradient(y, y->inputs[1], y->inputs[0], y->inputs[2]) &&
           atl_set_type(y, ATL_FLOAT32, *y->inputs[2]->shape);
}

/* ---- reference ----------------------------------------------------------------------------------------------------- */

/* What one tap does: x, w and y point to the pixel's channels of one group, to the tap's [in, out] of that group, and to the
 * output's channels of that group; rows of w are `row` apart. */
typedef void tap_sum(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y);

static void add_to_result(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            y[o] += x[i] * w[i * row + o];
}

static void add_to_image(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            x[i] += y[o] * w[i * row + o];
}

static void add_to_filter(int64_t in, int64_t out, int64_t row, double *x, double *w, double *y)
{
    for (int64_t i = 0; i < in; i++)
        for (int64_t o = 0; o < out; o++)
            w[i * row + o] += x[i] * y[o];
}

typedef struct conv_geometry {
    atl_shape image, filter, result;
    atl_window vertical, horizontal;
    int64_t groups;
} conv_geometry;

static conv_geometry geometry_of(const atl_node *y, const atl_node *image, const atl_node *filter,
                                 const atl_node *result)
{
    const conv_options *options = y->attributes;
    return (
        conv_geometry){.image = *image->shape,
                       .filter = *filter->shape,
                       .result = *result->shape,
                       .vertical = atl_window_of(&options->window, 0, image->shape->size[1], filter->shape->size[0]),
                       .horizontal = atl_window_of(&options->window, 1, image->shape->size[2], filter->shape->size[1]),
                       .groups = options->groups};
}

/* All taps of one output pixel. x: the image of this example; y: the output pixel. */
static void sum_taps(const conv_geometry *g, tap_sum *tap, int64_t oy, int64_t ox, double *x, double *w, double *y)
{
    const atl_window *v = &g->vertical, *h = &g->horizontal;
    int64_t in = g->filter.size[2], row = g->filter.size[3], out = row / g->groups, channels = g->image.size[3];
    for (int64_t ty = 0; ty < v->size; ty++) {
        int64_t iy = oy * v->stride - v->pad_before + ty * v->dilation;
        for (int64_t tx = 0; tx < h->size; tx++) {
            int64_t ix = ox * h->stride - h->pad_before + tx * h->dilation;
            if (iy < 0 || iy >= v->input || ix < 0 || ix >= h->input)
                continue;
            for (int64_t k = 0; k < g->groups; k++)
                tap(in, out, row, x + (iy * h->input + ix) * channels + k * in,
                    w + (ty * h->size + tx) * in * row + k * out, y + k * out);
        }
    }
}

static void sum_everywhere(const conv_geometry *g, tap_sum *tap, const double *x, const double *w, const double *y)
{
    int64_t rows = g->vertical.output, columns = g->horizontal.output, out = g->result.size[3];
    int64_t pixels = g->image.size[1] * g->image.size[2] * g->image.size[3];
    for (int64_t n = 0; n < g->image.size[0]; n++)
        for (int64_t oy = 0; oy < rows; oy++)
            for (int64_t ox = 0; ox < columns; ox++)
                sum_taps(g, tap, oy, ox, (double *)x + n * pixels, (double *)w,
                         (double *)y + ((n * rows + oy) * columns + ox) * out);
}

static void clear(const atl_node *y, double *result)
{
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * sizeof *result);
}

static void reference_conv2d(const atl_node *y, const double *const *x, double *result)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y->inputs[1], y);
    clear(y, result);
    sum_everywhere(&g, add_to_result, x[0], x[1], result);
}

static void reference_input_grad(const atl_node *y, const double *const *x, double *result)
{
    conv_geometry g = geometry_of(y, y, y->inputs[1], y->inputs[0]);
    clear(y, result);
    sum_everywhere(&g, add_to_image, result, x[1], x[0]);
}

static void reference_filter_grad(const atl_node *y, const double *const *x, double *result)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y, y->inputs[1]);
    clear(y, result);
    sum_everywhere(&g, add_to_filter, x[0], result, x[1]);
}

/* ---- steps --------------------------------------------------------------------------------------------------------- */

/* Inputs of the node, with ONEDNN_NO_INPUT for what it computes. */
static onednn_convolution convolution_of(onednn_pass pass, const conv_geometry *g, int image, int filter, int result)
{
    return (onednn_convolution){.pass = pass,
                                .image = g->image,
                                .filter = g->filter,
                                .result = g->result,
                                .vertical = g->vertical,
                                .horizontal = g->horizontal,
                                .groups = g->groups,
                                .image_input = image,
                                .filter_input = filter,
                                .result_input = result,
                                .bias_input = ONEDNN_NO_INPUT,
                                .residual_input = ONEDNN_NO_INPUT,
                                .relu_grad_input = ONEDNN_NO_INPUT};
}

static int lower_by_best(atl_lowering *lowering, onednn_convolution *c, const conv_geometry *g);

static int lower(atl_lowering *lowering, onednn_pass pass, const conv_geometry *g, int image, int filter, int result)
{
    if (g->image.size[0] == 0) /* an empty batch: a sum over nothing */
        return onednn_lower_zeros(lowering);
    onednn_convolution c = convolution_of(pass, g, image, filter, result);
    return lower_by_best(lowering, &c, g);
}

/* Two AVX-512 cores; what counts is where one way overtakes the other. */
static const double FLOPS_PER_SECOND = 300e9, WINOGRAD_FLOPS_PER_SECOND = 220e9, FILTER_BYTES_PER_SECOND = 12e9,
                    IMAGE_BYTES_PER_SECOND = 30e9;

static double direct_seconds(const conv_geometry *g)
{
    const int64_t *filter = g->filter.size;
    return 2.0 * (double)(filter[0] * filter[1] * filter[2]) * (double)atl_shape_count(g->result) / FLOPS_PER_SECOND;
}

/* By oneDNN's own Winograd kernels, F(4x4, 3x3): a quarter of the multiplications, in products that want 32 channels to run well; but images
 * and filters are transformed, and grow by 36/16 and 36/9.  INFINITY where the method does not apply. */
static double winograd_seconds(const conv_geometry *g)
{
    const int64_t *image = g->image.size, *result = g->result.size, *filter = g->filter.size;
    int applies = filter[0] == 3 && filter[1] == 3 && g->vertical.stride == 1 && g->horizontal.stride == 1 &&
                  g->vertical.dilation == 1 && g->horizontal.dilation == 1 && g->groups == 1 && image[3] % 16 == 0 &&
                  result[3] % 16 == 0 && image[0] > 0 && atl_onednn_has_winograd();
    if (!applies)
        return INFINITY;
    double pixels = (double)(result[0] * ((result[1] + 3) / 4 * 4) * ((result[2] + 3) / 4 * 4)); /* whole tiles */
    double narrowest = (double)(image[3] < result[3] ? image[3] : result[3]);
    double flops = 2.0 * 9 * (double)(image[3] * result[3]) * pixels / 4;
    return flops / (WINOGRAD_FLOPS_PER_SECOND * fmin(1, narrowest / 32)) +
           36.0 * (double)(image[3] * result[3]) * 4 / FILTER_BYTES_PER_SECOND +
           pixels * (double)(image[3] + result[3]) * 2.25 * 4 * 2 / IMAGE_BYTES_PER_SECOND;
}

/* In blocks, a direct convolution takes a third longer than in NHWC. */
static double blocked_direct_seconds(const conv_geometry *g) { return direct_seconds(g) * 4 / 3; }

/* In NHWC, at best. */
static double plain_seconds(onednn_pass pass, const conv_geometry *g)
{
    onednn_convolution c = convolution_of(pass, g, 0, 1, 2);
    return fmin(direct_seconds(g), atl_conv_winograd_seconds(&c));
}

/* Seconds that blocks of 16 channels save. */
static double blocked_benefit(onednn_pass pass, const conv_geometry *g)
{
    if (g->image.size[3] % 16 || g->result.size[3] % 16 || g->groups != 1 || g->image.size[0] == 0 ||
        !atl_onednn_has_winograd())
        return -INFINITY;
    return plain_seconds(pass, g) - fmin(winograd_seconds(g), blocked_direct_seconds(g));
}

/* By our own Winograd kernels, with what matters little beside a direct convolution in float32 and much beside one in bfloat16: the
 * transformed filter is read, and images that are larger than the caches come from memory. */
static double whole_winograd_seconds(const onednn_convolution *c)
{
    static const double CACHE = 6e6, CACHED_BYTES_PER_SECOND = 50e9, BYTES_PER_SECOND = 14e9;
    double images = 4 * (double)(atl_shape_count(c->image) + atl_shape_count(c->result));
    double points = c->vertical.size == 3 ? 36 : 64; /* of a tile */
    return atl_conv_winograd_seconds(c) +
           points * 4 * (double)(c->image.size[3] * c->result.size[3]) / CACHED_BYTES_PER_SECOND +
           fmax(0, images - CACHE) / BYTES_PER_SECOND;
}

/* In bfloat16 only what is faster so than by the way that float32 would go. */
static int goes_by_winograd(const onednn_convolution *c, const conv_geometry *g, int allowed)
{
    if (!allowed || atl_conv_winograd_seconds(c) >= direct_seconds(g))
        return 0;
    return allowed == ATL_WINOGRAD || whole_winograd_seconds(c) <= onednn_convolution_rounded_seconds(c);
}

static int lower_by_best(atl_lowering *lowering, onednn_convolution *c, const conv_geometry *g)
{
    int from = c->pass == ONEDNN_FORWARD ? c->image_input : c->result_input;
    atl_algo way = atl_lower_algo(lowering);
    c->blocked = atl_lower_is_blocked(lowering);
    c->winograd =
        way ? way == ATL_ALGO_BLOCKED_WINOGRAD : c->blocked && winograd_seconds(g) < blocked_direct_seconds(g);
    if (way ? way == ATL_ALGO_WINOGRAD : !c->blocked && goes_by_winograd(c, g, atl_lower_winograd_use(lowering)))
        return atl_lower_conv_winograd(lowering, c);
    if (!c->blocked && atl_conv_is_pointwise(c) &&
        (atl_lower_output_is_strided(lowering) || atl_lower_input_is_strided(lowering, from)))
        return atl_lower_conv_pointwise(lowering, c);
    return onednn_lower_convolution(lowering, c);
}

static unsigned algos_of(onednn_pass pass, const conv_geometry *g, int winograd)
{
    onednn_convolution c = convolution_of(pass, g, 0, 1, 2);
    unsigned ways = 1u << ATL_ALGO_DIRECT;
    if (!winograd || g->image.size[0] == 0)
        return 0;
    if (!isinf(atl_conv_winograd_seconds(&c)))
        ways |= 1u << ATL_ALGO_WINOGRAD;
    if (blocked_benefit(pass, g) > -INFINITY)
        ways |= 1u << ATL_ALGO_BLOCKED;
    if (!isinf(winograd_seconds(g)))
        ways |= 1u << ATL_ALGO_BLOCKED_WINOGRAD;
    return ways;
}

/* Our own kernels can leave the result as part of a concat. */
static int conv2d_writes_strided(const atl_node *y, int winograd)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y->inputs[1], y);
    onednn_convolution c = convolution_of(ONEDNN_FORWARD, &g, 0, 1, ONEDNN_NO_INPUT);
    return atl_conv_is_pointwise(&c) || goes_by_winograd(&c, &g, winograd);
}

static double conv2d_blocked_benefit(const atl_node *y, unsigned *images)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y->inputs[1], y);
    int first_layer = g.image.size[3] <= 4 && g.groups == 1 && g.result.size[3] % 16 == 0 && atl_onednn_has_winograd();
    *images = first_layer ? 0 : 1; /* a first layer takes planes, and can leave blocks as well as NHWC */
    return first_layer ? 0 : blocked_benefit(ONEDNN_FORWARD, &g);
}

static double input_grad_blocked_benefit(const atl_node *y, unsigned *images)
{
    conv_geometry g = geometry_of(y, y, y->inputs[1], y->inputs[0]);
    *images = 1;
    return blocked_benefit(ONEDNN_INPUT_GRADIENT, &g);
}

/* A first layer's image comes in planes: in NHWC, where there are three channels, oneDNN is at best as fast, and in 5x5 windows
 * half. */
static double filter_grad_blocked_benefit(const atl_node *y, unsigned *images)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y, y->inputs[1]);
    int first_layer = g.image.size[3] <= 4 && g.groups == 1 && g.result.size[3] % 16 == 0 && atl_onednn_has_winograd();
    *images = first_layer ? 2 : 1 | 2;
    return first_layer ? 0 : blocked_benefit(ONEDNN_FILTER_GRADIENT, &g);
}

static unsigned conv2d_algos(const atl_node *y, int winograd)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y->inputs[1], y);
    return algos_of(ONEDNN_FORWARD, &g, winograd);
}

static unsigned input_grad_algos(const atl_node *y, int winograd)
{
    conv_geometry g = geometry_of(y, y, y->inputs[1], y->inputs[0]);
    return algos_of(ONEDNN_INPUT_GRADIENT, &g, winograd);
}

static unsigned filter_grad_algos(const atl_node *y, int winograd)
{
    conv_geometry g = geometry_of(y, y->inputs[0], y, y->inputs[1]);
    return algos_of(ONEDNN_FILTER_GRADIENT, &g, winograd);
}

static int lower_conv2d(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    conv_geometry g = geometry_of(y, y->inputs[0], y->inputs[1], y);
    return lower(lowering, ONEDNN_FORWARD, &g, 0, 1, ONEDNN_NO_INPUT);
}

static int lower_input_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    conv_geometry g = geometry_of(y, y, y->inputs[1], y->inputs[0]);
    return lower(lowering, ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
}

static int lower_filter_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    conv_geometry g = geometry_of(y, y->inputs[0], y, y->inputs[1]);
    return lower(lowering, ONEDNN_FILTER_GRADIENT, &g, 0, ONEDNN_NO_INPUT, 1);
}

/* ---- gradients ----------------------------------------------------------------------------------------------------- */

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

/* ---- what the compiler makes of them ------------------------------------------------------------------------------- */

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

static void describe(const atl_node *y, const atl_node *filter, char *text, size_t size)
{
    const conv_options *options = y->attributes;
    size_t at = atl_describe_window(&options->window, filter->shape->size[0], filter->shape->size[1], text, size);
    if (options->groups != 1 && at < size)
        snprintf(text + at, size - at, ", %d groups", options->groups);
}

/* conv2d_fused(image, filter [, bias] [, residual]): relu(conv2d + bias + residual), each of the three if it is there. Made by
 * the compiler, and never differentiated. */
typedef struct fused_options {
    conv_options conv;
    int32_t has_bias, has_residual, has_relu;
} fused_options;

static int lower_fused(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    const fused_options *options = y->attributes;
    conv_geometry g = geometry_of(y, y->inputs[0], y->inputs[1], y);
    onednn_convolution c = convolution_of(ONEDNN_FORWARD, &g, 0, 1, ONEDNN_NO_INPUT);
    if (options->has_bias)
        c.bias_input = 2;
    if (options->has_residual)
        c.residual_input = 2 + options->has_bias;
    c.activation = options->has_relu ? ONEDNN_RELU : ONEDNN_IDENTITY;
    return lower_by_best(lowering, &c, &g);
}

/* The residual has to lie as the result does. */
static double fused_blocked_benefit(const atl_node *y, unsigned *images)
{
    const fused_options *options = y->attributes;
    double gain = conv2d_blocked_benefit(y, images);
    if (options->has_residual)
        *images |= 1u << (2 + options->has_bias);
    return gain;
}

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const fused_options *options = y->attributes;
    describe(y, y->inputs[1], text, size);
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s%s%s", options->has_bias ? " + bias" : "",
             options->has_residual ? " + residual" : "", options->has_relu ? ", relu" : "");
}

static atl_node *conv2d_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, int relu);
static const atl_op fused_op = {.name = "conv2d_fused",
                                .arity = ATL_VARIADIC,
                                .attributes = sizeof(fused_options),
                                .infer = infer_conv2d,
                                .describe = describe_fused,
                                .hooks = &(const atl_op_hooks){.lower = lower_fused,
                                                               .blocked_benefit = fused_blocked_benefit,
                                                               .writes_strided = conv2d_writes_strided,
                                                               .algos = conv2d_algos,
                                                               .with_epilogue = conv2d_with_epilogue}};

/* In this order: bias, residual, relu; what comes in another is left alone. */
static atl_node *conv2d_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, int relu)
{
    fused_options options;
    atl_node *inputs[4];
    int count = y->input_count;
    memset(&options, 0, sizeof options);
    memcpy(&options, y->attributes, y->op->attributes);
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
    options.has_relu |= relu;
    return atl_apply_with(&fused_op, &options, count, inputs);
}

/* conv2d_input_relu_grad(dy, filter, like image [, other], by): gate(conv2d_input_grad + other, by), or by a mask of by. Made by the
 * compiler, and never differentiated. */
typedef struct relu_grad_options {
    conv_options conv;
    int32_t has_other, by_mask;
} relu_grad_options;

static int lower_relu_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    const relu_grad_options *options = y->attributes;
    conv_geometry g = geometry_of(y, y, y->inputs[1], y->inputs[0]);
    onednn_convolution c = convolution_of(ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
    if (options->has_other)
        c.residual_input = 3;
    c.relu_grad_input = 3 + options->has_other;
    c.relu_grad_is_mask = options->by_mask;
    return atl_lower_conv_winograd(lowering, &c);
}

static int relu_grad_writes_strided(const atl_node *y, int winograd)
{
    (void)y;
    return winograd != ATL_NO_WINOGRAD;
}

static void describe_relu_grad(const atl_node *y, char *text, size_t size)
{
    const relu_grad_options *options = y->attributes;
    describe(y, y->inputs[1], text, size);
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s, gate", options->has_other ? " + other" : "");
}

static atl_node *relu_grad_by_mask_of(const atl_node *y, atl_node *const *inputs, atl_node *mask);
static const atl_op input_relu_grad_op = {.name = "conv2d_input_relu_grad",
                                          .arity = ATL_VARIADIC,
                                          .attributes = sizeof(relu_grad_options),
                                          .shape_inputs = 1 << 2,
                                          .infer = infer_input_grad,
                                          .describe = describe_relu_grad,
                                          .hooks = &(const atl_op_hooks){.lower = lower_relu_grad,
                                                                         .writes_strided = relu_grad_writes_strided,
                                                                         .compress = atl_mask_of,
                                                                         .from_compressed = relu_grad_by_mask_of}};

static atl_node *relu_grad_by_mask_of(const atl_node *y, atl_node *const *inputs, atl_node *mask)
{
    relu_grad_options options;
    atl_node *given[5];
    memcpy(&options, y->attributes, sizeof options);
    memcpy(given, inputs, (size_t)y->input_count * sizeof *given);
    options.by_mask = 1;
    given[y->input_count - 1] = mask;
    return atl_apply_with(&input_relu_grad_op, &options, y->input_count, given);
}

/* Where it goes by our own Winograd kernel. */
static atl_node *with_relu_grad(atl_node *y, atl_node *other, atl_node *by, int winograd)
{
    conv_geometry g = geometry_of(y, y, y->inputs[1], y->inputs[0]);
    onednn_convolution c = convolution_of(ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
    relu_grad_options options;
    memset(&options, 0, sizeof options);
    memcpy(&options.conv, y->attributes, sizeof options.conv);
    options.has_other = other != NULL;
    if (!goes_by_winograd(&c, &g, winograd) || blocked_benefit(ONEDNN_INPUT_GRADIENT, &g) > 0)
        return NULL;
    atl_node *inputs[5] = {y->inputs[0], y->inputs[1], y->inputs[2], other ? other : by, by};
    return atl_apply_with(&input_relu_grad_op, &options, 4 + options.has_other, inputs);
}

/* ---- descriptors --------------------------------------------------------------------------------------------------- */

static void describe_by_second(const atl_node *y, char *text, size_t size) { describe(y, y->inputs[1], text, size); }
static void describe_by_third(const atl_node *y, char *text, size_t size) { describe(y, y->inputs[2], text, size); }

/* Samples. Those of the gradients take their third shape from a constant. */
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
CONV_SAMPLE(planes, .layout = ATL_NCHW, .filter_layout = ATL_OIHW, .stride = {2, 2})
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
    .infer = infer_conv2d,
    .gradient = {conv2d_by_image, conv2d_by_filter},
    .reference = reference_conv2d,
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
    .hooks = &(const atl_op_hooks){.lower = lower_conv2d,
                                   .blocked_benefit = conv2d_blocked_benefit,
                                   .writes_strided = conv2d_writes_strided,
                                   .algos = conv2d_algos,
                                   .scaled = conv2d_scaled,
                                   .with_epilogue = conv2d_with_epilogue}};
ATL_BUILTIN(conv2d_op);

static atl_node *sample_input_grad(atl_node *dy, atl_node *filter)
{
    conv_options options;
    memset(&options, 0, sizeof options);
    options = (conv_options){{.stride = {2, 1}, .dilation = {1, 2}}, .groups = 2};
    return ATL_APPLY(&input_grad_op, &options, dy, filter, zeros(dy, ATL_SHAPE(2, 5, 6, 4)));
}

static const atl_op input_grad_op = {.name = "conv2d_input_grad",
                                     .arity = 3,
                                     .attributes = sizeof(conv_options),
                                     .shape_inputs = 1u << 2,
                                     .infer = infer_input_grad,
                                     .gradient = {input_grad_by_result, input_grad_by_filter},
                                     .reference = reference_input_grad,
                                     .describe = describe_by_second,
                                     .samples =
                                         (const atl_sample[]){{"strided, dilated, groups", .binary = sample_input_grad,
                                                               .input = {{4, {2, 3, 6, 6}}, {4, {3, 2, 2, 6}}},
                                                               .inputs = 2},
                                                              {"another size", .binary = sample_input_grad,
                                                               .input = {{4, {2, 2, 6, 6}}, {4, {3, 2, 2, 6}}},
                                                               .inputs = 2, .error = "give [2, 3, 6, 6]"},
                                                              {0}},
                                     .hooks = &(const atl_op_hooks){.lower = lower_input_grad,
                                                                    .blocked_benefit = input_grad_blocked_benefit,
                                                                    .algos = input_grad_algos,
                                                                    .with_scaled_input = input_grad_of_scaled,
                                                                    .with_relu_grad = with_relu_grad}};
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
    .infer = infer_filter_grad,
    .gradient = {filter_grad_by_image, filter_grad_by_result},
    .reference = reference_filter_grad,
    .describe = describe_by_third,
    .samples = (const atl_sample[]){{"strided, dilated, groups", .binary = sample_filter_grad,
                                     .input = {{4, {2, 5, 6, 4}}, {4, {2, 3, 6, 6}}}, .inputs = 2},
                                    {"another size", .binary = sample_filter_grad,
                                     .input = {{4, {2, 5, 6, 4}}, {4, {2, 3, 6, 4}}}, .inputs = 2,
                                     .error = "give [2, 3, 6, 6]"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.lower = lower_filter_grad,
                                   .blocked_benefit = filter_grad_blocked_benefit,
                                   .algos = filter_grad_algos}};
ATL_BUILTIN(filter_grad_op);

/* ---- builder ------------------------------------------------------------------------------------------------------- */

/* Other orders are turned into NHWC and HWIO; the compiler lets transposes of neighbours cancel. */
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
    memset(&options, 0, sizeof options);
    atl_window_options(&options.window, args->stride, NULL, args->dilation, args->padding, args->pad);
    options.groups = args->groups ? args->groups : 1;
    if (planes && check_order(image, "image", "[batch, channels, height, width] (.layout = ATL_NCHW)"))
        image = atl_transpose(image, .order = {0, 2, 3, 1});
    if (args->filter_layout == ATL_OIHW &&
        check_order(filter, "filter", "[out, in, height, width] (.filter_layout = ATL_OIHW)"))
        filter = atl_transpose(filter, .order = {2, 3, 1, 0});
    atl_node *result = ATL_APPLY(&conv2d_op, &options, image, filter);
    return planes ? atl_transpose(result, .order = {0, 3, 1, 2}) : result;
}
