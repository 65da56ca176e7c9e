/* Layer normalisation (Ba, Kiros & Hinton 2016): rows with mean 0 and variance 1, in one pass over memory; a scale and
 * a shift are ops of their own. */
#include "graph/option.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"
#include "ops/layer_norm.h"

/* ---- normalize_rows(x) = (x - mean) / sqrt(variance + epsilon), of each row along the last dimension ---- */

static bool infer_rows(atl_node *y)
{
    for (int i = 0; i < y->input_count; i++)
        if (!atl_require_float(y, i, "the input"))
            return 0;
    return atl_set_type(y, ATL_FLOAT32, *y->inputs[y->input_count - 1]->shape);
}

static float epsilon_of(const atl_node *y) { return *(const float *)y->attributes; }

/* As other ops: with them it is differentiated twice, and written to ONNX files. */
static atl_node *deviation_of(atl_node *x) { return atl_sub(x, atl_reduce_mean(x, ATL_AXES(-1), .keep = 1)); }
static atl_node *factor_of(atl_node *deviation, float epsilon)
{
    atl_node *variance = atl_reduce_mean(atl_square(deviation), ATL_AXES(-1), .keep = 1);
    return atl_rsqrt(atl_add(variance, atl_scalar(deviation, epsilon)));
}

static atl_node *expand_rows(atl_node *y)
{
    atl_node *deviation = deviation_of(atl_input_of(y, 0));
    return atl_mul(deviation, factor_of(deviation, epsilon_of(y)));
}

static atl_node *expand_rows_grad(atl_node *y)
{
    atl_node *dy = atl_input_of(y, 0), *deviation = deviation_of(atl_input_of(y, 1));
    atl_node *factor = factor_of(deviation, epsilon_of(y)), *rows = atl_mul(deviation, factor);
    atl_node *along = atl_mul(rows, atl_reduce_mean(atl_mul(dy, rows), ATL_AXES(-1), .keep = 1));
    return atl_mul(atl_sub(deviation_of(dy), along), factor);
}

atl_rows_job atl_rows_job_of(const atl_node *y, float epsilon)
{
    atl_rows_job job = {.width = y->shape->size[y->shape->rank - 1], .epsilon = epsilon};
    job.count = job.width ? atl_shape_count(*y->shape) / job.width : 0;
    return job;
}

static void normalize_some(const void *data, int64_t first, int64_t last)
{
    const atl_rows_job *job = data;
    for (int64_t at = first * job->width; at < last * job->width; at += job->width) {
        const float *addend = job->addend ? job->addend + at : NULL;
        if (job->dy)
            atl_kernels->normalize_grad_row(job->width, job->epsilon, job->dy + at, job->x + at, addend,
                                            job->result + at);
        else
            atl_kernels->normalize_row(job->width, job->epsilon, job->x + at, job->scale, job->shift, addend,
                                       job->result + at);
    }
}

void atl_normalize_rows(const atl_rows_job *job)
{
    atl_parallel(job->count, (job->dy ? 4 : 2) * job->count * job->width, normalize_some, job);
}

static void kernel_rows(const atl_node *y, const void *const *x, void *result)
{
    atl_rows_job job = atl_rows_job_of(y, epsilon_of(y));
    job.x = x[0];
    job.result = result;
    atl_normalize_rows(&job);
}

static void kernel_rows_grad(const atl_node *y, const void *const *x, void *result)
{
    atl_rows_job job = atl_rows_job_of(y, epsilon_of(y));
    job.dy = x[0];
    job.x = x[1];
    job.result = result;
    atl_normalize_rows(&job);
}

/* Of one row: its mean, and 1 / sqrt(variance + epsilon). */
static void reference_moments(const double *x, int64_t n, double epsilon, double *mean, double *factor)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - sum / (double)n) * (x[i] - sum / (double)n);
    *mean = sum / (double)n;
    *factor = 1 / sqrt(square / (double)n + epsilon);
}

static void reference_rows(const atl_node *y, const double *const *x, double *result)
{
    const atl_rows_job job = atl_rows_job_of(y, epsilon_of(y));
    for (int64_t r = 0; r < job.count; r++) {
        double mean, factor;
        reference_moments(x[0] + r * job.width, job.width, (double)job.epsilon, &mean, &factor);
        for (int64_t i = r * job.width; i < (r + 1) * job.width; i++)
            result[i] = (x[0][i] - mean) * factor;
    }
}

static void reference_rows_grad(const atl_node *y, const double *const *x, double *result)
{
    const atl_rows_job job = atl_rows_job_of(y, epsilon_of(y));
    double n = (double)job.width;
    for (int64_t r = 0; r < job.count; r++) {
        double mean, factor, sum = 0, product = 0;
        reference_moments(x[1] + r * job.width, job.width, (double)job.epsilon, &mean, &factor);
        for (int64_t i = r * job.width; i < (r + 1) * job.width; i++) {
            sum += x[0][i];
            product += x[0][i] * (x[1][i] - mean) * factor;
        }
        for (int64_t i = r * job.width; i < (r + 1) * job.width; i++)
            result[i] = (x[0][i] - sum / n - (x[1][i] - mean) * factor * product / n) * factor;
    }
}

static void describe_rows(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "epsilon %g", (double)epsilon_of(y));
}

static atl_node *rows_grad(atl_node *dy, atl_node *x, float epsilon);
static atl_node *rows_gradient(atl_node *y, atl_node *dy) { return rows_grad(dy, atl_input_of(y, 0), epsilon_of(y)); }
static atl_node *sample_rows(atl_node *x);
static atl_node *sample_rows_grad(atl_node *dy, atl_node *x) { return rows_grad(dy, x, 0.01f); }

