/* cumulative_sum(x): y[i] = x[0] + ... + x[i] along an axis; without x[i] if exclusive; from the end if reversed.
 * Its gradient is the same sum from the other end. */
#include "ops/attributes.h"
#include "ops/ops.h"
#include "kernels/parallel.h"

static bool infer_cumulative_sum(atl_node *y)
{
    const cumulative_attributes *attributes = y->attributes;
    return atl_axis_of(y, attributes->axis, y->inputs[0]->shape->rank) >= 0 && atl_require_float(y, 0, "the input") &&
           atl_infer_same(y);
}

static atl_node *cumulative_sum_gradient(atl_node *y, atl_node *dy)
{
    const cumulative_attributes *attributes = y->attributes;
    return atl_cumulative_sum(dy, attributes->axis, .exclusive = attributes->exclusive,
                              .reverse = !attributes->reverse);
}

static void cumulative_sum_reference(const atl_node *y, const double *const *x, double *result)
{
    const cumulative_attributes *attributes = y->attributes;
    atl_axis_split split = atl_split_at(*y->shape, attributes->axis);
    for (int64_t i = 0; i < split.outer * split.inner; i++) {
        int64_t first = i / split.inner * split.size * split.inner + i % split.inner;
        double sum = 0;
        for (int64_t j = 0; j < split.size; j++) {
            int64_t at = first + (attributes->reverse ? split.size - 1 - j : j) * split.inner;
            double value = x[0][at];
            result[at] = attributes->exclusive ? sum : sum + value;
            sum += value;
        }
    }
}

enum { TILE = 256 }; /* adjacent sums, in double: the error does not grow with their length */

typedef struct cumulative_job {
    atl_axis_split split;
    const float *x;
    float *result;
    int exclusive, reverse;
    int64_t tiles; /* of the inner dimensions */
} cumulative_job;

static void cumulative_range(const void *job, int64_t first, int64_t last)
{
    const cumulative_job *p = job;
    int64_t inner = p->split.inner, step = p->reverse ? -inner : inner;
    for (int64_t i = first; i < last; i++) {
        int64_t column = i % p->tiles * TILE, width = inner - column < TILE ? inner - column : TILE;
        int64_t at = (i / p->tiles * p->split.size + (p->reverse ? p->split.size - 1 : 0)) * inner + column;
        double sum[TILE] = {0};
        for (int64_t j = 0; j < p->split.size; j++, at += step)
            for (int64_t k = 0; k < width; k++) {
                double before = sum[k];
                sum[k] += (double)p->x[at + k];
                p->result[at + k] = (float)(p->exclusive ? before : sum[k]);
            }
    }
}

static void cumulative_sum_kernel(const atl_node *y, const void *const *x, void *result)
{
    const cumulative_attributes *attributes = y->attributes;
    cumulative_job job = {.split = atl_split_at(*y->shape, attributes->axis), .x = x[0], .result = result};
    job.exclusive = attributes->exclusive;
    job.reverse = attributes->reverse;
    job.tiles = (job.split.inner + TILE - 1) / TILE;
    atl_parallel(job.split.outer * job.tiles, atl_shape_count(*y->shape), cumulative_range, &job);
}

static void describe_cumulative_sum(const atl_node *y, char *text, size_t size)
{
    const cumulative_attributes *attributes = y->attributes;
    snprintf(text, size, "axis %d%s%s", attributes->axis, attributes->exclusive ? ", exclusive" : "",
             attributes->reverse ? ", from the end" : "");
}

static atl_node *along_last(atl_node *x) { return atl_square(atl_cumulative_sum(x, -1)); }
static atl_node *along_first(atl_node *x) { return atl_square(atl_cumulative_sum(x)); }
static atl_node *exclusive(atl_node *x) { return atl_square(atl_cumulative_sum(x, 1, .exclusive = 1)); }
static atl_node *reversed(atl_node *x) { return atl_square(atl_cumulative_sum(x, 1, .reverse = 1)); }
static atl_node *both(atl_node *x) { return atl_square(atl_cumulative_sum(x, 1, .exclusive = 1, .reverse = 1)); }

static const atl_op cumulative_sum_op = {
    .name = "cumulative_sum",
    .arity = 1,
    .attributes = sizeof(cumulative_attributes),
    .infer = infer_cumulative_sum,
    .gradient = {cumulative_sum_gradient},
    .reference = cumulative_sum_reference,
    .kernel = cumulative_sum_kernel,
    .describe = describe_cumulative_sum,
    .samples = (const atl_sample[]){
        {"last", .unary = along_last, .input = {{2, {3, 5}}}, .inputs = 1},
        {"first", .unary = along_first, .input = {{2, {4, 3}}}, .inputs = 1},
        {"exclusive", .unary = exclusive, .input = {{3, {2, 4, 2}}}, .inputs = 1},
        {"from the end", .unary = reversed, .input = {{3, {2, 4, 2}}}, .inputs = 1},
        {"exclusive, from the end", .unary = both, .input = {{2, {2, 4}}}, .inputs = 1},
        {"wide", .unary = along_first, .input = {{2, {7, 300}}}, .inputs = 1, .no_gradient = 1},
        {"axis out of range", .unary = exclusive, .input = {{1, {4}}}, .inputs = 1, .error = "axis 1"},
        {"scalar", .unary = along_last, .input = {{0}}, .inputs = 1, .error = "scalar"},
        {"integers", .unary = along_last, .input = {{1, {4}, 0, 9, 1}}, .inputs = 1, .error = "float32"},
        {0}}};
ATL_BUILTIN(cumulative_sum_op);

atl_node *atl_cumulative_sum_with(const atl_cumulative_sum_args *args)
{
    if (!args)
        return atl_null_argument("atl_cumulative_sum", "the options are"), NULL;
    cumulative_attributes attributes = {args->axis, args->exclusive != 0, args->reverse != 0};
    return ATL_APPLY(&cumulative_sum_op, &attributes, args->x);
}
