/* Matrix products.
 *
 *     matmul(a, b)   [.., m, k] x [.., k, n] -> [.., m, n]:   y[.., i, j] = sum over p of a[.., i, p] b[.., p, j]
 *
 * where either side may be stored with its last two dimensions swapped, and either may lack the leading dimensions, when it is used
 * for all of them.  Its gradients are matrix products again. */
#include <omp.h>

#include "graph/memory.h"
#include "onednn/onednn.h"
#include "kernels/kernels.h"
#include "ops/attributes.h"
#include "ops/ops.h"

/* ---- shapes -------------------------------------------------------------------------------------------------------- */

/* Dimension `which` (0: rows, 1: columns) of a matrix as it is multiplied. */
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

/* Both in one line, and where a wrong size may come from in the next. */
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

/* The leading dimensions of the result; the two matrix sizes are left to be set. */
static int infer_leading(atl_node *y, atl_shape *result)
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

static int infer_matmul(atl_node *y)
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

/* A product of known sizes. */
typedef struct product {
    int64_t batch, m, n, k;
    int transpose_a, transpose_b;
    int broadcast_a, broadcast_b; /* one matrix for the whole batch */
} product;

static product product_of(const atl_node *y)
{
    const matmul_options *options = y->attributes;
    atl_shape a = *y->inputs[0]->shape, b = *y->inputs[1]->shape;
    product p = {.batch = 1,
                 .m = y->shape->size[y->shape->rank - 2],
                 .n = y->shape->size[y->shape->rank - 1],
                 .k = matrix_size(a, options->transpose_a, 1),
                 .transpose_a = options->transpose_a,
                 .transpose_b = options->transpose_b,
                 .broadcast_a = a.rank == 2,
                 .broadcast_b = b.rank == 2};
    for (int i = 0; i < y->shape->rank - 2; i++)
        p.batch *= y->shape->size[i];
    if (p.broadcast_b && !p.transpose_a) { /* rows of all examples, one below the other */
        p.m *= p.batch;
        p.batch = 1;
    }
    return p;
}

/* ---- reference ----------------------------------------------------------------------------------------------------- */

static void reference_one(const product *p, const double *a, const double *b, double *c)
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
    product p = product_of(y);
    for (int64_t i = 0; i < p.batch; i++)
        reference_one(&p, x[0] + (p.broadcast_a ? 0 : i * p.m * p.k), x[1] + (p.broadcast_b ? 0 : i * p.k * p.n),
                      result + i * p.m * p.n);
}

/* ---- steps --------------------------------------------------------------------------------------------------------- */

/* What follows the product. */
typedef struct epilogue {
    int bias_input; /* [n], or ONEDNN_NO_INPUT */
    int relu;
} epilogue;

enum {
    SMALL = 32 * 1024,      /* multiplications: about a microsecond, of which calling oneDNN would cost half */
    SMALL_DOTS = 8 * 1024,  /* the same where B is transposed */
    PACKED_ROWS = 64,       /* from here on oneDNN's own copying of B does not count */
    PACKED_SIZE = 64 * 1024 /* elements of B: from here on it would */
};

/* Products that own loops do best. */
typedef enum loop {
    NO_LOOP,
    SMALL_LOOP,  /* little work */
    STREAM_LOOP, /* few rows of A: reading B takes the time, at batch 1 */
    OUTER_LOOP   /* few terms: writing C takes it */
} loop;

typedef struct product_step {
    loop loop;
    atl_product product;
    int64_t batch, a_next, b_next, c_next; /* elements from one example to the next */
    int parts;
    int swapped;       /* input 1 is the left matrix */
    int partial, bias; /* places in step.read or step.write; -1: none */
    int64_t rows, columns;
    int relu;
} product_step;

/* One column of results is one row of the transposed product: c^T = b^T a^T. */
static void describe_product(product_step *s, const product *p)
{
    int column = p->n == 1 && p->m > 1;
    s->swapped = column;
    s->batch = p->batch;
    s->rows = p->m * p->batch;
    s->columns = p->n;
    int64_t a_next = p->broadcast_a ? 0 : p->m * p->k, b_next = p->broadcast_b ? 0 : p->k * p->n;
    s->c_next = p->m * p->n;
    if (column) {
        s->product =
            (atl_product){.m = 1, .n = p->m, .k = p->k, .a_row = 0, .a_column = 1, .b_transposed = !p->transpose_a};
        s->a_next = b_next;
        s->b_next = a_next;
        return;
    }
    s->product = (atl_product){.m = p->m,
                               .n = p->n,
                               .k = p->k,
                               .a_row = p->transpose_a ? 1 : p->k,
                               .a_column = p->transpose_a ? p->m : 1,
                               .b_transposed = p->transpose_b};
    if (p->m == 1) /* a row is a row however it is called */
        s->product.a_column = 1;
    if (p->k == 1)
        s->product.b_transposed = 0;
    s->a_next = a_next;
    s->b_next = b_next;
}

