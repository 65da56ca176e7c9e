/* Convolution and its two gradients on oneDNN: what is computed, in oneDNN's words, and by which implementation.
 *
 * Images lie in the plain order, NHWC, and the filter in whatever order the primitive likes: on NHWC in and out,
 * oneDNN's kernels are within some percent of their best, no reorder of an image is needed, and no onednn_geometry
 * falls into its reference loops (a half given layout does).  Where the compiler has chosen blocks of 16 channels it is
 * Winograd's method that pays for them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/error.h"
#include "onednn/convolution.h"
#include "common/numbers.h"
#include "cost/cost.h"
#include "onednn/nan_guard.h"

void onednn_release_geometry(onednn_geometry *g)
{
    onednn_release_desc(&g->image);
    onednn_release_desc(&g->filter);
    onednn_release_desc(&g->result);
    onednn_release_desc(&g->bias);
    onednn_release_desc(&g->plain_filter);
    onednn_release_desc(&g->plain_image);
    onednn_release_desc(&g->plain_result);
}

/* [fh, fw, in / groups, out], where the outputs of a group lie side by side, is seen as [out, in, fh, fw], or with
 * groups as [groups, out / groups, in / groups, fh, fw]. */
static int describe_filter(onednn_geometry *g, const onednn_convolution *c)
{
    const int64_t *size = c->filter.size;
    int64_t in = size[2], out = size[3], groups = c->groups;
    int64_t dims[5] = {groups, out / groups, in, size[0], size[1]};
    int64_t strides[5] = {out / groups, 1, out, size[1] * in * out, in * out};
    int skip = groups == 1;
    g->filter_letters = skip ? "oihw" : "goihw";
    return onednn_describe(&g->plain_filter, 5 - skip, dims + skip, strides + skip) &&
           onednn_describe_any(&g->filter, 5 - skip, dims + skip);
}

static void describe_window(onednn_geometry *g, int direction, const atl_window *w)
{
    g->stride[direction] = w->stride;
    g->dilation[direction] = w->dilation - 1;
    g->before[direction] = w->pad_before;
    g->after[direction] = w->pad_after;
}

double onednn_convolution_flops(const onednn_convolution *c)
{
    const int64_t *filter = c->filter.size, *result = c->result.size;
    return 2.0 * (double)(filter[0] * filter[1] * filter[2]) * (double)(result[1] * result[2]) *
           (double)(result[0] * result[3]);
}

static int describe_geometry(onednn_geometry *g, const onednn_convolution *c)
{
    memset(g, 0, sizeof *g);
    describe_window(g, 0, &c->vertical);
    describe_window(g, 1, &c->horizontal);
    g->threads = onednn_threads_for(onednn_convolution_flops(c),
                                    (double)(atl_shape_count(c->image) + atl_shape_count(c->result)));
    g->algorithm = c->winograd ? dnnl_convolution_winograd : dnnl_convolution_direct;
    int (*describe)(onednn_desc *, atl_shape) = c->blocked ? onednn_describe_image_blocked : onednn_describe_image;
    int ok = onednn_describe_image(&g->plain_image, c->image) && onednn_describe_image(&g->plain_result, c->result) &&
             describe(&g->image, c->image) && describe(&g->result, c->result) && describe_filter(g, c);
    if (ok && c->bias_input >= 0)
        ok = onednn_describe(&g->bias, 1, &c->result.size[3], NULL);
    if (ok && c->bfloat16) /* what is read; what is computed stays float32 */
        ok = (c->pass == ONEDNN_INPUT_GRADIENT || onednn_round_desc(&g->image)) &&
             (c->pass == ONEDNN_FILTER_GRADIENT || onednn_round_desc(&g->filter)) &&
             (c->pass == ONEDNN_FORWARD || onednn_round_desc(&g->result));
    if (!ok)
        onednn_release_geometry(g);
    return ok;
}

