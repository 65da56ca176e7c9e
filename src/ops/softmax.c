/* Softmax and its logarithm, over the last dimension. */
#include "ops/softmax.h"

#include "cost/cost.h"
#include "onednn/softmax.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "kernels/parallel.h"
#include "kernels/vector_math.h"

/* Any shape but a scalar -> the same shape. */
static bool infer_softmax(atl_node *y)
{
    if (!atl_require_float(y, 0, "the input"))
        return 0;
    if (y->inputs[0]->shape->rank == 0)
        return atl_fail(y, "'%s' is a scalar; %s runs over the last dimension", atl_name_of(y->inputs[0]), y->op->name);
    return atl_infer_same(y);
}

/* The last dimension forms the rows: `rows` of `width` elements. */
typedef struct row_job {
    int64_t rows, width;
    const float *x, *dy;
    float *result;
} row_job;

static row_job rows_of(const atl_node *y)
{
    row_job job = {.width = y->shape->size[y->shape->rank - 1]};
    job.rows = job.width ? atl_shape_count(*y->shape) / job.width : 0;
    return job;
}

static const double NEARLY_ONE = 1.0625; /* a sum below it is the largest, 1, and little else */

double atl_log_of_exact_sum(const double *x, int64_t n, double *most_out)
{
    double most = -INFINITY, sum = 0, others = 0;
    int64_t top = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - most);
    *most_out = most;
    if (!(sum < NEARLY_ONE))
        return log(sum);
    while (x[top] != most)
        top++;
    for (int64_t i = 0; i < n; i++)
        others += i == top ? 0 : exp(x[i] - most);
    return log1p(others);
}

/* Not e^(x - (most + log_sum)): the sum would lose log_sum beside a large `most`. */
void atl_exact_softmax(const double *x, int64_t n, double *result)
{
    double most, log_sum = atl_log_of_exact_sum(x, n, &most);
    for (int64_t i = 0; i < n; i++)
        result[i] = exp(x[i] - most - log_sum);
}

enum { BLOCK = ATL_BLOCK_FLOATS }; /* elements whose exponentials are computed together */

static float exp_row(const float *x, float most, int64_t n, float *e)
{
    float block[BLOCK], sum = 0;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t count = n - from < BLOCK ? n - from : BLOCK;
        float *out = e ? e + from : block;
        atl_kernels->exp_below(x + from, most, count, out);
        sum += atl_kernels->sum_of(out, count);
    }
    return sum;
}

/* Short rows: computes all exponentials at once, because a loop of ten elements fills no vector. */
static void exp_short_rows(int64_t rows, int64_t width, const float *x, float *e, float *most, float *sum)
{
    float block[BLOCK], *out = e ? e : block;
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * width;
        float largest = row[0];
        for (int64_t i = 1; i < width; i++)
            largest = row[i] > largest ? row[i] : largest;
        for (int64_t i = 0; i < width; i++)
            out[r * width + i] = row[i] - largest;
        most[r] = largest;
    }
    atl_kernels->exp_below(out, 0, rows * width, out);
    for (int64_t r = 0; r < rows; r++) {
        sum[r] = 0;
        for (int64_t i = 0; i < width; i++)
            sum[r] += out[r * width + i];
    }
}

int64_t atl_exp_rows(int64_t left, int64_t width, const float *x, float *e, float *most, float *sum)
{
    enum { SHORT = 64 };
    if (width > SHORT) {
        *most = atl_kernels->largest_of(x, width);
        *sum = exp_row(x, *most, width, e);
        return 1;
    }
    int64_t rows = BLOCK / width < ATL_ROWS ? BLOCK / width : ATL_ROWS;
    rows = left < rows ? left : rows;
    exp_short_rows(rows, width, x, e, most, sum);
    return rows;
}

float atl_log_of_sum(const float *x, int64_t n, float most, float sum)
{
    float block[BLOCK], others = 0;
    int64_t top = 0;
    if (!(sum < (float)NEARLY_ONE))
        return logf(sum);
    while (x[top] != most)
        top++;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t count = n - from < BLOCK ? n - from : BLOCK;
        atl_kernels->exp_below(x + from, most, count, block);
        if (top >= from && top < from + count)
            block[top - from] = 0;
        others += atl_kernels->sum_of(block, count);
    }
    return log1pf(others);
}

/* softmax(x)_i = e^x_i / sum_j e^x_j.  dx = y * (dy - sum(dy * y)) = softmax_grad(dy, y) */
static void reference_softmax(const atl_node *y, const double *const *x, double *result)
{
    row_job job = rows_of(y);
    for (int64_t r = 0; r < job.rows; r++)
        atl_exact_softmax(x[0] + r * job.width, job.width, result + r * job.width);
}

