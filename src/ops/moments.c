/* Two sums over the rows of [rows, columns] in one pass over memory: mean and variance of channels, and sums of products.
 *
 * Rows are taken several abreast, so that short ones fill the lanes too; floats are added up for a few hundred of them, then
 * doubles.  The rows are cut into chunks whose number depends on the shape only: the result is the same for any number of threads. */
#include "ops/moments.h"

#include "ops/fast.h"
#include "ops/parallel.h"
#include "program/lowering.h"

enum { LANES = 512, MOST_CHUNKS = 32, CHUNK_ELEMENTS = 16384, FLUSH = 64 };

typedef struct sums_plan {
    int64_t rows, columns, chunks;
    /* Adds n elements of x and y to the float sums. */
    void (*add)(float *restrict sum, float *restrict second, const float *x, const float *y, int64_t n);
    int by_row; /* y is one row, the same for all; else it lies as x does */
    int second; /* there are two sums */
} sums_plan;

typedef struct sums_job {
    const sums_plan *plan;
    const float *x, *y;
    double *partial; /* [chunks][2][columns] */
} sums_job;

ATL_FAST static void add_deviations(float *restrict sum, float *restrict second, const float *x, const float *y,
                                    int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++) {
        const float d = x[i] - y[i];
        sum[i] += d;
        second[i] += d * d;
    }
}

ATL_FAST static void add_products(float *restrict sum, float *restrict second, const float *x, const float *y,
                                  int64_t n)
{
    (void)second;
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        sum[i] += x[i] * y[i];
}

static void flush(float *sum, double *total, int64_t columns, int64_t n)
{
    for (int64_t i = 0; i < n; i += columns)
        for (int64_t c = 0; c < columns; c++) {
            total[c] += sum[i + c];
            sum[i + c] = 0;
        }
}

/* Columns first to first + width of rows begin to end; `abreast` rows lie one after the other in the lanes. */
static void sum_tile(const sums_job *job, int64_t first, int64_t width, int64_t abreast, int64_t begin, int64_t end,
                     double *total)
{
    const sums_plan *p = job->plan;
    _Alignas(64) float sum[LANES] = {0}, second[LANES] = {0}, row[LANES];
    for (int64_t i = 0; p->by_row && i < abreast * width; i++)
        row[i] = job->y[first + i % width];
    int64_t since = 0;
    for (int64_t r = begin; r < end; r += abreast) {
        int64_t n = (end - r < abreast ? end - r : abreast) * width, at = r * p->columns + first;
        p->add(sum, second, job->x + at, p->by_row ? row : job->y + at, n);
        if (++since == FLUSH || r + abreast >= end) {
            flush(sum, total + first, width, abreast * width);
            if (p->second)
                flush(second, total + p->columns + first, width, abreast * width);
            since = 0;
        }
    }
}

static void sum_chunks(const void *of, int64_t first_chunk, int64_t last_chunk)
{
    const sums_job *job = of;
    const sums_plan *p = job->plan;
    int64_t abreast = p->columns < LANES ? LANES / p->columns : 1;
    for (int64_t k = first_chunk; k < last_chunk; k++) {
        double *total = job->partial + k * 2 * p->columns;
        memset(total, 0, (size_t)p->columns * 2 * sizeof *total);
        for (int64_t c = 0; c < p->columns; c += LANES)
            sum_tile(job, c, p->columns - c < LANES ? p->columns - c : LANES, abreast, p->rows * k / p->chunks,
                     p->rows * (k + 1) / p->chunks, total);
    }
}

/* The totals of all chunks, in those of the first. */
static double *sum_rows(const sums_plan *p, const float *x, const float *y, double *partial)
{
    sums_job job = {p, x, y, partial};
    atl_parallel(p->chunks, p->rows * p->columns * 2, sum_chunks, &job);
    for (int64_t i = p->columns * 2; i < p->chunks * p->columns * 2; i++)
        partial[i % (p->columns * 2)] += partial[i];
    return partial;
}

static int64_t chunks_of(int64_t rows, int64_t columns)
{
    int64_t chunks = rows * columns / CHUNK_ELEMENTS;
    chunks = chunks > MOST_CHUNKS ? MOST_CHUNKS : chunks;
    return chunks < 1 ? 1 : chunks;
}

static int64_t last_of(atl_shape shape) { return shape.size[shape.rank - 1]; }
static int64_t scratch_bytes(int64_t rows, int64_t columns)
{
    return chunks_of(rows, columns) * columns * 2 * (int64_t)sizeof(double);
}

/* ---- moments -------------------------------------------------------------------------------------------------------- */

/* moments(x [.., c]) -> [2, c]: mean and variance of each channel over all else.  The variance is divided by the number, not one
 * less.  dx = (dmean + 2 dvariance (x - mean)) / number */
static int infer_moments(atl_node *y)
{
    atl_shape from = y->inputs[0]->shape;
    if (!atl_require_float(y, 0, "the input"))
        return 0;
    if (from.rank < 1)
        return atl_fail(y, "'%s' is a scalar; it has no last dimension for the channels", atl_name_of(y->inputs[0]));
    return atl_set_type(y, ATL_FLOAT32, ATL_SHAPE(2, last_of(from)));
}

