/* Matrix products.
 *
 *     matmul(a, b)   [.., m, k] x [.., k, n] -> [.., m, n]:   y[.., i, j] = sum over p of a[.., i, p] b[.., p, j]
 *
 * where either side may be stored with its last two dimensions swapped, and either may lack the leading dimensions,
 * when it is used for all of them.  Its gradients are matrix products again. */
#include "cost/cost.h"
#include "kernels/kernels.h"
#include "ops/attributes.h"
#include "ops/matmul.h"

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

/* The size of dimension `which` (0: rows, 1: columns) of a matrix as it is multiplied. */
static int64_t matrix_size(atl_shape shape, int transposed, int which)
{
    return shape.size[shape.rank - (which != transposed ? 1 : 2)];
}

static int check_matrix(atl_node *y, int i)
{
    const atl_node *x = y->inputs[i];
    if (!atl_require_float(y, i, i ? "the second matrix" : "the first matrix"))
        return 0;
    if (x->shape->rank < 2)
        return atl_fail(y,
                        "the %s input, '%s', is %s; a matrix has two dimensions: use atl_expand_dims to make a row or "
                        "a column of it",
                        i ? "second" : "first", atl_name_of(x), SHAPE_OF(x));
    return 1;
}

/* Names both in one line, and in the next line where a wrong size may come from. */
static int fail_product(atl_node *y, const char *why)
{
    const matmul_options *options = y->attributes;
    char text[2][600];
    atl_explain_shape(y->inputs[0], text[0], sizeof text[0]);
    atl_explain_shape(y->inputs[1], text[1], sizeof text[1]);
    return atl_fail(y, "cannot multiply %s%s by %s%s: %s.%s%s%s%s", SHAPE_OF(y->inputs[0]),
                    options->transpose_a ? " transposed" : "", SHAPE_OF(y->inputs[1]),
                    options->transpose_b ? " transposed" : "", why, text[0][0] ? "\n  " : "", text[0],
                    text[1][0] ? "\n  " : "", text[1]);
}

/* Infers the leading dimensions of the result; the caller sets the two matrix sizes. */
static bool infer_leading(atl_node *y, atl_shape *result)
{
    atl_shape a = *y->inputs[0]->shape, b = *y->inputs[1]->shape;
    *result = a.rank >= b.rank ? a : b;
    if (a.rank == 2 || b.rank == 2)
        return 1;
    if (a.rank != b.rank)
        return fail_product(y, "the leading dimensions must be the same, or missing on one side");
    for (int i = 0; i < a.rank - 2; i++) {
        char why[200];
        if (a.size[i] == ATL_ANY)
            result->size[i] = b.size[i];
        else if (b.size[i] != ATL_ANY && a.size[i] != b.size[i]) {
            snprintf(why, sizeof why, "the leading sizes %lld and %lld differ", (long long)a.size[i],
                     (long long)b.size[i]);
            return fail_product(y, why);
        }
    }
    return 1;
}

bool atl_infer_matmul(atl_node *y)
{
    const matmul_options *options = y->attributes;
    atl_shape result;
    char why[200];
    if (!check_matrix(y, 0) || !check_matrix(y, 1))
        return 0;
    atl_shape a = *y->inputs[0]->shape, b = *y->inputs[1]->shape;
    int64_t k = matrix_size(a, options->transpose_a, 1), rows = matrix_size(b, options->transpose_b, 0);
    if (k != ATL_ANY && rows != ATL_ANY && k != rows) {
        snprintf(why, sizeof why, "the inner sizes %lld and %lld differ", (long long)k, (long long)rows);
        return fail_product(y, why);
    }
    if (!infer_leading(y, &result))
        return 0;
    result.size[result.rank - 2] = matrix_size(a, options->transpose_a, 0);
    result.size[result.rank - 1] = matrix_size(b, options->transpose_b, 1);
    return atl_set_type(y, ATL_FLOAT32, result);
}

