/* The mean of each window of each channel, and its gradient.  avg_pool2d and avg_pool2d_grad are linear and adjoint to
 * each other, so pooling has gradients of any order. */
#include "kernels/kernels.h"
#include "kernels/parallel.h"
#include "ops/pool.h"
#include "ops/pool_samples.h"

/* avg_pool2d(x): the mean of each window; padding does not count.  dx = avg_pool2d_grad(dy, x) */
static void visit_avg(const pool *p, int64_t to, int64_t n, pool_taps v, pool_taps h, int64_t c, const double *const *x,
                      double *result)
{
    double sum = 0;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            sum += x[0][pool_index(p, n, i, j, c)];
    result[to] = sum / (double)((v.last - v.first) * (h.last - h.first));
}

static void reference_avg(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[0]);
    pool_visit_all(&p, visit_avg, x, result);
}

static void avg_rows(const void *job, int64_t first, int64_t last)
{
    const pool *p = job;
    int64_t height = p->window[0].output, width = p->window[1].output;
    for (int64_t row = first; row < last; row++)
        for (int64_t o = 0; o < width; o++) {
            float *mean = p->result + (row * width + o) * p->channels;
            pool_taps v = pool_taps_of(&p->window[0], row % height), h = pool_taps_of(&p->window[1], o);
            float share = 1.0f / (float)((v.last - v.first) * (h.last - h.first));
            memset(mean, 0, (size_t)p->channels * sizeof *mean);
            for (int64_t i = v.first; i < v.last; i++)
                for (int64_t j = h.first; j < h.last; j++)
                    atl_kernels->add_scaled(p->channels, share, p->x + pool_index(p, row / height, i, j, 0), mean);
        }
}

static void kernel_avg(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[0]);
    p.x = x[0];
    p.result = result;
    atl_parallel(p.batch * p.window[0].output, pool_work(&p), avg_rows, &p);
}

static atl_node *avg_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x);

static atl_node *avg_pool2d_gradient(atl_node *y, atl_node *dy) { return avg_pool2d_grad(y, dy, atl_input_of(y, 0)); }

POOL_SAMPLES(avg, atl_avg_pool2d);

static int lower_avg(atl_lowering *lowering) { return pool_lower(lowering, 1); }
static int lower_avg_grad(atl_lowering *lowering) { return pool_lower_grad(lowering, 1); }

static const atl_op avg_pool2d_op = {.name = "avg_pool2d",
                                     .arity = 1,
                                     .attributes = sizeof(pool_options),
                                     .infer = pool_infer,
                                     .gradient = {avg_pool2d_gradient},
                                     .reference = reference_avg,
                                     .kernel = kernel_avg,
                                     .describe = pool_describe,
                                     .samples = avg_samples,
                                     .hooks = &(const atl_op_hooks){.by_image = atl_first_by_image,
                                                                    .lower = lower_avg,
                                                                    .blocked_benefit = pool_blocked_benefit}};
ATL_BUILTIN(avg_pool2d_op);

atl_node *atl_avg_pool2d_with(const atl_pool2d_args *args)
{
    if (!args)
        return atl_null_argument("atl_avg_pool2d", "the options are"), NULL;
    return pool_build(&avg_pool2d_op, args);
}

/* avg_pool2d_grad(dy, x): distributes each dy evenly over its window.  Its gradient with respect to dy is avg_pool2d;
 * only the shape of x is used. */
static void visit_avg_grad(const pool *p, int64_t to, int64_t n, pool_taps v, pool_taps h, int64_t c,
                           const double *const *x, double *result)
{
    double share = x[0][to] / (double)((v.last - v.first) * (h.last - h.first));
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            result[pool_index(p, n, i, j, c)] += share;
}

static void reference_avg_grad(const atl_node *y, const double *const *x, double *result)
{
    pool p = pool_of(y, y->inputs[1]);
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * sizeof *result);
    pool_visit_all(&p, visit_avg_grad, x, result);
}

static void avg_grad_of_window(const pool *p, const float *image, pool_taps v, pool_taps h, int64_t n, const float *dy,
                               float *dx)
{
    float share = 1.0f / (float)((v.last - v.first) * (h.last - h.first));
    (void)image;
    for (int64_t i = v.first; i < v.last; i++)
        for (int64_t j = h.first; j < h.last; j++)
            atl_kernels->add_scaled(n, share, dy, dx + pool_index(p, 0, i, j, 0));
}

static void avg_grad_maps(const void *job, int64_t first, int64_t last)
{
    pool_scatter(job, first, last, avg_grad_of_window);
}

static void kernel_avg_grad(const atl_node *y, const void *const *x, void *result)
{
    pool p = pool_of(y, y->inputs[1]);
    p.dy = x[0];
    p.result = result;
    atl_parallel(p.batch * pool_blocks(&p), pool_work(&p), avg_grad_maps, &p);
}

static atl_node *avg_grad_by_adjoint(atl_node *y, atl_node *g)
{
    return ATL_APPLY(&avg_pool2d_op, atl_attributes_of(y), g);
}

static atl_node *sample_avg_grad(atl_node *dy, atl_node *x)
{
    return avg_pool2d_grad(atl_avg_pool2d(x, .window = {3, 3}, .stride = {2, 2}), dy, x);
}

static const atl_op pool_avg_grad_op = {
    .name = "avg_pool2d_grad",
    .arity = 2,
    .attributes = sizeof(pool_options),
    .shape_inputs = 1 << 1,
    .infer = pool_infer_grad,
    .gradient = {avg_grad_by_adjoint},
    .reference = reference_avg_grad,
    .kernel = kernel_avg_grad,
    .describe = pool_describe,
    .samples = (const atl_sample[]){{"windows that overlap", .binary = sample_avg_grad,
                                     .input = {{4, {2, 3, 4, 5}}, {4, {2, 6, 7, 5}}}, .inputs = 2},
                                    {"70 channels", .binary = sample_avg_grad,
                                     .input = {{4, {1, 2, 2, 70}}, {4, {1, 4, 4, 70}}}, .inputs = 2},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image,
                                   .lower = lower_avg_grad,
                                   .blocked_benefit = pool_grad_blocked_benefit}};
ATL_BUILTIN(pool_avg_grad_op);

static atl_node *avg_pool2d_grad(atl_node *of, atl_node *dy, atl_node *x)
{
    return of ? ATL_APPLY(&pool_avg_grad_op, atl_attributes_of(of), dy, x) : NULL;
}
