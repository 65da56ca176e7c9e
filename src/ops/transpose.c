/* transpose(x): reorders dimensions; dimension i of the result is dimension order[i] of x. */
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/strided_copy.h"

/* The order for this rank; returns 0 with the error recorded if it is not a permutation. */
static int resolve_order(atl_node *y, const int *given, int rank, int *order)
{
    unsigned seen = 0;
    int all_zero = 1;
    for (int i = 0; i < ATL_MAX_RANK; i++)
        all_zero &= given[i] == 0;
    for (int i = 0; i < rank; i++) {
        order[i] = all_zero ? rank - 1 - i : given[i] < 0 ? given[i] + rank : given[i];
        if (order[i] < 0 || order[i] >= rank)
            return y ? atl_fail(y, "axis %d in the order is out of range for %s: it must be %d..%d", given[i],
                                SHAPE_OF(y->inputs[0]), -rank, rank - 1)
                     : 0;
        if (seen >> order[i] & 1)
            return y ? atl_fail(y, "the order is no permutation of the %d dimensions of %s: axis %d comes twice", rank,
                                SHAPE_OF(y->inputs[0]), order[i])
                     : 0;
        seen |= 1u << order[i];
    }
    for (int i = rank; i < ATL_MAX_RANK; i++)
        if (given[i] != 0)
            return y ? atl_fail(y, "the order has more axes than %s has dimensions", SHAPE_OF(y->inputs[0])) : 0;
    return 1;
}

void atl_transpose_order(const atl_node *y, int *order)
{
    resolve_order(NULL, ((const transpose_attributes *)y->attributes)->order, y->shape->rank, order);
}

static bool infer_transpose(atl_node *y)
{
    const transpose_attributes *attributes = y->attributes;
    atl_shape from = *y->inputs[0]->shape, to = {.rank = from.rank};
    int order[ATL_MAX_RANK];
    if (!resolve_order(y, attributes->order, from.rank, order))
        return 0;
    for (int i = 0; i < to.rank; i++)
        to.size[i] = from.size[order[i]];
    return atl_set_type(y, y->inputs[0]->dtype, to);
}

static atl_node *transpose_gradient(atl_node *y, atl_node *dy)
{
    atl_transpose_args args = {.x = dy};
    int order[ATL_MAX_RANK];
    atl_transpose_order(y, order);
    for (int i = 0; i < y->shape->rank; i++)
        args.order[order[i]] = i;
    return atl_transpose_with(&args);
}

static atl_strided_copy transpose_copy(const atl_node *y)
{
    atl_strided_copy desc = atl_strided_copy_over(*y->shape);
    int64_t strides[ATL_MAX_RANK];
    int order[ATL_MAX_RANK];
    atl_transpose_order(y, order);
    atl_strides_of(*y->inputs[0]->shape, strides);
    for (int i = 0; i < desc.rank; i++)
        desc.from[i] = strides[order[i]];
    return desc;
}

static void transpose_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = transpose_copy(y);
    atl_copy_doubles(&desc, result, x[0]);
}

static void transpose_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = transpose_copy(y);
    atl_copy_words(&desc, result, x[0]);
}

static int swaps_last_two(const int *order, int rank)
{
    for (int i = 0; i < rank; i++)
        if (order[i] != (i < rank - 2 ? i : 2 * rank - 3 - i))
            return 0;
    return rank >= 2;
}

/* A transpose that moves nothing becomes the input.  A transpose of a transpose becomes one.  If only dimensions of 1
 * move, it becomes a reshape.  A matrix product that nobody else reads becomes the transposed product. */
static atl_node *transpose_simplified(atl_node *y)
{
    atl_node *x = y->inputs[0];
    int order[ATL_MAX_RANK], inner[ATL_MAX_RANK], last = -1, moved = 0, swapped = 0;
    atl_transpose_order(y, order);
    for (int i = 0; i < y->shape->rank; i++) {
        moved |= order[i] != i;
        swapped |= y->shape->size[i] != 1 && order[i] < last;
        if (y->shape->size[i] != 1)
            last = order[i];
    }
    if (!moved)
        return x;
    if (!swapped)
        return atl_reshape(x, *y->shape);
    if (swaps_last_two(order, y->shape->rank) && atl_hooks_of(x)->transposed && atl_is_read_once(x))
        return atl_hooks_of(x)->transposed(x);
    if (x->op != y->op)
        return NULL;
    atl_transpose_args args = {.x = x->inputs[0]};
    atl_transpose_order(x, inner);
    for (int i = 0; i < y->shape->rank; i++)
        args.order[i] = inner[order[i]];
    return atl_transpose_with(&args);
}

