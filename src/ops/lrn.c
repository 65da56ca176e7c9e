/* Local response normalisation over channels (Krizhevsky et al. 2012), with channels last. */
#include <math.h>

#include "graph/option.h"
#include "common/numbers.h"
#include "lowering/lowering.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"
#include "ops/attributes.h"
#include "ops/image.h"

/* S(x)_c = sum of x over the existing channels from c - radius to c + radius. */

/* ---- sums over channels ------------------------------------------------------------------------------------------ */

typedef struct window_job {
    int64_t pixels, channels, radius;
    const float *x;
    float *result;
} window_job;

/* The last dimension contains the channels; a radius beyond them covers all. */
static window_job window_job_of(const atl_node *y, int64_t radius)
{
    window_job job = {.channels = y->shape->size[y->shape->rank - 1]};
    job.pixels = job.channels ? atl_shape_count(*y->shape) / job.channels : 0;
    job.radius = radius < job.channels ? radius : job.channels;
    return job;
}

static double window_sum(const double *x, int64_t c, int64_t radius, int64_t channels)
{
    double sum = 0;
    for (int64_t k = atl_larger(0, c - radius); k <= atl_smaller(channels - 1, c + radius); k++)
        sum += x[k];
    return sum;
}

/* channel_window_sum(x) = S(x), which is linear and its own adjoint */
static bool infer_window_sum(atl_node *y)
{
    if (y->inputs[0]->shape->rank == 0)
        return atl_fail(y, "'%s' is a scalar, and has no channels", atl_name_of(y->inputs[0]));
    return atl_infer_same(y);
}

static void reference_window_sum(const atl_node *y, const double *const *x, double *result)
{
    window_job job = window_job_of(y, *(const int32_t *)y->attributes);
    for (int64_t p = 0; p < job.pixels; p++)
        for (int64_t c = 0; c < job.channels; c++)
            result[p * job.channels + c] = window_sum(x[0] + p * job.channels, c, job.radius, job.channels);
}

static void window_sum_pixels(const void *data, int64_t first, int64_t last)
{
    const window_job *job = data;
    for (int64_t p = first; p < last; p++)
        for (int64_t c = 0; c < job->channels; c++) {
            const float *x = job->x + p * job->channels;
            double sum = 0;
            for (int64_t k = atl_larger(0, c - job->radius); k <= atl_smaller(job->channels - 1, c + job->radius); k++)
                sum += (double)x[k];
            job->result[p * job->channels + c] = (float)sum;
        }
}

static void kernel_window_sum(const atl_node *y, const void *const *x, void *result)
{
    window_job job = window_job_of(y, *(const int32_t *)y->attributes);
    job.x = x[0];
    job.result = result;
    atl_parallel(job.pixels, job.pixels * job.channels * (2 * job.radius + 1), window_sum_pixels, &job);
}

static atl_node *channel_window_sum(atl_node *x, int32_t radius);

static atl_node *window_sum_gradient(atl_node *y, atl_node *dy)
{
    return channel_window_sum(dy, *(const int32_t *)y->attributes);
}

static void describe_window_sum(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "radius %d", *(const int32_t *)y->attributes);
}

static atl_node *sample_radius_1(atl_node *x) { return channel_window_sum(x, 1); }
static atl_node *sample_radius_9(atl_node *x) { return channel_window_sum(x, 9); }

static const atl_op channel_window_sum_op = {
    .name = "channel_window_sum",
    .arity = 1,
    .attributes = sizeof(int32_t),
    .infer = infer_window_sum,
    .gradient = {window_sum_gradient},
    .reference = reference_window_sum,
    .kernel = kernel_window_sum,
    .describe = describe_window_sum,
    .samples = (const atl_sample[]){{"radius 1", .unary = sample_radius_1, .input = {{2, {3, 5}}}, .inputs = 1},
                                    {"radius 9 of 4 channels", .unary = sample_radius_9, .input = {{4, {2, 2, 1, 4}}},
                                     .inputs = 1},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_rows_by_image}};
ATL_BUILTIN(channel_window_sum_op);
static atl_node *channel_window_sum(atl_node *x, int32_t radius)
{
    return ATL_APPLY(&channel_window_sum_op, &radius, x);
}

/* ---- normalisation ----------------------------------------------------------------------------------------------- */

