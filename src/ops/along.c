/* take_along(x [.., n], indices [.., k]) -> [.., k]: from each row its own elements; scatter_along, its gradient, which
 * adds them where they came from; and top_k, which finds the places of the largest.  An index out of range takes 0, and
 * scatters nothing. */
#include "ops/attributes.h"
#include "ops/ops.h"

/* Rows, and elements in a row of each of the two. */
typedef struct rows {
    int64_t count, whole, taken;
} rows;

static rows rows_of(atl_shape whole, atl_shape taken)
{
    rows r = {1, whole.size[whole.rank - 1], taken.size[taken.rank - 1]};
    for (int i = 0; i < whole.rank - 1; i++)
        r.count *= whole.size[i];
    return r;
}

/* Fails unless both have as many dimensions, and the same sizes but the last. */
static int check_rows(atl_node *y, const atl_node *x, const atl_node *indices)
{
    int rank = x->shape->rank, same = rank == indices->shape->rank && rank > 0;
    for (int i = 0; same && i < rank - 1; i++)
        same = x->shape->size[i] == indices->shape->size[i] || x->shape->size[i] == ATL_ANY ||
               indices->shape->size[i] == ATL_ANY;
    return same ? 1
                : atl_fail(y, "'%s' %s and the indices, '%s' %s, must have the same dimensions but the last",
                           atl_name_of(x), SHAPE_OF(x), atl_name_of(indices), SHAPE_OF(indices));
}

static bool infer_take(atl_node *y)
{
    const atl_node *x = y->inputs[0], *indices = y->inputs[1];
    if (!atl_require_int(y, 1, "the indices") || !check_rows(y, x, indices))
        return 0;
    atl_shape to = *indices->shape;
    for (int i = 0; i < to.rank - 1; i++)
        to.size[i] = to.size[i] == ATL_ANY ? x->shape->size[i] : to.size[i];
    return atl_set_type(y, x->dtype, to);
}

static atl_node *take_gradient(atl_node *y, atl_node *dy)
{
    return atl_scatter_along(dy, atl_input_of(y, 1), atl_input_of(y, 0));
}

static void take_reference(const atl_node *y, const double *const *x, double *result)
{
    rows r = rows_of(*y->inputs[0]->shape, *y->shape);
    for (int64_t i = 0; i < r.count * r.taken; i++) {
        double index = x[1][i];
        result[i] = index >= 0 && index < (double)r.whole ? x[0][i / r.taken * r.whole + (int64_t)index] : 0;
    }
}

static void take_kernel(const atl_node *y, const void *const *x, void *result)
{
    rows r = rows_of(*y->inputs[0]->shape, *y->shape);
    const uint32_t *from = x[0];
    const int32_t *index = x[1];
    for (int64_t i = 0; i < r.count; i++)
        for (int64_t k = i * r.taken; k < (i + 1) * r.taken; k++)
            ((uint32_t *)result)[k] = index[k] >= 0 && index[k] < r.whole ? from[i * r.whole + index[k]] : 0;
}

static atl_node *square_of_take(atl_node *x, atl_node *indices) { return atl_square(atl_take_along(x, indices)); }

static const atl_op take_along_op = {
    .name = "take_along",
    .arity = 2,
    .infer = infer_take,
    .gradient = {take_gradient},
    .reference = take_reference,
    .kernel = take_kernel,
    .samples = (const atl_sample[]){
        {"matrix", .binary = square_of_take, .input = {{2, {3, 4}}, {2, {3, 2}, 0, 4, 1}}, .inputs = 2},
        {"more than there are, some out of range", .binary = square_of_take,
         .input = {{3, {2, 2, 3}}, {3, {2, 2, 5}, -1, 4, 1}}, .inputs = 2},
        {"integers", .binary = atl_take_along, .input = {{1, {4}, -9, 9, 1}, {1, {3}, 0, 4, 1}}, .inputs = 2,
         .no_gradient = 1},
        {"other rows", .binary = atl_take_along, .input = {{2, {3, 4}}, {2, {2, 2}, 0, 4, 1}}, .inputs = 2,
         .error = "[2, 2]"},
        {"indices that are floats", .binary = atl_take_along, .input = {{2, {3, 4}}, {2, {3, 2}}}, .inputs = 2,
         .error = "int32"},
        {"scalars", .binary = atl_take_along, .input = {{0}, {0, {0}, 0, 4, 1}}, .inputs = 2, .error = "dimensions"},
        {0}}};