static const atl_op normalize_rows_op = {
    .name = "normalize_rows",
    .arity = 1,
    .attributes = sizeof(float),
    .infer = infer_rows,
    .gradient = {rows_gradient},
    .expand = expand_rows,
    .reference = reference_rows,
    .kernel = kernel_rows,
    .describe = describe_rows,
    .samples = (const atl_sample[]){{"two rows", .unary = sample_rows, .input = {{2, {2, 5}}}, .inputs = 1},
                                    {"of 19", .unary = sample_rows, .input = {{3, {2, 3, 19}, 5, 9}}, .inputs = 1},
                                    {"of int32", .unary = sample_rows, .input = {{1, {3}, 1, 4, 1}}, .inputs = 1,
                                     .error = "int32"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_rows_by_image,
                                   .with_epilogue = atl_rows_with_epilogue,
                                   .multiplied = atl_rows_multiplied}};
ATL_BUILTIN(normalize_rows_op);
static atl_node *sample_rows(atl_node *x)
{
    const float epsilon = 0.01f;
    return ATL_APPLY(&normalize_rows_op, &epsilon, x);
}

static const atl_op normalize_rows_grad_op = {
    .name = "normalize_rows_grad",
    .arity = 2,
    .attributes = sizeof(float),
    .infer = infer_rows,
    .expand = expand_rows_grad,
    .reference = reference_rows_grad,
    .kernel = kernel_rows_grad,
    .describe = describe_rows,
    .samples =
        (const atl_sample[]){{"two rows", .binary = sample_rows_grad, .input = {{2, {2, 5}}, {2, {2, 5}}}, .inputs = 2},
                             {"of 19", .binary = sample_rows_grad, .input = {{3, {2, 3, 19}}, {3, {2, 3, 19}, 5, 9}},
                              .inputs = 2},
                             {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_rows_by_image, .with_epilogue = atl_rows_with_epilogue}};
ATL_BUILTIN(normalize_rows_grad_op);
static atl_node *rows_grad(atl_node *dy, atl_node *x, float epsilon)
{
    return ATL_APPLY(&normalize_rows_grad_op, &epsilon, dy, x);
}

/* ---- layer_norm -------------------------------------------------------------------------------------------------- */

static int check_vector(const atl_node *x, const atl_node *vector, const char *what)
{
    if (!vector || atl_shapes_agree(*vector->shape, ATL_SHAPE(x->shape->size[x->shape->rank - 1])))
        return 1;
    atl_builder_error(
        x->graph, "layer_norm",
        "the %s, '%s', is %s, but the input, '%s', is %s: it must have one element for each of its last dimension",
        what, atl_name_of(vector), SHAPE_OF(vector), atl_name_of(x), SHAPE_OF(x));
    return 0;
}

static int check(const atl_layer_norm_args *args)
{
    const atl_node *x = args->x;
    if (x->shape->rank < 1)
        return atl_builder_error(x->graph, "layer_norm",
                                 "the input, '%s', is a scalar; the last dimension is normalised",
                                 atl_name_of(x)) != NULL;
    double epsilon = atl_option(args->epsilon, 1e-5);
    if (!(epsilon >= 0) || isinf(epsilon))
        return atl_builder_error(x->graph, "layer_norm", "epsilon is %g; it must not be negative", epsilon) != NULL;
    return check_vector(x, args->scale, "scale") && check_vector(x, args->shift, "shift");
}

/* scale * (x - mean) / sqrt(variance + epsilon) + shift, with mean and variance of each row */
atl_node *atl_layer_norm_with(const atl_layer_norm_args *args)
{
    if (!args)
        return atl_null_argument("atl_layer_norm", "the options are"), NULL;
    if (!args->x || !check(args))
        return NULL;
    atl_graph *graph = args->x->graph;
    atl_enter(graph, "layer_norm");
    const float epsilon = (float)atl_option(args->epsilon, 1e-5);
    atl_node *y = ATL_APPLY(&normalize_rows_op, &epsilon, args->x);
    if (args->scale)
        y = atl_mul(y, args->scale);
    if (args->shift)
        y = atl_add(y, args->shift);
    atl_leave(graph);
    return y;
}

static atl_node *sample_all(atl_node *const *x) { return atl_layer_norm(x[0], x[1], x[2]); }
static atl_node *sample_plain(atl_node *x) { return atl_layer_norm(x, .epsilon = 0.1f); }

static const atl_op layer_norm_composed = {
    .name = "layer_norm",
    .samples =
        (const atl_sample[]){{"rows", .build = sample_all, .input = {{2, {3, 5}}, {1, {5}}, {1, {5}}}, .inputs = 3},
                             {"sequences", .build = sample_all, .input = {{3, {2, 3, 4}}, {1, {4}}, {1, {4}}},
                              .inputs = 3},
                             {"without scale and shift", .unary = sample_plain, .input = {{2, {3, 5}}}, .inputs = 1},
                             {"4 scales for 5", .build = sample_all, .input = {{2, {3, 5}}, {1, {4}}, {1, {5}}},
                              .inputs = 3, .error = "[4]"},
                             {"scalar", .unary = sample_plain, .input = {{0}}, .inputs = 1, .error = "is a scalar"},
                             {0}}};
ATL_COMPOSED(layer_norm_composed);
