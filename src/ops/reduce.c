/* Reductions over any axes: reduce_sum, mean, max, min, prod, log_sum_exp, l2_norm.
 *
 * The result lacks the reduced dimensions, or has them as 1.  In gradients, inserted(y, dy) inserts them again, so that
 * dy broadcasts to x's shape. */
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/product.h"
#include "ops/reduction.h"

unsigned atl_reduced_axes(const atl_node *y)
{
    const reduce_attributes *attributes = y->attributes;
    int rank = y->inputs[0]->shape->rank;
    unsigned axes = attributes->axes ? 0 : (1u << rank) - 1;
    for (int i = 0; i < attributes->axes; i++)
        axes |= 1u << (attributes->axis[i] < 0 ? attributes->axis[i] + rank : attributes->axis[i]);
    return axes;
}

static bool infer_reduce(atl_node *y)
{
    const reduce_attributes *attributes = y->attributes;
    atl_shape from = *y->inputs[0]->shape, to = {0};
    if (!atl_require_float(y, 0, "the input") || !atl_axes_of(y, attributes->axes, attributes->axis, from.rank, NULL))
        return 0;
    unsigned axes = atl_reduced_axes(y);
    for (int i = 0; i < from.rank; i++) {
        if (!(axes >> i & 1))
            to.size[to.rank++] = from.size[i];
        else if (attributes->keep)
            to.size[to.rank++] = 1;
    }
    return atl_set_type(y, ATL_FLOAT32, to);
}

