/* Convolutions: chooses the algorithm and the layout of the images, and emits the step. */
#include "cost/cost.h"
#include "ops/conv.h"
#include "ops/conv_depthwise.h"
#include "ops/conv_few_channels.h"
#include "ops/conv_grouped.h"
#include "ops/conv_pointwise.h"
#include "ops/conv_sizes.h"
#include "ops/conv_tap_sums.h"
#include "ops/conv_winograd.h"
#include "ops/step_epilogue.h"

/* Inputs of the node, with ONEDNN_NO_INPUT for what it computes. */
onednn_convolution atl_convolution_of(onednn_pass pass, const conv_geometry *g, int image, int filter, int result)
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
                                .relu_grad_input = ONEDNN_NO_INPUT,
                                .scale_input = ONEDNN_NO_INPUT,
                                .addend_input = ONEDNN_NO_INPUT};
}

int atl_lower_conv_best(atl_lowering *lowering, onednn_convolution *c, const conv_geometry *g);

static int lower(atl_lowering *lowering, onednn_pass pass, const conv_geometry *g, int image, int filter, int result)
{
    if (g->image.size[0] == 0) /* an empty batch: a sum over no terms */
        return onednn_lower_zeros(lowering);
    onednn_convolution c = atl_convolution_of(pass, g, image, filter, result);
    return atl_lower_conv_best(lowering, &c, g);
}

/* The channels of the image or of the result, whichever are fewer. */
static double narrowest_of(const conv_geometry *g)
{
    int64_t image = g->image.size[3] / g->groups, result = g->result.size[3] / g->groups;
    return (double)(image < result ? image : result);
}

/* A filter that no core's cache keeps comes from memory: images of few pixels do not hide that. */
static double direct_seconds(const conv_geometry *g)
{
    const int64_t *filter = g->filter.size;
    const atl_costs *cost = atl_costs_in_use();
    double flops = 2.0 * (double)(filter[0] * filter[1] * filter[2]) * (double)atl_shape_count(g->result);
    double far = fmax(0, 4 * (double)atl_shape_count(g->filter) - (double)cost->core_cache);
    return flops / (cost->direct_flops * fmin(1, narrowest_of(g) / cost->direct_narrow)) + far / cost->memory_bytes;
}

/* oneDNN's own Winograd kernels, F(4x4, 3x3): a quarter of the multiplications, in products that need 32 channels to
 * run well; but images and filters are transformed, and grow by 36/16 and 36/9.  INFINITY where the algorithm does not
 * apply. */
static double winograd_seconds(const conv_geometry *g)
{
    const int64_t *image = g->image.size, *result = g->result.size, *filter = g->filter.size;
    int applies = filter[0] == 3 && filter[1] == 3 && g->vertical.stride == 1 && g->horizontal.stride == 1 &&
                  g->vertical.dilation == 1 && g->horizontal.dilation == 1 && g->groups == 1 && image[3] % 16 == 0 &&
                  result[3] % 16 == 0 && image[0] > 0 && atl_onednn_has_winograd();
    if (!applies)
        return INFINITY;
    double pixels = (double)(result[0] * ((result[1] + 3) / 4 * 4) * ((result[2] + 3) / 4 * 4)); /* whole tiles */
    double flops = 2.0 * 9 * (double)(image[3] * result[3]) * pixels / 4;
    const atl_costs *cost = atl_costs_in_use();
    return flops / (cost->onednn_winograd_flops * fmin(1, narrowest_of(g) / cost->onednn_winograd_narrow)) +
           36.0 * (double)(image[3] * result[3]) * 4 / cost->onednn_winograd_filter_bytes +
           pixels * (double)(image[3] + result[3]) * 2.25 * 4 * 2 / cost->onednn_winograd_image_bytes;
}

/* In the blocked layout a direct convolution takes longer than in NHWC. */
static double blocked_direct_seconds(const conv_geometry *g)
{
    return direct_seconds(g) * atl_costs_in_use()->blocked_slowdown;
}

/* The best time in NHWC. */
static double plain_seconds(onednn_pass pass, const conv_geometry *g)
{
    onednn_convolution c = atl_convolution_of(pass, g, 0, 1, 2);
    return fmin(direct_seconds(g), atl_conv_winograd_seconds(&c));
}

/* Seconds that the blocked layout saves. */
double atl_conv_blocked_benefit(onednn_pass pass, const conv_geometry *g)
{
    if (g->image.size[3] % 16 || g->result.size[3] % 16 || g->groups != 1 || g->image.size[0] == 0 ||
        !atl_onednn_has_winograd())
        return -INFINITY;
    return plain_seconds(pass, g) - fmin(winograd_seconds(g), blocked_direct_seconds(g));
}

