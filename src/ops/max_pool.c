/* The maximum of each window of each channel, and its gradient.
 *
 * max_pool2d_grad and max_pool2d_gather are linear in their first input and adjoint to each other, so pooling has
 * gradients of any order. */
#include <math.h>

#include "kernels/kernels.h"
#include "kernels/parallel.h"
#include "ops/max_pool_step.h"
#include "ops/pool.h"
#include "ops/pool_samples.h"

/* The index of the maximum; of equal ones the first in row order; of the first NaN, if there is one. */
static int64_t largest_in(const pool *p, int64_t n, pool_taps v, pool_taps h, int64_t c, const double *x)
{
    int64_t best = pool_index(p, n, v.first, h.first, c);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            if (x[pool_index(p, n, i, j, c)] > x[best] || (isnan(x[pool_index(p, n, i, j, c)]) && !isnan(x[best])))
                best = pool_index(p, n, i, j, c);
    return best;
}

/* max_pool2d(x): the maximum of each window, NaN if the window contains one; padding is never the maximum.  dx =
 * max_pool2d_grad(dy, x, y) */
static void visit_max(const pool *p, int64_t to, int64_t n, pool_taps v, pool_taps h, int64_t c, const double *const *x,
                      double *result)
{
    result[to] = x[0][largest_in(p, n, v, h, c, x[0])];
}

static void reference_max(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[0]);
    pool_visit_all(&p, visit_max, x, result);
}

/* The maximum of a window, for n channels, beginning with the channel at x. */
static void largest_of_window(const pool *p, const float *image, pool_taps v, pool_taps h, int64_t n, float *best)
{
    memcpy(best, image + pool_index(p, 0, v.first, h.first, 0), (size_t)n * sizeof *best);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            atl_kernels->keep_larger(n, image + pool_index(p, 0, i, j, 0), best);
}

/* Ranges of rows of the result, over all images. */
static void max_rows(const void *job, int64_t first, int64_t last)
{
    const pool *p = job;
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t row = first; row < last; row++) {
        const float *image = p->x + pool_index(p, row / height, 0, 0, 0);
        pool_taps v = pool_taps_of(&p->window[0], row % height);
        for (int64_t o = 0; o < width; o++)
            largest_of_window(p, image, v, pool_taps_of(&p->window[1], o), p->channels,
                              p->result + (row * width + o) * p->channels);
    }
}

static void kernel_max(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[0]);
    p.x = x[0];
    p.result = result;
    atl_parallel(p.batch * p.window[0].output, pool_work(&p), max_rows, &p);
}

static atl_node *max_pool2d_gradient(atl_node *y, atl_node *dy);
static atl_node *max_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x, atl_node *y);
static atl_node *max_pool2d_gather(atl_node *of, atl_node *g, atl_node *x, atl_node *y);

POOL_SAMPLES(max, atl_max_pool2d);

static int lower_max(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    pool p = pool_of(y, y->inputs[0]);
    return atl_can_pool_in_steps(lowering, &p, 0) ? atl_lower_max_pool(lowering, &p) : pool_lower(lowering, 0);
}

/* Without the positions, because y is not computed in this program, the gradient looks for the maxima again. */
static int lower_max_grad(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    pool p = pool_of(y, y->inputs[1]);
    return atl_can_pool_in_steps(lowering, &p, 1) && atl_lower_workspace_of(lowering, 2) >= 0
               ? atl_lower_max_pool_gradient(lowering, &p)
               : pool_lower_grad(lowering, 0);
}

static const atl_op max_pool2d_op = {.name = "max_pool2d",
                                     .arity = 1,
                                     .attributes = sizeof(pool_options),
                                     .infer = pool_infer,
                                     .gradient = {max_pool2d_gradient},
                                     .reference = reference_max,
                                     .kernel = kernel_max,
                                     .describe = pool_describe,
                                     .samples = max_samples,
                                     .hooks = &(const atl_op_hooks){.by_image = atl_first_by_image,
                                                                    .lower = lower_max,
                                                                    .blocked_benefit = pool_blocked_benefit}};
ATL_BUILTIN(max_pool2d_op);

atl_node *atl_max_pool2d_with(const atl_pool2d_args *args)
{
    if (!args)
        return atl_null_argument("atl_max_pool2d", "the options are"), NULL;
    return pool_build(&max_pool2d_op, args);
}

static atl_node *max_pool2d_gradient(atl_node *y, atl_node *dy)
{
    return max_pool2d_grad(y, dy, atl_input_of(y, 0), y);
}

/* max_pool2d_grad(dy, x, y): adds each dy at the position of the maximum of its window; zero elsewhere.  Its gradient
 * with respect to dy is max_pool2d_gather; it does not depend on small changes of x. */
static void visit_max_grad(const pool *p, int64_t to, int64_t n, pool_taps v, pool_taps h, int64_t c,
                           const double *const *x, double *result)
{
    result[largest_in(p, n, v, h, c, x[1])] += x[0][to];
}

static void reference_max_grad(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[1]);
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * sizeof *result);
    pool_visit_all(&p, visit_max_grad, x, result);
}

/* One window, n <= POOL_BLOCK channels. */
static void max_grad_of_window(const pool *p, const float *image, pool_taps v, pool_taps h, int64_t n, const float *dy,
                               float *dx)
{
    float best[POOL_BLOCK], waiting[POOL_BLOCK];
    largest_of_window(p, image, v, h, n, best);
    for (int64_t c = 0; c < n; c++)
        waiting[c] = 1;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++) {
            int64_t at = pool_index(p, 0, i, j, 0);
            atl_kernels->add_where_largest(n, image + at, best, dy, waiting, dx + at);
        }
}

