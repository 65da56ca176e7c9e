/* A convolution in groups of some channels, or its gradient by the image, as a step of our own: kernels/grouped.h. */
#include "ops/conv_grouped.h"

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/conv_sizes.h"
#include "ops/step_epilogue.h"

typedef struct grouped_step {
    atl_conv_sizes d;
    int64_t group;
    int turned; /* the gradient by the image */
    atl_step_epilogue end;
} grouped_step;

static int is_grouped(const onednn_convolution *c)
{
    const int64_t channels = c->image.size[3], group = channels / c->groups;
    const int strided = c->vertical.stride > 1 || c->horizontal.stride > 1;
    return (c->pass == ONEDNN_FORWARD || (c->pass == ONEDNN_INPUT_GRADIENT && !strided)) && c->groups > 1 &&
           c->result.size[3] == channels && channels % 8 == 0 && /* bytes of a mask */
           atl_grouped_has(channels, group, atl_kernels->vector) && c->scale_input < 0 && c->addend_input < 0 &&
           atl_conv_epilogue_is_simple(c) && atl_shape_count(c->image) > 0 && atl_shape_count(c->result) > 0;
}

int atl_conv_prefers_grouped(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    if (!is_grouped(c))
        return 0;
    const int64_t group = c->image.size[3] / c->groups;
    if (group > (c->pass == ONEDNN_FORWARD ? cost->grouped_most : cost->grouped_image_most))
        return 0;
    const double own = group < atl_kernels->vector ? cost->grouped_flops : cost->grouped_wide_flops;
    return own > (group >= cost->onednn_group ? cost->onednn_grouped_flops : cost->onednn_small_groups);
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int pack_filter(const atl_plan_step *step, void *const *memory, void *bound)
{
    const grouped_step *s = step->data;
    (void)bound;
    atl_kernels->grouped_pack(&s->d, s->group, s->turned, memory[step->read[0]], memory[step->write[0]]);
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
                            .group = c->image.size[3] / c->groups,
                            .turned = c->pass != ONEDNN_FORWARD};
    }
    return s;
}

static atl_plan_step step_of(grouped_step *s)
{
    return (atl_plan_step){.implementation = "grouped", .cannot_fail = 1, .release = atl_release, .data = s};
}

static atl_value_id lower_packed(atl_lowering *lowering, const onednn_convolution *c)
{
    grouped_step *s = new_step(c);
    if (!s)
        return -1;
    atl_plan_step step = step_of(s);
    step.run = pack_filter;
    return atl_lower_prepared(lowering, c->filter_input,
                              atl_kernels->grouped_floats(&s->d, s->group) * (int64_t)sizeof(float), &step);
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
    step.read[step.reads++] = lower_packed(lowering, c);
    s->end = atl_lower_conv_epilogue(lowering, c, &step);
    step.write[step.writes++] = atl_lower_output(lowering);
    atl_lower_conv_mask(lowering, c, &step, &s->end);
    return atl_lower_step(lowering, &step);
}
