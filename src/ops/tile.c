/* tile(x): repeats x along each dimension; and untile, its gradient, which sums the repeats. */
#include "common/plural.h"
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/reduction.h"
#include "ops/strided_copy.h"

/* The shape of `x` repeated; returns 0 with the error recorded on y. */
static int tiled_shape(atl_node *y, const atl_node *x, atl_shape *shape_out)
{
    const tile_attributes *tile = y->attributes;
    atl_shape to = *x->shape;
    if (tile->count != to.rank)
        return atl_fail(y, "it was given %lld repeat%s for the %d dimension%s of '%s', %s: give one for each",
                        (long long)tile->count, atl_plural(tile->count), to.rank, atl_plural(to.rank), atl_name_of(x),
                        SHAPE_OF(x));
    for (int i = 0; i < to.rank; i++) {
        if (tile->times[i] <= 0)
            return atl_fail(y, "dimension %d cannot be repeated %lld times: it must be 1 or more", i,
                            (long long)tile->times[i]);
        if (to.size[i] != ATL_ANY && __builtin_mul_overflow(to.size[i], tile->times[i], &to.size[i]))
            return atl_fail(y, "dimension %d of '%s', %s, would have more than 2^63 elements", i, atl_name_of(x),
                            SHAPE_OF(x));
    }
    *shape_out = to;
    return 1;
}

static bool infer_tile(atl_node *y)
{
    atl_shape to;
    return tiled_shape(y, y->inputs[0], &to) && atl_set_type(y, y->inputs[0]->dtype, to);
}

static atl_node *untile(atl_node *dy, atl_node *like, const tile_attributes *attributes);

static atl_node *tile_gradient(atl_node *y, atl_node *dy) { return untile(dy, atl_input_of(y, 0), y->attributes); }

/* Iterates over [times, size] for each dimension of x. */
static atl_strided_copy tile_copy(const atl_node *y)
{
    const tile_attributes *tile = y->attributes;
    atl_shape from = *y->inputs[0]->shape;
    int64_t to_stride[ATL_MAX_RANK], from_stride[ATL_MAX_RANK];
    atl_strided_copy desc = {.rank = 2 * from.rank};
    atl_strides_of(*y->shape, to_stride);
    atl_strides_of(from, from_stride);
    for (int i = 0; i < from.rank; i++) {
        desc.size[2 * i] = tile->times[i];
        desc.to[2 * i] = from.size[i] * to_stride[i];
        desc.size[2 * i + 1] = from.size[i];
        desc.to[2 * i + 1] = to_stride[i];
        desc.from[2 * i + 1] = from_stride[i];
    }
    return desc;
}

static void tile_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = tile_copy(y);
    atl_copy_doubles(&desc, result, x[0]);
}

static void tile_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = tile_copy(y);
    atl_copy_words(&desc, result, x[0]);
}

static void describe_tile(const atl_node *y, char *text, size_t size)
{
    const tile_attributes *tile = y->attributes;
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < tile->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? " x " : "", (long long)tile->times[i]);
}

static atl_node *twice_by_three(atl_node *x) { return atl_square(atl_tile(x, 2, 3)); }
static atl_node *channels_twice(atl_node *x) { return atl_square(atl_tile(x, 1, 1, 2)); }
static atl_node *first_twice(atl_node *x) { return atl_tile(x, 2); }
static atl_node *no_times(atl_node *x) { return atl_tile(x, 2, 0); }
static atl_node *too_often(atl_node *x) { return atl_tile(x, INT64_MAX); }

