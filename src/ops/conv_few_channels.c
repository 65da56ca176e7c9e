/* The gradients of a convolution with few input channels, as steps of our own. */
#include "ops/conv_few_channels.h"

#include <math.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/conv_sizes.h"

int atl_conv_has_few_channels(const onednn_convolution *c)
{
    const int64_t out = c->result.size[3];
    return c->pass != ONEDNN_FORWARD && c->groups == 1 && c->image.size[3] <= ATL_FEW_CHANNELS &&
           out % atl_kernels->vector == 0 && c->vertical.dilation == 1 && c->horizontal.dilation == 1 &&
           c->residual_input < 0 && c->relu_grad_input < 0 && c->scale_input < 0 && c->addend_input < 0 &&
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

int atl_conv_prefers_few_channels(const onednn_convolution *c)
{
    if (!atl_conv_has_few_channels(c))
        return 0;
    return c->pass == ONEDNN_INPUT_GRADIENT ? prefers_for_image(c) : prefers_for_filter(c);
}

static int run_image_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    atl_kernels->few_channels_image_gradient(step->data, memory[step->read[0]], memory[step->read[1]],
                                             memory[step->write[0]]);
    return 0;
}

static int run_filter_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_conv_sizes *f = step->data;
    (void)bound;
    atl_kernels->few_channels_filter_gradient(f, memory[step->read[0]], memory[step->read[1]],
                                              f->workers > 1 ? memory[step->write[1]] : NULL, memory[step->write[0]]);
    return 0;
}

int atl_lower_conv_few_channels(atl_lowering *lowering, const onednn_convolution *c)
{
    const int is_filter = c->pass == ONEDNN_FILTER_GRADIENT;
    atl_conv_sizes *f = atl_allocate(1, sizeof *f);
    if (!f)
        return atl_out_of_memory(), 0;
    *f = atl_conv_sizes_of(c);
    atl_plan_step step = {.implementation = "few channels",
                          .run = is_filter ? run_filter_gradient : run_image_gradient,
                          .cannot_fail = 1,
                          .release = atl_release,
                          .data = f,
                          .flops = atl_conv_flops(c)};
    step.read[step.reads++] = atl_lower_input(lowering, is_filter ? c->image_input : c->result_input);
    step.read[step.reads++] = atl_lower_input(lowering, is_filter ? c->result_input : c->filter_input);
    step.write[step.writes++] = atl_lower_output(lowering);
    if (is_filter && f->workers > 1)
        step.write[step.writes++] =
            atl_lower_scratch(lowering, atl_kernels->few_channels_filter_scratch(f) * (int64_t)sizeof(float));
    return atl_lower_step(lowering, &step);
}