static void max_grad_maps(const void *job, int64_t first, int64_t last)
{
    pool_scatter(job, first, last, max_grad_of_window);
}

static void kernel_max_grad(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[1]);
    p.dy = x[0];
    p.x = x[1];
    p.result = result;
    atl_parallel(p.batch * pool_blocks(&p), pool_work(&p), max_grad_maps, &p);
}

static atl_node *nothing_flows(atl_node *y, atl_node *dy)
{
    (void)y, (void)dy;
    return NULL;
}

static atl_node *max_grad_by_adjoint(atl_node *y, atl_node *g)
{
    return max_pool2d_gather(y, g, atl_input_of(y, 1), atl_input_of(y, 2));
}

static atl_node *sample_max_grad(atl_node *dy, atl_node *x)
{
    atl_node *y = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2});
    return max_pool2d_grad(y, dy, x, y);
}

static const atl_op pool_max_grad_op = {
    .name = "max_pool2d_grad",
    .arity = 3,
    .attributes = sizeof(pool_options),
    .shape_inputs = 1 << 2,
    .infer = pool_infer_grad,
    .gradient = {max_grad_by_adjoint, nothing_flows},
    .reference = reference_max_grad,
    .kernel = kernel_max_grad,
    .describe = pool_describe,
    .samples = (const atl_sample[]){{"windows that overlap", .binary = sample_max_grad,
                                     .input = {{4, {2, 3, 4, 5}}, {4, {2, 6, 7, 5}, -8, 8}}, .inputs = 2},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image,
                                   .workspace_inputs = 1 << 2,
                                   .lower = lower_max_grad,
                                   .blocked_benefit = pool_grad_blocked_benefit}};
ATL_BUILTIN(pool_max_grad_op);

/* `of` is any of these ops with the same attributes. */
static atl_node *max_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x, atl_node *y)
{
    return of ? ATL_APPLY(&pool_max_grad_op, atl_attributes_of(of), dy, x, y) : NULL;
}

/* max_pool2d_gather(g, x, y): the element of g at the maximum of each window of x; of y's shape.  Its gradient with
 * respect to g is max_pool2d_grad. */
static bool infer_pick(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[2]->shape); }

static void visit_pick(const pool *p, int64_t to, int64_t n, pool_taps v, pool_taps h, int64_t c,
                       const double *const *x, double *result)
{
    result[to] = x[0][largest_in(p, n, v, h, c, x[1])];
}

static void reference_pick(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[1]);
    pool_visit_all(&p, visit_pick, x, result);
}

static void pick_of_window(const pool *p, const float *x, const float *g, pool_taps v, pool_taps h, int64_t n,
                           float *picked)
{
    float best[POOL_BLOCK];
    int64_t start = pool_index(p, 0, v.first, h.first, 0);
    memcpy(best, x + start, (size_t)n * sizeof *best);
    memcpy(picked, g + start, (size_t)n * sizeof *picked);
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            atl_kernels->pick_where_larger(n, x + pool_index(p, 0, i, j, 0), g + pool_index(p, 0, i, j, 0), best,
                                           picked);
}

static void pick_rows(const void *job, int64_t first, int64_t last)
{
    const pool *p = job;
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t row = first; row < last; row++)
        for (int64_t o = 0; o < width; o++)
            for (int64_t from = 0; from < p->channels; from += POOL_BLOCK) {
                int64_t n = p->channels - from < POOL_BLOCK ? p->channels - from : POOL_BLOCK;
                int64_t start = pool_index(p, row / height, 0, 0, from);
                pick_of_window(p, p->x + start, p->dy + start, pool_taps_of(&p->window[0], row % height),
                               pool_taps_of(&p->window[1], o), n, p->result + (row * width + o) * p->channels + from);
            }
}

static void kernel_pick(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[1]);
    p.dy = x[0];
    p.x = x[1];
    p.result = result;
    atl_parallel(p.batch * p.window[0].output, pool_work(&p), pick_rows, &p);
}

static atl_node *pick_by_picked(atl_node *y, atl_node *g)
{
    return max_pool2d_grad(y, g, atl_input_of(y, 1), atl_input_of(y, 2));
}

static atl_node *sample_pick(atl_node *g, atl_node *x)
{
    atl_node *y = atl_max_pool2d(x, .window = {3, 3}, .stride = {2, 2});
    return max_pool2d_gather(y, g, x, y);
}

static const atl_op max_pool2d_gather_op = {
    .name = "max_pool2d_gather",
    .arity = 3,
    .attributes = sizeof(pool_options),
    .shape_inputs = 1 << 2,
    .infer = infer_pick,
    .gradient = {pick_by_picked, nothing_flows},
    .reference = reference_pick,
    .kernel = kernel_pick,
    .describe = pool_describe,
    .samples = (const atl_sample[]){{"windows that overlap", .binary = sample_pick,
                                     .input = {{4, {2, 6, 7, 5}}, {4, {2, 6, 7, 5}, -8, 8}}, .inputs = 2},
                                    {"70 channels", .binary = sample_pick,
                                     .input = {{4, {1, 3, 4, 70}}, {4, {1, 3, 4, 70}, -8, 8}}, .inputs = 2},
                                    {0}},
};
ATL_BUILTIN(max_pool2d_gather_op);

static atl_node *max_pool2d_gather(atl_node *of, atl_node *g, atl_node *x, atl_node *y)
{
    return of ? ATL_APPLY(&max_pool2d_gather_op, atl_attributes_of(of), g, x, y) : NULL;
}