static void describe_reduce(const atl_node *y, char *text, size_t size)
{
    const reduce_attributes *attributes = y->attributes;
    size_t at = (size_t)snprintf(text, size, attributes->axes ? "axes" : "all axes");
    for (int i = 0; i < attributes->axes && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %d", attributes->axis[i]);
    if (at < size && attributes->keep)
        snprintf(text + at, size - at, ", kept");
}

static void reduce_reference(const atl_node *y, const double *x, double *result, atl_fold fold)
{
    atl_reduction reduction = atl_reduction_over(*y->inputs[0]->shape, atl_reduced_axes(y));
    atl_reduce_doubles(&reduction, fold, x, result);
}

static void reduce_kernel(const atl_node *y, const float *x, float *result, atl_fold fold)
{
    atl_reduction reduction = atl_reduction_over(*y->inputs[0]->shape, atl_reduced_axes(y));
    atl_reduce_floats(&reduction, fold, x, result);
}

/* v, of y's shape, with the reduced dimensions inserted as 1. */
static atl_node *inserted(const atl_node *y, atl_node *v)
{
    return ((const reduce_attributes *)y->attributes)->keep ? v : atl_insert_dims(v, atl_reduced_axes(y));
}

/* v, of y's shape, broadcast to x's. */
static atl_node *repeated(const atl_node *y, atl_node *v)
{
    return atl_broadcast_like(inserted(y, v), atl_input_of(y, 0));
}

static atl_node *reduce(const atl_op *op, const char *builder, const atl_reduce_args *args)
{
    if (!args)
        return atl_null_argument(builder, "the options are"), NULL;
    reduce_attributes attributes = {.axes = args->axes, .keep = args->keep != 0};
    for (int i = 0; i < args->axes && i < ATL_MAX_RANK; i++)
        attributes.axis[i] = args->axis[i];
    for (int i = args->axes > 0 ? args->axes : 0; args->x && i < ATL_MAX_RANK; i++)
        if (args->axis[i])
            return atl_builder_error(args->x->graph, builder,
                                     ".axis has more entries than the %d that .axes counts: ATL_AXES(...) sets both",
                                     args->axes);
    return ATL_APPLY(op, &attributes, args->x);
}

static int as_sum(const atl_node *y, atl_sum_form *form)
{
    return atl_sum_over(*y->inputs[0]->shape, atl_reduced_axes(y), form);
}

static int as_sum_of_squares(const atl_node *y, atl_sum_form *form)
{
    int possible = as_sum(y, form);
    form->b = form->a;
    return possible;
}

static int as_mean(const atl_node *y, atl_sum_form *form)
{
    int possible = as_sum(y, form);
    form->scale = 1 / (double)form->reduced;
    return possible;
}

/* ---- simplification ---------------------------------------------------------------------------------------------- */

atl_node *atl_reduce_axes(atl_node *x, unsigned axes, atl_shape result, atl_reduce_builder *build)
{
    atl_reduce_args args = {.x = x};
    for (int i = 0; i < x->shape->rank; i++)
        if (axes >> i & 1)
            args.axis[args.axes++] = i;
    atl_node *reduced = args.axes ? build(&args) : x;
    return reduced && !atl_shape_equal(*reduced->shape, result) ? atl_reshape(reduced, result) : reduced;
}

/* A reduction of a reduction of the same kind becomes one over both sets of axes. */
static atl_node *reduced_at_once(const atl_node *y, atl_reduce_builder *build)
{
    const atl_node *x = y->inputs[0];
    unsigned axes = atl_reduced_axes(x), outer = atl_reduced_axes(y);
    int keep = ((const reduce_attributes *)x->attributes)->keep;
    for (int i = 0, left = 0; i < x->inputs[0]->shape->rank; i++) {
        int is_left = keep || !(atl_reduced_axes(x) >> i & 1);
        if (is_left)
            axes |= (outer >> left++ & 1) << i;
    }
    return atl_reduce_axes(x->inputs[0], axes, *y->shape, build);
}

/* A reduction over dimensions of 1 only becomes the input, except the norm.  Sums, means and extremes of reductions of
 * the same kind become one. */
static atl_node *simplified(atl_node *y, atl_reduce_builder *build)
{
    const atl_node *x = y->inputs[0];
    atl_node *simpler = atl_only_reshaped(y);
    if (simpler || atl_shape_count(*x->shape) == 0)
        return simpler;
    if (x->op == y->op)
        return reduced_at_once(y, build);
    if (x->op->flags & ATL_OP_ALIAS && !(x->op->flags & ATL_OP_SIDE_EFFECT) && atl_shape_count(*y->shape) == 1)
        return atl_reduce_axes(x->inputs[0], (1u << x->inputs[0]->shape->rank) - 1, *y->shape, build);
    return NULL;
}

#define SIMPLER(op_name)                                                                                               \
    static atl_node *op_name##_simplified(atl_node *y) { return simplified(y, atl_reduce_##op_name##_with); }
SIMPLER(sum)
SIMPLER(mean)
SIMPLER(max)
SIMPLER(min)

/* Every reduction has the same samples: over the last, first, middle, several, and all axes; kept or not; and the
 * errors. */
#define REDUCE_SAMPLES(name, low_, high_)                                                                              \
    static atl_node *name##_all(atl_node *x) { return atl_square(atl_reduce_##name(x)); }                              \
    static atl_node *name##_all_kept(atl_node *x) { return atl_mul(x, atl_reduce_##name(x, .keep = 1)); }              \
    static atl_node *name##_last(atl_node *x) { return atl_square(atl_reduce_##name(x, ATL_AXES(-1))); }               \
    static atl_node *name##_last_kept(atl_node *x)                                                                     \
    {                                                                                                                  \
        return atl_mul(x, atl_reduce_##name(x, ATL_AXES(-1), .keep = 1));                                              \
    }                                                                                                                  \
    static atl_node *name##_first(atl_node *x) { return atl_square(atl_reduce_##name(x, ATL_AXES(0))); }               \
    static atl_node *name##_middle(atl_node *x) { return atl_square(atl_reduce_##name(x, ATL_AXES(1))); }              \
    static atl_node *name##_map(atl_node *x) { return atl_square(atl_reduce_##name(x, ATL_AXES(1, 2))); }              \
    static atl_node *name##_outer(atl_node *x) { return atl_square(atl_reduce_##name(x, ATL_AXES(3, 0, -3))); }        \
    static atl_node *name##_axis_2(atl_node *x) { return atl_reduce_##name(x, ATL_AXES(2)); }                          \
    static atl_node *name##_axis_twice(atl_node *x) { return atl_reduce_##name(x, ATL_AXES(1, -1)); }                  \
    static atl_node *name##_nine_axes(atl_node *x) { return atl_reduce_##name(x, .axes = 9); }                         \
    static const atl_sample name##_samples[] = {                                                                       \
        {"all", .unary = name##_all, .input = {{2, {2, 3}, low_, high_}}, .inputs = 1},                                \
        {"all, kept", .unary = name##_all_kept, .input = {{2, {2, 3}, low_, high_}}, .inputs = 1},                     \
        {"a scalar", .unary = name##_all, .input = {{0, {0}, low_, high_}}, .inputs = 1},                              \
        {"last", .unary = name##_last, .input = {{3, {2, 3, 4}, low_, high_}}, .inputs = 1},                           \
        {"last, kept", .unary = name##_last_kept, .input = {{2, {2, 3}, low_, high_}}, .inputs = 1},                   \
        {"long last", .unary = name##_last, .input = {{2, {3, 531}, low_, high_}}, .inputs = 1, .no_gradient = 1},     \
        {"first", .unary = name##_first, .input = {{3, {3, 2, 2}, low_, high_}}, .inputs = 1},                         \
        {"long first", .unary = name##_first, .input = {{2, {531, 3}, low_, high_}}, .inputs = 1, .no_gradient = 1},   \
        {"wide first", .unary = name##_first, .input = {{2, {37, 300}, low_, high_}}, .inputs = 1, .no_gradient = 1},  \
        {"middle", .unary = name##_middle, .input = {{3, {2, 3, 2}, low_, high_}}, .inputs = 1},                       \
        {"map", .unary = name##_map, .input = {{4, {2, 2, 3, 2}, low_, high_}}, .inputs = 1},                          \
        {"three, unordered", .unary = name##_outer, .input = {{4, {2, 3, 2, 2}, low_, high_}}, .inputs = 1},           \
        {"axis out of range", .unary = name##_axis_2, .input = {{2, {2, 3}}}, .inputs = 1,                             \
         .error = "axis 2 is out of range"},                                                                           \
        {"axis twice", .unary = name##_axis_twice, .input = {{2, {2, 3}}}, .inputs = 1, .error = "twice"},             \
        {"too many axes", .unary = name##_nine_axes, .input = {{2, {2, 3}}}, .inputs = 1, .error = "too many"},        \
        {"integers", .unary = name##_all, .input = {{2, {2, 3}, 0, 9, 1}}, .inputs = 1, .error = "float32"},           \
        {0}}

/* The descriptor, its entry in the table, and its builder.  `simplified`: over dimensions of 1 only, all reductions
 * except the norm change nothing.  `sum`: see atl_op_hooks.as_sum. */
static unsigned reduce_by_image(const atl_node *y) { return !(atl_reduced_axes(y) & 1); }

#define REDUCE_OP(op_name, fold, simplified, sum)                                                                      \
    static void op_name##_reference(const atl_node *y, const double *const *x, double *result)                         \
    {                                                                                                                  \
        reduce_reference(y, x[0], result, fold);                                                                       \
    }                                                                                                                  \
    static void op_name##_kernel(const atl_node *y, const void *const *x, void *result)                                \
    {                                                                                                                  \
        reduce_kernel(y, x[0], result, fold);                                                                          \
    }                                                                                                                  \
    static const atl_op reduce_##op_name##_op = {.name = "reduce_" #op_name,                                           \
                                                 .arity = 1,                                                           \
                                                 .attributes = sizeof(reduce_attributes),                              \
                                                 .infer = infer_reduce,                                                \
                                                 .gradient = {op_name##_gradient},                                     \
                                                 .reference = op_name##_reference,                                     \
                                                 .kernel = op_name##_kernel,                                           \
                                                 .describe = describe_reduce,                                          \
                                                 .simplify = simplified,                                               \
                                                 .samples = op_name##_samples,                                         \
                                                 .hooks = &(const atl_op_hooks){.by_image = reduce_by_image,           \
                                                                                .as_sum = sum}};                       \
    ATL_BUILTIN(reduce_##op_name##_op);                                                                                \
    atl_node *atl_reduce_##op_name##_with(const atl_reduce_args *args)                                                 \
    {                                                                                                                  \
        return reduce(&reduce_##op_name##_op, "reduce_" #op_name, args);                                               \
    }

/* sum: dx = dy, broadcast. */
static atl_node *sum_gradient(atl_node *y, atl_node *dy) { return repeated(y, dy); }
REDUCE_SAMPLES(sum, 0, 0);
REDUCE_OP(sum, ATL_FOLD_SUM, sum_simplified, as_sum)
atl_node *atl_sum(atl_node *x) { return atl_reduce_sum(x); }

/* sum_square: dx = 2 dy x */
static atl_node *sum_square_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(atl_input_of(y, 0), inserted(y, atl_scale(dy, 2)));
}
REDUCE_SAMPLES(sum_square, 0, 0);
REDUCE_OP(sum_square, ATL_FOLD_SUM_SQUARE, NULL, as_sum_of_squares)

/* mean: dx = dy / n, broadcast; n = elements of x over elements of y. */
static atl_node *mean_gradient(atl_node *y, atl_node *dy)
{
    return repeated(y, atl_mul(dy, atl_size_ratio(y, atl_input_of(y, 0))));
}
REDUCE_SAMPLES(mean, 0, 0);
REDUCE_OP(mean, ATL_FOLD_MEAN, mean_simplified, as_mean)
atl_node *atl_mean(atl_node *x) { return atl_reduce_mean(x); }

/* max and min: dx = dy at the extreme elements, divided by their number. */
static atl_node *extreme_gradient(atl_node *y, atl_node *dy)
{
    const reduce_attributes *attributes = y->attributes;
    atl_node *x = atl_input_of(y, 0), *extreme = atl_equal(x, inserted(y, y));
    atl_reduce_args count = {.x = extreme, .axes = attributes->axes, .keep = 1};
    memcpy(count.axis, attributes->axis, sizeof count.axis);
    return atl_mul(extreme, atl_div(inserted(y, dy), atl_reduce_sum_with(&count)));
}
#define max_gradient extreme_gradient
#define min_gradient extreme_gradient
REDUCE_SAMPLES(max, 0, 0);
REDUCE_OP(max, ATL_FOLD_MAX, max_simplified, NULL)
REDUCE_SAMPLES(min, 0, 0);
REDUCE_OP(min, ATL_FOLD_MIN, min_simplified, NULL)

/* prod: dx_k = dy times the product of the others. */
static atl_node *prod_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(atl_product_of_others(atl_input_of(y, 0), atl_reduced_axes(y)), inserted(y, dy));
}
REDUCE_SAMPLES(prod, 0.9f, 1.1f);
REDUCE_OP(prod, ATL_FOLD_PRODUCT, atl_only_reshaped, NULL)

/* log_sum_exp: dx = dy e^(x - y), which is the softmax.  Where x is large y has been rounded by as much as log(n):
 * so the powers are divided by their sum, which would else be 1. */
static atl_node *log_sum_exp_gradient(atl_node *y, atl_node *dy)
{
    const reduce_attributes *attributes = y->attributes;
    atl_node *power = atl_exp(atl_sub(atl_input_of(y, 0), inserted(y, y)));
    atl_reduce_args sum = {.x = power, .axes = attributes->axes, .keep = 1};
    memcpy(sum.axis, attributes->axis, sizeof sum.axis);
    return atl_mul(power, atl_div(inserted(y, dy), atl_reduce_sum_with(&sum)));
}
REDUCE_SAMPLES(log_sum_exp, 0, 0);
REDUCE_OP(log_sum_exp, ATL_FOLD_LOG_SUM_EXP, atl_only_reshaped, NULL)

/* l2_norm: dx = dy x / y; where y is 0, so is x, and so is dx. */
static atl_node *l2_norm_gradient(atl_node *y, atl_node *dy)
{
    atl_node *length = atl_add(y, atl_equal(y, atl_scalar(y, 0)));
    return atl_mul(atl_div(atl_input_of(y, 0), inserted(y, length)), inserted(y, dy));
}
REDUCE_SAMPLES(l2_norm, 0.5f, 1);
REDUCE_OP(l2_norm, ATL_FOLD_NORM, NULL, NULL)
atl_node *atl_l2_norm(atl_node *x) { return atl_reduce_l2_norm(x); }
