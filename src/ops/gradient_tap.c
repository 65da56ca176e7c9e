/* scale_gradient(x), clip_gradient(x): return x, and change the gradient that flows back.  The identity's true
 * derivative is 1; these differ on purpose, so the tests compare them only where they change nothing. */
#include "atled/gradient.h"
#include "ops/ops.h"

typedef struct tap_attributes {
    float a, b;
} tap_attributes;

static atl_node *scale_rule(atl_node *y, atl_node *dy)
{
    return atl_scale(dy, ((const tap_attributes *)y->attributes)->a);
}

static atl_node *clip_rule(atl_node *y, atl_node *dy)
{
    const tap_attributes *range = y->attributes;
    return atl_clip(dy, range->a, range->b);
}

static void describe_factor(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "%g", (double)((const tap_attributes *)y->attributes)->a);
}

static void describe_range(const atl_node *y, char *text, size_t size)
{
    const tap_attributes *range = y->attributes;
    snprintf(text, size, "%g .. %g", (double)range->a, (double)range->b);
}

static bool infer_tap(atl_node *y) { return atl_require_float(y, 0, "the input") && atl_infer_same(y); }

static atl_node *negated(atl_node *x) { return atl_square(atl_scale_gradient(x, -1)); }
static atl_node *clipped(atl_node *x) { return atl_square(atl_clip_gradient(x, -0.1f, 0.1f)); }
static atl_node *unchanged(atl_node *x) { return atl_exp(atl_scale_gradient(x, 1)); }
static atl_node *within_range(atl_node *x) { return atl_exp(atl_clip_gradient(x, -1000, 1000)); }
static atl_node *empty_range(atl_node *x) { return atl_clip_gradient(x, 1, 0); }

static const atl_op scale_gradient_op = {
    .name = "scale_gradient",
    .arity = 1,
    .attributes = sizeof(tap_attributes),
    .flags = ATL_OP_ALIAS,
    .infer = infer_tap,
    .gradient = {scale_rule},
    .describe = describe_factor,
    .samples =
        (const atl_sample[]){{"reversed", .unary = negated, .input = {{2, {2, 3}}}, .inputs = 1, .no_gradient = 1},
                             {"by one", .unary = unchanged, .input = {{2, {2, 3}}}, .inputs = 1},
                             {"of int32", .unary = negated, .input = {{1, {3}, 1, 4, 1}}, .inputs = 1,
                              .error = "int32"},
                             {0}}};
ATL_BUILTIN(scale_gradient_op);

static bool infer_clip_gradient(atl_node *y)
{
    const tap_attributes *range = y->attributes;
    if (!(range->a <= range->b))
        return atl_fail(y, "the range %g .. %g is empty: the first number must not be larger", (double)range->a,
                        (double)range->b);
    return infer_tap(y);
}

static const atl_op clip_gradient_op = {
    .name = "clip_gradient",
    .arity = 1,
    .attributes = sizeof(tap_attributes),
    .flags = ATL_OP_ALIAS,
    .infer = infer_clip_gradient,
    .gradient = {clip_rule},
    .describe = describe_range,
    .samples =
        (const atl_sample[]){{"clipped", .unary = clipped, .input = {{2, {2, 3}}}, .inputs = 1, .no_gradient = 1},
                             {"within the range", .unary = within_range, .input = {{2, {2, 3}}}, .inputs = 1},
                             {"empty range", .unary = empty_range, .input = {{1, {3}}}, .inputs = 1, .error = "empty"},
                             {0}}};
ATL_BUILTIN(clip_gradient_op);

atl_node *atl_scale_gradient(atl_node *x, float factor)
{
    tap_attributes attributes = {factor, 0};
    return ATL_APPLY(&scale_gradient_op, &attributes, x);
}

atl_node *atl_clip_gradient(atl_node *x, float lowest, float highest)
{
    tap_attributes attributes = {lowest, highest};
    return ATL_APPLY(&clip_gradient_op, &attributes, x);
}