static void describe_transpose(const atl_node *y, char *text, size_t size)
{
    int order[ATL_MAX_RANK];
    size_t at = (size_t)snprintf(text, size, "order");
    atl_transpose_order(y, order);
    for (int i = 0; i < y->shape->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %d", order[i]);
}

static atl_node *reversed(atl_node *x) { return atl_square(atl_transpose(x)); }
static atl_node *to_nchw(atl_node *x) { return atl_square(atl_transpose(x, .order = {0, 3, 1, 2})); }
static atl_node *to_nhwc(atl_node *x) { return atl_square(atl_transpose(x, .order = {0, 2, 3, 1})); }
static atl_node *swapped_last(atl_node *x) { return atl_square(atl_transpose(x, .order = {0, -1, 1})); }
static atl_node *axis_twice(atl_node *x) { return atl_transpose(x, .order = {0, 2, 2}); }
static atl_node *axis_3(atl_node *x) { return atl_transpose(x, .order = {0, 1, 3}); }
static atl_node *too_long(atl_node *x) { return atl_transpose(x, .order = {0, 1, 2}); }

static unsigned transpose_by_image(const atl_node *y)
{
    int order[ATL_MAX_RANK];
    atl_transpose_order(y, order);
    return y->shape->rank > 0 && order[0] == 0;
}

static const atl_op transpose_op = {
    .name = "transpose",
    .arity = 1,
    .attributes = sizeof(transpose_attributes),
    .infer = infer_transpose,
    .gradient = {transpose_gradient},
    .reference = transpose_reference,
    .kernel = transpose_kernel,
    .describe = describe_transpose,
    .simplify = transpose_simplified,
    .samples =
        (const atl_sample[]){
            {"matrix", .unary = reversed, .input = {{2, {3, 5}}}, .inputs = 1},
            {"matrix of several blocks", .unary = reversed, .input = {{2, {37, 21}}}, .inputs = 1, .no_gradient = 1},
            {"three dimensions reversed", .unary = reversed, .input = {{3, {2, 3, 4}}}, .inputs = 1},
            {"NHWC to NCHW", .unary = to_nchw, .input = {{4, {2, 3, 2, 3}}}, .inputs = 1},
            {"NCHW to NHWC, larger", .unary = to_nhwc, .input = {{4, {3, 5, 7, 9}}}, .inputs = 1, .no_gradient = 1},
            {"two runs take turns", .unary = swapped_last, .input = {{3, {5, 2, 19}}}, .inputs = 1, .no_gradient = 1},
            {"three runs are parted", .unary = swapped_last, .input = {{3, {5, 37, 3}}}, .inputs = 1, .no_gradient = 1},
            {"four runs take turns", .unary = swapped_last, .input = {{3, {3, 4, 21}}}, .inputs = 1, .no_gradient = 1},
            {"negative axis", .unary = swapped_last, .input = {{3, {2, 4, 3}}}, .inputs = 1},
            {"vector", .unary = reversed, .input = {{1, {4}}}, .inputs = 1},
            {"scalar", .unary = reversed, .input = {{0}}, .inputs = 1},
            {"no permutation", .unary = axis_twice, .input = {{3, {2, 4, 3}}}, .inputs = 1,
             .error = "axis 2 comes twice"},
            {"axis out of range", .unary = axis_3, .input = {{3, {2, 4, 3}}}, .inputs = 1, .error = "axis 3"},
            {"more axes than dimensions", .unary = too_long, .input = {{2, {2, 4}}}, .inputs = 1, .error = "more axes"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = transpose_by_image}};
ATL_BUILTIN(transpose_op);

atl_node *atl_transpose_with(const atl_transpose_args *args)
{
    if (!args)
        return atl_null_argument("atl_transpose", "the options are"), NULL;
    transpose_attributes attributes;
    memcpy(attributes.order, args->order, sizeof attributes.order);
    return ATL_APPLY(&transpose_op, &attributes, args->x);
}