static const atl_op tile_op = {
    .name = "tile",
    .arity = 1,
    .attributes = sizeof(tile_attributes),
    .infer = infer_tile,
    .gradient = {tile_gradient},
    .reference = tile_reference,
    .kernel = tile_kernel,
    .describe = describe_tile,
    .simplify = atl_unchanged,
    .samples = (const atl_sample[]){
        {"both dimensions", .unary = twice_by_three, .input = {{2, {2, 3}}}, .inputs = 1},
        {"channels", .unary = channels_twice, .input = {{3, {2, 3, 2}}}, .inputs = 1},
        {"integers", .unary = first_twice, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1, .no_gradient = 1},
        {"too few repeats", .unary = first_twice, .input = {{2, {2, 3}}}, .inputs = 1, .error = "one for each"},
        {"no repeat", .unary = no_times, .input = {{2, {2, 3}}}, .inputs = 1, .error = "0 times"},
        {"too large", .unary = too_often, .input = {{1, {3}}}, .inputs = 1, .error = "2^63"},
        {0}}};
ATL_BUILTIN(tile_op);

atl_node *atl_tile_with(atl_node *x, int64_t count, const int64_t *times)
{
    tile_attributes attributes = {.count = count};
    if (x && count > 0 && !times)
        return atl_builder_error(x->graph, "tile", "the list of %lld time%s is null", (long long)count,
                                 atl_plural(count));
    for (int i = 0; times && i < count && i < ATL_MAX_RANK; i++)
        attributes.times[i] = times[i];
    return ATL_APPLY(&tile_op, &attributes, x);
}

/* untile(dy, like): sums the repeats; of the shape of `like`. */
static bool infer_untile(atl_node *y)
{
    const atl_node *dy = y->inputs[0], *like = y->inputs[1];
    atl_shape tiled;
    if (!tiled_shape(y, like, &tiled) || !atl_require_float(y, 0, "the input"))
        return 0;
    if (!atl_shapes_agree(*dy->shape, tiled))
        return atl_fail(y, "'%s', %s, is not a tiled '%s', which would be %s", atl_name_of(dy), SHAPE_OF(dy),
                        atl_name_of(like), SHAPE_TEXT(tiled));
    return atl_set_type(y, ATL_FLOAT32, *like->shape);
}

static atl_node *untile_gradient(atl_node *y, atl_node *dy)
{
    const tile_attributes *tile = y->attributes;
    return atl_tile_with(dy, tile->count, tile->times);
}

static atl_reduction untile_reduction(const atl_node *y)
{
    const tile_attributes *tile = y->attributes;
    atl_reduction reduction = {.rank = 2 * y->shape->rank};
    for (int i = 0; i < y->shape->rank; i++) {
        reduction.size[2 * i] = tile->times[i];
        reduction.size[2 * i + 1] = y->shape->size[i];
        reduction.reduced |= 1u << (2 * i);
    }
    return reduction;
}

static void untile_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_reduction reduction = untile_reduction(y);
    atl_reduce_doubles(&reduction, ATL_FOLD_SUM, x[0], result);
}

static void untile_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_reduction reduction = untile_reduction(y);
    atl_reduce_floats(&reduction, ATL_FOLD_SUM, x[0], result);
}

static atl_node *untiled(atl_node *dy, atl_node *like)
{
    return atl_square(untile(dy, like, &(tile_attributes){.count = 2, .times = {2, 3}}));
}

static const atl_op untile_op = {
    .name = "untile",
    .arity = 2,
    .attributes = sizeof(tile_attributes),
    .shape_inputs = 2,
    .infer = infer_untile,
    .gradient = {untile_gradient},
    .reference = untile_reference,
    .kernel = untile_kernel,
    .describe = describe_tile,
    .simplify = atl_unchanged,
    .samples =
        (const atl_sample[]){{"both dimensions", .binary = untiled, .input = {{2, {4, 6}}, {2, {2, 2}}}, .inputs = 2},
                             {"another shape", .binary = untiled, .input = {{2, {4, 5}}, {2, {2, 2}}}, .inputs = 2,
                              .error = "would be [4, 6]"},
                             {"integers", .binary = untiled, .input = {{2, {4, 6}, 0, 9, 1}, {2, {2, 2}}}, .inputs = 2,
                              .error = "float32"},
                             {0}}};
ATL_BUILTIN(untile_op);

static atl_node *untile(atl_node *dy, atl_node *like, const tile_attributes *attributes)
{
    return ATL_APPLY(&untile_op, attributes, dy, like);
}