static atl_normalization normalisation_of(const atl_node *y)
{
    const lrn_options *options = y->attributes;
    window_job window = window_job_of(y, options->radius);
    return (atl_normalization){.pixels = window.pixels,
                               .channels = window.channels,
                               .radius = window.radius,
                               .bias = options->bias,
                               .alpha = options->alpha,
                               .beta = options->beta,
                               .relu_grad = options->relu_gradient};
}

static bool infer_lrn(atl_node *y)
{
    const lrn_options *options = y->attributes;
    if (options->radius < 0)
        return atl_fail(y, "the radius %d is negative; the window has 2 * radius + 1 channels, an odd number",
                        options->radius);
    if (!(options->bias > 0) || isinf(options->bias))
        return atl_fail(y, "the bias %g must be positive: channels that are all zero are divided by a power of it",
                        (double)options->bias);
    if (!(options->alpha >= 0) || isinf(options->alpha))
        return atl_fail(y, "alpha %g must not be negative", (double)options->alpha);
    if (!isfinite(options->beta))
        return atl_fail(y, "beta %g must be a finite number", (double)options->beta);
    return atl_require_image(y, 0) && atl_infer_same(y);
}

static void describe_lrn(const atl_node *y, char *text, size_t size)
{
    const lrn_options *options = y->attributes;
    snprintf(text, size, "radius %d, bias %g, alpha %g, beta %g%s", options->radius, (double)options->bias,
             (double)options->alpha, (double)options->beta, options->relu_gradient ? ", gated" : "");
}

/* s = bias + alpha S(x^2), of channel c */
static double scale_of(const double *x, int64_t c, const atl_normalization *job)
{
    double sum = 0;
    for (int64_t k = atl_larger(0, c - job->radius); k <= atl_smaller(job->channels - 1, c + job->radius); k++)
        sum += x[k] * x[k];
    return (double)job->bias + (double)job->alpha * sum;
}

/* lrn(x) = x s^-beta.  dx = dy s^-beta - 2 alpha beta x S(dy x s^(-beta - 1)) = lrn_grad(dy, x) */
static void reference_lrn(const atl_node *y, const double *const *x, double *result)
{
    atl_normalization job = normalisation_of(y);
    for (int64_t p = 0; p < job.pixels; p++)
        for (int64_t c = 0; c < job.channels; c++) {
            const double *row = x[0] + p * job.channels;
            result[p * job.channels + c] = row[c] * pow(scale_of(row, c, &job), -(double)job.beta);
        }
}

static void reference_lrn_grad(const atl_node *y, const double *const *x, double *result)
{
    atl_normalization job = normalisation_of(y);
    double beta = (double)job.beta, factor = 2 * (double)job.alpha * beta;
    for (int64_t p = 0; p < job.pixels; p++) {
        const double *dy = x[0] + p * job.channels, *row = x[1] + p * job.channels;
        for (int64_t c = 0; c < job.channels; c++) {
            double sum = 0;
            for (int64_t k = atl_larger(0, c - job.radius); k <= atl_smaller(job.channels - 1, c + job.radius); k++)
                sum += dy[k] * row[k] * pow(scale_of(row, k, &job), -beta - 1);
            double whole = dy[c] * pow(scale_of(row, c, &job), -beta) - factor * row[c] * sum;
            result[p * job.channels + c] = job.relu_grad && !(row[c] > 0) ? 0 : whole;
        }
    }
}

/* For wider windows, which are rare: adds each channel that enters the sum and subtracts each that leaves it. */
static double slow_scale(const atl_normalization *job, const float *x, int64_t c)
{
    double sum = 0;
    for (int64_t k = atl_larger(0, c - job->radius); k <= atl_smaller(job->channels - 1, c + job->radius); k++)
        sum += (double)x[k] * (double)x[k];
    return (double)job->bias + (double)job->alpha * sum;
}

/* dy x s^(-beta - 1) of channel c; 0 if there is no such channel */
static double slow_term(const atl_normalization *job, const float *dy, const float *x, int64_t c)
{
    if (c < 0 || c >= job->channels)
        return 0;
    return (double)dy[c] * (double)x[c] * pow(slow_scale(job, x, c), -(double)job->beta - 1);
}

