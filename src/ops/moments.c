/* Mean and variance of channels, in one pass over memory; and sums of products, which fused expressions compute.
 *
 * Several rows are processed together, so that short ones fill the vectors, too.  Floats are summed for a few hundred
 * rows, then added to doubles.  The rows are divided into chunks whose number depends on the shape only: the result is
 * the same for any number of threads. */
#include "ops/moments.h"

#include <math.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"
#include "lowering/lowering.h"

enum { LANES = 512, MOST_CHUNKS = 32, CHUNK_ELEMENTS = ATL_PIECE_FLOATS, FLUSH = 64 };

typedef struct moments_plan {
    int64_t rows, columns, chunks;
} moments_plan;

typedef struct moments_job {
    const moments_plan *plan;
    const float *x, *shift; /* shift [columns]: what deviations are taken from */
    double *partial;        /* [chunks][2][columns] */
} moments_job;

/* Columns first to first + width of rows begin to end; `abreast` rows lie one after the other in the lanes. */
static void sum_tile(const moments_job *job, int64_t first, int64_t width, int64_t begin, int64_t end, double *total)
{
    const moments_plan *p = job->plan;
    _Alignas(64) float sum[LANES] = {0}, square[LANES] = {0}, row[LANES];
    int64_t rows_per_block = width < p->columns ? 1 : LANES / width, since = 0;
    for (int64_t i = 0; i < rows_per_block * width; i++)
        row[i] = job->shift[first + i % width];
    for (int64_t r = begin, n; r < end; r += n) {
        n = end - r < rows_per_block ? end - r : rows_per_block;
        atl_kernels->add_deviations(sum, square, job->x + r * p->columns + first, row, n * width);
        if (++since == FLUSH || r + n >= end) {
            atl_kernels->flush_sums(sum, total + first, width, rows_per_block * width);
            atl_kernels->flush_sums(square, total + p->columns + first, width, rows_per_block * width);
            since = 0;
        }
    }
}

static void sum_chunks(const void *of, int64_t first_chunk, int64_t last_chunk)
{
    const moments_job *job = of;
    const moments_plan *p = job->plan;
    int64_t tile = p->columns < LANES ? p->columns : LANES;
    for (int64_t k = first_chunk; k < last_chunk; k++) {
        double *total = job->partial + k * 2 * p->columns;
        memset(total, 0, (size_t)p->columns * 2 * sizeof *total);
        for (int64_t c = 0; c < p->columns; c += tile)
            sum_tile(job, c, p->columns - c < tile ? p->columns - c : tile, p->rows * k / p->chunks,
                     p->rows * (k + 1) / p->chunks, total);
    }
}

/* The median of column c in some rows from all over: near the mean, measured in deviations, though any of these rows
 * may be an outlier.  Of finite numbers only, so that an infinite one counts once. */
static float middle_of(const moments_plan *p, const float *x, int64_t c)
{
    enum { LOOKED_AT = 5 };
    float sorted[LOOKED_AT];
    int count = 0;
    for (int64_t k = 0; k < LOOKED_AT; k++) {
        float value = x[p->rows * k / LOOKED_AT * p->columns + c];
        int at = count;
        if (!isfinite(value))
            continue;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
        count++;
    }
    return count ? sorted[count / 2] : 0;
}

/* Adds the totals of all chunks to those of the first. */
static const double *sum_rows(const moments_plan *p, const float *x, float *shift, double *partial)
{
    moments_job job = {p, x, shift, partial};
    for (int64_t c = 0; c < p->columns; c++)
        shift[c] = middle_of(p, x, c);
    atl_parallel(p->chunks, p->rows * p->columns * 2, sum_chunks, &job);
    for (int64_t i = p->columns * 2; i < p->chunks * p->columns * 2; i++)
        partial[i % (p->columns * 2)] += partial[i];
    return partial;
}

static int64_t last_of(atl_shape shape) { return shape.size[shape.rank - 1]; }

/* ---- moments ----------------------------------------------------------------------------------------------------- */

/* moments(x [.., c]) -> [2, c]: mean and variance of each channel over all other dimensions.  The variance is divided
 * by the count, not by the count minus one.  dx = (dmean + 2 dvariance (x - mean)) / count */
