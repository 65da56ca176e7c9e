/* A 1x1 convolution, or its gradient with respect to the image, as a step that can read and write parts of a concat in
 * place. */
#include "ops/conv_pointwise.h"

#include <omp.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/step_epilogue.h"

typedef struct pointwise_step {
    atl_pointwise p;
    int transposed;
    atl_step_epilogue end;
} pointwise_step;

static int is_one_pixel(const atl_window *w)
{
    return w->size == 1 && w->stride == 1 && w->pad_before == 0 && w->pad_after <= 0;
}

static int64_t channels_made(const onednn_convolution *c)
{
    return c->pass == ONEDNN_FORWARD ? c->result.size[3] : c->image.size[3];
}

int atl_conv_is_pointwise(const onednn_convolution *c)
{
    return c->pass != ONEDNN_FILTER_GRADIENT && c->groups == 1 && is_one_pixel(&c->vertical) &&
           is_one_pixel(&c->horizontal) && atl_conv_epilogue_is_simple(c) &&
           atl_pointwise_has(channels_made(c), atl_kernels->vector) && atl_shape_count(c->image) > 0;
}

/* The terms of a sum. */
static int64_t channels_read(const onednn_convolution *c)
{
    return c->pass == ONEDNN_FORWARD ? c->image.size[3] : c->result.size[3];
}

/* True if oneDNN's saves less time, if any, than a step takes that reads or writes so many arrays of the result's
 * size. */
static int saves_arrays(const onednn_convolution *c, double arrays)
{
    const atl_costs *cost = atl_costs_in_use();
    double made = (double)atl_shape_count(c->pass == ONEDNN_FORWARD ? c->result : c->image);
    double flops = 2 * made * (double)channels_read(c);
    double lost = flops / cost->pointwise_flops - flops / cost->onednn_pointwise_flops;
    return lost < arrays * sizeof(float) * made / cost->cached_bytes;
}

int atl_conv_prefers_pointwise(const onednn_convolution *c, int makes_mask)
{
    const atl_costs *cost = atl_costs_in_use();
    const int is_small = channels_read(c) * channels_made(c) <= ATL_CORE_FLOATS; /* whole pixels are written at once */
    const int64_t least = is_small ? cost->pointwise_small_terms : cost->pointwise_terms;
    return atl_conv_is_pointwise(c) && (channels_read(c) >= least || (makes_mask && saves_arrays(c, 1)));
}

int atl_conv_pointwise_pays(const onednn_convolution *c)
{
    return atl_conv_prefers_pointwise(c, 0) || (atl_conv_is_pointwise(c) && saves_arrays(c, 3));
}

static int pack_filter(const atl_plan_step *step, void *const *memory, void *bound)
{
    const pointwise_step *s = step->data;
    (void)bound;
    atl_kernels->pointwise_pack(&s->p, memory[step->read[0]], s->transposed, memory[step->write[0]]);
    return 0;
}

static int convolve(const atl_plan_step *step, void *const *memory, void *bound)
{
    const pointwise_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->pointwise_convolve(&s->p, memory[step->read[0]], memory[step->read[1]], &end, memory[step->write[0]]);
    return 0;
}

static pointwise_step *new_step(const onednn_convolution *c)
{
    const int64_t *image = c->image.size;
    pointwise_step *s = atl_allocate(1, sizeof *s);
    if (!s) {
        atl_out_of_memory();
        return NULL;
    }
    *s = (pointwise_step){.transposed = c->pass != ONEDNN_FORWARD};
    s->p.pixels = image[0] * image[1] * image[2];
    s->p.in = channels_read(c);
    s->p.out = channels_made(c);
    double flops = 2.0 * (double)s->p.pixels * (double)(s->p.in * s->p.out);
    s->p.workers = flops < 2 * atl_costs_in_use()->thread_flops ? 1 : omp_get_max_threads();
    return s;
}

static atl_plan_step step_of(pointwise_step *s)
{
    return (atl_plan_step){.implementation = "pointwise", .cannot_fail = 1, .release = atl_release, .data = s};
}

static atl_value_id lower_filter(atl_lowering *lowering, const onednn_convolution *c)
{
    pointwise_step *s = new_step(c);
    if (!s)
        return -1;
    atl_plan_step step = step_of(s);
    step.run = pack_filter;
    return atl_lower_prepared(lowering, c->filter_input, s->p.in * s->p.out * (int64_t)sizeof(float), &step);
}

int atl_lower_conv_pointwise(atl_lowering *lowering, const onednn_convolution *c)
{
    pointwise_step *s = new_step(c);
    if (!s)
        return 0;
    atl_plan_step step = step_of(s);
    step.run = convolve;
    step.takes_post_op = 1;
    step.flops = 2.0 * (double)s->p.pixels * (double)(s->p.in * s->p.out);
    step.read[step.reads++] =
        atl_lower_input_strided(lowering, s->transposed ? c->result_input : c->image_input, &s->p.in_pixel_stride);
    step.read[step.reads++] = lower_filter(lowering, c);
    s->end = atl_lower_conv_epilogue(lowering, c, &step);
    atl_value_id result = step.write[step.writes++] = atl_lower_output_strided(lowering, &s->p.out_pixel_stride);
    if (c->addend_input >= 0 && s->p.out_pixel_stride == s->p.out && s->end.addend_pixel_stride == s->p.out)
        atl_lower_over(lowering, result, step.read[s->end.addend]);
    atl_lower_conv_mask(lowering, c, &step, &s->end);
    return atl_lower_step(lowering, &step);
}
