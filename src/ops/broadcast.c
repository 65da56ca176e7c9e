/* Broadcasting an array along dimensions of 1: broadcast_like and broadcast_to; and its adjoint sum_to. */
#include "ops/image.h"
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/reduction.h"
#include "ops/strided_copy.h"

/* Fails unless `small` broadcasts to `large`; the message tells the purpose. */
static int check_broadcast(atl_node *y, atl_shape small, atl_shape large, const char *doing)
{
    char texts[2][160];
    int fits = small.rank <= large.rank;
    for (int i = 1; i <= small.rank && fits; i++) {
        int64_t m = small.size[small.rank - i], n = large.size[large.rank - i];
        fits = m == n || m == 1 || m == ATL_ANY || n == ATL_ANY;
    }
    if (fits)
        return 1;
    return atl_fail(y,
                    "cannot %s '%s': %s does not broadcast to %s; counted from the last, each size must be equal or 1",
                    doing, atl_name_of(y->inputs[0]), atl_shape_text(small, texts[0], sizeof texts[0]),
                    atl_shape_text(large, texts[1], sizeof texts[1]));
}

static atl_strided_copy broadcast_copy(const atl_node *y)
{
    atl_shape from = *y->inputs[0]->shape;
    atl_strided_copy desc = atl_strided_copy_over(*y->shape);
    int64_t strides[ATL_MAX_RANK];
    atl_strides_of(from, strides);
    for (int i = 0; i < desc.rank; i++) {
        int j = i - (desc.rank - from.rank);
        desc.from[i] = j < 0 || from.size[j] == 1 ? 0 : strides[j];
    }
    return desc;
}

static void broadcast_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = broadcast_copy(y);
    atl_copy_doubles(&desc, result, x[0]);
}

static void broadcast_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = broadcast_copy(y);
    atl_copy_words(&desc, result, x[0]);
}

static atl_node *broadcast_gradient(atl_node *y, atl_node *dy) { return atl_sum_to(dy, atl_input_of(y, 0)); }

/* A broadcast to as many elements becomes a reshape.  A broadcast of a broadcast becomes one broadcast. */
static atl_node *broadcast_simplified(atl_node *y)
{
    atl_node *x = y->inputs[0], *simpler = atl_only_reshaped(y);
    return !simpler && x->op->flags & ATL_OP_BROADCAST ? atl_broadcast_to(x->inputs[0], *y->shape) : simpler;
}

/* broadcast_like(x, like): x broadcast to the shape of `like`, whose value is not used. */
static bool infer_broadcast_like(atl_node *y)
{
    atl_shape to = *y->inputs[1]->shape;
    return check_broadcast(y, *y->inputs[0]->shape, to, "repeat") && atl_set_type(y, y->inputs[0]->dtype, to);
}

static atl_node *times_itself(atl_node *x, atl_node *like) { return atl_mul(atl_broadcast_like(x, like), like); }

/* x with all images is needed image by image, x with one image as a whole; `like` always has all of them. */
static unsigned broadcast_by_image(const atl_node *y)
{
    const atl_shape *from = y->inputs[0]->shape;
    return 2 | (from->rank == y->shape->rank && from->rank > 0 && from->size[0] == y->shape->size[0]);
}