atl_matrix_product atl_product_of(const atl_node *y)
{
    const matmul_options *options = y->attributes;
    atl_shape a = *y->inputs[0]->shape, b = *y->inputs[1]->shape;
    atl_matrix_product p = {.batch = 1,
                            .m = y->shape->size[y->shape->rank - 2],
                            .n = y->shape->size[y->shape->rank - 1],
                            .k = matrix_size(a, options->transpose_a, 1),
                            .transpose_a = options->transpose_a,
                            .transpose_b = options->transpose_b,
                            .broadcast_a = a.rank == 2,
                            .broadcast_b = b.rank == 2};
    for (int i = 0; i < y->shape->rank - 2; i++)
        p.batch *= y->shape->size[i];
    if (p.broadcast_b && !p.transpose_a) { /* the rows of all examples form one matrix */
        p.m *= p.batch;
        p.batch = 1;
    }
    return p;
}

/* ---- reference --------------------------------------------------------------------------------------------------- */

static void reference_one(const atl_matrix_product *p, const double *a, const double *b, double *c)
{
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t j = 0; j < p->n; j++) {
            double sum = 0;
            for (int64_t q = 0; q < p->k; q++)
                sum += (p->transpose_a ? a[q * p->m + i] : a[i * p->k + q]) *
                       (p->transpose_b ? b[j * p->k + q] : b[q * p->n + j]);
            c[i * p->n + j] = sum;
        }
}

static void reference_matmul(const atl_node *y, const double *const *x, double *result)
{
    atl_matrix_product p = atl_product_of(y);
    for (int64_t i = 0; i < p.batch; i++)
        reference_one(&p, x[0] + (p.broadcast_a ? 0 : i * p.m * p.k), x[1] + (p.broadcast_b ? 0 : i * p.k * p.n),
                      result + i * p.m * p.n);
}

static int lower_matmul(atl_lowering *lowering) { return atl_lower_product(lowering, &(atl_product_epilogue){0}); }

/* ---- gradients --------------------------------------------------------------------------------------------------- */

static atl_node *multiply(atl_node *a, atl_node *b, int transpose_a, int transpose_b)
{
    return atl_matmul(a, b, .transpose_a = transpose_a, .transpose_b = transpose_b);
}

/* With A and B as multiplied, dA = dy B^T; if A is stored transposed, its gradient is the transpose, B dy^T. */
static atl_node *matmul_by_a(atl_node *y, atl_node *dy)
{
    const matmul_options *options = y->attributes;
    atl_node *a = y->inputs[0], *b = y->inputs[1];
    atl_node *da =
        options->transpose_a ? multiply(b, dy, options->transpose_b, 1) : multiply(dy, b, 0, !options->transpose_b);
    return a->shape->rank < y->shape->rank ? atl_sum_to(da, a) : da;
}

/* Merges all leading dimensions and the rows: [.., m, n] -> [rest, n]. */
static atl_node *as_rows(atl_node *x) { return atl_reshape(x, ATL_SHAPE(-1, x->shape->size[x->shape->rank - 1])); }

/* dB = A^T dy, or dy^T A.  If the whole batch uses one B, the product itself sums over the batch where A's rows form
 * one matrix. */
static atl_node *matmul_by_b(atl_node *y, atl_node *dy)
{
    const matmul_options *options = y->attributes;
    atl_node *a = y->inputs[0], *b = y->inputs[1];
    int shared = b->shape->rank < y->shape->rank;
    int64_t k = a->shape->size[a->shape->rank - 1], n = y->shape->size[y->shape->rank - 1];
    if (shared && !options->transpose_a && k > 0 && n > 0) {
        a = as_rows(a);
        dy = as_rows(dy);
        shared = 0;
    }
    atl_node *db =
        options->transpose_b ? multiply(dy, a, 1, options->transpose_a) : multiply(a, dy, !options->transpose_a, 0);
    return shared ? atl_sum_to(db, b) : db;
}

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

void atl_describe_matmul(const atl_node *y, char *text, size_t size)
{
    const matmul_options *options = y->attributes;
    static const char *const texts[] = {"", "first transposed", "second transposed", "both transposed"};
    snprintf(text, size, "%s", texts[(options->transpose_a != 0) + 2 * (options->transpose_b != 0)]);
}

/* The rows of a, or matrices of a and b that belong to images. */
unsigned atl_matmul_by_image(const atl_node *y)
{
    const matmul_options *options = y->attributes;
    int a = y->inputs[0]->shape->rank, b = y->inputs[1]->shape->rank;
    if (y->shape->rank == 2)
        return !options->transpose_a;
    return (a > 2) | (b > 2) << 1;
}

