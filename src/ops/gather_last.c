/* gather_last(x [.., classes], labels [..]) -> [..]: one element of each row; and scatter_last, its gradient, which
 * puts it back among zeros.  A label out of range gives 0. */
#include "ops/ops.h"

/* Fails unless the labels are int32 of the shape `rows`, which is x's without the last dimension. */
static int check_labels(atl_node *y, const atl_node *x, const atl_node *labels, atl_shape *rows_out)
{
    atl_shape rows = *x->shape;
    char texts[2][160];
    if (rows.rank == 0)
        return atl_fail(y, "'%s' is a scalar: there are no classes to pick from", atl_name_of(x));
    rows.rank--;
    rows.size[rows.rank] = 0;
    int same = labels->shape->rank == rows.rank;
    for (int i = 0; i < rows.rank && same; i++) {
        if (rows.size[i] == ATL_ANY)
            rows.size[i] = labels->shape->size[i];
        same = labels->shape->size[i] == rows.size[i] || labels->shape->size[i] == ATL_ANY;
    }
    if (!same)
        return atl_fail(y, "there must be one label for each row of '%s', %s, but the labels, '%s', are %s",
                        atl_name_of(x), atl_shape_text(*x->shape, texts[0], sizeof texts[0]), atl_name_of(labels),
                        atl_shape_text(*labels->shape, texts[1], sizeof texts[1]));
    *rows_out = rows;
    return 1;
}

static bool infer_pick(atl_node *y)
{
    atl_shape rows;
    return check_labels(y, y->inputs[0], y->inputs[1], &rows) && atl_require_int(y, 1, "the labels") &&
           atl_set_type(y, y->inputs[0]->dtype, rows);
}

static void pick_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_shape shape = *y->inputs[0]->shape;
    int64_t rows = atl_shape_count(*y->shape), classes = shape.size[shape.rank - 1];
    for (int64_t i = 0; i < rows; i++) {
        double label = x[1][i];
        result[i] = label >= 0 && label < (double)classes ? x[0][i * classes + (int64_t)label] : 0;
    }
}

static void pick_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_shape shape = *y->inputs[0]->shape;
    int64_t rows = atl_shape_count(*y->shape), classes = shape.size[shape.rank - 1];
    const uint32_t *from = x[0];
    const int32_t *label = x[1];
    for (int64_t i = 0; i < rows; i++)
        ((uint32_t *)result)[i] = label[i] >= 0 && label[i] < classes ? from[i * classes + label[i]] : 0;
}

static atl_node *scatter_last(atl_node *dy, atl_node *labels, atl_node *like);

static atl_node *pick_gradient(atl_node *y, atl_node *dy)
{
    return scatter_last(dy, atl_input_of(y, 1), atl_input_of(y, 0));
}

static atl_node *square_of_pick(atl_node *x, atl_node *labels) { return atl_square(atl_gather_last(x, labels)); }

static const atl_op gather_last_op = {
    .name = "gather_last",
    .arity = 2,
    .infer = infer_pick,
    .gradient = {pick_gradient},
    .reference = pick_reference,
    .kernel = pick_kernel,
    .samples = (const atl_sample[]){
        {"one of each row", .binary = square_of_pick, .input = {{2, {4, 3}}, {1, {4}, 0, 3, 1}}, .inputs = 2},
        {"some out of range", .binary = square_of_pick, .input = {{3, {2, 3, 3}}, {2, {2, 3}, -2, 5, 1}}, .inputs = 2},
        {"one row", .binary = square_of_pick, .input = {{1, {3}}, {0, {0}, 0, 3, 1}}, .inputs = 2},
        {"labels of another shape", .binary = atl_gather_last, .input = {{2, {4, 3}}, {1, {5}, 0, 3, 1}}, .inputs = 2,
         .error = "[5]"},
        {"labels of another rank", .binary = atl_gather_last, .input = {{2, {4, 3}}, {2, {4, 1}, 0, 3, 1}}, .inputs = 2,
         .error = "[4, 1]"},
        {"labels that are floats", .binary = atl_gather_last, .input = {{2, {4, 3}}, {1, {4}}}, .inputs = 2,
         .error = "int32"},
        {"from a scalar", .binary = atl_gather_last, .input = {{0}, {0, {0}, 0, 3, 1}}, .inputs = 2, .error = "scalar"},
        {0}}};