static void slow_pixel(const atl_normalization *job, const float *dy, const float *x, float *result)
{
    double beta = (double)job->beta, factor = 2 * (double)job->alpha * beta, sum = 0;
    for (int64_t c = 0; dy && c < job->radius; c++)
        sum += slow_term(job, dy, x, c);
    for (int64_t c = 0; c < job->channels; c++) {
        double power = pow(slow_scale(job, x, c), -beta);
        if (dy)
            sum += slow_term(job, dy, x, c + job->radius) - slow_term(job, dy, x, c - job->radius - 1);
        result[c] = (float)(dy ? (double)dy[c] * power - factor * (double)x[c] * sum : (double)x[c] * power);
    }
}

static void lrn_pixel(const atl_normalization *job, const float *dy, const float *x, float *result)
{
    if (job->radius > ATL_LRN_MAX_RADIUS)
        slow_pixel(job, dy, x, result);
    for (int64_t c = 0; c < job->channels && job->radius <= ATL_LRN_MAX_RADIUS; c += ATL_LRN_BLOCK)
        if (dy)
            atl_kernels->lrn_grad_block(job, dy, x, c, atl_smaller(c + ATL_LRN_BLOCK, job->channels), result);
        else
            atl_kernels->lrn_block(job, x, c, atl_smaller(c + ATL_LRN_BLOCK, job->channels), result);
    for (int64_t c = 0; c < job->channels && job->relu_grad; c++)
        result[c] = x[c] > 0 ? result[c] : 0;
}

static void lrn_pixels(const void *data, int64_t first, int64_t last)
{
    const atl_normalization *job = data;
    for (int64_t at = first * job->channels; at < last * job->channels; at += job->channels)
        lrn_pixel(job, job->dy ? job->dy + at : NULL, job->x + at, job->result + at);
}

static void kernel_lrn(const atl_node *y, const void *const *x, void *result)
{
    atl_normalization job = normalisation_of(y);
    job.x = x[0];
    job.result = result;
    atl_parallel(job.pixels, 4 * job.pixels * job.channels, lrn_pixels, &job);
}

static void kernel_lrn_grad(const atl_node *y, const void *const *x, void *result)
{
    atl_normalization job = normalisation_of(y);
    job.dy = x[0];
    job.x = x[1];
    job.result = result;
    atl_parallel(job.pixels, 8 * job.pixels * job.channels, lrn_pixels, &job);
}

static void pixels_in_vectors(const void *job, int64_t first, int64_t last)
{
    atl_kernels->lrn_vectors(job, first, last);
}

/* The gradient reads dy before x. */
static int run_in_vectors(const atl_plan_step *step, void *const *memory, void *bound)
{
    atl_normalization job = normalisation_of(step->data);
    (void)bound;
    job.x = memory[step->read[step->reads - 1]];
    job.dy = step->reads > 1 ? memory[step->read[0]] : NULL;
    job.result = memory[step->write[0]];
    atl_parallel(job.pixels, job.pixels * job.channels * (job.dy ? 8 : 4), pixels_in_vectors, &job);
    return 0;
}

static int lower_lrn(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    atl_normalization job = normalisation_of(y);
    if (!atl_kernels->lrn_fits_vectors(&job))
        return atl_lower_kernel(lowering);
    atl_plan_step step = {.implementation = "vectors", .run = run_in_vectors, .cannot_fail = 1, .data = (void *)y};
    for (int i = 0; i < y->input_count; i++)
        step.read[step.reads++] = atl_lower_input(lowering, i);
    step.write[step.writes++] = atl_lower_output(lowering);
    for (int i = 0; i < y->input_count; i++) /* a pixel is read before it is written */
        atl_lower_in_place(lowering, i);
    return atl_lower_step(lowering, &step);
}

static atl_node *lrn_grad(const lrn_options *options, atl_node *dy, atl_node *x);

static atl_node *lrn_gradient(atl_node *y, atl_node *dy)
{
    return lrn_grad(atl_attributes_of(y), dy, atl_input_of(y, 0));
}