static void reference_moments(const atl_node *y, const double *const *x, double *result)
{
    int64_t columns = last_of(y->shape), rows = columns ? atl_shape_count(y->inputs[0]->shape) / columns : 0;
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

/* Deviations are taken from the first row, which is as near to the mean as any. */
static int run_moments(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    int64_t columns = last_of(y->shape), rows = atl_shape_count(y->inputs[0]->shape) / columns;
    sums_plan p = {rows, columns, chunks_of(rows, columns), add_deviations, .by_row = 1, .second = 1};
    const float *x = memory[step->read[0]];
    float *mean = memory[step->write[0]], *variance = mean + columns;
    const double *sum = sum_rows(&p, x, x, memory[step->write[1]]), *square = sum + columns;
    (void)bound;
    for (int64_t c = 0; c < columns; c++) {
        double off = sum[c] / (double)rows, second = square[c] / (double)rows;
        mean[c] = (float)(x[c] + off);
        variance[c] = (float)fmax(second - off * off, 0) + (float)(0 * off); /* NaN stays NaN */
    }
    return 0;
}

/* Empty ones go to the reference. */
static int lower_moments(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    int64_t count = atl_shape_count(y->inputs[0]->shape), columns = last_of(y->shape);
    if (count == 0)
        return atl_lower_kernel(lowering);
    atl_plan_step step = {.implementation = "moments", .run = run_moments, .cannot_fail = 1, .data = (void *)y};
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.write[step.writes++] = atl_lower_output(lowering);
    step.write[step.writes++] = atl_lower_scratch(lowering, scratch_bytes(count / columns, columns));
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
    .lower = lower_moments,
    .samples = (const atl_sample[]){
        {"map", .unary = atl_moments, .input = {{4, {2, 3, 2, 3}}}, .inputs = 1},
        {"matrix", .unary = atl_moments, .input = {{2, {5, 7}, 1, 3}}, .inputs = 1},
        {"vector", .unary = atl_moments, .input = {{1, {3}}}, .inputs = 1},
        {"many rows", .unary = atl_moments, .input = {{2, {3001, 17}, 99, 101}}, .inputs = 1, .no_gradient = 1},
        {"many channels", .unary = atl_moments, .input = {{2, {3, 1300}}}, .inputs = 1, .no_gradient = 1},
        {"scalar", .unary = atl_moments, .input = {{0}}, .inputs = 1, .error = "no last dimension"},
        {"integers", .unary = atl_moments, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1, .error = "float32"},
        {0}}};
ATL_BUILTIN(moments_op);

atl_node *atl_moments(atl_node *x) { return ATL_APPLY(&moments_op, NULL, x); }

/* ---- sums of products ------------------------------------------------------------------------------------------------- */

/* sum_product_to(a, b, like) = sum of a * b over all rows.  da = b dy, db = a dy */
static int infer_sum_product(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, y->inputs[2]->shape); }

static void reference_sum_product(const atl_node *y, const double *const *x, double *result)
{
    int64_t columns = atl_shape_count(y->shape), count = atl_shape_count(y->inputs[0]->shape);
    memset(result, 0, (size_t)columns * sizeof *result);
    for (int64_t i = 0; i < count; i++)
        result[i % columns] += x[0][i] * x[1][i];
}

static int run_sum_product(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    int64_t columns = atl_shape_count(y->shape), rows = atl_shape_count(y->inputs[0]->shape) / columns;
    sums_plan p = {rows, columns, chunks_of(rows, columns), add_products, .by_row = 0, .second = 0};
    const double *sum = sum_rows(&p, memory[step->read[0]], memory[step->read[1]], memory[step->write[1]]);
    float *result = memory[step->write[0]];
    (void)bound;
    for (int64_t c = 0; c < columns; c++)
        result[c] = (float)sum[c];
    return 0;
}

static int lower_sum_product(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    int64_t columns = atl_shape_count(y->shape), count = atl_shape_count(y->inputs[0]->shape);
    if (count == 0)
        return atl_lower_kernel(lowering);
    atl_plan_step step = {.implementation = "sum of products",
                          .run = run_sum_product,
                          .cannot_fail = 1,
                          .data = (void *)y};
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.read[step.reads++] = atl_lower_input(lowering, 1);
    step.write[step.writes++] = atl_lower_output(lowering);
    step.write[step.writes++] = atl_lower_scratch(lowering, scratch_bytes(count / columns, columns));
    return atl_lower_step(lowering, &step);
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
    .lower = lower_sum_product,
    .samples =
        (const atl_sample[]){{"channels", .binary = sample_channels, .input = {{2, {5, 3}}, {2, {5, 3}}}, .inputs = 2},
                             {"rows of two dimensions", .binary = sample_channels,
                              .input = {{3, {4, 2, 3}}, {3, {4, 2, 3}}}, .inputs = 2},
                             {"all", .binary = sample_all, .input = {{2, {5, 3}}, {2, {5, 3}}}, .inputs = 2},
                             {"many rows", .binary = sample_channels, .input = {{2, {3001, 17}}, {2, {3001, 17}}},
                              .inputs = 2, .no_gradient = 1},
                             {0}}};
ATL_BUILTIN(sum_product_op);

atl_node *atl_sum_product_to(atl_node *a, atl_node *b, atl_node *like)
{
    if (!a || !b || !like || !atl_shape_equal(a->shape, b->shape) || a->dtype != ATL_FLOAT32 || b->dtype != ATL_FLOAT32)
        return NULL;
    int leading = 0; /* dimensions of 1 */
    while (leading < like->shape.rank && like->shape.size[leading] == 1)
        leading++;
    int last = like->shape.rank - leading; /* dimensions that are kept */
    for (int i = 1; i <= last; i++)
        if (i > a->shape.rank || like->shape.size[like->shape.rank - i] != a->shape.size[a->shape.rank - i])
            return NULL;
    return ATL_APPLY(&sum_product_op, NULL, a, b, like);
}
