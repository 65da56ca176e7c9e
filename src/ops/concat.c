/* concat(x_0, x_1, ...): concatenates along an axis; and concat_part, its gradient. */
#include "graph/memory.h"
#include "ops/attributes.h"
#include "ops/ops.h"
#include "lowering/lowering.h"
#include "ops/strided_copy.h"

/* The shape of inputs first.. concatenated along `axis`; returns 0 with the error recorded. */
static bool infer_joined(atl_node *y, int first, int axis, atl_shape *joined_out)
{
    const atl_node *a = y->inputs[first];
    atl_shape joined = *a->shape;
    char texts[2][160];
    for (int i = first + 1; i < y->input_count; i++) {
        const atl_node *x = y->inputs[i];
        const char *trouble = NULL;
        if (x->shape->rank != joined.rank)
            trouble = "they have different numbers of dimensions";
        for (int d = 0; d < joined.rank && !trouble; d++) {
            int64_t size = x->shape->size[d];
            if (d == axis && (size == ATL_ANY || joined.size[d] == ATL_ANY))
                joined.size[d] = ATL_ANY;
            else if (d == axis && __builtin_add_overflow(joined.size[d], size, &joined.size[d]))
                trouble = "together they have more than 2^63 elements";
            else if (d == axis)
                continue;
            else if ((joined.size[d] == 1 && size == ATL_ANY) || (joined.size[d] == ATL_ANY && size == 1))
                trouble = "an unknown size is not 1 for certain: atl_repeat_batch repeats a value for each of a batch";
            else if (joined.size[d] == ATL_ANY)
                joined.size[d] = size;
            else if (size != ATL_ANY && size != joined.size[d])
                trouble = "sizes may differ along the axis only";
        }
        if (trouble)
            return atl_fail(y, "cannot concatenate '%s', %s, and '%s', %s, along axis %d: %s", atl_name_of(a),
                            atl_shape_text(*a->shape, texts[0], sizeof texts[0]), atl_name_of(x),
                            atl_shape_text(*x->shape, texts[1], sizeof texts[1]), axis, trouble);
    }
    *joined_out = joined;
    return 1;
}

static bool infer_concat(atl_node *y)
{
    atl_shape joined;
    int axis = atl_axis_of(y, ((const concat_attributes *)y->attributes)->axis, y->inputs[0]->shape->rank);
    if (axis < 0 || !infer_joined(y, 0, axis, &joined))
        return 0;
    for (int i = 1; i < y->input_count; i++)
        if (y->inputs[i]->dtype != y->inputs[0]->dtype)
            return atl_fail(y, "cannot concatenate '%s', %s, and '%s', %s: use atl_cast", atl_name_of(y->inputs[0]),
                            atl_dtype_name(y->inputs[0]->dtype), atl_name_of(y->inputs[i]),
                            atl_dtype_name(y->inputs[i]->dtype));
    return atl_set_type(y, y->inputs[0]->dtype, joined);
}

static int axis_of(const atl_node *y)
{
    int axis = ((const concat_attributes *)y->attributes)->axis;
    return axis < 0 ? axis + y->shape->rank : axis;
}

static atl_node *concat_part(atl_node *dy, int axis, int part, int count, atl_node *const *parts);

static atl_node *concat_gradient(atl_node *y, atl_node *dy, int input)
{
    return concat_part(dy, axis_of(y), input, y->input_count, y->inputs);
}

/* Iterates over part i of the concatenated array, which begins at `offset` along the axis. */
static atl_strided_copy part_copy(atl_shape part, atl_shape joined, int axis, int64_t offset)
{
    atl_strided_copy desc = atl_strided_copy_over(part);
    atl_strides_of(joined, desc.to);
    desc.to_start = offset * desc.to[axis];
    return desc;
}

static void concat_reference(const atl_node *y, const double *const *x, double *result)
{
    int axis = axis_of(y);
    for (int64_t i = 0, offset = 0; i < y->input_count; offset += y->inputs[i++]->shape->size[axis]) {
        atl_strided_copy desc = part_copy(*y->inputs[i]->shape, *y->shape, axis, offset);
        atl_copy_doubles(&desc, result, x[i]);
    }
}

static void concat_kernel(const atl_node *y, const void *const *x, void *result)
{
    int axis = axis_of(y);
    for (int64_t i = 0, offset = 0; i < y->input_count; offset += y->inputs[i++]->shape->size[axis]) {
        atl_strided_copy desc = part_copy(*y->inputs[i]->shape, *y->shape, axis, offset);
        atl_copy_words(&desc, result, x[i]);
    }
}

