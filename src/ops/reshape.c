/* Ops that give the same elements another shape: nothing is computed or moved. */
#include "ops/attributes.h"
#include "ops/ops.h"

static atl_node *reshape_back(atl_node *y, atl_node *dy) { return atl_reshape_like(dy, atl_input_of(y, 0)); }

/* A reshape that changes nothing becomes the input.  A reshape of a reshape becomes one reshape of the original array.
 * A group stays, because its assignments are made where it is needed. */
static atl_node *reshape_simplified(atl_node *y)
{
    atl_node *source = y->inputs[0];
    while (source->op->flags & ATL_OP_ALIAS && !(source->op->flags & ATL_OP_SIDE_EFFECT))
        source = source->inputs[0];
    if (atl_shape_equal(*y->shape, *source->shape))
        return source;
    return source == y->inputs[0] ? NULL : atl_reshape(source, *y->shape);
}

/* The product of the known sizes of dimensions first.. of a shape; -1 if it is over 2^63 - 1.  Counts the others. */
static int64_t known_product(atl_shape shape, int first, int *unknown)
{
    atl_shape known = {0};
    *unknown = 0;
    for (int i = first; i < shape.rank; i++) {
        if (shape.size[i] == ATL_ANY)
            ++*unknown;
        else
            known.size[known.rank++] = shape.size[i];
    }
    return atl_shape_count(known);
}

/* ": the first size, 40, is not the batch, 5", for a reshape that was meant to keep the batch; else "". */
static const char *batch_hint(atl_shape from, atl_shape to, char *text, size_t size)
{
    text[0] = 0;
    if (from.rank && to.rank && from.size[0] != ATL_ANY && to.size[0] != ATL_ANY && from.size[0] != to.size[0])
        snprintf(text, size, ": the first size, %lld, is not the batch, %lld", (long long)to.size[0],
                 (long long)from.size[0]);
    return text;
}

/* Reports element counts that cannot agree; `have` and `want` are products of the known sizes. */
static int fail_reshape(atl_node *y, atl_shape to, int64_t have, int64_t want, int multiple)
{
    char hint[160], texts[2][160];
    atl_node *x = y->inputs[0];
    int unknown;
    batch_hint(*x->shape, to, hint, sizeof hint);
    if (!hint[0] && x->shape->rank && to.rank && x->shape->size[0] == to.size[0] && to.size[0] != ATL_ANY && !multiple)
        snprintf(hint, sizeof hint, ": the first sizes agree, but the rest are %lld and %lld elements each",
                 (long long)known_product(*x->shape, 1, &unknown), (long long)known_product(to, 1, &unknown));
    return atl_fail(y, "cannot give '%s', %s, the shape %s: %lld element%s not %s%lld%s", atl_name_of(x),
                    atl_shape_text(*x->shape, texts[0], sizeof texts[0]), atl_shape_text(to, texts[1], sizeof texts[1]),
                    (long long)have, have == 1 ? " is" : "s are", multiple ? "a multiple of " : "", (long long)want,
                    hint);
}

/* reshape(x): the same elements in the same order; at most one size of the attribute is -1, and is computed.  The
 * attribute keeps the -1, so that the size can be computed again when an unknown size is known. */
