/* A convolution, or one of its two gradients, as a Winograd step in NHWC. */
#include "ops/conv_winograd.h"

#include <math.h>
#include <omp.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/step_epilogue.h"

typedef struct winograd_step {
    atl_winograd w;
    onednn_pass pass;
    atl_step_epilogue end;
} winograd_step;

/* ---- the choice -------------------------------------------------------------------------------------------------- */

/* True if the window reaches no farther than the padding of a tile. */
static int is_padded_little(const atl_window *w) { return w->pad_before <= (w->size - 1) * w->dilation; }

static int is_square(const onednn_convolution *c)
{
    const atl_window *v = &c->vertical, *h = &c->horizontal;
    return c->groups == 1 && v->size == h->size && (v->size == 3 || v->size == 5) && v->stride == 1 && h->stride == 1 &&
           is_padded_little(v) && is_padded_little(h);
}

static double points_of(const onednn_convolution *c)
{
    double side = (double)c->vertical.size + 3;
    return side * side;
}

/* Of all tiles in one direction, in which a dilated convolution consists of as many dense ones as the dilation is: the
 * last tile of one has two points fewer if it has one or two results (winograd.h). */
typedef struct tile_line {
    double tiles, points;
} tile_line;

static tile_line line_of(const onednn_convolution *c, int64_t results, int64_t dilation)
{
    tile_line all = {0, 0};
    for (int i = 0; i < 2; i++) { /* the first ones have a result more where there is a remainder */
        const int64_t own = results / dilation + (i == 0), rest = own % 4;
        const int64_t images = i == 0 ? results % dilation : dilation - results % dilation;
        const int is_short = c->pass != ONEDNN_FILTER_GRADIENT && c->vertical.size == 3 && rest && rest <= 2;
        const int64_t tiles = atl_divide_up(own, 4);
        all.tiles += (double)(images * tiles);
        all.points += (double)(images * (tiles * (c->vertical.size + 3) - 2 * is_short));
    }
    return all;
}

static tile_line line_down(const onednn_convolution *c)
{
    return line_of(c, c->pass == ONEDNN_INPUT_GRADIENT ? c->image.size[1] : c->result.size[1], c->vertical.dilation);
}

static tile_line line_across(const onednn_convolution *c)
{
    return line_of(c, c->pass == ONEDNN_INPUT_GRADIENT ? c->image.size[2] : c->result.size[2], c->horizontal.dilation);
}

/* The number of 4 x 4 tiles of the result; for the image's gradient the image is the result. */
static double tiles_of(const onednn_convolution *c)
{
    return (double)c->image.size[0] * line_down(c).tiles * line_across(c).tiles;
}

static double points_of_all(const onednn_convolution *c)
{
    return (double)c->image.size[0] * line_down(c).points * line_across(c).points;
}

/* Of the products. */
static double flops_of(const onednn_convolution *c)
{
    return points_of_all(c) * 2 * (double)(c->image.size[3] * c->result.size[3]);
}

/* True if the transformed filter, 36/9 or 64/25 of the plain one, is too large to keep: it is transformed as it
 * goes. */
static int is_large(const onednn_convolution *c)
{
    return c->image.size[3] * c->result.size[3] > atl_costs_in_use()->kept_filter;
}

/* Tiles that share one transform of a large filter: see winograd_convolve_large. */
static double tiles_together(const onednn_convolution *c)
{
    int64_t read = c->pass == ONEDNN_FORWARD ? c->image.size[3] : c->result.size[3];
    return fmax(1, (double)atl_costs_in_use()->tiles_cache / (points_of(c) * 4 * (double)read));
}

static double large_seconds(const onednn_convolution *c, double transforms)
{
    const atl_costs *cost = atl_costs_in_use();
    double filter = points_of(c) * (double)(c->image.size[3] * c->result.size[3]), rows = 6; /* tiles of a product */
    double times = ceil(tiles_of(c) / tiles_together(c)), whole = ceil(tiles_of(c) / rows) * rows;
    double value = c->pass == ONEDNN_FORWARD ? cost->winograd_filter_value : cost->winograd_turned_value;
    return transforms + filter * times * value + flops_of(c) * whole / tiles_of(c) / cost->winograd_large_flops +
           cost->winograd_start;
}

double atl_conv_winograd_seconds(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    int64_t in = c->image.size[3], out = c->result.size[3];
    if (!is_square(c) || !atl_conv_epilogue_is_simple(c) || in % atl_kernels->vector || out % atl_kernels->vector ||
        atl_shape_count(c->result) == 0 || (is_large(c) && c->pass == ONEDNN_FILTER_GRADIENT))
        return INFINITY;
    double transforms = points_of_all(c) * (double)(in + out) * cost->winograd_value;
    if (is_large(c))
        return large_seconds(c, transforms);
    double sums = c->pass == ONEDNN_FILTER_GRADIENT ? cost->winograd_gradient_slowdown : 1;
    return (transforms + flops_of(c) / cost->winograd_flops) * sums + cost->winograd_start;
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static int transform_filter(const atl_plan_step *step, void *const *memory, void *bound)
{
    const winograd_step *s = step->data;
    (void)bound;
    atl_kernels->winograd_transform_filter(&s->w, memory[step->read[0]], s->pass == ONEDNN_INPUT_GRADIENT,
                                           memory[step->write[0]]);
    return 0;
}

static int convolve(const atl_plan_step *step, void *const *memory, void *bound)
{
    const winograd_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->winograd_convolve(&s->w, memory[step->read[0]], memory[step->read[1]], &end, memory[step->write[1]],
                                   memory[step->write[0]]);
    return 0;
}

static int convolve_large(const atl_plan_step *step, void *const *memory, void *bound)
{
    const winograd_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->winograd_convolve_large(&s->w, memory[step->read[0]], memory[step->read[1]],
                                         s->pass == ONEDNN_INPUT_GRADIENT, &end, memory[step->write[1]],
                                         memory[step->write[0]]);
    return 0;
}

static int sum_filter_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const winograd_step *s = step->data;
    (void)bound;
    atl_kernels->winograd_filter_gradient(&s->w, memory[step->read[0]], memory[step->read[1]], memory[step->write[1]],
                                          memory[step->write[0]]);
    return 0;
}