/* ---- what differs between oneDNN 2.x and 3.x --------------------------------------------------------------------- */

/* pick: the first implementation that suits, in oneDNN's order; dnnl_unimplemented, and *desc null, if there is
 * none. */
#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t open_pass(dnnl_primitive_desc_t *desc, const onednn_geometry *g, onednn_pass pass,
                               dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t hint)
{
    dnnl_engine_t engine = onednn_engine();
    dnnl_alg_kind_t algorithm = g->algorithm;
    if (pass == ONEDNN_FORWARD)
        return dnnl_convolution_forward_primitive_desc_create(desc, engine, dnnl_forward_training, algorithm,
                                                              g->image.md, g->filter.md, g->bias.md, g->result.md,
                                                              g->stride, g->dilation, g->before, g->after, attributes);
    if (pass == ONEDNN_INPUT_GRADIENT)
        return dnnl_convolution_backward_data_primitive_desc_create(desc, engine, algorithm, g->image.md, g->filter.md,
                                                                    g->result.md, g->stride, g->dilation, g->before,
                                                                    g->after, hint, attributes);
    return dnnl_convolution_backward_weights_primitive_desc_create(desc, engine, algorithm, g->image.md, g->filter.md,
                                                                   NULL, g->result.md, g->stride, g->dilation,
                                                                   g->before, g->after, hint, attributes);
}

static dnnl_status_t pick(dnnl_primitive_desc_t *desc, const onednn_geometry *g, const onednn_convolution *c,
                          onednn_pass pass, dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t hint,
                          onednn_preference like)
{
    (void)c;
    dnnl_status_t status = open_pass(desc, g, pass, attributes, hint);
    return onednn_first_acceptable(desc, status, like);
}
#else
static dnnl_status_t describe_pass(dnnl_convolution_desc_t *op, const onednn_geometry *g, const onednn_convolution *c,
                                   onednn_pass pass)
{
    dnnl_alg_kind_t algorithm = g->algorithm;
    if (pass == ONEDNN_FORWARD)
        return dnnl_dilated_convolution_forward_desc_init(op, dnnl_forward_training, algorithm, &g->image.md,
                                                          &g->filter.md, c->bias_input >= 0 ? &g->bias.md : NULL,
                                                          &g->result.md, g->stride, g->dilation, g->before, g->after);
    if (pass == ONEDNN_INPUT_GRADIENT)
        return dnnl_dilated_convolution_backward_data_desc_init(op, algorithm, &g->image.md, &g->filter.md,
                                                                &g->result.md, g->stride, g->dilation, g->before,
                                                                g->after);
    return dnnl_dilated_convolution_backward_weights_desc_init(op, algorithm, &g->image.md, &g->filter.md, NULL,
                                                               &g->result.md, g->stride, g->dilation, g->before,
                                                               g->after);
}

static dnnl_status_t pick(dnnl_primitive_desc_t *desc, const onednn_geometry *g, const onednn_convolution *c,
                          onednn_pass pass, dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t hint,
                          onednn_preference like)
{
    dnnl_convolution_desc_t op;
    dnnl_status_t status = describe_pass(&op, g, c, pass);
    return status == dnnl_success ? onednn_first_acceptable(desc, &op, attributes, hint, like) : status;
}
#endif

/* ---- choosing an implementation ---------------------------------------------------------------------------------- */

/* Beside oneDNN's: the error is set already, in words. */
static const dnnl_status_t ALREADY_SAID = (dnnl_status_t)-1;

/* Tastes in order of preference; the last has no name. Measured on AVX-512; on other processors the names do not
 * occur. */
