/* Arithmetic, element-wise: + - * / ^, minimum and maximum, and related ops. */
#include "common/plural.h"
#include "ops/elementwise.h"

#include <float.h>

/* add(a, b) = a + b.  d/da = d/db = 1 */
BINARY_ELEMENT(add, a + b)
KERNEL_MAP(add)
static atl_node *pass_on(atl_node *y, atl_node *dy)
{
    (void)y;
    return dy;
}
BINARY_OP_WITH(add, pass_on, pass_on, ATL_OP_SUM, IN_REGISTERS(add), RANGES(add, -1, 1, -1, 1))

/* sub(a, b) = a - b.  d/da = 1, d/db = -1 */
BINARY_ELEMENT(sub, a - b)
KERNEL_MAP(sub)
static atl_node *pass_negated(atl_node *y, atl_node *dy)
{
    (void)y;
    return atl_neg(dy);
}
BINARY_OP_WITH(sub, pass_on, pass_negated, 0, IN_REGISTERS(sub), RANGES(sub, -1, 1, -1, 1))

/* mul(a, b) = a b.  d/da = b, d/db = a */
BINARY_ELEMENT(mul, a *b)
KERNEL_MAP(mul)
static atl_node *mul_gradient_a(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_input_of(y, 1)); }
static atl_node *mul_gradient_b(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_input_of(y, 0)); }
BINARY_OP_WITH(mul, mul_gradient_a, mul_gradient_b, ATL_OP_PRODUCT, IN_REGISTERS(mul), RANGES(mul, -1, 1, -1, 1))

/* div(a, b) = a / b.  d/da = 1 / b, d/db = -y / b */
BINARY_ELEMENT(div, a / b)
KERNEL_MAP(div)
static atl_node *div_gradient_a(atl_node *y, atl_node *dy) { return atl_div(dy, atl_input_of(y, 1)); }
static atl_node *div_gradient_b(atl_node *y, atl_node *dy)
{
    return atl_neg(atl_mul(dy, atl_div(y, atl_input_of(y, 1))));
}
BINARY_OP_WITH(div, div_gradient_a, div_gradient_b, 0, IN_REGISTERS(div), RANGES(div, -1, 1, 0.5f, 2),
               RANGES(div, -1, 1, -2, -0.5f))

/* pow(a, b) = a^b.  d/da = b a^(b - 1), which is 0 where b is, also at 0; d/db = y log(a), and 0 where a <= 0 */
BINARY_ELEMENT(pow, pow(a, b))
KERNEL_MAP(pow)
static atl_node *pow_gradient_a(atl_node *y, atl_node *dy)
{
    atl_node *a = atl_input_of(y, 0), *b = atl_input_of(y, 1);
    float known;
    atl_node *lower = atl_add_scalar(b, -1);
    if (!b || !atl_is_uniform(b, &known) || known == 0) /* 0 * 0^-1 would be no number, 0 * 0^0 is 0 */
        lower = atl_add(lower, atl_equal(b, atl_scalar(b, 0)));
    return atl_mul(dy, atl_mul(b, atl_pow(a, lower)));
}
static atl_node *pow_gradient_b(atl_node *y, atl_node *dy)
{
    atl_node *a = atl_input_of(y, 0);
    /* The maximum keeps 1 / a finite in the gradient of this log, as relu_grad does for the log itself. */
    atl_node *log_a = atl_relu_grad(atl_log(atl_maximum(a, atl_scalar(a, FLT_MIN))), a);
    return atl_mul(dy, atl_mul(y, log_a));
}
static atl_node *pow_3(atl_node *x) { return atl_pow(x, atl_scalar(x, 3)); }
BINARY_OP(pow, pow_gradient_a, pow_gradient_b, RANGES(pow, 0.5f, 2, -2, 2),
          {"cubes of numbers below zero", .unary = pow_3, .input = {{2, {2, 3}, -2, -0.5f}}, .inputs = 1})

