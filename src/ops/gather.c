/* gather(x, indices): elements of x along an axis, in the order of int32 indices; and scatter_add, which adds elements
 * at indices.  They are adjoint to each other.  An index out of range gathers 0, and scatters nothing. */
#include "ops/ops.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"

/* The shape of gather(x, indices); returns 0 with the error recorded on y. */
static int gathered_shape(atl_node *y, atl_shape x, const atl_node *indices, int axis, atl_shape *shape_out)
{
    atl_shape to = {0};
    if (indices->shape->rank + x.rank - 1 > ATL_MAX_RANK)
        return atl_fail(y, "the result would have %d dimensions; the limit is %d", indices->shape->rank + x.rank - 1,
                        ATL_MAX_RANK);
    for (int i = 0; i < axis; i++)
        to.size[to.rank++] = x.size[i];
    for (int i = 0; i < indices->shape->rank; i++)
        to.size[to.rank++] = indices->shape->size[i];
    for (int i = axis + 1; i < x.rank; i++)
        to.size[to.rank++] = x.size[i];
    *shape_out = to;
    return 1;
}

static bool infer_gather(atl_node *y)
{
    const atl_node *x = y->inputs[0];
    atl_shape to;
    int axis = atl_axis_of(y, *(const int *)y->attributes, x->shape->rank);
    return axis >= 0 && atl_require_int(y, 1, "the indices") && gathered_shape(y, *x->shape, y->inputs[1], axis, &to) &&
           atl_set_type(y, x->dtype, to);
}

static atl_node *gather_gradient(atl_node *y, atl_node *dy)
{
    return atl_scatter_add(dy, atl_input_of(y, 1), atl_input_of(y, 0), *(const int *)y->attributes);
}

static void gather_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_axis_split split = atl_split_at(*y->inputs[0]->shape, *(const int *)y->attributes);
    int64_t indices = atl_shape_count(*y->inputs[1]->shape);
    for (int64_t i = 0; i < split.outer; i++)
        for (int64_t j = 0; j < indices; j++)
            for (int64_t k = 0; k < split.inner; k++) {
                double index = x[1][j];
                int inside = index >= 0 && index < (double)split.size;
                result[(i * indices + j) * split.inner + k] =
                    inside ? x[0][(i * split.size + (int64_t)index) * split.inner + k] : 0;
            }
}

typedef struct gather_job {
    atl_axis_split split;
    int64_t indices, tile, tiles; /* tiles of the inner dimensions, for scatter_add */
    const int32_t *index;
    const void *x;
    void *result;
} gather_job;

/* Rows first..last-1 of the result; there are outer * indices rows. */
static void gather_range(const void *job, int64_t first, int64_t last)
{
    const gather_job *p = job;
    size_t bytes = (size_t)p->split.inner * 4;
    for (int64_t i = first; i < last; i++) {
        int32_t index = p->index[i % p->indices];
        char *to = (char *)p->result + (size_t)i * bytes;
        if (index >= 0 && index < p->split.size)
            memcpy(to, (const char *)p->x + (size_t)(i / p->indices * p->split.size + index) * bytes, bytes);
        else
            memset(to, 0, bytes);
    }
}

static void gather_kernel(const atl_node *y, const void *const *x, void *result)
{
    gather_job job = {.split = atl_split_at(*y->inputs[0]->shape, *(const int *)y->attributes),
                      .x = x[0],
                      .index = x[1]};
    job.indices = atl_shape_count(*y->inputs[1]->shape);
    job.result = result;
    atl_parallel(job.split.outer * job.indices, atl_shape_count(*y->shape), gather_range, &job);
}

static void describe_gather(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "axis %d", *(const int *)y->attributes);
}

static atl_node *rows(atl_node *x, atl_node *indices) { return atl_square(atl_gather(x, indices, 0)); }
static atl_node *middle(atl_node *x, atl_node *indices) { return atl_square(atl_gather(x, indices, 1)); }
static atl_node *columns(atl_node *x, atl_node *indices) { return atl_square(atl_gather(x, indices, -1)); }
static atl_node *plain_rows(atl_node *x, atl_node *indices) { return atl_gather(x, indices, 0); }

