/* slice(x): every stride-th element of begin..end-1 in each dimension; unslice, its gradient, puts them back among
 * zeros. */
#include <stdlib.h>

#include "common/plural.h"
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/strided_copy.h"

atl_range atl_range_of(const slice_attributes *attributes, int axis, int64_t size)
{
    atl_range r = {attributes->begin[axis], attributes->end[axis],
                   attributes->stride[axis] ? attributes->stride[axis] : 1, ATL_ANY};
    if (size != ATL_ANY) {
        r.begin += r.begin < 0 ? size : 0;
        r.end += r.end <= 0 ? size : 0;
    }
    /* An unknown size does not matter if both ends count from the same side. */
    int from_start = r.begin >= 0 && r.end > 0, from_end = r.begin < 0 && r.end <= 0;
    if (size != ATL_ANY || from_start || from_end)
        r.count = r.end > r.begin ? (r.end - r.begin - 1) / r.stride + 1 : 0;
    if (r.count == 0 || r.count == 1)
        r.stride = 1; /* with one element the stride is unused, and could overflow */
    return r;
}

/* The range as the caller wrote it: "2:5", "7:" to the end. */
static const char *range_text(const slice_attributes *given, int axis, char text_out[64])
{
    int written = snprintf(text_out, 64, "%lld:", (long long)given->begin[axis]);
    if (given->end[axis])
        snprintf(text_out + written, 64 - (size_t)written, "%lld", (long long)given->end[axis]);
    return text_out;
}

static int check_range(atl_node *y, const atl_node *x, int axis, const slice_attributes *given)
{
    char text[64];
    int64_t size = x->shape->size[axis];
    if (given->stride[axis] < 0)
        return atl_fail(y, "the stride %lld of dimension %d is not positive: use atl_reverse, then a stride",
                        (long long)given->stride[axis], axis);
    const int64_t limit = INT64_MAX / 4; /* so that differences do not overflow */
    if (llabs(given->begin[axis] / 2) > limit / 2 || llabs(given->end[axis] / 2) > limit / 2)
        return atl_fail(y, "%s is out of range for dimension %d of '%s', %s", range_text(given, axis, text), axis,
                        atl_name_of(x), SHAPE_OF(x));
    atl_range r = atl_range_of(given, axis, size);
    if (size != ATL_ANY && (r.begin < 0 || r.begin > size || r.end < 0 || r.end > size))
        return atl_fail(y, "%s is out of range for dimension %d of '%s', %s", range_text(given, axis, text), axis,
                        atl_name_of(x), SHAPE_OF(x));
    if (r.count == 0 && size != 0 && !given->may_be_empty)
        return atl_fail(y, "%s takes nothing of dimension %d of '%s', %s", range_text(given, axis, text), axis,
                        atl_name_of(x), SHAPE_OF(x));
    return 1;
}

/* The shape of a slice of x; returns 0 with the error recorded. */
static int sliced_shape(atl_node *y, const atl_node *x, atl_shape *sliced_out)
{
    const slice_attributes *attributes = y->attributes;
    atl_shape to = *x->shape;
    for (int i = 0; i < ATL_MAX_RANK; i++) {
        if (i >= to.rank && (attributes->begin[i] || attributes->end[i] || attributes->stride[i]))
            return atl_fail(y, "there is a range for dimension %d, but '%s', %s, has %d dimension%s", i, atl_name_of(x),
                            SHAPE_OF(x), to.rank, atl_plural(to.rank));
        if (i >= to.rank)
            continue;
        if (!check_range(y, x, i, attributes))
            return 0;
        to.size[i] = atl_range_of(attributes, i, to.size[i]).count;
    }
    *sliced_out = to;
    return 1;
}

static bool infer_slice(atl_node *y)
{
    atl_shape to;
    return sliced_shape(y, y->inputs[0], &to) && atl_set_type(y, y->inputs[0]->dtype, to);
}

/* Iterates over the sliced elements: `to` over the result of slice, `from` over its input, of shape `whole`. */
static atl_strided_copy slice_copy(const slice_attributes *attributes, atl_shape whole, atl_shape part)
{
    atl_strided_copy desc = atl_strided_copy_over(part);
    int64_t strides[ATL_MAX_RANK];
    atl_strides_of(whole, strides);
    for (int i = 0; i < desc.rank; i++) {
        atl_range r = atl_range_of(attributes, i, whole.size[i]);
        desc.from_start += r.begin * strides[i];
        desc.from[i] = r.stride * strides[i];
    }
    return desc;
}

static void slice_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = slice_copy(y->attributes, *y->inputs[0]->shape, *y->shape);
    atl_copy_doubles(&desc, result, x[0]);
}

static void slice_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = slice_copy(y->attributes, *y->inputs[0]->shape, *y->shape);
    atl_copy_words(&desc, result, x[0]);
}

static atl_range range_along(const atl_node *slice, int axis)
{
    return atl_range_of(slice->attributes, axis, slice->inputs[0]->shape->size[axis]);
}