/* Copies an input that was not computed directly into the result. */
static int copy_part(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    atl_copy_words(step->data, memory[step->write[0]], memory[step->read[0]]);
    return 0;
}

static int lower_copy_of_part(atl_lowering *l, int i, int64_t first)
{
    const atl_node *y = atl_lowered_node(l);
    atl_strided_copy *copy = atl_allocate(1, sizeof *copy);
    if (!copy)
        return atl_out_of_memory(), 0;
    *copy = part_copy(*y->inputs[i]->shape, *y->shape, 3, first);
    atl_plan_step step = {.implementation = "copy",
                          .run = copy_part,
                          .cannot_fail = 1,
                          .release = atl_release,
                          .data = copy,
                          .reads = 1,
                          .writes = 1};
    step.read[0] = atl_lower_input(l, i);
    step.write[0] = atl_lower_output(l);
    return atl_lower_step(l, &step);
}

/* Inputs that were computed directly into the result need no step. */
static int lower_concat(atl_lowering *l)
{
    const atl_node *y = atl_lowered_node(l);
    int in_place = 0;
    for (int i = 0; y->shape->rank == 4 && i < y->input_count; i++)
        in_place += atl_lower_is_in_place(l, i);
    if (!in_place)
        return atl_lower_kernel(l);
    for (int64_t i = 0, first = 0; i < y->input_count; first += y->inputs[i++]->shape->size[3])
        if (!atl_lower_is_in_place(l, (int)i) && !lower_copy_of_part(l, (int)i, first))
            return 0;
    return 1;
}

static const atl_op concat_op, concat_part_op;

/* For a concat along that axis: the part that contains first..last-1, and its offset; null if there is none. */
static atl_node *part_with(const atl_node *x, int axis, int64_t first, int64_t last, int64_t *begins_out)
{
    if (x->op != &concat_op || axis_of(x) != axis)
        return NULL;
    *begins_out = 0;
    for (int i = 0; i < x->input_count; i++) {
        int64_t ends = *begins_out + x->inputs[i]->shape->size[axis];
        if (first >= *begins_out && last <= ends)
            return x->inputs[i];
        *begins_out = ends;
    }
    return NULL;
}

/* The array of which these are all parts, in order; null if there is none. */
static atl_node *whole_of(int count, atl_node *const *part, int axis)
{
    atl_node *whole = part[0]->op == &concat_part_op ? part[0]->inputs[0] : NULL;
    for (int i = 0; whole && i < count; i++) {
        const concat_attributes *a = part[i]->attributes;
        if (part[i]->op != &concat_part_op || part[i]->inputs[0] != whole || a->axis != axis || a->part != i ||
            part[i]->input_count != count + 1)
            return NULL;
    }
    return whole;
}

/* The inputs, with nested concats that nobody else reads replaced by their inputs.  Returns their number. */
static int gather_parts(const atl_node *y, int axis, atl_node **part)
{
    int count = 0;
    for (int i = 0; i < y->input_count; i++) {
        atl_node *x = y->inputs[i];
        int is_inside = x->op == y->op && axis_of(x) == axis && atl_is_read_once(x);
        for (int k = 0; k < (is_inside ? x->input_count : 1); k++) {
            part[count++] = is_inside ? x->inputs[k] : x;
        }
    }
    return count;
}

/* A concat of one part becomes the part.  A concat of all parts of one array becomes the array.  Nested concats become
 * one. */
static atl_node *concat_simplified(atl_node *y)
{
    int axis = axis_of(y), most = 0;
    atl_node *whole = y->input_count == 1 ? y->inputs[0] : whole_of(y->input_count, y->inputs, axis);
    for (int i = 0; i < y->input_count; i++)
        most += y->inputs[i]->op == y->op ? y->inputs[i]->input_count : 1;
    if (whole && atl_shape_equal(*whole->shape, *y->shape))
        return whole;
    atl_node **part = atl_allocate((size_t)most, sizeof *part);
    if (!part)
        return atl_graph_out_of_memory(y->graph);
    int count = gather_parts(y, axis, part);
    int changed = count != y->input_count || memcmp(part, y->inputs, (size_t)count * sizeof *part);
    atl_node *simpler = changed ? atl_concat_with(axis, (atl_nodes){count, part}) : atl_unchanged(y);
    atl_release(part);
    return simpler;
}

static void describe_concat(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "axis %d", ((const concat_attributes *)y->attributes)->axis);
}