static loop loop_for(const product_step *s)
{
    const atl_product *p = &s->product;
    double work = (double)s->batch * (double)p->m * (double)p->n * (double)p->k;
    if (work < (p->b_transposed ? SMALL_DOTS : SMALL))
        return SMALL_LOOP;
    if (s->batch > 1)
        return NO_LOOP;
    if (p->m <= ATL_FEW_ROWS && (!p->b_transposed || p->a_column == 1))
        return STREAM_LOOP;
    return p->k <= ATL_FEW_ROWS && !p->b_transposed ? OUTER_LOOP : NO_LOOP;
}

static void finish(const product_step *s, const float *bias, float *c)
{
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < s->columns; j++) {
            float value = c[i * s->columns + j] + (bias ? bias[j] : 0);
            c[i * s->columns + j] = s->relu && value <= 0 ? 0 : value;
        }
}

static int run_product(const atl_plan_step *step, void *const *memory, void *bound)
{
    const product_step *s = step->data;
    const float *a = memory[step->read[s->swapped]], *b = memory[step->read[!s->swapped]];
    float *c = memory[step->write[0]];
    (void)bound;
    if (s->loop == STREAM_LOOP)
        atl_kernels->stream_product(&s->product, s->parts, a, b, c,
                                    s->partial < 0 ? NULL : memory[step->write[s->partial]]);
    else if (s->loop == OUTER_LOOP)
        atl_kernels->outer_product(&s->product, a, b, c);
    else
        for (int64_t i = 0; i < s->batch; i++)
            atl_kernels->small_product(&s->product, a + i * s->a_next, b + i * s->b_next, c + i * s->c_next);
    if (s->bias >= 0 || s->relu)
        finish(s, s->bias < 0 ? NULL : memory[step->read[s->bias]], c);
    return 0;
}

static int lower_loop(atl_lowering *lowering, const product_step *described, const epilogue *after)
{
    static const char *const names[] = {"", "small", "stream", "outer"};
    product_step *s = atl_allocate(1, sizeof *s);
    if (!s) {
        atl_out_of_memory();
        return 0;
    }
    *s = *described;
    atl_plan_step step = {.implementation = names[s->loop], .run = run_product, .release = atl_release, .data = s};
    step.flops = 2.0 * (double)s->batch * (double)s->product.m * (double)s->product.n * (double)s->product.k;
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.read[step.reads++] = atl_lower_input(lowering, 1);
    s->bias = after->bias_input < 0 ? -1 : step.reads;
    if (s->bias >= 0)
        step.read[step.reads++] = atl_lower_input(lowering, after->bias_input);
    s->relu = after->relu;
    step.write[step.writes++] = atl_lower_output(lowering);
    s->partial = -1;
    s->parts = omp_get_max_threads();
    int64_t scratch = s->loop == STREAM_LOOP ? atl_stream_partial(&s->product, s->parts) : 0;
    if (scratch > 0) {
        s->partial = step.writes;
        step.write[step.writes++] = atl_lower_scratch(lowering, scratch * (int64_t)sizeof(float));
    }
    return atl_lower_step(lowering, &step);
}

/* True if the value does not change from run to run, but with a variable. */
static int is_lasting(const atl_node *x, int depth)
{
    if (x->op->flags & (ATL_OP_VARIABLE | ATL_OP_CONSTANT))
        return 1;
    for (int i = 0; depth > 0 && i < x->input_count; i++)
        if (!is_lasting(x->inputs[i], depth - 1))
            return 0;
    return depth > 0 && x->input_count > 0;
}

static int lower_product(atl_lowering *lowering, const epilogue *after)
{
    const atl_node *y = atl_lowered_node(lowering);
    product p = product_of(y);
    product_step s = {0};
    if (p.k == 0 || atl_shape_count(*y->shape) == 0)
        return onednn_lower_zeros(lowering);
    describe_product(&s, &p);
    s.loop = loop_for(&s);
    if (s.loop != NO_LOOP)
        return lower_loop(lowering, &s, after);
    onednn_matmul matmul = {.batch = p.batch,
                            .m = p.m,
                            .n = p.n,
                            .k = p.k,
                            .transpose_a = p.transpose_a,
                            .transpose_b = p.transpose_b,
                            .broadcast_a = p.broadcast_a,
                            .broadcast_b = p.broadcast_b,
                            .bias_input = after->bias_input,
                            .relu = after->relu};
    matmul.pack_b = p.batch == 1 && p.m < PACKED_ROWS && p.k * p.n >= PACKED_SIZE && is_lasting(y->inputs[1], 4);
    return onednn_lower_matmul(lowering, &matmul);
}

static int lower_matmul(atl_lowering *lowering) { return lower_product(lowering, &(epilogue){ONEDNN_NO_INPUT, 0}); }

/* ---- gradients ----------------------------------------------------------------------------------------------------- */