/* The elements that a slice y takes of x = its input, as elements of x's own input, along each dimension. */
static atl_node *slice_moved(const atl_node *y, atl_node *source, const atl_range *of_source)
{
    atl_slice_args args = {.x = source};
    for (int i = 0; i < y->shape->rank; i++) {
        args.begin[i] = of_source[i].begin;
        args.stride[i] = of_source[i].stride;
        args.end[i] = of_source[i].begin + (y->shape->size[i] - 1) * of_source[i].stride + 1;
    }
    return atl_slice_with(&args);
}

static atl_node *slice_of_slice(const atl_node *y, const atl_node *x)
{
    atl_range moved[ATL_MAX_RANK];
    for (int i = 0; i < y->shape->rank; i++) {
        atl_range inner = range_along(x, i);
        moved[i] = range_along(y, i);
        moved[i].begin = inner.begin + moved[i].begin * inner.stride;
        moved[i].stride *= inner.stride;
    }
    return slice_moved(y, x->inputs[0], moved);
}

static const atl_op unslice_op;

/* A slice of everything becomes the input.  A slice of a slice becomes one. */
static atl_node *slice_simplified(atl_node *y)
{
    atl_node *x = y->inputs[0];
    if (atl_shape_equal(*y->shape, *x->shape))
        return x;
    if (atl_shape_count(*y->shape) == 0)
        return NULL;
    if (x->op == y->op)
        return slice_of_slice(y, x);
    if (x->op == &unslice_op) /* takes back what unslice has put there */
        return atl_shape_equal(*y->shape, *x->inputs[0]->shape) &&
                       !memcmp(x->attributes, y->attributes, sizeof(slice_attributes))
                   ? x->inputs[0]
                   : NULL;
    return NULL;
}

static void describe_slice(const atl_node *y, char *text, size_t size)
{
    const slice_attributes *a = y->attributes;
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < y->shape->rank && at < size; i++) {
        at += (size_t)snprintf(text + at, size - at, "%s", i ? ", " : "");
        if (at < size && a->begin[i])
            at += (size_t)snprintf(text + at, size - at, "%lld", (long long)a->begin[i]);
        if (at < size)
            at += (size_t)snprintf(text + at, size - at, ":");
        if (at < size && a->end[i])
            at += (size_t)snprintf(text + at, size - at, "%lld", (long long)a->end[i]);
        if (at < size && a->stride[i] > 1)
            at += (size_t)snprintf(text + at, size - at, ":%lld", (long long)a->stride[i]);
    }
}

static atl_node *unslice(atl_node *dy, atl_node *like, const slice_attributes *attributes);

static atl_node *slice_gradient(atl_node *y, atl_node *dy) { return unslice(dy, atl_input_of(y, 0), y->attributes); }

static atl_node *middle(atl_node *x) { return atl_square(atl_slice(x, .begin = {1, 0}, .end = {-1, 2})); }
static atl_node *every_second(atl_node *x) { return atl_square(atl_slice(x, .begin = {0, 1}, .stride = {2, 2})); }
static atl_node *last_two(atl_node *x) { return atl_square(atl_slice(x, .begin = {0, 0, -2})); }
static atl_node *every_third_channel(atl_node *x)
{
    return atl_square(atl_slice(x, .begin = {0, 0, 0, 1}, .stride = {0, 2, 1, 3}));
}
static atl_node *of_ints(atl_node *x) { return atl_slice(x, .begin = {2}); }
static atl_node *end_9(atl_node *x) { return atl_slice(x, .end = {9}); }
static atl_node *begin_minus_9(atl_node *x) { return atl_slice(x, .begin = {-9}); }
static atl_node *nothing(atl_node *x) { return atl_slice(x, .begin = {2}, .end = {2}); }
static atl_node *backwards(atl_node *x) { return atl_slice(x, .stride = {-1}); }
static atl_node *too_many(atl_node *x) { return atl_slice(x, .end = {1, 1, 1}); }

/* Images are neither left out nor counted from the last one. */
static unsigned slice_by_image(const atl_node *y)
{
    const slice_attributes *a = y->attributes;
    return a->begin[0] == 0 && a->end[0] == 0 && a->stride[0] <= 1 ? atl_all_by_image(y) : 0;
}