static atl_node *with_weight(atl_node *y)
{
    matmul_options options = *(const matmul_options *)y->attributes;
    atl_matrix_product p = atl_product_of(y);
    options.lasting = atl_product_is_packed(&p);
    return options.lasting ? atl_apply_with(y->op, &options, (atl_nodes){2, y->inputs}) : y;
}

/* A product of few terms, and so of a small second matrix: each thread packs that, which many rows pay for, and the
 * second-level cache keeps it with some rows of the result.  Columns fill whole tiles.  Where the result is beyond the
 * caches, waiting for memory takes the time, and oneDNN's product is as good. */
static int matmul_as_rows(const atl_node *y, atl_rows_form *form)
{
    enum { SOME_ROWS = 32, TILE_COLUMNS = 64, MOST = 16 * ATL_NEAR_FLOATS };
    const matmul_options *options = y->attributes;
    const atl_matrix_product p = atl_product_of(y);
    const atl_costs *cost = atl_costs_in_use();
    *form = (atl_rows_form){p.m, p.n, p.k, p.transpose_a ? 1 : p.k, p.transpose_a ? p.m : 1};
    return y->shape->rank == 2 && !options->lasting && !p.transpose_b && p.n % TILE_COLUMNS == 0 &&
           p.m >= cost->rows_least && p.m * p.n <= MOST && p.k > ATL_FEW_ROWS && p.k <= cost->rows_terms &&
           (p.k + SOME_ROWS) * p.n <= ATL_NEAR_FLOATS;
}

/* (A B)^T = B^T A^T; but one B for a whole batch stays on the right, where the rows of all examples form one matrix. */
static atl_node *matmul_transposed(atl_node *y)
{
    const matmul_options *options = y->attributes;
    atl_node *a = y->inputs[0], *b = y->inputs[1];
    return a->shape->rank == b->shape->rank ? multiply(b, a, !options->transpose_b, !options->transpose_a) : NULL;
}

/* One number times a row or a column: element-wise, so that it joins others of its kind. */
static atl_node *matmul_simplified(atl_node *y)
{
    atl_matrix_product p = atl_product_of(y);
    if (p.batch != 1 || p.k != 1 || (p.m != 1 && p.n != 1))
        return NULL;
    atl_node *vector = y->inputs[p.m == 1], *number = y->inputs[p.m != 1];
    return atl_mul(atl_reshape(vector, *y->shape), atl_reshape(number, ATL_SHAPE(1)));
}

static atl_node *plain(atl_node *a, atl_node *b) { return atl_matmul(a, b); }
static atl_node *first_transposed(atl_node *a, atl_node *b) { return atl_matmul(a, b, .transpose_a = 1); }
static atl_node *second_transposed(atl_node *a, atl_node *b) { return atl_matmul(a, b, .transpose_b = 1); }
static atl_node *both_transposed(atl_node *a, atl_node *b)
{
    return atl_matmul(a, b, .transpose_a = 1, .transpose_b = 1);
}
static atl_node *squared(atl_node *a) { return atl_matmul(a, a); }
static atl_node *reshaped(atl_node *a, atl_node *b) { return atl_matmul(atl_reshape(a, ATL_SHAPE(4, -1)), b); }

