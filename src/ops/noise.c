/* Random numbers as nodes, and dropout, which is composed of them.
 *
 * Element i is a function of the seed, the counter's value and i alone (graph/random.h): it is the same in any order of
 * computation, and for any number of threads. */
#include "cost/cost.h"
#include "graph/option.h"
#include "graph/random.h"
#include "ops/ops.h"
#include "kernels/parallel.h"

typedef struct noise_attributes {
    uint64_t seed;
    float a, b; /* low and high; or mean and deviation */
} noise_attributes;

typedef struct noise_job {
    uint64_t stream;
    float a, b;
    float *result;
} noise_job;

static bool infer_noise(atl_node *y)
{
    if (!atl_require_int(y, 1, "the counter"))
        return 0;
    if (atl_shape_count(*y->inputs[1]->shape) != 1)
        return atl_fail(y, "the counter, '%s', is %s, but must be a single number", atl_name_of(y->inputs[1]),
                        SHAPE_OF(y->inputs[1]));
    return atl_set_type(y, ATL_FLOAT32, *y->inputs[0]->shape);
}

static uint64_t stream_at(const atl_node *y, int64_t counter)
{
    return atl_random_bits(((const noise_attributes *)y->attributes)->seed, (uint64_t)counter);
}

static noise_job job_of(const atl_node *y, uint64_t stream, float *result)
{
    const noise_attributes *attributes = y->attributes;
    return (noise_job){stream, attributes->a, attributes->b, result};
}

/* uniform_noise(like, counter) = low + (high - low) * u, u in [0, 1) */
static float uniform_at(const noise_job *job, int64_t i)
{
    return atl_random_between(job->a, job->b, job->stream, (uint64_t)i);
}

/* normal_noise(like, counter) = mean + deviation * z */
static float normal_at(const noise_job *job, int64_t i)
{
    return (float)(job->a + job->b * atl_random_normal(job->stream, (uint64_t)i));
}

static void describe_uniform(const atl_node *y, char *text, size_t size)
{
    const noise_attributes *attributes = y->attributes;
    snprintf(text, size, "in [%g, %g)", (double)attributes->a, (double)attributes->b);
}

static void describe_normal(const atl_node *y, char *text, size_t size)
{
    const noise_attributes *attributes = y->attributes;
    snprintf(text, size, "mean %g, deviation %g", (double)attributes->a, (double)attributes->b);
}