static atl_winograd geometry_of(const onednn_convolution *c)
{
    const atl_costs *cost = atl_costs_in_use();
    const int64_t *image = c->image.size, *result = c->result.size;
    const atl_window *v = &c->vertical, *h = &c->horizontal;
    atl_winograd w = {.batch = image[0],
                      .cache_bytes = cost->core_cache,
                      .shared_bytes = cost->tiles_cache,
                      .dilation_y = v->dilation,
                      .dilation_x = h->dilation,
                      .kernel_size = (int)v->size};
    if (c->pass == ONEDNN_INPUT_GRADIENT) {
        w.height = result[1], w.width = result[2], w.in = result[3];
        w.result_height = image[1], w.result_width = image[2], w.out = image[3];
        w.pad_top = (v->size - 1) * v->dilation - v->pad_before;
        w.pad_left = (h->size - 1) * h->dilation - h->pad_before;
    } else {
        w.height = image[1], w.width = image[2], w.in = image[3];
        w.result_height = result[1], w.result_width = result[2], w.out = result[3];
        w.pad_top = v->pad_before, w.pad_left = h->pad_before;
    }
    w.workers = flops_of(c) < 2 * cost->thread_flops ? 1 : omp_get_max_threads();
    return w;
}

static winograd_step *new_step(const onednn_convolution *c)
{
    winograd_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        atl_out_of_memory();
    else
        *s = (winograd_step){.w = geometry_of(c), .pass = c->pass};
    return s;
}

static atl_plan_step step_of(const onednn_convolution *c, winograd_step *s)
{
    const int64_t *filter = c->filter.size;
    return (atl_plan_step){.implementation = filter[0] == 3 ? "winograd:4x3" : "winograd:4x5",
                           .cannot_fail = 1,
                           .release = atl_release,
                           .data = s,
                           .flops =
                               2.0 * (double)(filter[0] * filter[1] * filter[2]) * (double)atl_shape_count(c->result)};
}

/* The transformed filter; it is prepacked if the filter depends on variables only. */
static atl_value_id lower_filter(atl_lowering *lowering, const onednn_convolution *c)
{
    winograd_step *s = new_step(c);
    if (!s)
        return -1;
    atl_plan_step step = step_of(c, s);
    step.run = transform_filter;
    step.implementation = "transform";
    step.flops = 0;
    return atl_lower_prepared(lowering, c->filter_input,
                              atl_kernels->winograd_filter_floats(&s->w) * (int64_t)sizeof(float), &step);
}

static int lower_filter_gradient(atl_lowering *lowering, const onednn_convolution *c)
{
    winograd_step *s = new_step(c);
    if (!s)
        return 0;
    atl_plan_step step = step_of(c, s);
    step.run = sum_filter_gradient;
    step.read[step.reads++] = atl_lower_input(lowering, c->image_input);
    step.read[step.reads++] = atl_lower_input(lowering, c->result_input);
    step.write[step.writes++] = atl_lower_output(lowering);
    step.write[step.writes++] =
        atl_lower_scratch(lowering, atl_kernels->winograd_gradient_scratch_floats(&s->w) * (int64_t)sizeof(float));
    return atl_lower_step(lowering, &step);
}

int atl_lower_conv_winograd(atl_lowering *lowering, const onednn_convolution *c)
{
    if (c->pass == ONEDNN_FILTER_GRADIENT)
        return lower_filter_gradient(lowering, c);
    winograd_step *s = new_step(c);
    if (!s)
        return 0;
    atl_plan_step step = step_of(c, s);
    step.run = is_large(c) ? convolve_large : convolve;
    step.read[step.reads++] =
        atl_lower_input_strided(lowering, c->pass == ONEDNN_FORWARD ? c->image_input : c->result_input,
                                &s->w.in_pixel_stride);
    atl_value_id filter = is_large(c) ? atl_lower_input(lowering, c->filter_input) : lower_filter(lowering, c);
    if (filter < 0) {
        atl_release(s);
        return 0;
    }
    step.read[step.reads++] = filter;
    s->end = atl_lower_conv_epilogue(lowering, c, &step);
    atl_value_id result = atl_lower_output_strided(lowering, &s->w.out_pixel_stride);
    if (c->residual_input >= 0 && s->w.out_pixel_stride == s->w.out)
        atl_lower_over(lowering, result, step.read[s->end.residual]);
    step.write[step.writes++] = result;
    int64_t scratch =
        is_large(c) ? atl_kernels->winograd_large_scratch_floats(&s->w) : atl_kernels->winograd_scratch_floats(&s->w);
    step.write[step.writes++] = atl_lower_scratch(lowering, scratch * (int64_t)sizeof(float));
    atl_lower_conv_mask(lowering, c, &step, &s->end);
    return atl_lower_step(lowering, &step);
}