ATL_BUILTIN(gather_last_op);

atl_node *atl_gather_last(atl_node *x, atl_node *labels) { return ATL_APPLY(&gather_last_op, NULL, x, labels); }

atl_node *atl_index_last(atl_node *x, int64_t index)
{
    atl_slice_args args = {.x = x};
    int last = x ? x->shape->rank - 1 : 0;
    if (!x)
        return NULL;
    if (last < 0)
        return atl_graph_fail(x->graph, "index_last: '%s' is a scalar: there are no classes to pick from",
                              atl_name_of(x));
    if (x->shape->size[last] != ATL_ANY && (index < 0 || index >= x->shape->size[last]))
        return atl_graph_fail(x->graph, "index_last: index %lld is out of range for the last dimension of '%s', %s",
                              (long long)index, atl_name_of(x), SHAPE_OF(x));
    args.begin[last] = index;
    args.end[last] = index + 1;
    return atl_squeeze(atl_slice_with(&args), last);
}

/* scatter_last(dy [..], labels [..], like [.., classes]): zeros of the shape of `like`, with dy at the positions from
 * which gather_last takes its elements. */
static bool infer_unpick(atl_node *y)
{
    atl_shape rows;
    const atl_node *dy = y->inputs[0];
    if (!check_labels(y, y->inputs[2], y->inputs[1], &rows) || !atl_require_int(y, 1, "the labels"))
        return 0;
    if (!atl_shapes_agree(*dy->shape, rows))
        return atl_fail(y, "'%s', %s, has not one value for each label, %s", atl_name_of(dy), SHAPE_OF(dy),
                        SHAPE_TEXT(rows));
    return atl_set_type(y, dy->dtype, *y->inputs[2]->shape);
}

static void scatter_last_reference(const atl_node *y, const double *const *x, double *result)
{
    int64_t rows = atl_shape_count(*y->inputs[0]->shape), classes = y->shape->size[y->shape->rank - 1];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = 0; c < classes; c++)
            result[i * classes + c] = x[1][i] == (double)c ? x[0][i] : 0;
}

static void scatter_last_kernel(const atl_node *y, const void *const *x, void *result)
{
    int64_t rows = atl_shape_count(*y->inputs[0]->shape), classes = y->shape->size[y->shape->rank - 1];
    const uint32_t *from = x[0];
    const int32_t *label = x[1];
    uint32_t *row = result;
    memset(result, 0, (size_t)(rows * classes) * sizeof *row);
    for (int64_t i = 0; i < rows; i++, row += classes)
        if (label[i] >= 0 && label[i] < classes)
            row[label[i]] = from[i];
}

static atl_node *scatter_last_gradient(atl_node *y, atl_node *dy) { return atl_gather_last(dy, atl_input_of(y, 1)); }

static atl_node *square_of_unpick(atl_node *const *x) { return atl_square(scatter_last(x[0], x[1], x[2])); }

static const atl_op scatter_last_op = {.name = "scatter_last",
                                       .arity = 3,
                                       .shape_inputs = 4,
                                       .infer = infer_unpick,
                                       .gradient = {scatter_last_gradient},
                                       .reference = scatter_last_reference,
                                       .kernel = scatter_last_kernel,
                                       .samples =
                                           (const atl_sample[]){{"back into rows", .build = square_of_unpick,
                                                                 .input = {{1, {4}}, {1, {4}, -1, 4, 1}, {2, {4, 3}}},
                                                                 .inputs = 3},
                                                                {0}}};
ATL_BUILTIN(scatter_last_op);

static atl_node *scatter_last(atl_node *dy, atl_node *labels, atl_node *like)
{
    return ATL_APPLY(&scatter_last_op, NULL, dy, labels, like);
}