ATL_BUILTIN(take_along_op);

atl_node *atl_take_along(atl_node *x, atl_node *indices) { return ATL_APPLY(&take_along_op, NULL, x, indices); }

/* ---- scatter_along(updates [.., k], indices [.., k], like [.., n]) -> [.., n] ------------------------------------ */

static bool infer_scatter(atl_node *y)
{
    const atl_node *updates = y->inputs[0], *indices = y->inputs[1], *like = y->inputs[2];
    if (!atl_require_float(y, 0, "the updates") || !atl_require_int(y, 1, "the indices") ||
        !check_rows(y, like, indices))
        return 0;
    if (!atl_shapes_agree(*updates->shape, *indices->shape))
        return atl_fail(y, "the updates, '%s' %s, are not one for each index of '%s' %s", atl_name_of(updates),
                        SHAPE_OF(updates), atl_name_of(indices), SHAPE_OF(indices));
    return atl_set_type(y, ATL_FLOAT32, *like->shape);
}

static atl_node *scatter_gradient(atl_node *y, atl_node *dy) { return atl_take_along(dy, atl_input_of(y, 1)); }

static void scatter_reference(const atl_node *y, const double *const *x, double *result)
{
    rows r = rows_of(*y->shape, *y->inputs[1]->shape);
    memset(result, 0, (size_t)(r.count * r.whole) * sizeof *result);
    for (int64_t i = 0; i < r.count * r.taken; i++)
        if (x[1][i] >= 0 && x[1][i] < (double)r.whole)
            result[i / r.taken * r.whole + (int64_t)x[1][i]] += x[0][i];
}

static void scatter_kernel(const atl_node *y, const void *const *x, void *result)
{
    rows r = rows_of(*y->shape, *y->inputs[1]->shape);
    const float *from = x[0];
    const int32_t *index = x[1];
    memset(result, 0, (size_t)(r.count * r.whole) * sizeof(float));
    for (int64_t i = 0; i < r.count; i++)
        for (int64_t k = i * r.taken; k < (i + 1) * r.taken; k++)
            if (index[k] >= 0 && index[k] < r.whole)
                ((float *)result)[i * r.whole + index[k]] += from[k];
}

static atl_node *square_of_scatter(atl_node *const *x) { return atl_square(atl_scatter_along(x[0], x[1], x[2])); }

static const atl_op scatter_along_op = {
    .name = "scatter_along",
    .arity = 3,
    .shape_inputs = 4,
    .infer = infer_scatter,
    .gradient = {scatter_gradient},
    .reference = scatter_reference,
    .kernel = scatter_kernel,
    .samples = (const atl_sample[]){
        {"some twice, some out of range", .build = square_of_scatter,
         .input = {{2, {3, 6}}, {2, {3, 6}, -1, 5, 1}, {2, {3, 4}}}, .inputs = 3},
        {"updates of another shape", .build = square_of_scatter,
         .input = {{2, {3, 5}}, {2, {3, 6}, 0, 4, 1}, {2, {3, 4}}}, .inputs = 3, .error = "[3, 5]"},
        {"other rows", .build = square_of_scatter, .input = {{2, {3, 6}}, {2, {3, 6}, 0, 4, 1}, {2, {2, 4}}},
         .inputs = 3, .error = "[2, 4]"},
        {"updates that are integers", .build = square_of_scatter,
         .input = {{2, {3, 6}, 0, 9, 1}, {2, {3, 6}, 0, 4, 1}, {2, {3, 4}}}, .inputs = 3, .error = "float32"},
        {"indices that are floats", .build = square_of_scatter, .input = {{2, {3, 6}}, {2, {3, 6}}, {2, {3, 4}}},
         .inputs = 3, .error = "int32"},
        {0}}};