static bool infer_reshape(atl_node *y)
{
    const atl_node *x = y->inputs[0];
    atl_shape to = *(const atl_shape *)y->attributes, from = *x->shape;
    int open = -1, unknown, holes;
    for (int i = 0; i < to.rank && to.rank <= ATL_MAX_RANK; i++) {
        if (to.size[i] < -1)
            return atl_fail(y, "the size %lld of dimension %d is negative; -1 stands for what is left",
                            (long long)to.size[i], i);
        if (to.size[i] == -1 && open >= 0)
            return atl_fail(y, "%s has -1 twice, in dimensions %d and %d: only one size can be what is left",
                            SHAPE_TEXT(to), open, i);
        if (to.size[i] == -1)
            open = i;
    }
    if (to.rank < 0 || to.rank > ATL_MAX_RANK)
        return atl_set_type(y, x->dtype, to); /* reports the error */
    int64_t have = known_product(from, 0, &unknown), want = known_product(to, 0, &holes);
    if (want < 0)
        return atl_fail(y, "the shape %s has more than 2^63 elements", SHAPE_TEXT(to));
    if (open < 0 && unknown == 0 && have != want)
        return fail_reshape(y, to, have, want, 0);
    if (open < 0 && unknown > 0 && (have == 0 ? want != 0 : want % have != 0))
        return fail_reshape(y, to, want, have, 1);
    if (open >= 0 && unknown == 0 && want == 0)
        return atl_fail(y, "cannot tell what is left for the -1 of %s: its other sizes have no elements",
                        SHAPE_TEXT(to));
    if (open >= 0 && unknown == 0 && have % want != 0)
        return fail_reshape(y, to, have, want, 1);
    if (open >= 0 && unknown == 0)
        to.size[open] = have / want;
    return atl_set_type(y, x->dtype, to);
}

static void describe_reshape(const atl_node *y, char *text, size_t size)
{
    const atl_shape *to = y->attributes;
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < to->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? ", " : "", (long long)to->size[i]);
    if (at < size)
        snprintf(text + at, size - at, "]");
}

static atl_node *sample_to_6(atl_node *x) { return atl_square(atl_reshape(x, ATL_SHAPE(6))); }
static atl_node *sample_to_2_rest(atl_node *x) { return atl_square(atl_reshape(x, ATL_SHAPE(2, -1))); }
static atl_node *sample_to_1_rest_3(atl_node *x) { return atl_square(atl_reshape(x, ATL_SHAPE(1, -1, 3))); }
static atl_node *sample_to_scalar(atl_node *x) { return atl_square(atl_reshape(x, ATL_SCALAR)); }
static atl_node *sample_to_40_rest(atl_node *x) { return atl_reshape(x, ATL_SHAPE(40, -1)); }
static atl_node *sample_to_4_16(atl_node *x) { return atl_reshape(x, ATL_SHAPE(4, 16)); }
static atl_node *sample_to_two_open(atl_node *x) { return atl_reshape(x, ATL_SHAPE(-1, 2, -1)); }
static atl_node *sample_to_negative(atl_node *x) { return atl_reshape(x, ATL_SHAPE(2, -3)); }
static atl_node *sample_to_empty_rest(atl_node *x) { return atl_reshape(x, ATL_SHAPE(0, -1)); }
static atl_node *sample_to_huge(atl_node *x) { return atl_reshape(x, ATL_SHAPE((int64_t)1 << 40, (int64_t)1 << 40)); }
static atl_node *sample_to_rank_9(atl_node *x) { return atl_reshape(x, ATL_SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 6)); }

/* The same elements in the same order: with as many images, those of an image stay together. */
static atl_node *reshape_for_images(const atl_node *y, atl_node *const *inputs, int64_t images)
{
    atl_shape to = *y->shape;
    to.size[0] = images;
    return atl_reshape(inputs[0], to);
}