static atl_node *two_along_0(atl_node *a, atl_node *b) { return atl_square(atl_concat(0, a, b)); }
static atl_node *two_along_last(atl_node *a, atl_node *b) { return atl_square(atl_concat(-1, a, b)); }
static atl_node *two_along_3(atl_node *a, atl_node *b) { return atl_concat(3, a, b); }
static atl_node *with_itself(atl_node *x) { return atl_square(atl_concat(1, x, atl_square(x), x)); }
static atl_node *three_along_1(atl_node *const *x) { return atl_square(atl_concat(1, x[0], x[1], x[2])); }
static atl_node *ints_and_ints(atl_node *a, atl_node *b) { return atl_concat(0, a, b); }

static unsigned concat_by_image(const atl_node *y) { return axis_of(y) > 0 ? atl_all_by_image(y) : 0; }

static const atl_op concat_op = {
    .name = "concat",
    .arity = ATL_VARIADIC,
    .attributes = sizeof(concat_attributes),
    .infer = infer_concat,
    .gradient_of = concat_gradient,
    .reference = concat_reference,
    .kernel = concat_kernel,
    .flags = ATL_OP_CONCAT,
    .describe = describe_concat,
    .simplify = concat_simplified,
    .samples =
        (const atl_sample[]){{"rows", .binary = two_along_0, .input = {{2, {2, 3}}, {2, {1, 3}}}, .inputs = 2},
                             {"channels", .binary = two_along_last, .input = {{4, {2, 2, 2, 3}}, {4, {2, 2, 2, 1}}},
                              .inputs = 2},
                             {"three in the middle", .build = three_along_1,
                              .input = {{3, {2, 1, 3}}, {3, {2, 4, 3}}, {3, {2, 2, 3}}}, .inputs = 3},
                             {"one node twice", .unary = with_itself, .input = {{2, {3, 2}}}, .inputs = 1},
                             {"integers", .binary = ints_and_ints, .input = {{1, {3}, 0, 9, 1}, {1, {2}, 0, 9, 1}},
                              .inputs = 2, .no_gradient = 1},
                             {"other sizes differ", .binary = two_along_0, .input = {{2, {2, 3}}, {2, {2, 4}}},
                              .inputs = 2, .error = "along the axis only"},
                             {"ranks differ", .binary = two_along_0, .input = {{2, {2, 3}}, {1, {3}}}, .inputs = 2,
                              .error = "numbers of dimensions"},
                             {"axis out of range", .binary = two_along_3, .input = {{2, {2, 3}}, {2, {2, 3}}},
                              .inputs = 2, .error = "axis 3"},
                             {"types differ", .binary = two_along_0, .input = {{1, {2}}, {1, {2}, 0, 9, 1}},
                              .inputs = 2, .error = "int32"},
                             {"scalars", .binary = two_along_0, .input = {{0}, {0}}, .inputs = 2, .error = "scalar"},
                             {0}},
    .hooks = &(const atl_op_hooks){.by_image = concat_by_image, .lower = lower_concat}};
ATL_BUILTIN(concat_op);

atl_node *atl_concat_with(int axis, atl_nodes inputs)
{
    concat_attributes attributes = {.axis = axis};
    return atl_apply_with(&concat_op, &attributes, inputs);
}

/* concat_part(dy, x_0, x_1, ...): the part of dy, of the shape of their concat, that corresponds to x_part.  Only the
 * shapes of the x are used. */
static bool infer_concat_part(atl_node *y)
{
    const concat_attributes *attributes = y->attributes;
    atl_shape joined;
    const atl_node *dy = y->inputs[0];
    if (!infer_joined(y, 1, attributes->axis, &joined))
        return 0;
    if (!atl_shapes_agree(*dy->shape, joined))
        return atl_fail(y, "'%s', %s, has not the shape of the concat, %s", atl_name_of(dy), SHAPE_OF(dy),
                        SHAPE_TEXT(joined));
    return atl_set_type(y, y->inputs[0]->dtype, *y->inputs[1 + attributes->part]->shape);
}

/* Puts the adjoint at its position, and zeros in place of the other parts. */
static atl_node *concat_part_gradient(atl_node *y, atl_node *dy, int input)
{
    const concat_attributes *attributes = y->attributes;
    if (input != 0)
        return NULL;
    atl_node **parts = atl_allocate((size_t)y->input_count, sizeof *parts);
    if (!parts)
        return atl_graph_out_of_memory(y->graph);
    for (int i = 0; i + 1 < y->input_count; i++)
        parts[i] = i == attributes->part ? dy : atl_fill(y->inputs[i + 1], 0);
    atl_node *joined = atl_concat_with(attributes->axis, (atl_nodes){y->input_count - 1, parts});
    atl_release(parts);
    return joined;
}