static void softmax_rows(const void *data, int64_t first, int64_t last)
{
    const row_job *job = data;
    float most[ATL_ROWS], sum[ATL_ROWS];
    for (int64_t r = first, rows; r < last; r += rows) {
        float *y = job->result + r * job->width;
        rows = atl_exp_rows(last - r, job->width, job->x + r * job->width, y, most, sum);
        for (int64_t k = 0; k < rows; k++) {
            float share = 1 / sum[k];
            for (int64_t i = 0; i < job->width; i++)
                y[k * job->width + i] *= share;
        }
    }
}

static void kernel_softmax(const atl_node *y, const void *const *x, void *result)
{
    row_job job = rows_of(y);
    job.x = x[0];
    job.result = result;
    atl_parallel(job.rows, 4 * job.rows * job.width, softmax_rows, &job);
}

/* oneDNN has the faster loop for long rows; ours is faster for short and for few rows. */
static int lower_by(atl_lowering *lowering, int logarithm)
{
    enum { LONG = 256 };
    row_job job = rows_of(atl_lowered_node(lowering));
    if (job.width < LONG || job.rows < 1)
        return atl_lower_kernel(lowering);
    return onednn_lower_softmax(lowering, job.rows, job.width, logarithm);
}

static int lower_softmax(atl_lowering *lowering) { return lower_by(lowering, 0); }
static int lower_log_softmax(atl_lowering *lowering) { return lower_by(lowering, 1); }

static atl_node *softmax_grad(atl_node *dy, atl_node *y);

static atl_node *softmax_gradient(atl_node *y, atl_node *dy) { return softmax_grad(dy, y); }