static const atl_op reshape_op = {
    .name = "reshape",
    .arity = 1,
    .attributes = sizeof(atl_shape),
    .flags = ATL_OP_ALIAS,
    .infer = infer_reshape,
    .gradient = {reshape_back},
    .describe = describe_reshape,
    .simplify = reshape_simplified,
    .samples =
        (const atl_sample[]){
            {"to a vector", .unary = sample_to_6, .input = {{2, {2, 3}}}, .inputs = 1},
            {"what is left at the end", .unary = sample_to_2_rest, .input = {{3, {2, 3, 2}}}, .inputs = 1},
            {"what is left in the middle", .unary = sample_to_1_rest_3, .input = {{2, {6, 2}}}, .inputs = 1},
            {"to a scalar", .unary = sample_to_scalar, .input = {{3, {1, 1, 1}}}, .inputs = 1},
            {"a batch of 40 against 5", .unary = sample_to_40_rest, .input = {{2, {5, 7}}}, .inputs = 1,
             .error = "the first size, 40, is not the batch, 5"},
            {"other sizes disagree", .unary = sample_to_4_16, .input = {{3, {4, 5, 3}}}, .inputs = 1,
             .error = "the rest are 15 and 16"},
            {"-1 twice", .unary = sample_to_two_open, .input = {{1, {4}}}, .inputs = 1, .error = "-1 twice"},
            {"negative size", .unary = sample_to_negative, .input = {{1, {6}}}, .inputs = 1, .error = "-3"},
            {"-1 beside 0", .unary = sample_to_empty_rest, .input = {{1, {6}}}, .inputs = 1, .error = "no elements"},
            {"product over 2^63", .unary = sample_to_huge, .input = {{1, {6}}}, .inputs = 1, .error = "2^63"},
            {"nine dimensions", .unary = sample_to_rank_9, .input = {{1, {6}}}, .inputs = 1, .error = "limit is 8"},
            {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_first_by_image, .for_images = reshape_for_images}};
ATL_BUILTIN(reshape_op);

atl_node *atl_reshape(atl_node *x, atl_shape shape)
{
    atl_shape to;
    atl_set_shape(&to, shape);
    return x ? ATL_APPLY(&reshape_op, &to, x) : NULL;
}

/* reshape_like(x, like): the shape of `like`, whose value is not used. */
static bool infer_reshape_like(atl_node *y)
{
    atl_shape from = *y->inputs[0]->shape, to = *y->inputs[1]->shape;
    int unknown, holes;
    int64_t have = known_product(from, 0, &unknown), want = known_product(to, 0, &holes);
    if (!unknown && !holes && have != want)
        return fail_reshape(y, to, have, want, 0);
    return atl_set_type(y, y->inputs[0]->dtype, to);
}

static atl_node *sample_reshape_like(atl_node *x, atl_node *like) { return atl_mul(atl_reshape_like(x, like), like); }

static const atl_op reshape_like_op = {.name = "reshape_like",
                                       .arity = 2,
                                       .flags = ATL_OP_ALIAS,
                                       .shape_inputs = 2,
                                       .infer = infer_reshape_like,
                                       .gradient = {reshape_back},
                                       .simplify = reshape_simplified,
                                       .samples =
                                           (const atl_sample[]){{"matrix to tensor", .binary = sample_reshape_like,
                                                                 .input = {{2, {4, 3}}, {3, {2, 2, 3}}}, .inputs = 2},
                                                                {"another count", .binary = atl_reshape_like,
                                                                 .input = {{2, {4, 3}}, {2, {5, 3}}}, .inputs = 2,
                                                                 .error = "the first size, 5, is not the batch, 4"},
                                                                {0}},
                                       .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image}};
ATL_BUILTIN(reshape_like_op);

atl_node *atl_reshape_like(atl_node *x, atl_node *like) { return ATL_APPLY(&reshape_like_op, NULL, x, like); }

/* flatten(x): [n, a, b, ...] -> [n, a * b * ...]. */
static bool infer_flatten(atl_node *y)
{
    const atl_node *x = y->inputs[0];
    int unknown;
    if (x->shape->rank == 0)
        return atl_fail(y, "'%s' is a scalar: it has no batch dimension to keep", atl_name_of(x));
    int64_t rest = known_product(*x->shape, 1, &unknown);
    if (rest < 0)
        return atl_fail(y, "the dimensions after the first of '%s', %s, have a product over 2^63", atl_name_of(x),
                        SHAPE_OF(x));
    return atl_set_type(y, x->dtype, ATL_SHAPE(x->shape->size[0], unknown ? ATL_ANY : rest));
}

static atl_node *sample_flatten(atl_node *x) { return atl_square(atl_flatten(x)); }