static atl_strided_copy concat_part_copy(const atl_node *y)
{
    const concat_attributes *attributes = y->attributes;
    int64_t offset = 0;
    for (int i = 0; i < attributes->part; i++)
        offset += y->inputs[1 + i]->shape->size[attributes->axis];
    atl_strided_copy desc = atl_strided_copy_over(*y->shape);
    atl_strides_of(*y->inputs[0]->shape, desc.from);
    desc.from_start = offset * desc.from[attributes->axis];
    return desc;
}

static void concat_part_reference(const atl_node *y, const double *const *x, double *result)
{
    atl_strided_copy desc = concat_part_copy(y);
    atl_copy_doubles(&desc, result, x[0]);
}

static void concat_part_kernel(const atl_node *y, const void *const *x, void *result)
{
    atl_strided_copy desc = concat_part_copy(y);
    atl_copy_words(&desc, result, x[0]);
}

/* Channels of an image are read in place. */
static int lower_concat_part(atl_lowering *l)
{
    const atl_node *y = atl_lowered_node(l);
    const concat_attributes *attributes = y->attributes;
    int64_t first = 0;
    for (int i = 0; i < attributes->part; i++)
        first += y->inputs[1 + i]->shape->size[attributes->axis];
    int done = y->shape->rank == 4 && attributes->axis == 3 && y->dtype == ATL_FLOAT32 && atl_shape_count(*y->shape) > 0
                   ? atl_lower_part_in_place(l, first)
                   : -1;
    return done < 0 ? atl_lower_kernel(l) : done;
}

/* A part of a concat becomes the input, if it is one of the inputs. */
static atl_node *concat_part_simplified(atl_node *y)
{
    const concat_attributes *attributes = y->attributes;
    int64_t first = 0, begins;
    for (int i = 0; i < attributes->part; i++)
        first += y->inputs[1 + i]->shape->size[attributes->axis];
    int64_t last = first + y->shape->size[attributes->axis];
    atl_node *part = part_with(y->inputs[0], attributes->axis, first, last, &begins);
    return part && begins == first && atl_shape_equal(*part->shape, *y->shape) ? part : atl_unchanged(y);
}

static void describe_concat_part(const atl_node *y, char *text, size_t size)
{
    const concat_attributes *attributes = y->attributes;
    snprintf(text, size, "part %d, axis %d", attributes->part, attributes->axis);
}

static atl_node *last_part(atl_node *const *x) { return atl_square(concat_part(x[0], 1, 1, 2, x + 1)); }

static int part_of_join(const atl_node *y) { return ((const concat_attributes *)y->attributes)->part; }

static unsigned part_by_image(const atl_node *y)
{
    return ((const concat_attributes *)y->attributes)->axis > 0 ? atl_all_by_image(y) : 0;
}

static const atl_op concat_part_op = {
    .name = "concat_part",
    .arity = ATL_VARIADIC,
    .attributes = sizeof(concat_attributes),
    .shape_inputs = ~1u,
    .infer = infer_concat_part,
    .gradient_of = concat_part_gradient,
    .reference = concat_part_reference,
    .kernel = concat_part_kernel,
    .describe = describe_concat_part,
    .simplify = concat_part_simplified,
    .samples = (const atl_sample[]){{"second of two", .build = last_part,
                                     .input = {{3, {2, 5, 2}}, {3, {2, 2, 2}}, {3, {2, 3, 2}}}, .inputs = 3},
                                    {"another shape", .build = last_part,
                                     .input = {{3, {2, 6, 2}}, {3, {2, 2, 2}}, {3, {2, 3, 2}}}, .inputs = 3,
                                     .error = "[2, 6, 2]"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = part_by_image, .lower = lower_concat_part, .part = part_of_join}};
ATL_BUILTIN(concat_part_op);

static atl_node *concat_part(atl_node *dy, int axis, int part, int count, atl_node *const *parts)
{
    concat_attributes attributes = {.axis = axis, .part = part};
    if (!dy)
        return NULL;
    atl_node **inputs = atl_allocate((size_t)count + 1, sizeof *inputs);
    if (!inputs)
        return atl_graph_out_of_memory(dy->graph);
    inputs[0] = dy;
    memcpy(inputs + 1, parts, (size_t)count * sizeof *parts);
    atl_node *result = atl_apply_with(&concat_part_op, &attributes, (atl_nodes){count + 1, inputs});
    atl_release(inputs);
    return result;
}