static bool infer_moments(atl_node *y)
{
    atl_shape from = *y->inputs[0]->shape;
    if (!atl_require_float(y, 0, "the input"))
        return 0;
    if (from.rank < 1)
        return atl_fail(y, "'%s' is a scalar; it has no last dimension for the channels", atl_name_of(y->inputs[0]));
    return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(2, last_of(from)));
}

static void reference_moments(const atl_node *y, const double *const *x, double *result)
{
    int64_t columns = last_of(*y->shape), rows = columns ? atl_shape_count(*y->inputs[0]->shape) / columns : 0;
    for (int64_t c = 0; c < columns; c++) {
        double sum = 0, square = 0;
        for (int64_t r = 0; r < rows; r++)
            sum += x[0][r * columns + c];
        for (int64_t r = 0; r < rows; r++)
            square += pow(x[0][r * columns + c] - sum / (double)rows, 2);
        result[c] = sum / (double)rows;
        result[columns + c] = square / (double)rows;
    }
}

static int run_moments(const atl_plan_step *step, void *const *memory, void *bound)
{
    const moments_plan *p = step->data;
    const float *x = memory[step->read[0]];
    float *mean = memory[step->write[0]], *variance = mean + p->columns;
    float *shift = memory[step->write[2]];
    const double *sum = sum_rows(p, x, shift, memory[step->write[1]]), *square = sum + p->columns;
    (void)bound;
    for (int64_t c = 0; c < p->columns; c++) {
        double off = sum[c] / (double)p->rows, second = square[c] / (double)p->rows;
        mean[c] = (float)((double)shift[c] + off);
        variance[c] = (float)fmax(second - off * off, 0) + (float)(0 * off); /* propagates NaN */
    }
    return 0;
}

static int64_t chunks_of(int64_t elements)
{
    int64_t chunks = elements / CHUNK_ELEMENTS;
    chunks = chunks > MOST_CHUNKS ? MOST_CHUNKS : chunks;
    return chunks < 1 ? 1 : chunks;
}

/* The reference computes empty ones. */
static int lower_moments(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    int64_t count = atl_shape_count(*y->inputs[0]->shape), columns = last_of(*y->shape);
    if (count == 0)
        return atl_lower_kernel(lowering);
    moments_plan *p = atl_allocate(1, sizeof *p);
    if (!p)
        return atl_out_of_memory(), 0;
    *p = (moments_plan){count / columns, columns, chunks_of(count)};
    atl_plan_step step = {
        .implementation = "moments", .run = run_moments, .cannot_fail = 1, .release = atl_release, .data = p};
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.write[step.writes++] = atl_lower_output(lowering);
    step.write[step.writes++] = atl_lower_scratch(lowering, p->chunks * columns * 2 * (int64_t)sizeof(double));
    step.write[step.writes++] = atl_lower_scratch(lowering, columns * (int64_t)sizeof(float));
    return atl_lower_step(lowering, &step);
}

static atl_node *row_of(atl_node *x, int64_t row)
{
    atl_node *one = atl_slice(x, .begin = {row}, .end = {row + 1});
    return atl_squeeze(one, 0);
}

static atl_node *moments_gradient(atl_node *y, atl_node *dy)
{
    atl_node *x = atl_input_of(y, 0), *share = atl_div(dy, atl_size_ratio(x, row_of(y, 0)));
    atl_node *by_variance = atl_mul(atl_sub(x, row_of(y, 0)), atl_scale(row_of(share, 1), 2));
    return atl_add(by_variance, row_of(share, 0));
}

