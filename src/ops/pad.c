/* pad(x): adds elements of one value before and after each dimension. */
#include <math.h>

#include "common/plural.h"
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/strided_copy.h"

static bool infer_pad(atl_node *y)
{
    const pad_attributes *pad = y->attributes;
    const atl_node *x = y->inputs[0];
    atl_shape to = *x->shape;
    if (x->dtype == ATL_INT32 && !(pad->value >= -0x1p31f && pad->value < 0x1p31f && pad->value == truncf(pad->value)))
        return atl_fail(y, "the value of the padding is %g, but '%s' is int32: it must be a whole number of 32 bits",
                        (double)pad->value, atl_name_of(x));
    for (int i = 0; i < ATL_MAX_RANK; i++) {
        if (i >= to.rank && (pad->before[i] || pad->after[i]))
            return atl_fail(y, "there is padding for dimension %d, but '%s', %s, has %d dimension%s", i, atl_name_of(x),
                            SHAPE_OF(x), to.rank, atl_plural(to.rank));
        if (pad->before[i] < 0 || pad->after[i] < 0)
            return atl_fail(
                y, "the padding of dimension %d, %lld and %lld, is negative: use atl_slice to take elements away", i,
                (long long)pad->before[i], (long long)pad->after[i]);
        if (i < to.rank && to.size[i] != ATL_ANY &&
            (__builtin_add_overflow(to.size[i], pad->before[i], &to.size[i]) ||
             __builtin_add_overflow(to.size[i], pad->after[i], &to.size[i])))
            return atl_fail(y, "dimension %d of '%s', %s, would have more than 2^63 elements", i, atl_name_of(x),
                            SHAPE_OF(x));
    }
    return atl_set_type(y, x->dtype, to);
}

/* Slices off the padding.  A negative end counts from the end, so the size need not be known. */
static atl_node *pad_gradient(atl_node *y, atl_node *dy)
{
    const pad_attributes *pad = y->attributes;
    atl_slice_args args = {.x = dy};
    for (int i = 0; i < ATL_MAX_RANK; i++) {
        args.begin[i] = pad->before[i];
        args.end[i] = -pad->after[i];
    }
    return atl_slice_or_nothing(&args);
}

static atl_strided_copy pad_copy(const atl_node *y)
{
    const pad_attributes *pad = y->attributes;
    atl_strided_copy desc = atl_strided_copy_over(*y->inputs[0]->shape);
    atl_strides_of(*y->shape, desc.to);
    for (int i = 0; i < desc.rank; i++)
        desc.to_start += pad->before[i] * desc.to[i];
    return desc;
}

static void pad_reference(const atl_node *y, const double *const *x, double *result)
{
    const pad_attributes *pad = y->attributes;
    int64_t count = atl_shape_count(*y->shape);
    for (int64_t i = 0; i < count; i++)
        result[i] = (double)pad->value;
    atl_strided_copy desc = pad_copy(y);
    atl_copy_doubles(&desc, result, x[0]);
}

static void pad_kernel(const atl_node *y, const void *const *x, void *result)
{
    const pad_attributes *pad = y->attributes;
    atl_strided_copy inside = pad_copy(y), everywhere = atl_strided_copy_over(*y->shape);
    int32_t whole = y->dtype == ATL_INT32 ? (int32_t)pad->value : 0;
    memset(everywhere.from, 0, sizeof everywhere.from);
    atl_copy_words(&everywhere, result, y->dtype == ATL_INT32 ? (const void *)&whole : (const void *)&pad->value);
    atl_copy_words(&inside, result, x[0]);
}

/* An empty pad becomes the input.  A pad of a pad with the same value becomes one. */
static atl_node *pad_simplified(atl_node *y)
{
    const pad_attributes *outer = y->attributes, *inner = y->inputs[0]->attributes;
    const atl_node *x = y->inputs[0];
    if (atl_shape_equal(*y->shape, *x->shape) || x->op != y->op || memcmp(&outer->value, &inner->value, sizeof(float)))
        return atl_unchanged(y);
    atl_pad_args args = {.x = x->inputs[0], .value = outer->value};
    for (int i = 0; i < y->shape->rank; i++) {
        args.before[i] = outer->before[i] + inner->before[i];
        args.after[i] = outer->after[i] + inner->after[i];
    }
    return atl_pad_with(&args);
}

static void describe_pad(const atl_node *y, char *text, size_t size)
{
    const pad_attributes *pad = y->attributes;
    size_t at = (size_t)snprintf(text, size, "%g around", (double)pad->value);
    for (int i = 0; i < y->shape->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %lld+%lld", (long long)pad->before[i], (long long)pad->after[i]);
}

static atl_node *zeros_around(atl_node *x) { return atl_square(atl_pad(x, .before = {1, 0}, .after = {2, 3})); }
static atl_node *image_border(atl_node *x)
{
    return atl_square(atl_pad(x, .before = {0, 1, 2}, .after = {0, 1, 1}, .value = 0.5f));
}
static atl_node *sevens(atl_node *x) { return atl_pad(x, .after = {2}, .value = 7); }
static atl_node *nothing_around(atl_node *x) { return atl_square(atl_pad(x)); }
static atl_node *negative(atl_node *x) { return atl_pad(x, .before = {-1}); }
static atl_node *third_dimension(atl_node *x) { return atl_pad(x, .after = {0, 0, 1}); }
static atl_node *infinity_around(atl_node *x) { return atl_pad(x, .after = {1}, .value = INFINITY); }
static atl_node *too_large(atl_node *x) { return atl_pad(x, .after = {INT64_MAX}); }

static unsigned pad_by_image(const atl_node *y)
{
    const pad_attributes *pad = y->attributes;
    return pad->before[0] == 0 && pad->after[0] == 0;
}

static const atl_op pad_op = {
    .name = "pad",
    .arity = 1,
    .attributes = sizeof(pad_attributes),
    .infer = infer_pad,
    .gradient = {pad_gradient},
    .reference = pad_reference,
    .kernel = pad_kernel,
    .describe = describe_pad,
    .simplify = pad_simplified,
    .samples =
        (const atl_sample[]){{"zeros", .unary = zeros_around, .input = {{2, {2, 3}}}, .inputs = 1},
                             {"border of an image", .unary = image_border, .input = {{4, {2, 2, 3, 2}}}, .inputs = 1},
                             {"nothing", .unary = nothing_around, .input = {{2, {2, 3}}}, .inputs = 1},
                             {"integers", .unary = sevens, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1, .no_gradient = 1},
                             {"no integer", .unary = infinity_around, .input = {{1, {3}, 0, 9, 1}}, .inputs = 1,
                              .error = "whole number"},
                             {"negative", .unary = negative, .input = {{1, {3}}}, .inputs = 1, .error = "negative"},
                             {"too many dimensions", .unary = third_dimension, .input = {{2, {3, 2}}}, .inputs = 1,
                              .error = "dimension 2"},
                             {"too large", .unary = too_large, .input = {{1, {3}}}, .inputs = 1, .error = "2^63"},
                             {0}},
    .hooks = &(const atl_op_hooks){.by_image = pad_by_image}};
ATL_BUILTIN(pad_op);

atl_node *atl_pad_with(const atl_pad_args *args)
{
    if (!args)
        return atl_null_argument("atl_pad", "the options are"), NULL;
    pad_attributes pad = {.value = args->value};
    memcpy(pad.before, args->before, sizeof pad.before);
    memcpy(pad.after, args->after, sizeof pad.after);
    return ATL_APPLY(&pad_op, &pad, args->x);
}
