/* Concatenation along a new axis, and splitting into parts: composed of expand_dims and concat, of slice and
 * squeeze. */
#include <inttypes.h>

#include "common/plural.h"
#include "graph/graph.h"
#include "graph/memory.h"
#include "ops/ops.h"

atl_node *atl_stack_with(int axis, atl_nodes inputs)
{
    atl_node *joined = NULL, *first = inputs.count > 0 && inputs.node ? inputs.node[0] : NULL;
    if (!first)
        return NULL;
    atl_node **layers = atl_allocate((size_t)inputs.count, sizeof *layers);
    if (!layers)
        return atl_graph_out_of_memory(first->graph);
    for (int64_t i = 0; i < inputs.count; i++)
        layers[i] = atl_expand_dims(inputs.node[i], axis);
    joined = atl_concat_with(axis, (atl_nodes){inputs.count, layers});
    atl_release(layers);
    return joined;
}

/* Sets all parts to null. */
static atl_status no_parts(int64_t count, atl_node **parts)
{
    for (int64_t i = 0; i < count; i++)
        parts[i] = NULL;
    return ATL_INVALID;
}

/* Reports a call without a node, or without room for its parts. */
static atl_status null_input(const char *function, const atl_node *x, int64_t count, atl_node **parts)
{
    if (parts)
        no_parts(count, parts);
    if (x)
        atl_graph_fail(x->graph, "%s: parts is null", function);
    return x ? ATL_INVALID : atl_null_node(function);
}

/* The axis, 0..rank-1, or -1 with the error recorded on x's graph. */
static int axis_to_cut(const atl_node *x, int axis, int64_t count, const char *builder)
{
    int rank = x->shape->rank;
    if (count < 1)
        atl_graph_fail(x->graph, "%s: %" PRId64 " parts of '%s': there must be 1 or more", builder, count,
                       atl_name_of(x));
    else if (axis < -rank || axis >= rank)
        atl_graph_fail(x->graph, "%s: axis %d is out of range for '%s', %s", builder, axis, atl_name_of(x),
                       SHAPE_OF(x));
    else
        return axis < 0 ? axis + rank : axis;
    return -1;
}

static atl_node *part_of(atl_node *x, int axis, int64_t begin, int64_t end)
{
    atl_slice_args args = {.x = x};
    args.begin[axis] = begin;
    args.end[axis] = end;
    return atl_slice_with(&args);
}

/* Returns ATL_OK if every part could be built; else sets all to null. */
static atl_status all_or_none(int64_t count, atl_node **parts)
{
    for (int64_t i = 0; i < count; i++)
        if (!parts[i])
            return no_parts(count, parts);
    return ATL_OK;
}

atl_status atl_unstack(atl_node *x, int axis, int64_t count, atl_node **parts)
{
    if (!x || !parts)
        return null_input("atl_unstack", x, count, parts);
    if ((axis = axis_to_cut(x, axis, count, "unstack")) < 0)
        return no_parts(count, parts);
    if (x->shape->size[axis] != count) {
        atl_graph_fail(x->graph, "unstack: dimension %d of '%s', %s, cannot be cut into %" PRId64 " layers", axis,
                       atl_name_of(x), SHAPE_OF(x), count);
        return no_parts(count, parts);
    }
    for (int64_t i = 0; i < count; i++)
        parts[i] = atl_squeeze(part_of(x, axis, i, i + 1), axis);
    return all_or_none(count, parts);
}

/* The value of the size -1, if there is one: ATL_ANY if the whole is unknown; -2 with the error recorded. */
static int64_t size_left(const atl_node *x, int axis, int64_t count, const int64_t *sizes)
{
    int64_t sum = 0, whole = x->shape->size[axis];
    int open = 0;
    for (int64_t i = 0; i < count; i++) {
        if (sizes[i] < -1 || sizes[i] == 0 || (sizes[i] == -1 && open++)) {
            atl_graph_fail(x->graph,
                           "split: the size of part %lld, %lld, must be 1 or more; one size may be -1, what is left",
                           (long long)i, (long long)sizes[i]);
            return -2;
        }
        if (sizes[i] > 0 && __builtin_add_overflow(sum, sizes[i], &sum))
            sum = INT64_MAX;
    }
    if (whole == ATL_ANY && open)
        return ATL_ANY;
    if (open ? sum < whole : sum == whole)
        return whole - sum;
    atl_graph_fail(x->graph,
                   "split: the parts have %lld element%s in all, but dimension %d of '%s', %s, has another size",
                   (long long)sum, atl_plural(sum), axis, atl_name_of(x), SHAPE_OF(x));
    return -2;
}

/* Parts before the open one are counted from the beginning, those after it from the end: the whole size need not be
 * known. */