static const atl_op slice_op = {
    .name = "slice",
    .arity = 1,
    .attributes = sizeof(slice_attributes),
    .infer = infer_slice,
    .gradient = {slice_gradient},
    .reference = slice_reference,
    .kernel = slice_kernel,
    .describe = describe_slice,
    .simplify = slice_simplified,
    .samples =
        (const atl_sample[]){
            {"middle", .unary = middle, .input = {{2, {5, 3}}}, .inputs = 1},
            {"every second", .unary = every_second, .input = {{2, {5, 4}}}, .inputs = 1},
            {"last two of the last", .unary = last_two, .input = {{3, {2, 2, 5}}}, .inputs = 1},
            {"strides of an image", .unary = every_third_channel, .input = {{4, {2, 3, 2, 7}}}, .inputs = 1},
            {"integers", .unary = of_ints, .input = {{1, {5}, 0, 9, 1}}, .inputs = 1, .no_gradient = 1},
            {"end out of range", .unary = end_9, .input = {{2, {5, 3}}}, .inputs = 1,
             .error = "out of range for dimension 0"},
            {"begin out of range", .unary = begin_minus_9, .input = {{2, {5, 3}}}, .inputs = 1,
             .error = "out of range for dimension 0"},
            {"empty", .unary = nothing, .input = {{2, {5, 3}}}, .inputs = 1, .error = "takes nothing"},
            {"negative stride", .unary = backwards, .input = {{1, {5}}}, .inputs = 1, .error = "not positive"},
            {"too many ranges", .unary = too_many, .input = {{2, {5, 3}}}, .inputs = 1, .error = "dimension 2"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = slice_by_image}};
ATL_BUILTIN(slice_op);

static atl_node *slice(const atl_slice_args *args, int may_be_empty)
{
    slice_attributes attributes = {.may_be_empty = may_be_empty};
    memcpy(attributes.begin, args->begin, sizeof attributes.begin);
    memcpy(attributes.end, args->end, sizeof attributes.end);
    memcpy(attributes.stride, args->stride, sizeof attributes.stride);
    return ATL_APPLY(&slice_op, &attributes, args->x);
}

atl_node *atl_slice_with(const atl_slice_args *args)
{
    if (!args)
        return atl_null_argument("atl_slice", "the options are"), NULL;
    return slice(args, 0);
}

atl_node *atl_slice_or_nothing(const atl_slice_args *args) { return slice(args, 1); }

/* unslice(dy, like): zeros of the shape of `like`, with dy at the positions from which slice takes its elements. */
static bool infer_unslice(atl_node *y)
{
    const atl_node *dy = y->inputs[0], *like = y->inputs[1];
    atl_shape sliced;
    if (!sliced_shape(y, like, &sliced))
        return 0;
    if (!atl_shapes_agree(*dy->shape, sliced))
        return atl_fail(y, "'%s', %s, has not the shape of this slice of '%s', %s", atl_name_of(dy), SHAPE_OF(dy),
                        atl_name_of(like), SHAPE_OF(like));
    return atl_set_type(y, dy->dtype, *like->shape);
}

static atl_node *unslice_gradient(atl_node *y, atl_node *dy)
{
    const slice_attributes *attributes = y->attributes;
    atl_slice_args args = {.x = dy};
    memcpy(args.begin, attributes->begin, sizeof args.begin);
    memcpy(args.end, attributes->end, sizeof args.end);
    memcpy(args.stride, attributes->stride, sizeof args.stride);
    return slice(&args, attributes->may_be_empty != 0);
}

static atl_strided_copy unslice_copy(const atl_node *y)
{
    atl_strided_copy desc = slice_copy(y->attributes, *y->shape, *y->inputs[0]->shape), swapped = desc;
    memcpy(swapped.to, desc.from, sizeof desc.from);
    memcpy(swapped.from, desc.to, sizeof desc.to);
    swapped.to_start = desc.from_start;
    swapped.from_start = desc.to_start;
    return swapped;
}

static void unslice_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = unslice_copy(y);
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * sizeof *result);
    atl_copy_doubles(&desc, result, x[0]);
}

static void unslice_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = unslice_copy(y);
    memset(result, 0, (size_t)atl_shape_count(*y->shape) * 4);
    atl_copy_words(&desc, result, x[0]);
}

static atl_node *put_back(atl_node *dy, atl_node *like)
{
    return atl_square(unslice(dy, like, &(slice_attributes){.begin = {1, -2}, .stride = {2}}));
}

static const atl_op unslice_op = {.name = "unslice",
                                  .arity = 2,
                                  .attributes = sizeof(slice_attributes),
                                  .shape_inputs = 2,
                                  .infer = infer_unslice,
                                  .gradient = {unslice_gradient},
                                  .reference = unslice_reference,
                                  .kernel = unslice_kernel,
                                  .describe = describe_slice,
                                  .simplify = atl_unchanged,
                                  .samples =
                                      (const atl_sample[]){{"two columns of every second row", .binary = put_back,
                                                            .input = {{2, {2, 2}}, {2, {5, 4}}}, .inputs = 2},
                                                           {"another shape", .binary = put_back,
                                                            .input = {{2, {3, 2}}, {2, {5, 4}}}, .inputs = 2,
                                                            .error = "[3, 2]"},
                                                           {0}},
                                  .hooks = &(const atl_op_hooks){.by_image = slice_by_image}};
ATL_BUILTIN(unslice_op);

static atl_node *unslice(atl_node *dy, atl_node *like, const slice_attributes *attributes)
{
    return ATL_APPLY(&unslice_op, attributes, dy, like);
}