static const atl_op broadcast_like_op = {
    .name = "broadcast_like",
    .arity = 2,
    .flags = ATL_OP_BROADCAST,
    .shape_inputs = 2,
    .infer = infer_broadcast_like,
    .gradient = {broadcast_gradient},
    .reference = broadcast_reference,
    .kernel = broadcast_kernel,
    .simplify = broadcast_simplified,
    .samples =
        (const atl_sample[]){
            {"row to matrix", .binary = times_itself, .input = {{1, {3}}, {2, {2, 3}}}, .inputs = 2},
            {"column to matrix", .binary = times_itself, .input = {{2, {4, 1}}, {2, {4, 3}}}, .inputs = 2},
            {"scalar to tensor", .binary = times_itself, .input = {{0}, {3, {2, 2, 3}}}, .inputs = 2},
            {"some of four", .binary = times_itself, .input = {{3, {1, 3, 1}}, {4, {2, 2, 3, 2}}}, .inputs = 2},
            {"same shape", .binary = times_itself, .input = {{2, {2, 3}}, {2, {2, 3}}}, .inputs = 2},
            {"sizes differ", .binary = atl_broadcast_like, .input = {{2, {4, 2}}, {2, {4, 3}}}, .inputs = 2,
             .error = "[4, 2] does not"},
            {"more dimensions", .binary = atl_broadcast_like, .input = {{2, {4, 3}}, {1, {3}}}, .inputs = 2,
             .error = "does not broadcast"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = broadcast_by_image}};
ATL_BUILTIN(broadcast_like_op);

atl_node *atl_broadcast_like(atl_node *x, atl_node *like) { return ATL_APPLY(&broadcast_like_op, NULL, x, like); }

/* x repeated to the shape of a node whose value nobody asks for: [n, 1, ...] and x's other sizes. */
atl_node *atl_repeat_batch(atl_node *x, atl_node *like)
{
    if (!x || !like)
        return NULL;
    if (x->shape->rank < 1 || x->shape->size[0] != 1 || like->shape->rank < 1)
        return atl_builder_error(x->graph, "repeat_batch",
                                 "'%s', %s, cannot be repeated for each example of '%s', %s: it must be [1, ...], and "
                                 "that [n, ...]",
                                 atl_name_of(x), SHAPE_OF(x), atl_name_of(like), SHAPE_OF(like));
    atl_graph *graph = x->graph;
    atl_enter(graph, "repeat_batch");
    atl_reduce_args all_but_first = {.x = atl_fill(like, 0)};
    for (int d = 1; d < like->shape->rank; d++)
        all_but_first.axis[all_but_first.axes++] = d;
    atl_node *column = all_but_first.axes ? atl_reduce_sum_with(&all_but_first) : all_but_first.x;
    for (int d = 1; d < x->shape->rank; d++)
        column = atl_expand_dims(column, d);
    atl_node *y = atl_broadcast_like(x, atl_add(column, atl_fill(x, 0)));
    atl_leave(graph);
    return y;
}

static atl_node *repeated(atl_node *x, atl_node *like) { return atl_mul(atl_repeat_batch(x, like), like); }

static const atl_op repeat_batch_composed = {
    .name = "repeat_batch",
    .samples =
        (const atl_sample[]){{"tokens", .binary = repeated, .input = {{3, {1, 1, 4}}, {3, {3, 2, 4}}}, .inputs = 2},
                             {"numbers", .binary = repeated, .input = {{1, {1}}, {1, {3}}}, .inputs = 2},
                             {"two of them", .binary = repeated, .input = {{2, {2, 4}}, {2, {2, 4}}}, .inputs = 2,
                              .error = "must be [1, ...]"},
                             {0}}};
ATL_COMPOSED(repeat_batch_composed);

/* sum_to(x, like): x summed over the dimensions in which `like`, whose value is not used, is 1 or missing. */
static bool infer_sum_to(atl_node *y)
{
    atl_shape to = *y->inputs[1]->shape;
    return atl_require_float(y, 0, "the input") && check_broadcast(y, to, *y->inputs[0]->shape, "sum") &&
           atl_set_type(y, ATL_FLOAT32, to);
}

static atl_node *sum_to_gradient(atl_node *y, atl_node *dy) { return atl_broadcast_like(dy, atl_input_of(y, 0)); }

unsigned atl_summed_axes(const atl_node *y)
{
    atl_shape from = *y->inputs[0]->shape;
    unsigned axes = 0;
    for (int i = 0; i < from.rank; i++) {
        int j = i - (from.rank - y->shape->rank);
        if (j < 0 || y->shape->size[j] == 1)
            axes |= 1u << i;
    }
    return axes;
}

static atl_reduction sum_to_reduction(const atl_node *y)
{
    return atl_reduction_over(*y->inputs[0]->shape, atl_summed_axes(y));
}

static int sum_to_as_sum(const atl_node *y, atl_sum_form *form)
{
    return atl_sum_over(*y->inputs[0]->shape, atl_summed_axes(y), form);
}

static void sum_to_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_reduction reduction = sum_to_reduction(y);
    atl_reduce_doubles(&reduction, ATL_FOLD_SUM, x[0], result);
}

static void sum_to_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_reduction reduction = sum_to_reduction(y);
    if (atl_shape_count(*y->shape) == atl_shape_count(*y->inputs[0]->shape)) {
        atl_strided_copy desc = atl_strided_copy_over(*y->shape);
        atl_copy_words(&desc, result, x[0]);
    } else
        atl_reduce_floats(&reduction, ATL_FOLD_SUM, x[0], result);
}

/* A sum of a sum becomes one sum. */
static atl_node *sum_to_simplified(atl_node *y)
{
    const atl_node *x = y->inputs[0];
    atl_node *simpler = atl_only_reshaped(y);
    return !simpler && x->op == y->op ? atl_sum_to(x->inputs[0], y->inputs[1]) : simpler;
}

static atl_node *sum_to_times(atl_node *x, atl_node *like) { return atl_mul(atl_square(atl_sum_to(x, like)), like); }

static unsigned sum_to_by_image(const atl_node *y) { return atl_summed_axes(y) & 1 ? 0 : atl_all_by_image(y); }