enum { PREFERENCES = 2 };
static void preferences_of(const onednn_convolution *c, onednn_preference *list)
{
    int strided = c->vertical.stride > 1 || c->horizontal.stride > 1;
    int few_channels = c->groups == 1 && c->image.size[3] <= 4;
    memset(list, 0, PREFERENCES * sizeof *list);
    /* The image gradient of a first layer: the vector kernels compute sixteen channels where there are three. */
    if (few_channels && c->pass == ONEDNN_INPUT_GRADIENT)
        list[0].name = c->result.size[3] >= 32 ? "gemm" : "jit:avx2";
    /* oneDNN would take brgconv, which is as fast at best and, with strides, half as fast where the input channels are
     * so few. */
    if (c->pass == ONEDNN_FORWARD && c->groups == 1 && c->image.size[3] <= 16 &&
        c->vertical.size * c->horizontal.size > 1)
        list[0].name = "jit:avx512_core";
    /* oneDNN 2.6.3 writes beyond its scratchpad, or to the wrong place, where this kernel gathers every other pixel of
     * an image whose channels do not fill its vectors. */
    if (c->pass == ONEDNN_FILTER_GRADIENT && strided && c->vertical.size * c->horizontal.size == 1 &&
        c->image.size[3] % 16)
        list[0].unlike = list[1].unlike = "jit_1x1";
}

/* True if the window of a result has no element inside of the image. */
static int misses_image(const atl_window *w)
{
    for (int64_t o = 0; o < w->output; o++) {
        const int64_t start = o * w->stride - w->pad_before;
        const int64_t inside = start < 0 ? atl_divide_up(-start, w->dilation) : 0; /* the first element that may be */
        if (inside >= w->size || start + inside * w->dilation >= w->input)
            return 1;
    }
    return 0;
}

/* oneDNN 2.6.3's brgconv adds something else than the residual to a result of one pixel, whose window misses the
 * image. */
static int loses_residual(const onednn_convolution *c)
{
    return c->residual_input >= 0 && (misses_image(&c->vertical) || misses_image(&c->horizontal));
}

/* The forward primitive that 2.x and 3.x want to see before they make a backward one. */
static dnnl_status_t choose_hint(dnnl_primitive_desc_t *hint, const onednn_geometry *g, const onednn_convolution *c)
{
    onednn_geometry rounded;
    onednn_convolution forward = *c;
    forward.pass = ONEDNN_FORWARD;
    if (c->bfloat16) { /* other arrays are rounded than in the backward pass */
        dnnl_status_t status = ALREADY_SAID;
        if (describe_geometry(&rounded, &forward)) {
            status = pick(hint, &rounded, &forward, ONEDNN_FORWARD, NULL, NULL, (onednn_preference){0});
            onednn_release_geometry(&rounded);
        }
        return status;
    }
    dnnl_status_t status = pick(hint, g, c, ONEDNN_FORWARD, NULL, NULL, (onednn_preference){0});
    return status == dnnl_unimplemented
               ? pick(hint, g, c, ONEDNN_FORWARD, NULL, NULL, (onednn_preference){.name = "ref"})
               : status;
}

static dnnl_status_t append_sum(dnnl_post_ops_t ops)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_post_ops_append_sum(ops, 1, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(ops, 1);
#endif
}

/* Attributes with what follows the convolution: + residual, activation. */
static dnnl_primitive_attr_t attributes_of(const onednn_geometry *g, const onednn_convolution *c)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_primitive_attr_t attributes = onednn_product_attributes(c->bfloat16);
    if (!attributes || (c->residual_input < 0 && c->activation == ONEDNN_IDENTITY))
        return attributes;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && c->residual_input >= 0)
        status = g->sums ? append_sum(ops) : dnnl_post_ops_append_binary(ops, dnnl_binary_add, ONEDNN_MD(g->result));
    if (status == dnnl_success && c->activation != ONEDNN_IDENTITY)
        status = onednn_append_relu(ops, c->highest);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attributes, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (onednn_succeeded(status, "append to a convolution"))
        return attributes;
    dnnl_primitive_attr_destroy(attributes);
    return NULL;
}