static atl_node *multiply(atl_node *a, atl_node *b, int transpose_a, int transpose_b)
{
    return atl_matmul(a, b, .transpose_a = transpose_a, .transpose_b = transpose_b);
}

/* With A and B as multiplied, dA = dy B^T, and if A is stored transposed its gradient is that transposed, B dy^T. */
static atl_node *matmul_by_a(atl_node *y, atl_node *dy)
{
    const matmul_options *options = y->attributes;
    atl_node *a = y->inputs[0], *b = y->inputs[1];
    atl_node *da =
        options->transpose_a ? multiply(b, dy, options->transpose_b, 1) : multiply(dy, b, 0, !options->transpose_b);
    return a->shape->rank < y->shape->rank ? atl_sum_to(da, a) : da;
}

/* All leading dimensions and the rows in one: [.., m, n] -> [rest, n]. */
static atl_node *as_rows(atl_node *x) { return atl_reshape(x, ATL_SHAPE(-1, x->shape->size[x->shape->rank - 1])); }

/* dB = A^T dy, or dy^T A. If one B served the whole batch, the sum over the batch is a part of the product where A's rows lie one
 * below the other. */
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

/* ---- descriptors --------------------------------------------------------------------------------------------------- */

static void describe_matmul(const atl_node *y, char *text, size_t size)
{
    const matmul_options *options = y->attributes;
    static const char *const texts[] = {"", "first transposed", "second transposed", "both transposed"};
    snprintf(text, size, "%s", texts[(options->transpose_a != 0) + 2 * (options->transpose_b != 0)]);
}

/* matmul_fused(a, b [, bias]): relu(matmul + bias), either if it is there. Made by the compiler, and never differentiated. */
typedef struct fused_options {
    matmul_options matmul;
    int32_t has_bias, has_relu;
} fused_options;

static int lower_fused(atl_lowering *lowering)
{
    const fused_options *options = atl_lowered_node(lowering)->attributes;
    return lower_product(lowering, &(epilogue){options->has_bias ? 2 : ONEDNN_NO_INPUT, options->has_relu});
}

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const fused_options *options = y->attributes;
    describe_matmul(y, text, size);
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s%s", options->has_bias ? " + bias" : "", options->has_relu ? ", relu" : "");
}

static atl_node *matmul_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, int relu);
static const atl_op fused_op = {.name = "matmul_fused",
                                .arity = ATL_VARIADIC,
                                .attributes = sizeof(fused_options),
                                .infer = infer_matmul,
                                .describe = describe_fused,
                                .hooks =
                                    &(const atl_op_hooks){.lower = lower_fused, .with_epilogue = matmul_with_epilogue}};

/* In this order: bias, relu; nothing else, and not for products without elements or terms, which are zeros. */
static atl_node *matmul_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, int relu)
{
    fused_options options;
    product p = product_of(y);
    memset(&options, 0, sizeof options);
    memcpy(&options, y->attributes, y->op->attributes);
    if (residual || options.has_relu || (bias && options.has_bias) || p.k == 0 || atl_shape_count(*y->shape) == 0)
        return NULL;
    atl_node *inputs[3] = {y->inputs[0], y->inputs[1], bias ? bias : y->input_count > 2 ? y->inputs[2] : NULL};
    options.has_bias = inputs[2] != NULL;
    options.has_relu |= relu;
    return atl_apply_with(&fused_op, &options, 2 + options.has_bias, inputs);
}

/* Transposed operands are taken as they were before. */
static atl_node *matmul_simplified(atl_node *y)
{
    const matmul_options *options = y->attributes;
    atl_node *a = atl_before_swap(y->inputs[0]), *b = atl_before_swap(y->inputs[1]);
    if (!a && !b)
        return NULL;
    return multiply(a ? a : y->inputs[0], b ? b : y->inputs[1], options->transpose_a != (a != NULL),
                    options->transpose_b != (b != NULL));
}

/* (A B)^T = B^T A^T; but one B for a whole batch is better on the right, where the rows of all examples are one matrix. */
static atl_node *matmul_transposed(atl_node *y)
{
    const matmul_options *options = y->attributes;
    atl_node *a = y->inputs[0], *b = y->inputs[1];
    return a->shape->rank == b->shape->rank ? multiply(b, a, !options->transpose_b, !options->transpose_a) : NULL;
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
    .infer = infer_matmul,
    .gradient = {matmul_by_a, matmul_by_b},
    .reference = reference_matmul,
    .simplify = matmul_simplified,
    .describe = describe_matmul,
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
                                   .with_epilogue = matmul_with_epilogue,
                                   .transposed = matmul_transposed}};
ATL_BUILTIN(matmul_op);

atl_node *atl_matmul_with(const atl_matmul_args *args)
{
    if (!args)
        return atl_null_argument("atl_matmul", "the options are"), NULL;
    matmul_options options = {args->transpose_a != 0, args->transpose_b != 0};
    return ATL_APPLY(&matmul_op, &options, args->a, args->b);
}
