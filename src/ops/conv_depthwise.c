/* Depthwise convolutions and their gradients as steps of our own. */
#include "ops/conv_depthwise.h"

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/conv_sizes.h"
#include "ops/step_epilogue.h"

typedef struct depthwise_step {
    atl_conv_sizes d;
    onednn_pass pass;
    atl_step_epilogue end;
} depthwise_step;

static int is_strided(const onednn_convolution *c) { return c->vertical.stride > 1 || c->horizontal.stride > 1; }
static int is_dilated(const onednn_convolution *c) { return c->vertical.dilation > 1 || c->horizontal.dilation > 1; }

static int is_depthwise(const onednn_convolution *c)
{
    const atl_window *v = &c->vertical, *h = &c->horizontal;
    int64_t channels = c->image.size[3];
    int is_convolution = c->pass == ONEDNN_FORWARD || (c->pass == ONEDNN_INPUT_GRADIENT && !is_strided(c));
    return c->groups == channels && c->result.size[3] == channels && channels % atl_kernels->vector == 0 &&
           v->size <= ATL_MAX_DEPTHWISE && h->size <= ATL_MAX_DEPTHWISE && (is_convolution || !is_dilated(c)) &&
           v->pad_before <= (v->size - 1) * v->dilation && h->pad_before <= (h->size - 1) * h->dilation &&
           atl_shape_count(c->image) > 0 && atl_conv_epilogue_is_simple(c);
}

/* Of our own kernels, and of oneDNN's. */
typedef struct rates {
    double own, onednn;
} rates;

static rates rates_of(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    int wide = c->vertical.size > 3 || c->horizontal.size > 3;
    if (c->pass == ONEDNN_FORWARD)
        return wide ? (rates){cost->depthwise_5, cost->onednn_depthwise_5}
                    : (rates){cost->depthwise_3, cost->onednn_depthwise_3};
    if (c->pass == ONEDNN_FILTER_GRADIENT)
        return (rates){cost->depthwise_gradient,
                       wide ? cost->onednn_depthwise_gradient_5 : cost->onednn_depthwise_gradient_3};
    if (is_strided(c))
        return wide ? (rates){cost->depthwise_strided_5, cost->onednn_depthwise_strided_5}
                    : (rates){cost->depthwise_strided_3, cost->onednn_depthwise_strided_3};
    rates image = wide ? (rates){cost->depthwise_image_5, cost->onednn_depthwise_image_5}
                       : (rates){cost->depthwise_image_3, cost->onednn_depthwise_image_3};
    return is_dilated(c) ? (rates){image.own, cost->onednn_depthwise_dilated} : image;
}

int atl_conv_prefers_depthwise(const onednn_convolution *c)
{
    if (!is_depthwise(c))
        return 0;
    rates by = rates_of(c);
    double made = c->relu_grad_input >= 0 ? (double)atl_shape_count(c->image) : 0; /* by a step of its own */
    double saved = 3 * sizeof(float) * made / atl_costs_in_use()->cached_bytes;
    return atl_conv_flops(c) / by.own < atl_conv_flops(c) / by.onednn + saved;
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int run_filter_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const depthwise_step *s = step->data;
    (void)bound;
    atl_kernels->depthwise_filter_gradient(&s->d, memory[step->read[0]], memory[step->read[1]], memory[step->write[0]]);
    return 0;
}

static int run_convolution(const atl_plan_step *step, void *const *memory, void *bound)
{
    const depthwise_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->depthwise_convolve(&s->d, memory[step->read[0]], memory[step->read[1]], &end, memory[step->write[0]]);
    return 0;
}

static int run_image_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const depthwise_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->depthwise_image_gradient(&s->d, memory[step->read[0]], memory[step->read[1]], &end,
                                          memory[step->write[0]]);
    return 0;
}

static depthwise_step *new_step(const onednn_convolution *c)
{
    depthwise_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        atl_out_of_memory();
    else {
        *s = (depthwise_step){.d = atl_conv_sizes_of(c), .pass = c->pass};
        if (c->pass == ONEDNN_INPUT_GRADIENT && !is_strided(c))
            s->d = atl_conv_turned(s->d);
    }
    return s;
}

int atl_lower_conv_depthwise(atl_lowering *lowering, const onednn_convolution *c)
{
    depthwise_step *s = new_step(c);
    if (!s)
        return 0;
    atl_plan_step step = {.implementation = "depthwise",
                          .run = c->pass == ONEDNN_FILTER_GRADIENT                   ? run_filter_gradient
                                 : c->pass == ONEDNN_INPUT_GRADIENT && is_strided(c) ? run_image_gradient
                                                                                     : run_convolution,
                          .cannot_fail = 1,
                          .release = atl_release,
                          .data = s,
                          .flops = atl_conv_flops(c)};
    step.read[step.reads++] =
        atl_lower_input(lowering, c->pass == ONEDNN_INPUT_GRADIENT ? c->result_input : c->image_input);
    step.read[step.reads++] =
        atl_lower_input(lowering, c->pass == ONEDNN_FILTER_GRADIENT ? c->result_input : c->filter_input);
    return atl_lower_conv_end(lowering, c, &step, &s->end);
}