static atl_node *sample_default(atl_node *x) { return atl_lrn(x); }
static atl_node *sample_cifar(atl_node *x) { return atl_lrn(x, .radius = 4, .alpha = 0.001f / 9, .beta = 0.75f); }
static atl_node *sample_strong(atl_node *x) { return atl_lrn(x, .radius = 1, .bias = 2, .alpha = 0.5f, .beta = 0.75f); }
static atl_node *sample_odd_power(atl_node *x) { return atl_lrn(x, .radius = 2, .bias = 0.5f, .beta = 1.3f); }
static atl_node *sample_reciprocal(atl_node *x) { return atl_lrn(x, .radius = 2, .bias = 1.5f, .beta = 1); }
static atl_node *sample_alone(atl_node *x) { return atl_lrn(x, ATL_ZERO, .alpha = 0.5f, .beta = 0.75f); }
static atl_node *sample_identity(atl_node *x) { return atl_lrn(x, .alpha = ATL_ZERO, .beta = ATL_ZERO); }
static atl_node *sample_nchw(atl_node *x) { return atl_lrn(x, .radius = 1, .layout = ATL_NCHW); }
static atl_node *sample_beyond(atl_node *x) { return atl_lrn(x, .radius = 1000); }
static atl_node *sample_negative(atl_node *x) { return atl_lrn(x, .radius = -2); }
static atl_node *sample_bias(atl_node *x) { return atl_lrn(x, .bias = -1); }
static atl_node *sample_alpha(atl_node *x) { return atl_lrn(x, .alpha = -1); }
static atl_node *sample_beta(atl_node *x) { return atl_lrn(x, .beta = INFINITY); }

static const atl_op lrn_op = {
    .name = "lrn",
    .arity = 1,
    .attributes = sizeof(lrn_options),
    .infer = infer_lrn,
    .gradient = {lrn_gradient},
    .reference = reference_lrn,
    .kernel = kernel_lrn,
    .describe = describe_lrn,
    .samples =
        (const atl_sample[]){
            {"default", .unary = sample_default, .input = {{4, {2, 3, 2, 14}, -2, 2}}, .inputs = 1},
            {"as for CIFAR-10", .unary = sample_cifar, .input = {{4, {2, 2, 3, 64}, -30, 30}}, .inputs = 1},
            {"radius 1", .unary = sample_strong, .input = {{4, {1, 3, 4, 5}, -2, 2}}, .inputs = 1},
            {"each channel by itself", .unary = sample_alone, .input = {{4, {1, 3, 4, 5}, -2, 2}}, .inputs = 1},
            {"alpha and beta 0", .unary = sample_identity, .input = {{4, {1, 3, 2, 5}, -2, 2}}, .inputs = 1},
            {"one channel", .unary = sample_strong, .input = {{4, {2, 3, 2, 1}, -2, 2}}, .inputs = 1},
            {"beta 1.3", .unary = sample_odd_power, .input = {{4, {2, 2, 2, 7}, -2, 2}}, .inputs = 1},
            {"beta 1", .unary = sample_reciprocal, .input = {{4, {2, 2, 2, 7}, -2, 2}}, .inputs = 1},
            {"NCHW", .unary = sample_nchw, .input = {{4, {2, 7, 2, 3}, -2, 2}}, .inputs = 1},
            {"radius beyond the channels", .unary = sample_beyond, .input = {{4, {2, 2, 2, 6}, -2, 2}}, .inputs = 1},
            {"more channels than a block", .unary = sample_cifar, .input = {{4, {1, 1, 2, 1030}, -30, 30}}, .inputs = 1,
             .no_gradient = 1},
            {"negative radius", .unary = sample_negative, .input = {{4, {1, 2, 2, 3}}}, .inputs = 1,
             .error = "radius -2"},
            {"negative bias", .unary = sample_bias, .input = {{4, {1, 2, 2, 3}}}, .inputs = 1, .error = "bias -1"},
            {"negative alpha", .unary = sample_alpha, .input = {{4, {1, 2, 2, 3}}}, .inputs = 1, .error = "alpha -1"},
            {"infinite beta", .unary = sample_beta, .input = {{4, {1, 2, 2, 3}}}, .inputs = 1, .error = "beta"},
            {"two dimensions", .unary = sample_default, .input = {{2, {2, 3}}}, .inputs = 1,
             .error = "four dimensions"},
            {"NCHW of two dimensions", .unary = sample_nchw, .input = {{2, {2, 3}}}, .inputs = 1,
             .error = "four dimensions"},
            {"int32", .unary = sample_default, .input = {{4, {1, 2, 2, 3}, 0, 9, 1}}, .inputs = 1,
             .error = "must be float32"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_first_by_image, .lower = lower_lrn}};
ATL_BUILTIN(lrn_op);

atl_node *atl_lrn_with(const atl_lrn_args *args)
{
    if (!args)
        return atl_null_argument("atl_lrn", "the options are"), NULL;
    lrn_options options = {.radius = (int32_t)atl_option(args->radius, 5),
                           .bias = (float)atl_option(args->bias, 1),
                           .alpha = (float)atl_option(args->alpha, 1),
                           .beta = (float)atl_option(args->beta, 0.5)};
    atl_node *image = atl_image_to_nhwc(args->image, args->layout, lrn_op.name);
    return atl_image_from_nhwc(ATL_APPLY(&lrn_op, &options, image), args->layout);
}

/* lrn_grad(dy, x): in one pass; to differentiate it, it is expanded into ops. */
static bool infer_lrn_grad(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[1]->shape); }

