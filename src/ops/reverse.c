/* reverse(x): reverses the elements along some dimensions.  Its gradient reverses the same dimensions. */
#include "ops/attributes.h"
#include "ops/ops.h"
#include "ops/strided_copy.h"

static bool infer_reverse(atl_node *y)
{
    const reverse_attributes *attributes = y->attributes;
    return atl_axes_of(y, attributes->count, attributes->axis, y->inputs[0]->shape->rank, NULL) && atl_infer_same(y);
}

static atl_node *reverse_gradient(atl_node *y, atl_node *dy)
{
    const reverse_attributes *attributes = y->attributes;
    return atl_reverse_with(dy, attributes->count, attributes->axis);
}

static atl_strided_copy reverse_copy(const atl_node *y)
{
    const reverse_attributes *attributes = y->attributes;
    atl_strided_copy desc = atl_strided_copy_over(*y->shape);
    for (int i = 0; i < attributes->count; i++) {
        int axis = attributes->axis[i] < 0 ? attributes->axis[i] + desc.rank : attributes->axis[i];
        desc.from_start += (desc.size[axis] - 1) * desc.from[axis];
        desc.from[axis] = -desc.from[axis];
    }
    return desc;
}

static void reverse_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = reverse_copy(y);
    atl_copy_doubles(&desc, result, x[0]);
}

static void reverse_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = reverse_copy(y);
    atl_copy_words(&desc, result, x[0]);
}

/* The reversed axes longer than 1, as bits. */
static unsigned axes_of(const atl_node *y)
{
    const reverse_attributes *attributes = y->attributes;
    unsigned axes = 0;
    for (int i = 0; i < attributes->count; i++) {
        int axis = attributes->axis[i] < 0 ? attributes->axis[i] + y->shape->rank : attributes->axis[i];
        axes |= (unsigned)(y->shape->size[axis] > 1) << axis;
    }
    return axes;
}

/* A reverse that moves nothing becomes the input.  Two become one, over the axes that only one of them reverses. */
static atl_node *reverse_simplified(atl_node *y)
{
    atl_node *x = y->inputs[0];
    unsigned axes = axes_of(y);
    int count = 0, axis[ATL_MAX_RANK];
    if (axes == 0)
        return x;
    if (x->op != y->op)
        return NULL;
    axes ^= axes_of(x);
    for (int i = 0; i < y->shape->rank; i++)
        if (axes >> i & 1)
            axis[count++] = i;
    return count ? atl_reverse_with(x->inputs[0], count, axis) : x->inputs[0];
}

static void describe_reverse(const atl_node *y, char *text, size_t size)
{
    const reverse_attributes *attributes = y->attributes;
    size_t at = (size_t)snprintf(text, size, "axes");
    for (int i = 0; i < attributes->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %d", attributes->axis[i]);
}

static atl_node *columns(atl_node *x) { return atl_mul(x, atl_reverse(x, 1)); }
static atl_node *flipped_image(atl_node *x) { return atl_mul(x, atl_reverse(x, 1, -2)); }
static atl_node *of_integers(atl_node *x) { return atl_reverse(x, 0); }
static atl_node *the_same_axis_twice(atl_node *x) { return atl_reverse(x, 1, -1); }

static unsigned reverse_by_image(const atl_node *y)
{
    const reverse_attributes *attributes = y->attributes;
    for (int i = 0; i < attributes->count; i++)
        if (attributes->axis[i] == 0 || attributes->axis[i] + y->shape->rank == 0)
            return 0;
    return 1;
}

static const atl_op reverse_op = {
    .name = "reverse",
    .arity = 1,
    .attributes = sizeof(reverse_attributes),
    .infer = infer_reverse,
    .gradient = {reverse_gradient},
    .reference = reverse_reference,
    .kernel = reverse_kernel,
    .describe = describe_reverse,
    .simplify = reverse_simplified,
    .samples =
        (const atl_sample[]){
            {"columns", .unary = columns, .input = {{2, {2, 5}}}, .inputs = 1},
            {"both ways of an image", .unary = flipped_image, .input = {{4, {2, 3, 2, 2}}}, .inputs = 1},
            {"integers", .unary = of_integers, .input = {{2, {3, 2}, 0, 9, 1}}, .inputs = 1, .no_gradient = 1},
            {"axis out of range", .unary = columns, .input = {{1, {5}}}, .inputs = 1, .error = "axis 1"},
            {"axis twice", .unary = the_same_axis_twice, .input = {{2, {5, 2}}}, .inputs = 1, .error = "twice"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = reverse_by_image}};
ATL_BUILTIN(reverse_op);

atl_node *atl_reverse_with(atl_node *x, int64_t count, const int *axes)
{
    if (x && ((count > 0 && !axes) || count < 0 || count > ATL_MAX_RANK))
        return atl_builder_error(x->graph, "reverse", "the list of %lld %s is %s", (long long)count,
                                 count == 1 ? "axis" : "axes",
                                 count < 0              ? "invalid"
                                 : count > ATL_MAX_RANK ? "too long"
                                                        : "null");
    reverse_attributes attributes = {.count = (int)count};
    for (int i = 0; axes && i < count && i < ATL_MAX_RANK; i++)
        attributes.axis[i] = axes[i];
    return ATL_APPLY(&reverse_op, &attributes, x);
}