static const atl_op moments_op = {
    .name = "moments",
    .arity = 1,
    .infer = infer_moments,
    .gradient = {moments_gradient},
    .reference = reference_moments,
    .samples =
        (const atl_sample[]){
            {"map", .unary = atl_moments, .input = {{4, {2, 3, 2, 3}}}, .inputs = 1},
            {"matrix", .unary = atl_moments, .input = {{2, {5, 7}, 1, 3}}, .inputs = 1},
            {"vector", .unary = atl_moments, .input = {{1, {3}}}, .inputs = 1},
            {"many rows", .unary = atl_moments, .input = {{2, {3001, 17}, 99, 101}}, .inputs = 1, .no_gradient = 1},
            {"many channels", .unary = atl_moments, .input = {{2, {3, 1300}}}, .inputs = 1, .no_gradient = 1},
            {"scalar", .unary = atl_moments, .input = {{0}}, .inputs = 1, .error = "no last dimension"},
            {"integers", .unary = atl_moments, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1, .error = "float32"},
            {0}},
    .hooks = &(const atl_op_hooks){.lower = lower_moments}};
ATL_BUILTIN(moments_op);

atl_node *atl_moments(atl_node *x) { return ATL_APPLY(&moments_op, NULL, x); }

/* ---- sums of products -------------------------------------------------------------------------------------------- */

/* sum_product_to(a, b, like) = sum of a * b over all rows.  da = b dy, db = a dy */
static bool infer_sum_product(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[2]->shape); }

static void reference_sum_product(const atl_node *y, const double *const *x, double *result)
{
    int64_t columns = atl_shape_count(*y->shape), count = atl_shape_count(*y->inputs[0]->shape);
    memset(result, 0, (size_t)columns * sizeof *result);
    for (int64_t i = 0; i < count; i++)
        result[i % columns] += x[0][i] * x[1][i];
}

static int sum_product_as_sum(const atl_node *y, atl_sum_form *form)
{
    int64_t columns = atl_shape_count(*y->shape), count = atl_shape_count(*y->inputs[0]->shape);
    *form = (atl_sum_form){
        .a = 0, .b = 1, .outer = 1, .reduced = columns ? count / columns : 0, .inner = columns, .scale = 1};
    return form->reduced > 0;
}

static atl_node *sum_product_gradient_a(atl_node *y, atl_node *dy) { return atl_mul(atl_input_of(y, 1), dy); }
static atl_node *sum_product_gradient_b(atl_node *y, atl_node *dy) { return atl_mul(atl_input_of(y, 0), dy); }

static atl_node *sample_channels(atl_node *a, atl_node *b)
{
    return atl_sum_product_to(a, b, atl_reduce_sum(a, ATL_AXES(0)));
}
static atl_node *sample_all(atl_node *a, atl_node *b) { return atl_sum_product_to(a, b, atl_sum(a)); }

static const atl_op sum_product_op = {
    .name = "sum_product",
    .arity = 3,
    .shape_inputs = 4,
    .infer = infer_sum_product,
    .gradient = {sum_product_gradient_a, sum_product_gradient_b},
    .reference = reference_sum_product,
    .samples =
        (const atl_sample[]){{"channels", .binary = sample_channels, .input = {{2, {5, 3}}, {2, {5, 3}}}, .inputs = 2},
                             {"rows of two dimensions", .binary = sample_channels,
                              .input = {{3, {4, 2, 3}}, {3, {4, 2, 3}}}, .inputs = 2},
                             {"all", .binary = sample_all, .input = {{2, {5, 3}}, {2, {5, 3}}}, .inputs = 2},
                             {"many rows", .binary = sample_channels, .input = {{2, {3001, 17}}, {2, {3001, 17}}},
                              .inputs = 2, .no_gradient = 1},
                             {0}},
    .hooks = &(const atl_op_hooks){.as_sum = sum_product_as_sum}};
ATL_BUILTIN(sum_product_op);

atl_node *atl_sum_product_to(atl_node *a, atl_node *b, atl_node *like)
{
    if (!a || !b || !like || !atl_shape_equal(*a->shape, *b->shape) || a->dtype != ATL_FLOAT32 ||
        b->dtype != ATL_FLOAT32)
        return NULL;
    int leading = 0; /* dimensions of 1 */
    while (leading < like->shape->rank && like->shape->size[leading] == 1)
        leading++;
    int last = like->shape->rank - leading; /* dimensions that are not reduced */
    for (int i = 1; i <= last; i++)
        if (i > a->shape->rank || like->shape->size[like->shape->rank - i] != a->shape->size[a->shape->rank - i])
            return NULL;
    return ATL_APPLY(&sum_product_op, NULL, a, b, like);
}