static atl_node *expand_lrn_grad(atl_node *y)
{
    const lrn_options *options = y->attributes;
    atl_node *dy = atl_input_of(y, 0), *x = atl_input_of(y, 1);
    atl_node *sum = channel_window_sum(atl_square(x), options->radius);
    atl_node *s = atl_add(atl_scale(sum, options->alpha), atl_scalar(x, options->bias));
    atl_node *direct = atl_mul(dy, atl_pow(s, atl_scalar(x, -options->beta)));
    atl_node *shared = channel_window_sum(atl_div(atl_mul(direct, x), s), options->radius);
    atl_node *dx = atl_sub(direct, atl_scale(atl_mul(x, shared), 2 * options->alpha * options->beta));
    return options->relu_gradient ? atl_relu_grad(dx, x) : dx;
}

/* With the gradient of a relu before the LRN, whose mask is x. */
static atl_node *lrn_relu_grad(atl_node *y, atl_node *other, atl_node *by, float limit, int winograd)
{
    (void)winograd;
    lrn_options options = *(const lrn_options *)y->attributes;
    options.relu_gradient = 1;
    return by == y->inputs[1] && !other && isinf(limit) ? lrn_grad(&options, y->inputs[0], by) : NULL;
}

static atl_node *sample_lrn_grad(atl_node *dy, atl_node *x)
{
    return lrn_grad(&(lrn_options){.radius = 2, .bias = 1, .alpha = 0.5f, .beta = 0.75f}, dy, x);
}

static atl_node *sample_relu_grad(atl_node *dy, atl_node *x)
{
    return lrn_grad(&(lrn_options){.radius = 1, .bias = 2, .alpha = 0.5f, .beta = 0.5f, .relu_gradient = 1}, dy, x);
}

static const atl_op lrn_grad_op = {
    .name = "lrn_grad",
    .arity = 2,
    .attributes = sizeof(lrn_options),
    .infer = infer_lrn_grad,
    .expand = expand_lrn_grad,
    .reference = reference_lrn_grad,
    .kernel = kernel_lrn_grad,
    .describe = describe_lrn,
    .samples =
        (const atl_sample[]){{"radius 2", .binary = sample_lrn_grad,
                              .input = {{4, {2, 2, 3, 6}}, {4, {2, 2, 3, 6}, -2, 2}}, .inputs = 2},
                             {"16 channels", .binary = sample_lrn_grad,
                              .input = {{4, {2, 1, 2, 16}}, {4, {2, 1, 2, 16}, -2, 2}}, .inputs = 2},
                             {"open", .binary = sample_relu_grad,
                              .input = {{4, {2, 2, 1, 32}}, {4, {2, 2, 1, 32}, 0.1f, 2}}, .inputs = 2},
                             {"shut", .binary = sample_relu_grad,
                              .input = {{4, {2, 2, 1, 5}}, {4, {2, 2, 1, 5}, -2, -0.1f}}, .inputs = 2},
                             {"open and shut", .binary = sample_relu_grad,
                              .input = {{4, {2, 2, 3, 48}}, {4, {2, 2, 3, 48}, -2, 2}}, .inputs = 2, .no_gradient = 1},
                             {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image, .lower = lower_lrn, .with_relu_grad = lrn_relu_grad}};
ATL_BUILTIN(lrn_grad_op);

static atl_node *lrn_grad(const lrn_options *options, atl_node *dy, atl_node *x)
{
    return ATL_APPLY(&lrn_grad_op, options, dy, x);
}
