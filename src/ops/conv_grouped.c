/* A convolution in small groups of channels, or its gradient by the image, as a step of our own: kernels/grouped.h. */
#include "ops/conv_grouped.h"

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/conv_sizes.h"
#include "ops/step_epilogue.h"

typedef struct grouped_step {
    atl_conv_sizes d; /* flipped: the gradient by the image */
    int64_t group;
    atl_step_epilogue end;
} grouped_step;

static int is_grouped(const onednn_convolution *c)
{
    const int64_t channels = c->image.size[3], group = channels / c->groups;
    const int strided = c->vertical.stride > 1 || c->horizontal.stride > 1;
    return (c->pass == ONEDNN_FORWARD || (c->pass == ONEDNN_INPUT_GRADIENT && !strided)) && c->groups > 1 &&
           group > 1 && group <= atl_kernels->vector && (group & (group - 1)) == 0 && c->result.size[3] == channels &&
           channels % atl_kernels->vector == 0 && c->scale_input < 0 && c->addend_input < 0 &&
           atl_conv_epilogue_is_simple(c) && atl_shape_count(c->image) > 0 && atl_shape_count(c->result) > 0;
}

int atl_conv_prefers_grouped(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    if (!is_grouped(c))
        return 0;
    const int64_t group = c->image.size[3] / c->groups;
    return cost->grouped_flops > (group >= cost->onednn_group ? cost->onednn_grouped_flops : cost->onednn_small_groups);
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int turn_filter(const atl_plan_step *step, void *const *memory, void *bound)
{
    const grouped_step *s = step->data;
    (void)bound;
    atl_kernels->grouped_turn(&s->d, s->group, memory[step->read[0]], memory[step->write[0]]);
    return 0;
}

static int convolve(const atl_plan_step *step, void *const *memory, void *bound)
{
    const grouped_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->grouped_convolve(&s->d, s->group, memory[step->read[0]], memory[step->read[1]], &end,
                                  memory[step->write[0]]);
    return 0;
}

static grouped_step *new_step(const onednn_convolution *c)
{
    grouped_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        atl_out_of_memory();
    else {
        const atl_conv_sizes d = atl_conv_sizes_of(c);
        *s = (grouped_step){.d = c->pass == ONEDNN_FORWARD ? d : atl_conv_turned(d),
                            .group = c->image.size[3] / c->groups};
    }
    return s;
}

static atl_plan_step step_of(grouped_step *s)
{
    return (atl_plan_step){.implementation = "grouped", .cannot_fail = 1, .release = atl_release, .data = s};
}

static atl_value_id lower_turned(atl_lowering *lowering, const onednn_convolution *c)
{
    grouped_step *s = new_step(c);
    if (!s)
        return -1;
    atl_plan_step step = step_of(s);
    step.run = turn_filter;
    return atl_lower_prepared(lowering, c->filter_input, atl_shape_count(c->filter) * (int64_t)sizeof(float), &step);
}

int atl_lower_conv_grouped(atl_lowering *lowering, const onednn_convolution *c)
{
    const int is_gradient = c->pass != ONEDNN_FORWARD;
    grouped_step *s = new_step(c);
    if (!s)
        return 0;
    atl_plan_step step = step_of(s);
    step.run = convolve;
    step.flops = atl_conv_flops(c);
    step.read[step.reads++] = atl_lower_input(lowering, is_gradient ? c->result_input : c->image_input);
    step.read[step.reads++] = is_gradient ? lower_turned(lowering, c) : atl_lower_input(lowering, c->filter_input);
    s->end = atl_lower_conv_epilogue(lowering, c, &step);
    step.write[step.writes++] = atl_lower_output(lowering);
    atl_lower_conv_mask(lowering, c, &step, &s->end);
    return atl_lower_step(lowering, &step);
}