static const atl_op softmax_op = {
    .name = "softmax",
    .arity = 1,
    .infer = infer_softmax,
    .gradient = {softmax_gradient},
    .reference = reference_softmax,
    .kernel = kernel_softmax,
    .samples =
        (const atl_sample[]){
            {"one row", .unary = atl_softmax, .input = {{1, {5}}}, .inputs = 1},
            {"rows of 7", .unary = atl_softmax, .input = {{3, {2, 3, 7}, -4, 4}}, .inputs = 1},
            {"rows of 1", .unary = atl_softmax, .input = {{2, {4, 1}}}, .inputs = 1},
            {"1000 classes", .unary = atl_softmax, .input = {{2, {2, 1000}, -9, 9}}, .inputs = 1, .no_gradient = 1},
            {"large logits", .unary = atl_softmax, .input = {{2, {3, 4}, -10000, 10000}}, .inputs = 1,
             .no_gradient = 1},
            {"scalar", .unary = atl_softmax, .input = {{0}}, .inputs = 1, .error = "is a scalar"},
            {"int32", .unary = atl_softmax, .input = {{1, {3}, 0, 4, 1}}, .inputs = 1, .error = "int32"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_rows_by_image, .lower = lower_softmax}};
ATL_BUILTIN(softmax_op);
atl_node *atl_softmax(atl_node *logits) { return ATL_APPLY(&softmax_op, NULL, logits); }

/* softmax_grad(dy, y) = y * (dy - sum(dy * y)): the adjoint of softmax, whose value is y.
 * It is linear in dy, and symmetric: d/d(dy) applies it to g.  d/dy = g * (dy - sum(dy * y)) - dy * sum(g * y) */
static bool infer_softmax_grad(atl_node *y)
{
    if (y->inputs[0]->shape->rank != y->inputs[1]->shape->rank)
        return atl_fail(y, "the adjoint %s and the value %s differ in shape", SHAPE_OF(y->inputs[0]),
                        SHAPE_OF(y->inputs[1]));
    return atl_set_type(y, ATL_FLOAT32, *y->inputs[1]->shape);
}

static void reference_softmax_grad(const atl_node *y, const double *const *x, double *result)
{
    row_job job = rows_of(y);
    for (int64_t r = 0; r < job.rows; r++) {
        const double *dy = x[0] + r * job.width, *value = x[1] + r * job.width;
        double sum = 0;
        for (int64_t i = 0; i < job.width; i++)
            sum += dy[i] * value[i];
        for (int64_t i = 0; i < job.width; i++)
            result[r * job.width + i] = value[i] * (dy[i] - sum);
    }
}

static void softmax_grad_rows(const void *data, int64_t first, int64_t last)
{
    const row_job *job = data;
    for (int64_t at = first * job->width; at < last * job->width; at += job->width)
        atl_kernels->softmax_grad_row(job->width, job->dy + at, job->x + at, job->result + at);
}

static void kernel_softmax_grad(const atl_node *y, const void *const *x, void *result)
{
    row_job job = rows_of(y);
    job.dy = x[0];
    job.x = x[1];
    job.result = result;
    atl_parallel(job.rows, job.rows * job.width, softmax_grad_rows, &job);
}

/* sum over the last dimension of a * b, kept as 1 */
static atl_node *dot_rows(atl_node *a, atl_node *b) { return atl_reduce_sum(atl_mul(a, b), ATL_AXES(-1), .keep = 1); }

static atl_node *softmax_grad_by_adjoint(atl_node *y, atl_node *g) { return softmax_grad(g, atl_input_of(y, 1)); }

static atl_node *softmax_grad_by_value(atl_node *y, atl_node *g)
{
    atl_node *dy = atl_input_of(y, 0), *value = atl_input_of(y, 1);
    return atl_sub(atl_mul(g, atl_sub(dy, dot_rows(dy, value))), atl_mul(dy, dot_rows(g, value)));
}

static const atl_op softmax_grad_op = {
    .name = "softmax_grad",
    .arity = 2,
    .infer = infer_softmax_grad,
    .gradient = {softmax_grad_by_adjoint, softmax_grad_by_value},
    .reference = reference_softmax_grad,
    .kernel = kernel_softmax_grad,
    .samples =
        (const atl_sample[]){{"two rows", .binary = softmax_grad, .input = {{2, {2, 3}}, {2, {2, 3}}}, .inputs = 2},
                             {"batch", .binary = softmax_grad, .input = {{3, {2, 3, 4}}, {3, {2, 3, 4}}}, .inputs = 2},
                             {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_rows_by_image}};
ATL_BUILTIN(softmax_grad_op);
static atl_node *softmax_grad(atl_node *dy, atl_node *y) { return ATL_APPLY(&softmax_grad_op, NULL, dy, y); }

/* log_softmax(x)_i = x_i - log sum_j e^x_j.  dx = dy - e^y * sum(dy) */
static void reference_log_softmax(const atl_node *y, const double *const *x, double *result)
{
    row_job job = rows_of(y);
    for (int64_t r = 0; r < job.rows; r++) {
        const double *row = x[0] + r * job.width;
        double most, log_sum = atl_log_of_exact_sum(row, job.width, &most);
        for (int64_t i = 0; i < job.width; i++)
            result[r * job.width + i] = row[i] - most - log_sum;
    }
}

static void log_softmax_rows(const void *data, int64_t first, int64_t last)
{
    const row_job *job = data;
    float most[ATL_ROWS], sum[ATL_ROWS];
    for (int64_t r = first, rows; r < last; r += rows) {
        rows = atl_exp_rows(last - r, job->width, job->x + r * job->width, NULL, most, sum);
        for (int64_t k = 0; k < rows; k++) {
            const float *x = job->x + (r + k) * job->width;
            float *y = job->result + (r + k) * job->width, log_sum = atl_log_of_sum(x, job->width, most[k], sum[k]);
            for (int64_t i = 0; i < job->width; i++)
                y[i] = x[i] - most[k] - log_sum;
        }
    }
}

static void kernel_log_softmax(const atl_node *y, const void *const *x, void *result)
{
    row_job job = rows_of(y);
    job.x = x[0];
    job.result = result;
    atl_parallel(job.rows, 4 * job.rows * job.width, log_softmax_rows, &job);
}

static atl_node *log_softmax_gradient(atl_node *y, atl_node *dy)
{
    return atl_sub(dy, atl_mul(atl_exp(y), atl_reduce_sum(dy, ATL_AXES(-1), .keep = 1)));
}

static const atl_op log_softmax_op = {
    .name = "log_softmax",
    .arity = 1,
    .infer = infer_softmax,
    .gradient = {log_softmax_gradient},
    .reference = reference_log_softmax,
    .kernel = kernel_log_softmax,
    .samples =
        (const atl_sample[]){{"one row", .unary = atl_log_softmax, .input = {{1, {5}}}, .inputs = 1},
                             {"rows of 7", .unary = atl_log_softmax, .input = {{3, {2, 3, 7}, -4, 4}}, .inputs = 1},
                             {"large logits", .unary = atl_log_softmax, .input = {{2, {3, 4}, -10000, 10000}},
                              .inputs = 1, .no_gradient = 1},
                             {"scalar", .unary = atl_log_softmax, .input = {{0}}, .inputs = 1, .error = "is a scalar"},
                             {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_rows_by_image, .lower = lower_log_softmax}};
ATL_BUILTIN(log_softmax_op);
atl_node *atl_log_softmax(atl_node *logits) { return ATL_APPLY(&log_softmax_op, NULL, logits); }