static const atl_op matmul_op = {
    .name = "matmul",
    .arity = 2,
    .attributes = sizeof(matmul_options),
    .infer = atl_infer_matmul,
    .gradient = {matmul_by_a, matmul_by_b},
    .reference = reference_matmul,
    .describe = atl_describe_matmul,
    .simplify = matmul_simplified,
    .samples =
        (const atl_sample[]){
            {"3x4 by 4x2", .binary = plain, .input = {{2, {3, 4}}, {2, {4, 2}}}, .inputs = 2},
            {"first transposed", .binary = first_transposed, .input = {{2, {4, 3}}, {2, {4, 5}}}, .inputs = 2},
            {"second transposed", .binary = second_transposed, .input = {{2, {3, 4}}, {2, {5, 4}}}, .inputs = 2},
            {"both transposed", .binary = both_transposed, .input = {{2, {4, 3}}, {2, {5, 4}}}, .inputs = 2},
            {"one row", .binary = plain, .input = {{2, {1, 19}}, {2, {19, 33}}}, .inputs = 2},
            {"one column", .binary = plain, .input = {{2, {7, 5}}, {2, {5, 1}}}, .inputs = 2},
            {"one column, first transposed", .binary = first_transposed, .input = {{2, {5, 7}}, {2, {5, 1}}},
             .inputs = 2},
            {"one term", .binary = plain, .input = {{2, {3, 1}}, {2, {1, 5}}}, .inputs = 2},
            {"one number times a row", .binary = plain, .input = {{2, {1, 1}}, {2, {1, 5}}}, .inputs = 2},
            {"one number times a column", .binary = first_transposed, .input = {{2, {1, 5}}, {2, {1, 1}}}, .inputs = 2},
            {"one term, both transposed", .binary = both_transposed, .input = {{2, {1, 3}}, {2, {5, 1}}}, .inputs = 2},
            {"with itself", .unary = squared, .input = {{2, {3, 3}}}, .inputs = 1},
            {"batch", .binary = plain, .input = {{3, {2, 3, 4}}, {3, {2, 4, 2}}}, .inputs = 2},
            {"batch, both transposed", .binary = both_transposed, .input = {{4, {2, 3, 4, 2}}, {4, {2, 3, 5, 4}}},
             .inputs = 2},
            {"one second matrix for a batch", .binary = plain, .input = {{4, {2, 3, 2, 4}}, {2, {4, 3}}}, .inputs = 2},
            {"one second matrix, transposed", .binary = second_transposed, .input = {{3, {2, 3, 4}}, {2, {5, 4}}},
             .inputs = 2},
            {"one second matrix, first transposed", .binary = first_transposed, .input = {{3, {2, 4, 3}}, {2, {4, 5}}},
             .inputs = 2},
            {"one second matrix, both transposed", .binary = both_transposed, .input = {{3, {2, 4, 3}}, {2, {5, 4}}},
             .inputs = 2},
            {"one first matrix for a batch", .binary = plain, .input = {{2, {3, 4}}, {3, {2, 4, 2}}}, .inputs = 2},
            {"one first matrix, transposed", .binary = first_transposed, .input = {{2, {4, 3}}, {3, {2, 4, 2}}},
             .inputs = 2},
            {"inner sizes", .binary = plain, .input = {{2, {40, 11520}}, {2, {2304, 384}}}, .inputs = 2,
             .error = "cannot multiply [40, 11520] by [2304, 384]: the inner sizes 11520 and 2304 differ."},
            {"where a size comes from", .binary = reshaped, .input = {{2, {8, 6}}, {2, {6, 5}}}, .inputs = 2,
             .error = "comes from reshape"},
            {"inner sizes, transposed", .binary = second_transposed, .input = {{2, {3, 4}}, {2, {4, 5}}}, .inputs = 2,
             .error = "by [4, 5] transposed: the inner sizes 4 and 5 differ"},
            {"leading sizes", .binary = plain, .input = {{3, {2, 3, 4}}, {3, {3, 4, 2}}}, .inputs = 2,
             .error = "the leading sizes 2 and 3"},
            {"leading ranks", .binary = plain, .input = {{3, {2, 3, 4}}, {4, {1, 2, 4, 2}}}, .inputs = 2,
             .error = "missing on one side"},
            {"a vector", .binary = plain, .input = {{1, {4}}, {2, {4, 2}}}, .inputs = 2, .error = "atl_expand_dims"},
            {"int32", .binary = plain, .input = {{2, {3, 4}, 0, 9, 1}, {2, {4, 2}}}, .inputs = 2,
             .error = "must be float32"},
            {0}},
    .hooks = &(const atl_op_hooks){.lower = lower_matmul,
                                   .by_image = atl_matmul_by_image,
                                   .with_epilogue = atl_matmul_with_epilogue,
                                   .multiplied = atl_matmul_multiplied,
                                   .with_weight = with_weight,
                                   .as_update = atl_matmul_as_update,
                                   .as_rows = matmul_as_rows,
                                   .transposed = matmul_transposed}};
ATL_BUILTIN(matmul_op);

atl_node *atl_matmul_with(const atl_matmul_args *args)
{
    if (!args)
        return atl_null_argument("atl_matmul", "the options are"), NULL;
    matmul_options options = {.transpose_a = args->transpose_a != 0, .transpose_b = args->transpose_b != 0};
    return ATL_APPLY(&matmul_op, &options, args->a, args->b);
}