/* Our own Winograd kernels.  The estimate includes costs that are small beside a direct convolution in float32 but
 * large beside one in bfloat16: reading the transformed filter, and reading images larger than the caches from
 * memory. */
static double whole_winograd_seconds(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    double images = 4 * (double)(atl_shape_count(c->image) + atl_shape_count(c->result));
    double points = c->vertical.size == 3 ? 36 : 64; /* of a tile */
    return atl_conv_winograd_seconds(c) +
           points * 4 * (double)(c->image.size[3] * c->result.size[3]) / cost->cached_bytes +
           fmax(0, images - cost->shared_cache) / cost->memory_bytes;
}

/* oneDNN's.  Of a dilated window many elements may lie beside the image: its vector kernels leave these out, others
 * copy the windows. */
static double onednn_seconds(const onednn_convolution *plain, const conv_geometry *g)
{
    if (plain->vertical.dilation == 1 && plain->horizontal.dilation == 1)
        return direct_seconds(g);
    if (onednn_convolution_copies_windows(plain))
        return atl_conv_flops(plain) / atl_costs_in_use()->onednn_windows_flops;
    const atl_conv_sizes sizes = atl_conv_sizes_of(plain);
    const double pixels = (double)(sizes.result_height * sizes.result_width);
    return direct_seconds(g) * atl_conv_pairs_inside(&sizes) /
           (pixels * (double)(sizes.filter_height * sizes.filter_width));
}

/* Without Winograd's method: our own sums of products count where the filter is not asked whether it lasts, as only
 * they can take the place of copied windows. */
static double other_seconds(const onednn_convolution *c, const conv_geometry *g)
{
    const onednn_convolution plain = atl_convolution_of(c->pass, g, 0, 1, 2); /* one answer for all epilogues */
    const int is_dilated = c->vertical.dilation > 1 || c->horizontal.dilation > 1;
    const double onednn = onednn_seconds(&plain, g);
    return is_dilated && onednn_convolution_copies_windows(&plain) ? fmin(onednn, atl_conv_tap_sums_seconds(&plain))
                                                                   : onednn;
}

/* Our own direct convolution, where it takes less time than oneDNN's. */
static int prefers_tap_sums(const onednn_convolution *c, const conv_geometry *g)
{
    const onednn_convolution plain = atl_convolution_of(c->pass, g, 0, 1, 2);
    const double slowdown = c->pass == ONEDNN_FORWARD ? 1 : atl_costs_in_use()->direct_image_slowdown;
    return atl_conv_tap_sums_seconds(c) < slowdown * onednn_seconds(&plain, g);
}

/* Uses bfloat16 only where it is faster than the float32 algorithm. */
int atl_conv_prefers_winograd(const onednn_convolution *c, const conv_geometry *g, int allowed)
{
    if (!allowed || atl_conv_winograd_seconds(c) >= other_seconds(c, g))
        return 0;
    return allowed == ATL_WINOGRAD || whole_winograd_seconds(c) <= onednn_convolution_rounded_seconds(c);
}

int atl_lower_conv_best(atl_lowering *lowering, onednn_convolution *c, const conv_geometry *g)
{
    int from = c->pass == ONEDNN_FORWARD ? c->image_input : c->result_input;
    atl_algo way = atl_lower_algo(lowering);
    c->blocked = atl_lower_is_blocked(lowering);
    c->winograd =
        way ? way == ATL_ALGO_BLOCKED_WINOGRAD : c->blocked && winograd_seconds(g) < blocked_direct_seconds(g);
    if (way ? way == ATL_ALGO_WINOGRAD
            : !c->blocked && atl_conv_prefers_winograd(c, g, atl_lower_winograd_use(lowering)))
        return atl_lower_conv_winograd(lowering, c);
    if (!c->blocked && atl_conv_is_pointwise(c) &&
        (atl_lower_output_is_strided(lowering) || atl_lower_input_is_strided(lowering, from)))
        return atl_lower_conv_pointwise(lowering, c);
    int keeps_packed = c->filter_input >= 0 && !c->blocked && !atl_lower_uses_bfloat16(lowering) &&
                       atl_lower_input_lasts(lowering, c->filter_input); /* a filter, in the order of our kernels */
    if (!way && keeps_packed && atl_conv_prefers_pointwise(c, atl_conv_makes_mask(lowering, c)))
        return atl_lower_conv_pointwise(lowering, c);
    if (!way && !c->blocked && atl_conv_prefers_depthwise(c))
        return atl_lower_conv_depthwise(lowering, c);
    if (way ? way == ATL_ALGO_FEW_CHANNELS && atl_conv_has_few_channels(c)
            : !c->blocked && atl_conv_prefers_few_channels(c))
        return atl_lower_conv_few_channels(lowering, c);
    if (!way && keeps_packed && atl_conv_prefers_grouped(c))
        return atl_lower_conv_grouped(lowering, c);
    if ((!way || way == ATL_ALGO_DIRECT) && keeps_packed && prefers_tap_sums(c, g))
        return atl_lower_conv_tap_sums(lowering, c);
    return onednn_lower_convolution(lowering, c);
}

