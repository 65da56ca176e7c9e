/* A convolution with few input channels, and its gradients, as steps of our own. */
#include "ops/conv_few_channels.h"

#include <math.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/conv_sizes.h"
#include "ops/step_epilogue.h"

typedef struct few_channels_step {
    atl_conv_sizes f;
    atl_step_epilogue end; /* of a convolution */
} few_channels_step;

int atl_conv_has_few_channels(const onednn_convolution *c)
{
    const int64_t out = c->result.size[3];
    const int has_epilogue = c->residual_input >= 0 || c->relu_grad_input >= 0;
    return c->groups == 1 && c->image.size[3] <= ATL_FEW_CHANNELS && out % atl_kernels->vector == 0 &&
           c->vertical.dilation == 1 && c->horizontal.dilation == 1 && c->scale_input < 0 && c->addend_input < 0 &&
           (c->pass == ONEDNN_FORWARD ? atl_conv_epilogue_is_simple(c) : !has_epilogue) &&
           atl_shape_count(c->image) > 0 && atl_shape_count(c->result) > 0;
}

/* Both have a part that does not depend on the channels of the result: ours adds the lanes of each number's sum, and
 * oneDNN's adds the windows that it has multiplied to the image. */
static int prefers_for_image(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    const double flops = atl_conv_flops(c), windows = flops / 2 / (double)c->result.size[3];
    double own = flops / cost->few_channels_flops + (double)atl_shape_count(c->image) * cost->few_channels_value;
    return own < flops / cost->onednn_few_channels_flops + windows * cost->onednn_few_channels_value;
}

/* Ours adds to few sums at a time where a row of the filter has few numbers, and then waits for each; oneDNN's
 * is slower where it reads the channels of the result a part at a time. */
static int prefers_for_filter(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    const int64_t out = c->result.size[3], vectors = atl_kernels->registers == 32 ? 4 : 2;
    const double columns = (double)atl_smaller(out / atl_kernels->vector, vectors); /* of a tile of sums */
    const double sums = (double)(c->horizontal.size * c->image.size[3]) * columns;
    const double own = cost->few_channels_filter_flops * fmin(1, sums / cost->few_channels_filter_sums);
    return c->vertical.size * c->horizontal.size > 1 && /* else little is computed of what is read */
           own > (out > ATL_NARROW_RESULT ? cost->onednn_wide_filter_flops : cost->onednn_narrow_filter_flops);
}

/* oneDNN's has tiles of several blocks of channels, and is slower where the result has too few of them. */
static int prefers_forward(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    return cost->few_channels_forward_flops > (c->result.size[3] > ATL_NARROW_RESULT
                                                   ? cost->onednn_wide_forward_flops
                                                   : cost->onednn_narrow_forward_flops);
}

int atl_conv_prefers_few_channels(const onednn_convolution *c)
{
    if (!atl_conv_has_few_channels(c))
        return 0;
    return c->pass == ONEDNN_FORWARD          ? prefers_forward(c)
           : c->pass == ONEDNN_INPUT_GRADIENT ? prefers_for_image(c)
                                              : prefers_for_filter(c);
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int run_convolution(const atl_plan_step *step, void *const *memory, void *bound)
{
    const few_channels_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->few_channels_convolve(&s->f, memory[step->read[0]], memory[step->read[1]], &end,
                                       memory[step->write[0]]);
    return 0;
}

static int run_image_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const few_channels_step *s = step->data;
    (void)bound;
    atl_kernels->few_channels_image_gradient(&s->f, memory[step->read[0]], memory[step->read[1]],
                                             step->writes > 1 ? memory[step->write[1]] : NULL, memory[step->write[0]]);
    return 0;
}

static int run_filter_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const few_channels_step *s = step->data;
    (void)bound;
    atl_kernels->few_channels_filter_gradient(&s->f, memory[step->read[0]], memory[step->read[1]],
                                              step->writes > 1 ? memory[step->write[1]] : NULL, memory[step->write[0]]);
    return 0;
}

int atl_lower_conv_few_channels(atl_lowering *lowering, const onednn_convolution *c)
{
    const int is_filter = c->pass == ONEDNN_FILTER_GRADIENT, is_forward = c->pass == ONEDNN_FORWARD;
    few_channels_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        return atl_out_of_memory(), 0;
    *s = (few_channels_step){.f = atl_conv_sizes_of(c)};
    atl_plan_step step = {.implementation = "few channels",
                          .run = is_forward  ? run_convolution
                                 : is_filter ? run_filter_gradient
                                             : run_image_gradient,
                          .takes_post_op = is_forward,
                          .cannot_fail = 1,
                          .release = atl_release,
                          .data = s,
                          .flops = atl_conv_flops(c)};
    step.read[step.reads++] = atl_lower_input(lowering, is_filter || is_forward ? c->image_input : c->result_input);
    step.read[step.reads++] = atl_lower_input(lowering, is_filter ? c->result_input : c->filter_input);
    if (is_forward)
        return atl_lower_conv_end(lowering, c, &step, &s->end);
    step.write[step.writes++] = atl_lower_output(lowering);
    const int64_t scratch =
        is_filter ? atl_kernels->few_channels_filter_scratch(&s->f) : atl_kernels->few_channels_image_scratch(&s->f);
    if (scratch > 0)
        step.write[step.writes++] = atl_lower_scratch(lowering, scratch * (int64_t)sizeof(float));
    return atl_lower_step(lowering, &step);
}
