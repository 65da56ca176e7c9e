/* tril(x): the matrices [.., rows, columns] of x with the elements above a diagonal set to zero.  It is linear, and its
 * own adjoint: dx = tril(dy). */
#include "ops/ops.h"

static bool infer_triangle(atl_node *y)
{
    atl_shape shape = *y->inputs[0]->shape;
    if (shape.rank < 2)
        return atl_fail(y, "'%s' %s is no matrix: it takes [.., rows, columns]", atl_name_of(y->inputs[0]),
                        SHAPE_TEXT(shape));
    return atl_require_float(y, 0, "the matrix") && atl_infer_same(y);
}

static atl_node *triangle_gradient(atl_node *y, atl_node *dy) { return atl_tril(dy, *(const int *)y->attributes); }

/* True if element k of a dense [.., rows, columns] is on the diagonal or below it. */
static int is_kept(const atl_node *y, int64_t k)
{
    int64_t rows = y->shape->size[y->shape->rank - 2], columns = y->shape->size[y->shape->rank - 1];
    return k % columns - k / columns % rows <= *(const int *)y->attributes;
}

static void triangle_reference(const atl_node *y, const double *const *x, double *result)
{
    for (int64_t k = 0; k < atl_shape_count(*y->shape); k++)
        result[k] = is_kept(y, k) ? x[0][k] : 0;
}

static void triangle_kernel(const atl_node *y, const void *const *x, void *result)
{
    const float *from = x[0];
    float *to = result;
    for (int64_t k = 0; k < atl_shape_count(*y->shape); k++)
        to[k] = is_kept(y, k) ? from[k] : 0;
}

static void describe_triangle(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "diagonal %d", *(const int *)y->attributes);
}

static atl_node *squared(atl_node *x) { return atl_square(atl_tril(x, 0)); }
static atl_node *one_more(atl_node *x) { return atl_tril(x, 1); }
static atl_node *strictly_below(atl_node *x) { return atl_tril(x, -1); }

static const atl_op tril_op = {
    .name = "tril",
    .arity = 1,
    .attributes = sizeof(int),
    .infer = infer_triangle,
    .gradient = {triangle_gradient},
    .reference = triangle_reference,
    .kernel = triangle_kernel,
    .describe = describe_triangle,
    .samples = (const atl_sample[]){
        {"square", .unary = squared, .input = {{2, {4, 4}}}, .inputs = 1},
        {"wide, a diagonal more, several", .unary = one_more, .input = {{3, {2, 3, 5}}}, .inputs = 1},
        {"tall, strictly below", .unary = strictly_below, .input = {{2, {5, 3}}}, .inputs = 1},
        {"a vector", .unary = squared, .input = {{1, {4}}}, .inputs = 1, .error = "no matrix"},
        {"integers", .unary = squared, .input = {{2, {4, 4}, 0, 9, 1}}, .inputs = 1, .error = "int32"},
        {0}}};
ATL_BUILTIN(tril_op);

atl_node *atl_tril(atl_node *x, int diagonal) { return ATL_APPLY(&tril_op, &diagonal, x); }