static const atl_op gather_op = {
    .name = "gather",
    .arity = 2,
    .attributes = sizeof(int),
    .infer = infer_gather,
    .gradient = {gather_gradient},
    .reference = gather_reference,
    .kernel = gather_kernel,
    .describe = describe_gather,
    .samples = (const atl_sample[]){
        {"rows", .binary = rows, .input = {{2, {4, 3}}, {1, {6}, 0, 4, 1}}, .inputs = 2},
        {"a matrix of columns", .binary = columns, .input = {{2, {2, 4}}, {2, {2, 3}, 0, 4, 1}}, .inputs = 2},
        {"middle, some out of range", .binary = middle, .input = {{3, {2, 3, 2}}, {1, {5}, -2, 5, 1}}, .inputs = 2},
        {"one index", .binary = middle, .input = {{3, {2, 3, 2}}, {0, {0}, 0, 3, 1}}, .inputs = 2},
        {"integers", .binary = plain_rows, .input = {{2, {4, 3}, 0, 9, 1}, {1, {6}, 0, 4, 1}}, .inputs = 2,
         .no_gradient = 1},
        {"indices that are floats", .binary = rows, .input = {{2, {4, 3}}, {1, {6}}}, .inputs = 2, .error = "int32"},
        {"axis out of range", .binary = middle, .input = {{1, {4}}, {1, {6}, 0, 4, 1}}, .inputs = 2, .error = "axis 1"},
        {"ten dimensions", .binary = rows, .input = {{6, {1, 1, 1, 1, 1, 1}}, {5, {1, 1, 1, 1, 1}, 0, 1, 1}},
         .inputs = 2, .error = "limit is 8"},
        {0}}};
ATL_BUILTIN(gather_op);

atl_node *atl_gather(atl_node *x, atl_node *indices, int axis) { return ATL_APPLY(&gather_op, &axis, x, indices); }

/* scatter_add(updates, indices, like): zeros of the shape of `like`, to which the updates are added at the indices. */
static bool infer_scatter_add(atl_node *y)
{
    const atl_node *updates = y->inputs[0], *like = y->inputs[2];
    atl_shape expected;
    if (like->shape->rank == 0)
        return atl_fail(y, "'%s' is a scalar: it has no dimension to scatter along", atl_name_of(like));
    int axis = *(const int *)y->attributes, rank = like->shape->rank;
    if (axis < -rank || axis >= rank)
        return atl_fail(y, "axis %d is out of range for %s: it must be %d..%d", axis, SHAPE_OF(like), -rank, rank - 1);
    if (!atl_require_float(y, 0, "the updates") || !atl_require_int(y, 1, "the indices") ||
        !gathered_shape(y, *like->shape, y->inputs[1], axis < 0 ? axis + rank : axis, &expected))
        return 0;
    if (!atl_shapes_agree(*updates->shape, expected))
        return atl_fail(y, "the updates, '%s', are %s, but for indices %s along axis %d of %s they must be %s",
                        atl_name_of(updates), SHAPE_OF(updates), SHAPE_OF(y->inputs[1]), axis, SHAPE_OF(like),
                        SHAPE_TEXT(expected));
    return atl_set_type(y, ATL_FLOAT32, *like->shape);
}

static atl_node *scatter_add_gradient(atl_node *y, atl_node *dy)
{
    return atl_gather(dy, atl_input_of(y, 1), *(const int *)y->attributes);
}

static void scatter_add_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_axis_split split = atl_split_at(*y->shape, *(const int *)y->attributes);
    int64_t indices = atl_shape_count(*y->inputs[1]->shape);
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * sizeof *result);
    for (int64_t i = 0; i < split.outer; i++)
        for (int64_t j = 0; j < indices; j++)
            for (int64_t k = 0; k < split.inner; k++) {
                double index = x[1][j];
                if (index >= 0 && index < (double)split.size)
                    result[(i * split.size + (int64_t)index) * split.inner + k] +=
                        x[0][(i * indices + j) * split.inner + k];
            }
}