static dnnl_status_t choose_of(dnnl_primitive_desc_t *desc, const onednn_geometry *g, const onednn_convolution *c)
{
    onednn_preference list[PREFERENCES];
    dnnl_primitive_desc_t hint = NULL;
    dnnl_primitive_attr_t attributes = attributes_of(g, c);
    dnnl_status_t status = !attributes                 ? ALREADY_SAID
                           : c->pass == ONEDNN_FORWARD ? dnnl_success
                                                       : choose_hint(&hint, g, c);
    if (c->bfloat16)
        memset(list, 0, sizeof list);
    else
        preferences_of(c, list);
    if (c->pass == ONEDNN_FORWARD && loses_residual(c))
        list[0].unlike = list[1].unlike = "brgconv";
    onednn_preference reference = {.name = "ref"};
    list[0].adds_residual = list[1].adds_residual = reference.adds_residual = c->residual_input >= 0 && !g->sums;
    if (g->sums && g->algorithm == dnnl_convolution_direct)
        list[0].name = list[1].name = "gemm:"; /* what the others add by themselves: see choose_direct */
    if (status == dnnl_success)
        status = pick(desc, g, c, c->pass, attributes, hint, list[0]);
    if (status == dnnl_unimplemented)
        status = pick(desc, g, c, c->pass, attributes, hint, list[1]);
    if (status == dnnl_unimplemented && !c->bfloat16) /* oneDNN has nothing else: a slow answer is better than none */
        status = pick(desc, g, c, c->pass, attributes, hint, reference);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    return status;
}

static int is_fast(dnnl_status_t status, const_dnnl_primitive_desc_t desc)
{
    return status == dnnl_success && !onednn_is_reference(desc);
}

static dnnl_status_t choose_again(dnnl_primitive_desc_t *desc, onednn_geometry *g, const onednn_convolution *c,
                                  int sums)
{
    if (*desc)
        dnnl_primitive_desc_destroy(*desc);
    *desc = NULL;
    g->sums = sums;
    return choose_of(desc, g, c);
}

/* A residual is read where it lies if a fast kernel can do that, else it is copied to the result, for matrix products
 * only:
 * oneDNN 2.6.3 crashes on such a sum in depthwise kernels whose channels do not fill the last vector. */
static dnnl_status_t choose_direct(dnnl_primitive_desc_t *desc, onednn_geometry *g, const onednn_convolution *c)
{
    g->algorithm = dnnl_convolution_direct;
    dnnl_status_t status = choose_again(desc, g, c, 0);
    if (c->residual_input < 0 || is_fast(status, *desc) || (status != dnnl_success && status != dnnl_unimplemented))
        return status;
    return choose_again(desc, g, c, 1);
}

/* By Winograd's method if that is asked for and there, else directly. */
static dnnl_status_t choose_method(dnnl_primitive_desc_t *desc, onednn_geometry *g, const onednn_convolution *c)
{
    if (g->algorithm == dnnl_convolution_winograd) {
        dnnl_status_t status = choose_again(desc, g, c, c->residual_input >= 0);
        if (is_fast(status, *desc))
            return status;
    }
    return choose_direct(desc, g, c);
}

dnnl_status_t onednn_choose_convolution(dnnl_primitive_desc_t *desc, onednn_geometry *g, const onednn_convolution *c)
{
    int before = onednn_use_threads(g->threads);
    dnnl_status_t status = choose_method(desc, g, c);
    onednn_use_threads(before);
    return status;
}

/* Rounding takes a pass over the inputs; the products then take half their time, unless they are bound by moving the
 * arrays.  Measured on two AVX-512 cores; for channels that do not fill the vectors: see preferences_of. */