/* minimum(a, b), and NaN if either is.  d/da = 1 where a <= b, d/db = 1 elsewhere */
BINARY_ELEMENT(minimum, a <= b || a != a ? a : b)
KERNEL_MAP(minimum)
static atl_node *minimum_gradient_a(atl_node *y, atl_node *dy)
{
    return atl_select(atl_less_equal(atl_input_of(y, 0), atl_input_of(y, 1)), dy, atl_scalar(y, 0));
}
static atl_node *minimum_gradient_b(atl_node *y, atl_node *dy)
{
    return atl_select(atl_less_equal(atl_input_of(y, 0), atl_input_of(y, 1)), atl_scalar(y, 0), dy);
}
BINARY_OP_WITH(minimum, minimum_gradient_a, minimum_gradient_b, 0, IN_REGISTERS(minimum),
               RANGES(minimum, -1, 0, 0.1f, 1), RANGES(minimum, 0.1f, 1, -1, 0))

/* maximum(a, b), and NaN if either is.  d/da = 1 where a >= b, d/db = 1 elsewhere */
BINARY_ELEMENT(maximum, a >= b || a != a ? a : b)
KERNEL_MAP(maximum)
static atl_node *maximum_gradient_a(atl_node *y, atl_node *dy)
{
    return atl_select(atl_greater_equal(atl_input_of(y, 0), atl_input_of(y, 1)), dy, atl_scalar(y, 0));
}
static atl_node *maximum_gradient_b(atl_node *y, atl_node *dy)
{
    return atl_select(atl_greater_equal(atl_input_of(y, 0), atl_input_of(y, 1)), atl_scalar(y, 0), dy);
}
BINARY_OP_WITH(maximum, maximum_gradient_a, maximum_gradient_b, 0, IN_REGISTERS(maximum),
               RANGES(maximum, -1, 0, 0.1f, 1), RANGES(maximum, 0.1f, 1, -1, 0))

/* neg(x) = -x.  d/dx = -1 */
UNARY_ELEMENT(neg, -x)
KERNEL_MAP(neg)
UNARY_OP_WITH(neg, neg_element, pass_negated, 0, IN_REGISTERS(neg), RANGE(neg, -1, 1))

/* abs(x) = |x|.  d/dx = sign(x) */
KERNEL_MAP(abs)
static atl_node *abs_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_sign(atl_input_of(y, 0))); }
UNARY_OP_WITH(abs, fabs, abs_gradient, 0, IN_REGISTERS(abs), RANGE(abs, 0.1f, 1), RANGE(abs, -1, -0.1f))

/* sign(x) = -1, 0 or 1 (and NaN of NaN).  d/dx = 0 */
UNARY_ELEMENT(sign, x > 0 ? 1 : x < 0 ? -1 : x)
KERNEL_MAP(sign)
UNARY_OP(sign, sign_element, nothing_flows, RANGE(sign, 0.1f, 1), RANGE(sign, -1, -0.1f))

/* square(x) = x^2.  d/dx = 2 x */
UNARY_ELEMENT(square, x *x)
KERNEL_MAP(square)
static atl_node *square_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_scale(atl_input_of(y, 0), 2)); }
UNARY_OP_WITH(square, square_element, square_gradient, 0, IN_REGISTERS(square), RANGE(square, -1, 1))

atl_node *atl_scale(atl_node *x, float factor) { return atl_mul(x, atl_scalar(x, factor)); }
atl_node *atl_add_scalar(atl_node *x, float amount) { return atl_add(x, atl_scalar(x, amount)); }

/* bias_add(x [.., c], bias [c]) = x + bias */
atl_node *atl_bias_add(atl_node *x, atl_node *bias)
{
    if (!x || !bias)
        return NULL;
    const char *scope = x->graph->scope, *slash = scope[0] ? "/" : "";
    if (bias->shape->rank != 1)
        return atl_graph_fail(x->graph, "%s%sbias_add: the bias must be a vector, but '%s' is %s", scope, slash,
                              atl_name_of(bias), SHAPE_OF(bias));
    if (x->shape->rank == 0)
        return atl_graph_fail(x->graph, "%s%sbias_add: '%s' is a scalar; it needs a last dimension for the bias %s",
                              scope, slash, atl_name_of(x), SHAPE_OF(bias));
    int64_t channels = x->shape->size[x->shape->rank - 1], values = bias->shape->size[0];
    if (channels != values && channels != ATL_ANY && values != ATL_ANY)
        return atl_graph_fail(x->graph,
                              "%s%sbias_add: '%s' is %s, so its bias must have %lld value%s, one for each of the last "
                              "dimension, but '%s' is %s",
                              scope, slash, atl_name_of(x), SHAPE_OF(x), (long long)channels, atl_plural(channels),
                              atl_name_of(bias), SHAPE_OF(bias));
    return atl_add(x, bias);
}