/* Threads work on different tiles of the inner dimensions, so that they never add to the same element, and the order of
 * additions is always the same. */
static void scatter_range(const void *job, int64_t first, int64_t last)
{
    const gather_job *p = job;
    const float *x = p->x;
    for (int64_t i = first; i < last; i++) {
        int64_t outer = i / p->tiles, column = i % p->tiles * p->tile;
        int64_t width = p->split.inner - column < p->tile ? p->split.inner - column : p->tile;
        float *result = (float *)p->result + outer * p->split.size * p->split.inner + column;
        for (int64_t j = 0; j < p->split.size; j++)
            memset(result + j * p->split.inner, 0, (size_t)width * sizeof *result);
        for (int64_t j = 0, same = 1; j < p->indices; j += same, same = 1) {
            const float *from = x + (outer * p->indices + j) * p->split.inner + column;
            while (j + same < p->indices && p->index[j + same] == p->index[j]) /* as of an image that is enlarged */
                same++;
            if (p->index[j] >= 0 && p->index[j] < p->split.size)
                atl_kernels->add_rows_to_sums(result + p->index[j] * p->split.inner, from, same, p->split.inner, width);
        }
    }
}

static void scatter_add_kernel(const atl_node *y, const void *const *x, void *result)
{
    gather_job job = {.split = atl_split_at(*y->shape, *(const int *)y->attributes),
                      .tile = 1024,
                      .x = x[0],
                      .index = x[1]};
    job.indices = atl_shape_count(*y->inputs[1]->shape);
    job.tiles = (job.split.inner + job.tile - 1) / job.tile;
    job.result = result;
    atl_parallel(job.split.outer * job.tiles, atl_shape_count(*y->shape) + atl_shape_count(*y->inputs[0]->shape),
                 scatter_range, &job);
}

static atl_node *into_rows(atl_node *const *x) { return atl_square(atl_scatter_add(x[0], x[1], x[2], 0)); }
static atl_node *into_middle(atl_node *const *x) { return atl_square(atl_scatter_add(x[0], x[1], x[2], 1)); }

static const atl_op scatter_add_op = {
    .name = "scatter_add",
    .arity = 3,
    .attributes = sizeof(int),
    .shape_inputs = 4,
    .infer = infer_scatter_add,
    .gradient = {scatter_add_gradient},
    .reference = scatter_add_reference,
    .kernel = scatter_add_kernel,
    .describe = describe_gather,
    .samples = (const atl_sample[]){
        {"rows, some twice", .build = into_rows, .input = {{2, {6, 3}}, {1, {6}, 0, 4, 1}, {2, {4, 3}}}, .inputs = 3},
        {"middle, some out of range", .build = into_middle,
         .input = {{3, {2, 5, 2}}, {1, {5}, -2, 5, 1}, {3, {2, 3, 2}}}, .inputs = 3},
        {"updates of another shape", .build = into_rows, .input = {{2, {5, 3}}, {1, {6}, 0, 4, 1}, {2, {4, 3}}},
         .inputs = 3, .error = "must be [6, 3]"},
        {"indices that are floats", .build = into_rows, .input = {{2, {6, 3}}, {1, {6}}, {2, {4, 3}}}, .inputs = 3,
         .error = "int32"},
        {"updates that are integers", .build = into_rows,
         .input = {{2, {6, 3}, 0, 9, 1}, {1, {6}, 0, 4, 1}, {2, {4, 3}}}, .inputs = 3, .error = "float32"},
        {"axis out of range", .build = into_middle, .input = {{1, {6}}, {1, {6}, 0, 4, 1}, {1, {4}}}, .inputs = 3,
         .error = "axis 1"},
        {"into a scalar", .build = into_rows, .input = {{1, {6}}, {1, {6}, 0, 4, 1}, {0}}, .inputs = 3,
         .error = "scalar"},
        {0}}};
ATL_BUILTIN(scatter_add_op);

atl_node *atl_scatter_add(atl_node *updates, atl_node *indices, atl_node *like, int axis)
{
    return ATL_APPLY(&scatter_add_op, &axis, updates, indices, like);
}