static void cut(atl_node *x, int axis, int64_t count, const int64_t *sizes, atl_node **parts)
{
    int64_t before = 0, after = 0;
    int64_t i = 0, last = count - 1;
    for (; i < count && sizes[i] != -1; before += sizes[i++])
        parts[i] = part_of(x, axis, before, before + sizes[i]);
    for (; last > i; after += sizes[last--])
        parts[last] = part_of(x, axis, -after - sizes[last], -after);
    if (i < count)
        parts[i] = part_of(x, axis, before, -after);
}

static atl_status split_equally(atl_node *x, int axis, int64_t count, atl_node **parts)
{
    int64_t whole = x->shape->size[axis];
    if (whole == ATL_ANY) {
        atl_graph_fail(
            x->graph,
            "split: the size of dimension %d of '%s', %s, must be known for equal parts; atl_unstack divides a "
            "dimension of its own (see atl_reshape)",
            axis, atl_name_of(x), SHAPE_OF(x));
        return no_parts(count, parts);
    }
    if (whole <= 0 || whole % count) {
        atl_graph_fail(x->graph, "split: dimension %d of '%s', %s, cannot be cut into %" PRId64 " equal parts", axis,
                       atl_name_of(x), SHAPE_OF(x), count);
        return no_parts(count, parts);
    }
    for (int64_t i = 0; i < count; i++)
        parts[i] = part_of(x, axis, whole / count * i, whole / count * (i + 1));
    return all_or_none(count, parts);
}

atl_status atl_split(atl_node *x, int axis, int64_t count, const int64_t *sizes, atl_node **parts)
{
    if (!x || !parts)
        return null_input("atl_split", x, count, parts);
    if ((axis = axis_to_cut(x, axis, count, "split")) < 0)
        return no_parts(count, parts);
    if (!sizes)
        return split_equally(x, axis, count, parts);
    if (size_left(x, axis, count, sizes) < ATL_ANY)
        return no_parts(count, parts);
    cut(x, axis, count, sizes, parts);
    return all_or_none(count, parts);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static atl_node *stacked(atl_node *a, atl_node *b) { return atl_square(atl_stack(1, a, b, a)); }
static atl_node *stacked_last(atl_node *a, atl_node *b) { return atl_stack(-1, a, b); }
static atl_node *stacked_beyond(atl_node *a, atl_node *b) { return atl_stack(4, a, b); }

static const atl_op stack_composed = {
    .name = "stack",
    .samples =
        (const atl_sample[]){{"in the middle", .binary = stacked, .input = {{2, {2, 3}}, {2, {2, 3}}}, .inputs = 2},
                             {"last", .binary = stacked_last, .input = {{2, {2, 3}}, {2, {2, 3}}}, .inputs = 2},
                             {"shapes differ", .binary = stacked, .input = {{2, {2, 3}}, {2, {2, 4}}}, .inputs = 2,
                              .error = "[2, 1, 4]"},
                             {"axis out of range", .binary = stacked_beyond, .input = {{2, {2, 3}}, {2, {2, 3}}},
                              .inputs = 2, .error = "axis 4"},
                             {0}}};
ATL_COMPOSED(stack_composed);

/* first * second^2 of two layers */
static atl_node *unstacked(atl_node *x)
{
    atl_node *part[2];
    atl_unstack(x, 1, 2, part);
    return atl_mul(part[0], atl_square(part[1]));
}

static const atl_op unstack_composed = {
    .name = "unstack",
    .samples =
        (const atl_sample[]){{"in the middle", .unary = unstacked, .input = {{3, {3, 2, 4}}}, .inputs = 1},
                             {"three for two", .unary = unstacked, .input = {{2, {2, 3}}}, .inputs = 1,
                              .error = "cannot be cut into 2"},
                             {"no such axis", .unary = unstacked, .input = {{1, {2}}}, .inputs = 1, .error = "axis 1"},
                             {0}}};
ATL_COMPOSED(unstack_composed);

/* One, the rest, and two, in another order. */
static atl_node *cut_unequally(atl_node *x)
{
    atl_node *part[3];
    atl_split(x, -1, 3, (const int64_t[]){1, -1, 2}, part);
    return atl_concat(-1, atl_square(part[2]), atl_mul(part[1], part[0]));
}
static atl_node *halves(atl_node *x)
{
    atl_node *part[2];
    atl_split(x, 1, 2, NULL, part);
    return atl_mul(part[0], part[1]);
}

static const atl_op split_composed = {
    .name = "split",
    .samples = (const atl_sample[]){
        {"unequal", .unary = cut_unequally, .input = {{2, {2, 7}}}, .inputs = 1},
        {"equal", .unary = halves, .input = {{3, {2, 4, 3}}}, .inputs = 1},
        {"an odd number by two", .unary = halves, .input = {{2, {2, 3}}}, .inputs = 1, .error = "equal parts"},
        {"too short", .unary = cut_unequally, .input = {{2, {3, 2}}}, .inputs = 1, .error = "another size"},
        {0}}};
ATL_COMPOSED(split_composed);