/* The kernel and the reference of one kind, its descriptor and its samples. */
#define NOISE_OP(kind, ...)                                                                                            \
    static void fill_##kind(const void *of, int64_t first, int64_t last)                                               \
    {                                                                                                                  \
        const noise_job *job = of;                                                                                     \
        for (int64_t i = first; i < last; i++)                                                                         \
            job->result[i] = kind##_at(job, i);                                                                        \
    }                                                                                                                  \
    static void kind##_reference(const atl_node *y, const double *const *x, double *result)                            \
    {                                                                                                                  \
        int64_t count = atl_shape_count(*y->shape);                                                                    \
        noise_job job = job_of(y, stream_at(y, (int64_t)x[1][0]), NULL);                                               \
        for (int64_t i = 0; i < count; i++) /* the same floats */                                                      \
            result[i] = kind##_at(&job, i);                                                                            \
    }                                                                                                                  \
    static void kind##_kernel(const atl_node *y, const void *const *x, void *result)                                   \
    {                                                                                                                  \
        int64_t count = atl_shape_count(*y->shape);                                                                    \
        noise_job job = job_of(y, stream_at(y, *(const int32_t *)x[1]), result);                                       \
        atl_parallel(count, count *atl_costs_in_use()->random_work, fill_##kind, &job);                                \
    }                                                                                                                  \
    static atl_node *sample_##kind(atl_node *const *x)                                                                 \
    {                                                                                                                  \
        return atl_mul(x[0], atl_##kind##_noise(x[0], x[1], .seed = 5, __VA_ARGS__));                                  \
    }                                                                                                                  \
    static atl_node *kind##_by(atl_node *x, atl_node *counter) { return atl_##kind##_noise(x, counter); }              \
    static const atl_op kind##_noise_op = {                                                                            \
        .name = #kind "_noise",                                                                                        \
        .arity = 2,                                                                                                    \
        .attributes = sizeof(noise_attributes),                                                                        \
        .shape_inputs = 1,                                                                                             \
        .infer = infer_noise,                                                                                          \
        .reference = kind##_reference,                                                                                 \
        .kernel = kind##_kernel,                                                                                       \
        .describe = describe_##kind,                                                                                   \
        .samples = (const atl_sample[]){{"times noise", .build = sample_##kind,                                        \
                                         .input = {{2, {2, 3}}, {0, {0}, 0, 99, 1}}, .inputs = 2},                     \
                                        {"counter of floats", .binary = kind##_by, .input = {{1, {3}}, {0}},           \
                                         .inputs = 2, .error = "must be int32"},                                       \
                                        {"two counters", .binary = kind##_by, .input = {{1, {3}}, {1, {2}, 0, 9, 1}},  \
                                         .inputs = 2, .error = "a single number"},                                     \
                                        {0}}};                                                                         \
    ATL_BUILTIN(kind##_noise_op);
NOISE_OP(uniform, .low = -1, .high = 3)
NOISE_OP(normal, .mean = 2, .deviation = 3)

void atl_set_noise_counter(atl_graph *graph, atl_node *counter)
{
    if (graph)
        graph->noise_counter = counter;
}

static atl_node *noise(const atl_op *op, const atl_noise_args *args, float a, float b)
{
    if (!args->like)
        return NULL;
    atl_graph *graph = args->like->graph;
    atl_node *counter = args->counter ? args->counter : graph->noise_counter;
    counter = counter ? counter : atl_step_counter(graph);
    noise_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.seed = args->seed ? args->seed : atl_random_bits(graph->seed, (uint64_t)graph->count);
    attributes.a = a;
    attributes.b = b;
    return ATL_APPLY(op, &attributes, args->like, counter);
}

atl_node *atl_uniform_noise_with(const atl_noise_args *args)
{
    if (!args)
        return atl_null_argument("atl_uniform_noise", "the options are"), NULL;
    if (args->like && (args->mean != 0 || args->deviation != 0))
        return atl_builder_error(args->like->graph, "uniform_noise",
                                 ".mean and .deviation are of atl_normal_noise; this has .low and .high");
    float low = (float)atl_option(args->low, 0), high = (float)atl_option(args->high, args->low == 0 ? 1 : 0);
    if (args->like && !(low < high))
        return atl_builder_error(args->like->graph, "uniform_noise",
                                 "low is %g and high %g: there is nothing between them", (double)low, (double)high);
    return noise(&uniform_noise_op, args, low, high);
}

atl_node *atl_normal_noise_with(const atl_noise_args *args)
{
    if (!args)
        return atl_null_argument("atl_normal_noise", "the options are"), NULL;
    if (args->like && (args->low != 0 || args->high != 0))
        return atl_builder_error(args->like->graph, "normal_noise",
                                 ".low and .high are of atl_uniform_noise; this has .mean and .deviation");
    float deviation = (float)atl_option(args->deviation, 1);
    if (args->like && !(deviation >= 0))
        return atl_builder_error(args->like->graph, "normal_noise", "the deviation is %g; it must not be negative",
                                 (double)deviation);
    return noise(&normal_noise_op, args, (float)atl_option(args->mean, 0), deviation);
}

/* x * [u >= rate] / (1 - rate) */
atl_node *atl_dropout_with(const atl_dropout_args *args)
{
    if (!args)
        return atl_null_argument("atl_dropout", "the options are"), NULL;
    if (!args->x)
        return NULL;
    float rate = (float)atl_option(args->rate, 0.5);
    if (!(rate >= 0 && rate < 1))
        return atl_builder_error(args->x->graph, "dropout",
                                 "the rate is %g; it must be at least 0 (written ATL_ZERO) and below 1", (double)rate);
    if (rate == 0)
        return args->x;
    atl_graph *graph = args->x->graph;
    atl_enter(graph, "dropout");
    atl_node *u = atl_uniform_noise(args->x, args->counter, args->seed);
    atl_node *kept = atl_scale(atl_greater_equal(u, atl_scalar(u, rate)), 1 / (1 - rate));
    atl_node *y = atl_mul(args->x, kept);
    atl_leave(graph);
    return y;
}

static atl_node *half_dropped(atl_node *x, atl_node *counter) { return atl_dropout(atl_square(x), 0, counter, 7); }
static atl_node *some_dropped(atl_node *x, atl_node *counter) { return atl_dropout(x, 0.2f, counter, 8); }
static atl_node *all_dropped(atl_node *x, atl_node *counter) { return atl_dropout(x, 1, counter, 9); }

static const atl_op dropout_composed = {
    .name = "dropout",
    .samples = (const atl_sample[]){
        {"half", .binary = half_dropped, .input = {{2, {3, 5}}, {0, {0}, 0, 9, 1}}, .inputs = 2},
        {"a fifth", .binary = some_dropped, .input = {{3, {2, 3, 4}}, {0, {0}, 0, 9, 1}}, .inputs = 2},
        {"all", .binary = all_dropped, .input = {{2, {3, 5}}, {0, {0}, 0, 9, 1}}, .inputs = 2, .error = "rate is 1"},
        {"a counter of floats", .binary = half_dropped, .input = {{2, {3, 5}}, {0}}, .inputs = 2, .error = "int32"},
        {0}}};
ATL_COMPOSED(dropout_composed);
