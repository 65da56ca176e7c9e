/* How a convolution on oneDNN becomes steps of a plan. */
#include "onednn/convolution.h"

#include <string.h>

#include "onednn/nan_guard.h"

/* An image, a result or a filter: input i of the node, or the node's own value if i is ONEDNN_NO_INPUT. */
static onednn_argument argument_of(atl_lowering *lowering, dnnl_primitive_desc_t desc, int i, int argument,
                                   int gradient, onednn_md plain, const char *letters)
{
    int own = i == ONEDNN_NO_INPUT, which = own ? gradient : argument;
    onednn_md required = onednn_required_md(desc, which);
    return (onednn_argument){which,
                             own ? onednn_output(lowering, plain, required, letters)
                                 : onednn_input(lowering, i, plain, required, letters),
                             own ? ONEDNN_WRITTEN : ONEDNN_READ};
}

static int gather_arguments(atl_lowering *lowering, dnnl_primitive_desc_t desc, const onednn_geometry *g,
                            const onednn_convolution *c, onednn_argument *list)
{
    int count = 0, forward = c->pass == ONEDNN_FORWARD, result = forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST;
    list[count++] =
        argument_of(lowering, desc, c->image_input, DNNL_ARG_SRC, DNNL_ARG_DIFF_SRC, ONEDNN_MD(g->plain_image), "nchw");
    list[count++] = argument_of(lowering, desc, c->filter_input, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_WEIGHTS,
                                ONEDNN_MD(g->plain_filter), g->filter_letters);
    int result_at = count;
    list[count++] = argument_of(lowering, desc, c->result_input, result, result, ONEDNN_MD(g->plain_result), "nchw");
    if (forward && c->bias_input >= 0)
        list[count++] = (onednn_argument){DNNL_ARG_BIAS, atl_lower_input(lowering, c->bias_input), ONEDNN_READ};
    if (g->sums)
        list[result_at].written = ONEDNN_READ_AND_WRITTEN;
    else if (forward && c->residual_input >= 0) /* in the result's layout, blocked or not */
        list[count++] =
            argument_of(lowering, desc, c->residual_input, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, 0,
                        ONEDNN_MD(g->plain_result), "nchw");
    return count;
}

/* Puts the residual where the sum will be. */
static int lower_residual(atl_lowering *lowering, const onednn_geometry *g, const onednn_convolution *c,
                          atl_value_id sum)
{
    onednn_md md = ONEDNN_MD(g->result);
    atl_value_id residual = onednn_input(lowering, c->residual_input, ONEDNN_MD(g->plain_result), md, "nchw");
    return residual >= 0 && sum >= 0 && onednn_lower_reorder(lowering, md, residual, md, sum);
}

/* The same convolution on the same memory without its relu; null if oneDNN has none, or would have the filter in
 * another order. */
static dnnl_primitive_desc_t open_without_relu(onednn_geometry *g, const onednn_convolution *c,
                                               dnnl_primitive_desc_t with)
{
    dnnl_primitive_desc_t desc = NULL;
    onednn_convolution plain = *c;
    plain.activation = ONEDNN_IDENTITY;
    onednn_desc chosen = g->filter;
    dnnl_alg_kind_t algorithm = g->algorithm;
    memset(&g->filter, 0, sizeof g->filter);
    dnnl_status_t status = dnnl_out_of_memory; /* if the descriptor cannot be copied */
    if (onednn_copy_desc(&g->filter, onednn_required_md(with, DNNL_ARG_WEIGHTS)))
        status = onednn_choose_convolution(&desc, g, &plain);
    onednn_release_desc(&g->filter);
    g->filter = chosen;
    /* What is summed up in the result's place cannot be computed twice. */
    int differs = g->sums || g->algorithm != algorithm;
    g->algorithm = algorithm;
    g->sums = 0;
    if (status == dnnl_success && !differs)
        return desc;
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return NULL;
}

/* Opens the convolution with its relu and a guard of NaN, or, where there can be none, without its relu, which is
 * then a step of its own. */
static dnnl_primitive_desc_t open_with_guard(onednn_geometry *g, onednn_convolution *c, onednn_guard *guard)
{
    onednn_convolution given = *c;
    dnnl_primitive_desc_t desc = NULL;
    *guard = (onednn_guard){0};
    if (c->activation != ONEDNN_RELU)
        return onednn_open_convolution(g, c);
    if (onednn_can_guard()) {
        desc = onednn_open_convolution(g, c);
        if (!desc)
            return NULL;
        /* What is summed up in the result's place cannot be computed twice. */
        dnnl_primitive_desc_t plain = g->sums ? NULL : open_without_relu(g, c, desc);
        *guard = onednn_guard_relu(plain, c->highest);
        if (plain)
            return desc;
        dnnl_primitive_desc_destroy(desc);
        onednn_release_geometry(g);
    }
    *guard = (onednn_guard){0};
    *c = given;
    c->activation = ONEDNN_IDENTITY;
    return onednn_open_convolution(g, c);
}

int onednn_lower_convolution(atl_lowering *lowering, const onednn_convolution *convolution)
{
    onednn_geometry g;
    onednn_guard guard;
    onednn_argument list[ONEDNN_MOST_ARGUMENTS];
    onednn_convolution c = *convolution;
    c.bfloat16 = atl_lower_uses_bfloat16(lowering);
    dnnl_primitive_desc_t desc = open_with_guard(&g, &c, &guard);
    if (!desc)
        return 0;
    int count = gather_arguments(lowering, desc, &g, convolution, list);
    int ok = !g.sums || lower_residual(lowering, &g, convolution, list[2].value);
    int threads = g.threads, needs_relu = convolution->activation == ONEDNN_RELU && !guard.recompute;
    onednn_desc result = {0};
    ok = ok && (!needs_relu || onednn_copy_desc(&result, onednn_required_md(desc, DNNL_ARG_DST)));
    onednn_release_geometry(&g);
    if (!ok) {
        dnnl_primitive_desc_destroy(desc);
        onednn_release_guard(&guard);
        return 0;
    }
    ok = onednn_lower_guarded(lowering, desc, &guard, count, list, onednn_convolution_flops(convolution), threads);
    if (ok && needs_relu)
        ok = onednn_lower_relu(lowering, list[2].value, ONEDNN_MD(result), convolution->highest);
    onednn_release_desc(&result);
    return ok;
}