ATL_BUILTIN(scatter_along_op);

atl_node *atl_scatter_along(atl_node *updates, atl_node *indices, atl_node *like)
{
    return ATL_APPLY(&scatter_along_op, NULL, updates, indices, like);
}

/* top_k(x [.., n]) -> int32 [.., k]: the indices of the k largest elements of each row, in descending order of the
 * elements; of equal elements the first comes first. */

static bool infer_top(atl_node *y)
{
    const top_attributes *top = y->attributes;
    atl_shape shape = *y->inputs[0]->shape;
    if (!atl_require_float(y, 0, "the input"))
        return 0;
    if (shape.rank == 0)
        return atl_fail(y, "'%s' is a scalar: there is nothing to choose from", atl_name_of(y->inputs[0]));
    int64_t *last = &shape.size[shape.rank - 1];
    if (top->k < 1 || (*last != ATL_ANY && top->k > *last))
        return atl_fail(y, "the %lld largest of %lld are asked for", (long long)top->k, (long long)*last);
    *last = top->k;
    return atl_set_type(y, ATL_INT32, shape);
}

/* Whether a is to stand before b: numbers before NaN. */
static int comes_first(double a, int64_t at_a, double b, int64_t at_b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) == isnan(b) ? at_a < at_b : isnan(b);
    return a > b || (a == b && at_a < at_b);
}

/* The place of the k-th: how many stand before it tells. */
static void top_reference(const atl_node *y, const double *const *x, double *result)
{
    rows r = rows_of(*y->inputs[0]->shape, *y->shape);
    for (int64_t i = 0; i < r.count; i++)
        for (int64_t n = 0; n < r.whole; n++) {
            const double *row = x[0] + i * r.whole;
            int64_t before = 0;
            for (int64_t m = 0; m < r.whole; m++)
                before += comes_first(row[m], m, row[n], n);
            if (before < r.taken)
                result[i * r.taken + before] = (double)n;
        }
}

/* By insertion, within the result. */
static void top_kernel(const atl_node *y, const void *const *x, void *result)
{
    rows r = rows_of(*y->inputs[0]->shape, *y->shape);
    for (int64_t i = 0; i < r.count; i++) {
        const float *row = (const float *)x[0] + i * r.whole;
        int32_t *place = (int32_t *)result + i * r.taken;
        int64_t count = 0;
        for (int64_t n = 0; n < r.whole; n++) {
            int64_t at = count < r.taken ? count++ : r.taken;
            for (; at > 0 && comes_first((double)row[n], n, (double)row[place[at - 1]], place[at - 1]); at--)
                if (at < r.taken)
                    place[at] = place[at - 1];
            if (at < r.taken)
                place[at] = (int32_t)n;
        }
    }
}

static void describe_top(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "%lld", (long long)((const top_attributes *)y->attributes)->k);
}

static atl_node *top_3(atl_node *x) { return atl_top_k(x, 3); }

static const atl_op top_k_op = {
    .name = "top_k",
    .arity = 1,
    .attributes = sizeof(top_attributes),
    .infer = infer_top,
    .reference = top_reference,
    .kernel = top_kernel,
    .describe = describe_top,
    .samples = (const atl_sample[]){
        {"three of seven", .unary = top_3, .input = {{2, {4, 7}}}, .inputs = 1, .no_gradient = 1},
        {"all of three", .unary = top_3, .input = {{3, {2, 2, 3}}}, .inputs = 1, .no_gradient = 1},
        {"three of two", .unary = top_3, .input = {{2, {4, 2}}}, .inputs = 1, .error = "3 largest of 2"},
        {"of a scalar", .unary = top_3, .input = {{0}}, .inputs = 1, .error = "scalar"},
        {"of integers", .unary = top_3, .input = {{1, {5}, 0, 9, 1}}, .inputs = 1, .error = "int32"},
        {0}}};
ATL_BUILTIN(top_k_op);

atl_node *atl_top_k(atl_node *x, int64_t k)
{
    top_attributes attributes = {k};
    return ATL_APPLY(&top_k_op, &attributes, x);
}