double onednn_convolution_rounded_seconds(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    int64_t taps = c->vertical.size * c->horizontal.size;
    int strided = c->vertical.stride > 1 || c->horizontal.stride > 1, of_filter = c->pass == ONEDNN_FILTER_GRADIENT;
    double image = (double)atl_shape_count(c->image), result = (double)atl_shape_count(c->result);
    double read = (c->pass == ONEDNN_INPUT_GRADIENT ? 0 : image) + (c->pass == ONEDNN_FORWARD ? 0 : result);
    double written = of_filter ? 0 : image + result - read, flops = onednn_convolution_flops(c);
    double rate = of_filter ? (strided     ? cost->rounded_filter_strided
                               : taps < 25 ? cost->rounded_filter_3x3
                                           : cost->rounded_filter_5x5)
                            : (taps == 1   ? cost->rounded_flops_1x1
                               : taps < 25 ? cost->rounded_flops_3x3
                                           : cost->rounded_flops_5x5);
    double exact = fmax(flops / cost->exact_flops, 4 * (read + written) / cost->exact_bytes);
    double rounded = cost->rounded_start + fmax(flops / rate, (2 * read + 4 * written) / cost->exact_bytes);
    if (!of_filter) /* the filter gradient reads arrays that the other two have rounded already */
        rounded += 6 * read / cost->rounding_bytes;
    int fills = c->image.size[3] / c->groups % 16 == 0 && c->result.size[3] / c->groups % 16 == 0;
    return fills && rounded < exact ? rounded : INFINITY;
}

dnnl_primitive_desc_t onednn_open_convolution(onednn_geometry *g, onednn_convolution *c)
{
    dnnl_primitive_desc_t desc = NULL;
    c->bfloat16 = c->bfloat16 && !c->blocked && isfinite(onednn_convolution_rounded_seconds(c));
    if (!onednn_engine() || !describe_geometry(g, c))
        return NULL;
    dnnl_status_t status = onednn_choose_convolution(&desc, g, c);
    if (c->bfloat16 && status == dnnl_unimplemented) {
        onednn_release_geometry(g);
        c->bfloat16 = 0;
        if (!describe_geometry(g, c))
            return NULL;
        status = onednn_choose_convolution(&desc, g, c);
    }
    if (status != ALREADY_SAID && onednn_succeeded(status, "compute a convolution"))
        return desc;
    onednn_release_geometry(g);
    return NULL;
}

const char *onednn_convolution_implementation(const onednn_convolution *convolution, char *text, size_t size)
{
    onednn_geometry g;
    onednn_convolution c = *convolution;
    dnnl_primitive_desc_t desc = onednn_open_convolution(&g, &c);
    snprintf(text, size, "%s", desc ? onednn_implementation(desc) : "");
    if (desc) {
        onednn_release_geometry(&g);
        dnnl_primitive_desc_destroy(desc);
    }
    return text;
}

int onednn_convolution_copies_windows(const onednn_convolution *convolution)
{
    char text[80];
    return strstr(onednn_convolution_implementation(convolution, text, sizeof text), "gemm") != NULL;
}

int atl_onednn_has_winograd(void)
{
    static _Atomic int known; /* 0: not asked yet, 1: no, 2: yes */
    if (known)
        return known == 2;
    atl_window window = {.size = 3, .stride = 1, .dilation = 1, .pad_before = 1, .pad_after = 1};
    onednn_convolution c = {.pass = ONEDNN_FORWARD,
                            .image = ATL_SHAPE(1, 56, 56, 64),
                            .filter = ATL_SHAPE(3, 3, 64, 64),
                            .result = ATL_SHAPE(1, 56, 56, 64),
                            .vertical = window,
                            .horizontal = window,
                            .groups = 1,
                            .bias_input = ONEDNN_NO_INPUT,
                            .residual_input = ONEDNN_NO_INPUT,
                            .blocked = 1,
                            .winograd = 1};
    char text[80];
    int has = strstr(onednn_convolution_implementation(&c, text, sizeof text), "wino") != NULL;
    if (text[0]) /* else that has failed, and another time may tell */
        known = has ? 2 : 1;
    return has;
}
