/* A convolution, or its gradient by the image, as a sum of 1x1 convolutions: see kernels/tap_sums.h. */
#include "ops/conv_tap_sums.h"

#include <math.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/conv_sizes.h"
#include "ops/step_epilogue.h"

typedef struct tap_sums_step {
    atl_conv_sizes d; /* flipped: the matrices of the filter are transposed, and in reverse order */
    atl_step_epilogue end;
} tap_sums_step;

static atl_conv_sizes sizes_of(const onednn_convolution *c)
{
    const atl_conv_sizes d = atl_conv_sizes_of(c);
    return c->pass == ONEDNN_FORWARD ? d : atl_conv_turned(d);
}

static int is_tap_sum(const onednn_convolution *c)
{
    enum { LEAST_TERMS = 8 }; /* fewer are for kernels that take several elements of the window together */
    const int is_forward = c->pass == ONEDNN_FORWARD;
    const int64_t read = is_forward ? c->image.size[3] : c->result.size[3],
                  made = is_forward ? c->result.size[3] : c->image.size[3];
    return c->pass != ONEDNN_FILTER_GRADIENT && c->groups == 1 && c->vertical.size * c->horizontal.size > 1 &&
           read >= LEAST_TERMS && made % atl_kernels->vector == 0 && c->scale_input < 0 && c->addend_input < 0 &&
           atl_conv_epilogue_is_simple(c) && atl_shape_count(c->image) > 0 && atl_shape_count(c->result) > 0;
}

/* A filter that comes from memory is fetched ahead. */
double atl_conv_tap_sums_seconds(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    const atl_conv_sizes forward = atl_conv_sizes_of(c), d = sizes_of(c);
    return !is_tap_sum(c) ? INFINITY
                          : 2.0 * (double)(d.batch * d.result_channels) * atl_conv_pairs_inside(&forward) *
                                ((double)d.channels / cost->tap_sums_flops + cost->tap_sums_value / 2);
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int pack_filter(const atl_plan_step *step, void *const *memory, void *bound)
{
    const tap_sums_step *s = step->data;
    (void)bound;
    atl_kernels->tap_sums_pack(&s->d, memory[step->read[0]], memory[step->write[0]]);
    return 0;
}

static int convolve(const atl_plan_step *step, void *const *memory, void *bound)
{
    const tap_sums_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->tap_sums_convolve(&s->d, memory[step->read[0]], memory[step->read[1]], &end, memory[step->write[0]]);
    return 0;
}

static tap_sums_step *new_step(const onednn_convolution *c)
{
    tap_sums_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        atl_out_of_memory();
    else
        *s = (tap_sums_step){.d = sizes_of(c)};
    return s;
}

static atl_plan_step step_of(tap_sums_step *s)
{
    return (atl_plan_step){.implementation = "tap sums", .cannot_fail = 1, .release = atl_release, .data = s};
}

static atl_value_id lower_filter(atl_lowering *lowering, const onednn_convolution *c)
{
    tap_sums_step *s = new_step(c);
    if (!s)
        return -1;
    atl_plan_step step = step_of(s);
    step.run = pack_filter;
    return atl_lower_prepared(lowering, c->filter_input, atl_shape_count(c->filter) * (int64_t)sizeof(float), &step);
}

int atl_lower_conv_tap_sums(atl_lowering *lowering, const onednn_convolution *c)
{
    tap_sums_step *s = new_step(c);
    if (!s)
        return 0;
    atl_plan_step step = step_of(s);
    step.run = convolve;
    step.flops = atl_conv_flops(c);
    step.read[step.reads++] = atl_lower_input(lowering, s->d.flipped ? c->result_input : c->image_input);
    step.read[step.reads++] = lower_filter(lowering, c);
    return atl_lower_conv_end(lowering, c, &step, &s->end);
}