static const atl_op flatten_op = {
    .name = "flatten",
    .arity = 1,
    .flags = ATL_OP_ALIAS,
    .infer = infer_flatten,
    .gradient = {reshape_back},
    .simplify = reshape_simplified,
    .samples = (const atl_sample[]){{"image", .unary = sample_flatten, .input = {{4, {2, 3, 2, 2}}}, .inputs = 1},
                                    {"vector", .unary = sample_flatten, .input = {{1, {3}}}, .inputs = 1},
                                    {"scalar", .unary = atl_flatten, .input = {{0}}, .inputs = 1, .error = "scalar"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image}};
ATL_BUILTIN(flatten_op);

atl_node *atl_flatten(atl_node *x) { return ATL_APPLY(&flatten_op, NULL, x); }

static bool infer_expand_dims(atl_node *y)
{
    const inserted_axes *inserted = y->attributes;
    atl_shape from = *y->inputs[0]->shape, to = {.rank = from.rank + inserted->count};
    if (to.rank > ATL_MAX_RANK)
        return atl_set_type(y, y->inputs[0]->dtype, to); /* reports the error */
    for (int i = 0; i < inserted->count; i++) {
        int axis = inserted->axis[i];
        if (axis < -to.rank || axis >= to.rank)
            return atl_fail(y, "axis %d is out of range: with one more dimension %s has axes %d..%d", axis,
                            SHAPE_TEXT(from), -to.rank, to.rank - 1);
        to.size[axis < 0 ? axis + to.rank : axis] = 1;
    }
    for (int i = 0, next = 0; i < to.rank; i++) {
        int is_new = 0;
        for (int j = 0; j < inserted->count; j++)
            is_new |= inserted->axis[j] == i || inserted->axis[j] + to.rank == i;
        to.size[i] = is_new ? 1 : from.size[next++];
    }
    return atl_set_type(y, y->inputs[0]->dtype, to);
}

static void describe_expand_dims(const atl_node *y, char *text, size_t size)
{
    const inserted_axes *inserted = y->attributes;
    size_t at = (size_t)snprintf(text, size, "axis");
    for (int i = 0; i < inserted->count && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, " %d", inserted->axis[i]);
}

static atl_node *sample_expand_first(atl_node *x) { return atl_square(atl_expand_dims(x, 0)); }
static atl_node *sample_expand_middle(atl_node *x) { return atl_square(atl_expand_dims(x, 1)); }
static atl_node *sample_expand_last(atl_node *x) { return atl_square(atl_expand_dims(x, -1)); }
static atl_node *sample_expand_4(atl_node *x) { return atl_expand_dims(x, 4); }

static const atl_op expand_dims_op = {
    .name = "expand_dims",
    .arity = 1,
    .attributes = sizeof(inserted_axes),
    .flags = ATL_OP_ALIAS,
    .infer = infer_expand_dims,
    .gradient = {reshape_back},
    .describe = describe_expand_dims,
    .simplify = reshape_simplified,
    .samples = (const atl_sample[]){{"first", .unary = sample_expand_first, .input = {{2, {3, 2}}}, .inputs = 1},
                                    {"middle", .unary = sample_expand_middle, .input = {{2, {3, 2}}}, .inputs = 1},
                                    {"last", .unary = sample_expand_last, .input = {{2, {3, 2}}}, .inputs = 1},
                                    {"scalar", .unary = sample_expand_last, .input = {{0}}, .inputs = 1},
                                    {"axis 4 of two", .unary = sample_expand_4, .input = {{2, {3, 2}}}, .inputs = 1,
                                     .error = "-3..2"},
                                    {"a ninth dimension", .unary = sample_expand_first,
                                     .input = {{8, {1, 1, 1, 1, 1, 1, 1, 1}}}, .inputs = 1, .error = "limit is 8"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image}};
ATL_BUILTIN(expand_dims_op);

atl_node *atl_expand_dims(atl_node *x, int axis)
{
    inserted_axes inserted = {.count = 1, .axis = {axis}};
    return ATL_APPLY(&expand_dims_op, &inserted, x);
}

atl_node *atl_insert_dims(atl_node *x, unsigned axes)
{
    inserted_axes inserted = {0};
    for (int i = 0; i < ATL_MAX_RANK; i++)
        if (axes >> i & 1)
            inserted.axis[inserted.count++] = i;
    return inserted.count ? ATL_APPLY(&expand_dims_op, &inserted, x) : x;
}

/* squeeze(x): removes a dimension of 1. */
static bool infer_squeeze(atl_node *y)
{
    const atl_node *x = y->inputs[0];
    atl_shape to = *x->shape;
    int axis = atl_axis_of(y, *(const int *)y->attributes, to.rank);
    if (axis < 0)
        return 0;
    if (to.size[axis] != 1 && to.size[axis] != ATL_ANY)
        return atl_fail(y, "dimension %d of '%s', %s, is %lld: only a 1 can be taken away", axis, atl_name_of(x),
                        SHAPE_TEXT(to), (long long)to.size[axis]);
    to.rank--;
    memmove(to.size + axis, to.size + axis + 1, (size_t)(to.rank - axis) * sizeof *to.size);
    return atl_set_type(y, x->dtype, to);
}

static void describe_squeeze(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "axis %d", *(const int *)y->attributes);
}

static atl_node *sample_squeeze_first(atl_node *x) { return atl_square(atl_squeeze(x, 0)); }
static atl_node *sample_squeeze_last(atl_node *x) { return atl_square(atl_squeeze(x, -1)); }
static atl_node *sample_squeeze_2(atl_node *x) { return atl_squeeze(x, 2); }

static const atl_op squeeze_op = {
    .name = "squeeze",
    .arity = 1,
    .attributes = sizeof(int),
    .flags = ATL_OP_ALIAS,
    .infer = infer_squeeze,
    .gradient = {reshape_back},
    .describe = describe_squeeze,
    .simplify = reshape_simplified,
    .samples = (const atl_sample[]){{"first", .unary = sample_squeeze_first, .input = {{3, {1, 3, 2}}}, .inputs = 1},
                                    {"last", .unary = sample_squeeze_last, .input = {{3, {3, 2, 1}}}, .inputs = 1},
                                    {"not a 1", .unary = sample_squeeze_last, .input = {{2, {3, 2}}}, .inputs = 1,
                                     .error = "only a 1"},
                                    {"axis out of range", .unary = sample_squeeze_2, .input = {{2, {3, 1}}},
                                     .inputs = 1, .error = "out of range"},
                                    {0}},
    .hooks = &(const atl_op_hooks){.by_image = atl_all_by_image}};
ATL_BUILTIN(squeeze_op);

atl_node *atl_squeeze(atl_node *x, int axis) { return ATL_APPLY(&squeeze_op, &axis, x); }

const char *atl_explain_shape(const atl_node *x, char *text, size_t size)
{
    char hint[160], texts[2][160], target[160] = "";
    text[0] = 0;
    /* Skips an op with one input that keeps the first dimension: it cannot be the cause. */
    while (x && x->input_count > 0 && (x->input_count == 1 || (x->op->flags & ATL_OP_ALIAS)) && x->shape->rank &&
           x->inputs[0]->shape->rank && x->shape->size[0] == x->inputs[0]->shape->size[0])
        x = x->inputs[0];
    if (!x || (x->op != &reshape_op && x->op != &reshape_like_op))
        return text;
    atl_shape from = *x->inputs[0]->shape;
    batch_hint(from, *x->shape, hint, sizeof hint);
    if (!hint[0])
        return text;
    if (x->op == &reshape_op)
        describe_reshape(x, target, sizeof target);
    else
        atl_shape_text(*x->shape, target, sizeof target);
    snprintf(text, size, "%s comes from %s (%s -> %s)%s.", atl_shape_text(*x->shape, texts[0], sizeof texts[0]),
             atl_name_of(x), atl_shape_text(from, texts[1], sizeof texts[1]), target, hint);
    return text;
}