static const atl_op sum_to_op = {
    .name = "sum_to",
    .arity = 2,
    .shape_inputs = 2,
    .infer = infer_sum_to,
    .gradient = {sum_to_gradient},
    .reference = sum_to_reference,
    .kernel = sum_to_kernel,
    .simplify = sum_to_simplified,
    .samples =
        (const atl_sample[]){
            {"matrix to row", .binary = sum_to_times, .input = {{2, {4, 3}}, {1, {3}}}, .inputs = 2},
            {"matrix to column", .binary = sum_to_times, .input = {{2, {4, 3}}, {2, {4, 1}}}, .inputs = 2},
            {"tensor to scalar", .binary = sum_to_times, .input = {{3, {2, 2, 3}}, {0}}, .inputs = 2},
            {"some of four", .binary = sum_to_times, .input = {{4, {2, 2, 3, 2}}, {3, {1, 3, 1}}}, .inputs = 2},
            {"same shape", .binary = sum_to_times, .input = {{2, {2, 3}}, {2, {2, 3}}}, .inputs = 2},
            {"many rows", .binary = sum_to_times, .input = {{2, {70, 5}}, {1, {5}}}, .inputs = 2, .no_gradient = 1},
            {"sizes differ", .binary = atl_sum_to, .input = {{2, {4, 3}}, {1, {2}}}, .inputs = 2,
             .error = "does not broadcast"},
            {"more dimensions", .binary = atl_sum_to, .input = {{1, {3}}, {2, {4, 3}}}, .inputs = 2,
             .error = "does not broadcast"},
            {"integers", .binary = atl_sum_to, .input = {{1, {3}, 0, 9, 1}, {0}}, .inputs = 2, .error = "float32"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = sum_to_by_image, .as_sum = sum_to_as_sum}};
ATL_BUILTIN(sum_to_op);

atl_node *atl_sum_to(atl_node *x, atl_node *like) { return ATL_APPLY(&sum_to_op, NULL, x, like); }

/* broadcast_to(x): x broadcast to a given shape; a size of -1 keeps x's. */
static bool infer_broadcast_to(atl_node *y)
{
    atl_shape to = *(const atl_shape *)y->attributes, from = *y->inputs[0]->shape;
    for (int i = 0; i < to.rank && to.rank <= ATL_MAX_RANK; i++) {
        int j = i - (to.rank - from.rank);
        if (to.size[i] < -1)
            return atl_fail(y, "the size %lld of dimension %d is negative; -1 keeps the size there is",
                            (long long)to.size[i], i);
        if (to.size[i] == -1 && j < 0)
            return atl_fail(y, "the size of dimension %d is -1, to be kept, but '%s', %s, has no such dimension", i,
                            atl_name_of(y->inputs[0]), SHAPE_TEXT(from));
        if (to.size[i] == -1)
            to.size[i] = from.size[j];
    }
    if (to.rank < 0 || to.rank > ATL_MAX_RANK)
        return atl_set_type(y, y->inputs[0]->dtype, to); /* reports the error */
    return check_broadcast(y, from, to, "repeat") && atl_set_type(y, y->inputs[0]->dtype, to);
}

static void describe_broadcast_to(const atl_node *y, char *text, size_t size)
{
    atl_shape_text(*(const atl_shape *)y->attributes, text, size);
}

static atl_node *to_2_4_3(atl_node *x) { return atl_square(atl_broadcast_to(x, ATL_SHAPE(2, 4, 3))); }
static atl_node *to_2_kept(atl_node *x) { return atl_square(atl_broadcast_to(x, ATL_SHAPE(2, -1))); }
static atl_node *to_kept_2_3(atl_node *x) { return atl_broadcast_to(x, ATL_SHAPE(-1, 2, 3)); }

static atl_node *broadcast_for_images(const atl_node *y, atl_node *const *inputs, int64_t images)
{
    atl_shape to = *y->shape;
    to.size[0] = images;
    return atl_broadcast_to(inputs[0], to);
}

static const atl_op broadcast_to_op = {
    .name = "broadcast_to",
    .arity = 1,
    .flags = ATL_OP_BROADCAST,
    .attributes = sizeof(atl_shape),
    .infer = infer_broadcast_to,
    .gradient = {broadcast_gradient},
    .reference = broadcast_reference,
    .kernel = broadcast_kernel,
    .describe = describe_broadcast_to,
    .simplify = broadcast_simplified,
    .samples = (const atl_sample[]){{"columns", .unary = to_2_4_3, .input = {{2, {4, 1}}}, .inputs = 1},
                                    {"scalar", .unary = to_2_4_3, .input = {{0}}, .inputs = 1},
                                    {"a size kept", .unary = to_2_kept, .input = {{1, {3}}}, .inputs = 1},
                                    {"sizes differ", .unary = to_2_4_3, .input = {{2, {2, 3}}}, .inputs = 1,
                                     .error = "[2, 3] does not broadcast"},
                                    {"nothing to keep", .unary = to_kept_2_3, .input = {{2, {2, 3}}}, .inputs = 1,
                                     .error = "no such dimension"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = broadcast_by_image, .for_images = broadcast_for_images}};
ATL_BUILTIN(broadcast_to_op);

atl_node *atl_broadcast_to(atl_node *x, atl_shape shape)
{
    atl_shape to;
    atl_set_shape(&to, shape);
    return ATL_APPLY(&broadcast_to_op, &to, x);
}