static unsigned algos_of(onednn_pass pass, const conv_geometry *g, int winograd)
{
    onednn_convolution c = atl_convolution_of(pass, g, 0, 1, 2);
    unsigned ways = 1u << ATL_ALGO_DIRECT;
    if (!winograd || g->image.size[0] == 0)
        return 0;
    if (!isinf(atl_conv_winograd_seconds(&c)))
        ways |= 1u << ATL_ALGO_WINOGRAD;
    if (atl_conv_blocked_benefit(pass, g) > -INFINITY)
        ways |= 1u << ATL_ALGO_BLOCKED;
    if (!isinf(winograd_seconds(g)))
        ways |= 1u << ATL_ALGO_BLOCKED_WINOGRAD;
    if (atl_conv_has_few_channels(&c))
        ways |= 1u << ATL_ALGO_FEW_CHANNELS;
    return ways;
}

/* Our own kernels can write the result as part of a concat. */
int atl_conv2d_writes_strided(const atl_node *y, int winograd)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y->inputs[1], y);
    onednn_convolution c = atl_convolution_of(ONEDNN_FORWARD, &g, 0, 1, ONEDNN_NO_INPUT);
    return atl_conv_is_pointwise(&c) || atl_conv_prefers_winograd(&c, &g, winograd);
}

double atl_conv2d_blocked_benefit(const atl_node *y, unsigned *images)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y->inputs[1], y);
    int first_layer = g.image.size[3] <= 4 && g.groups == 1 && g.result.size[3] % 16 == 0 && atl_onednn_has_winograd();
    *images = first_layer ? 0 : 1; /* a first layer reads planes, and can write blocks as well as NHWC */
    return first_layer ? 0 : atl_conv_blocked_benefit(ONEDNN_FORWARD, &g);
}

double atl_input_grad_blocked_benefit(const atl_node *y, unsigned *images)
{
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    *images = 1;
    return atl_conv_blocked_benefit(ONEDNN_INPUT_GRADIENT, &g);
}

/* A first layer's image is in planes: in NHWC with three channels oneDNN is at best as fast, and for 5x5 windows half
 * as fast. */
double atl_filter_grad_blocked_benefit(const atl_node *y, unsigned *images)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y, y->inputs[1]);
    int first_layer = g.image.size[3] <= 4 && g.groups == 1 && g.result.size[3] % 16 == 0 && atl_onednn_has_winograd();
    *images = first_layer ? 2 : 1 | 2;
    return first_layer ? 0 : atl_conv_blocked_benefit(ONEDNN_FILTER_GRADIENT, &g);
}

unsigned atl_conv2d_algos(const atl_node *y, int winograd)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y->inputs[1], y);
    return algos_of(ONEDNN_FORWARD, &g, winograd);
}

unsigned atl_input_grad_algos(const atl_node *y, int winograd)
{
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    return algos_of(ONEDNN_INPUT_GRADIENT, &g, winograd);
}

unsigned atl_filter_grad_algos(const atl_node *y, int winograd)
{
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y, y->inputs[1]);
    return algos_of(ONEDNN_FILTER_GRADIENT, &g, winograd);
}

int atl_lower_conv2d(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y->inputs[1], y);
    return lower(lowering, ONEDNN_FORWARD, &g, 0, 1, ONEDNN_NO_INPUT);
}

int atl_lower_input_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    conv_geometry g = atl_conv_geometry_of(y, y, y->inputs[1], y->inputs[0]);
    return lower(lowering, ONEDNN_INPUT_GRADIENT, &g, ONEDNN_NO_INPUT, 1, 0);
}

int atl_lower_filter_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    conv_geometry g = atl_conv_geometry_of(y, y->inputs[0], y, y->inputs[1]);
    return lower(lowering, ONEDNN_FILTER_GRADIENT, &g, 0, ONEDNN_NO_INPUT, 1);
}
