/* Activation functions, element-wise. */
#include "ops/attributes.h"
#include "ops/elementwise.h"

#include <float.h>

/* relu(x) = max(x, 0), and NaN of NaN.  d/dx = y > 0 ? 1 : 0 */
UNARY_ELEMENT(relu, x <= 0 ? 0 : x)
KERNEL_MAP(relu)
static atl_node *relu_gradient(atl_node *y, atl_node *dy) { return atl_relu_grad(dy, y); }
UNARY_OP_WITH(relu, relu_element, relu_gradient, ATL_OP_RELU, IN_REGISTERS(relu), RANGE(relu, 0.1f, 1),
              RANGE(relu, -1, -0.1f), VALUES(relu, -1, 1))

/* relu6(x) = 6 if x > 6, else relu(x).  d/dx = 0 < y < 6 ? 1 : 0: y is enough, so that x need not be kept. */
static float six(const atl_node *y)
{
    (void)y;
    return 6;
}
UNARY_ELEMENT(relu6, x <= 0 ? 0 : x > 6 ? 6 : x)
KERNEL_MAP(relu6)
static atl_node *relu6_gradient(atl_node *y, atl_node *dy) { return atl_relu6_grad(dy, y); }
#define RELU6_HOOKS IN_REGISTERS(relu6, .relu_limit = six)
UNARY_OP_WITH(relu6, relu6_element, relu6_gradient, 0, RELU6_HOOKS, RANGE(relu6, 0.1f, 5.9f), RANGE(relu6, -3, -0.1f),
              RANGE(relu6, 6.1f, 9), VALUES(relu6, -2, 8))

/* leaky_relu(x) = x > 0 ? x : slope x.  d/dx = x > 0 ? 1 : slope */
static double leaky_relu_element(const double *x, const void *slope)
{
    return x[0] > 0 ? x[0] : (double)*(const float *)slope * x[0];
}
KERNEL_MAP(leaky_relu)
static atl_node *leaky_relu_gradient(atl_node *y, atl_node *dy)
{
    const float slope = *(const float *)atl_attributes_of(y);
    return atl_select(atl_heaviside(atl_input_of(y, 0)), dy, atl_scale(dy, slope));
}
static void describe_leaky_relu(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "slope %g", (double)*(const float *)atl_attributes_of(y));
}
static atl_node *leaky_relu_02(atl_node *x) { return atl_leaky_relu(x, 0.2f); }
static const atl_op leaky_relu_op = {
    .name = "leaky_relu",
    .arity = 1,
    .attributes = sizeof(float),
    .gradient = {leaky_relu_gradient},
    .element = leaky_relu_element,
    .map = leaky_relu_map,
    .describe = describe_leaky_relu,
    .samples = (const atl_sample[]){{"above 0", .unary = leaky_relu_02, .input = {{2, {2, 3}, 0.1f, 1}}, .inputs = 1},
                                    {"below 0", .unary = leaky_relu_02, .input = {{2, {2, 3}, -1, -0.1f}}, .inputs = 1},
                                    {"of int32", .unary = leaky_relu_02, .input = {{1, {3}, 1, 4, 1}}, .inputs = 1,
                                     .error = "int32"},
                                    {0}}};
ATL_BUILTIN(leaky_relu_op);
atl_node *atl_leaky_relu(atl_node *x, float slope) { return ATL_APPLY(&leaky_relu_op, &slope, x); }

/* elu(x) = x > 0 ? x : e^x - 1.  d/dx = min(y, 0) + 1                                     Clevert et al. 2015 */
UNARY_ELEMENT(elu, x > 0 ? x : expm1(x))
KERNEL_MAP(elu)
static atl_node *elu_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_add_scalar(atl_minimum(y, atl_scalar(y, 0)), 1));
}
UNARY_OP(elu, elu_element, elu_gradient, RANGE(elu, 0.1f, 2), RANGE(elu, -2, -0.1f), VALUES(elu, -20, 5))

/* tanh(x).  d/dx = 1 - y^2 */
KERNEL_MAP(tanh)
static atl_node *tanh_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_sub(atl_scalar(y, 1), atl_square(y)));
}
UNARY_OP(tanh, tanh, tanh_gradient, RANGE(tanh, -2, 2), VALUES(tanh, -20, 20))

/* sigmoid(x) = 1 / (1 + e^-x).  d/dx = y (1 - y) */
UNARY_ELEMENT(sigmoid, 1 / (1 + exp(-x)))
KERNEL_MAP(sigmoid)
static atl_node *sigmoid_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_mul(y, atl_sub(atl_scalar(y, 1), y)));
}
UNARY_OP(sigmoid, sigmoid_element, sigmoid_gradient, RANGE(sigmoid, -2, 2), VALUES(sigmoid, -80, 80))

/* softplus(x) = log(1 + e^x).  d/dx = sigmoid(x) */
UNARY_ELEMENT(softplus, (x > 0 ? x : 0) + log1p(exp(-fabs(x))))
KERNEL_MAP(softplus)
static atl_node *softplus_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_sigmoid(atl_input_of(y, 0))); }
UNARY_OP(softplus, softplus_element, softplus_gradient, RANGE(softplus, -2, 2), VALUES(softplus, -80, 80))

/* swish(x) = x s, s = sigmoid(x).  d/dx = s + x s (1 - s)                             Ramachandran et al. 2017 */
UNARY_ELEMENT(swish, x < -700 ? -0.0 : x / (1 + exp(-x)))
KERNEL_MAP(swish)
static atl_node *swish_gradient(atl_node *y, atl_node *dy) { return atl_swish_grad(dy, atl_input_of(y, 0)); }
UNARY_OP(swish, swish_element, swish_gradient, RANGE(swish, -2, 2), VALUES(swish, -80, 80))
/* swish_grad(dy, x) = dy (s + x s (1 - s)).  d/dx = dy s (1 - s) (2 + x (1 - 2 s)) */
BINARY_ELEMENT(swish_grad, fabs(b) > 700 ? (b > 0 ? a : a * 0) : a * (1 + b / (1 + exp(b))) / (1 + exp(-b)))
KERNEL_MAP(swish_grad)
static atl_node *swish_grad_by_adjoint(atl_node *y, atl_node *g) { return atl_swish_grad(g, atl_input_of(y, 1)); }
static atl_node *swish_grad_by_x(atl_node *y, atl_node *g)
{
    atl_node *x = atl_input_of(y, 1), *s = atl_sigmoid(x), *rest = atl_sub(atl_scalar(y, 1), s);
    atl_node *bend = atl_add_scalar(atl_mul(x, atl_sub(rest, s)), 2);
    return atl_mul(atl_mul(g, atl_input_of(y, 0)), atl_mul(atl_mul(s, rest), bend));
}
BINARY_OP(swish_grad, swish_grad_by_adjoint, swish_grad_by_x, RANGES(swish_grad, -1, 1, -2, 2),
          RANGES(swish_grad, -1, 1, -9, -2),
          {"values", .binary = atl_swish_grad, .input = {{1, {67}}, {1, {67}, -80, 80}}, .inputs = 2, .no_gradient = 1})

/* hard_swish(x) = x hard_sigmoid(x).  d/dx = x < -3 ? 0 : x > 3 ? 1 : (2 x + 3) / 6       Howard et al. 2019 */
UNARY_ELEMENT(hard_swish, x<-3 ? -0.0 : x> 3 ? x : x *(x + 3) / 6)
KERNEL_MAP(hard_swish)
static atl_node *hard_swish_gradient(atl_node *y, atl_node *dy) { return atl_hard_swish_grad(dy, atl_input_of(y, 0)); }
UNARY_OP(hard_swish, hard_swish_element, hard_swish_gradient, RANGE(hard_swish, -2.9f, 2.9f),
         RANGE(hard_swish, -9, -3.1f), RANGE(hard_swish, 3.1f, 9), VALUES(hard_swish, -5, 5))
/* hard_swish_grad(dy, x) = dy times that.  d/dx = dy / 3 where |x| <= 3, else 0 */
BINARY_ELEMENT(hard_swish_grad, a *(b<-3 ? 0 : b> 3 ? 1 : (2 * b + 3) / 6))
KERNEL_MAP(hard_swish_grad)
static atl_node *hard_swish_grad_by_adjoint(atl_node *y, atl_node *g)
{
    return atl_hard_swish_grad(g, atl_input_of(y, 1));
}
static atl_node *hard_swish_grad_by_x(atl_node *y, atl_node *g)
{
    atl_node *bends = atl_less_equal(atl_abs(atl_input_of(y, 1)), atl_scalar(y, 3));
    return atl_select(bends, atl_scale(atl_mul(g, atl_input_of(y, 0)), 1.0f / 3), atl_scalar(y, 0));
}
BINARY_OP(hard_swish_grad, hard_swish_grad_by_adjoint, hard_swish_grad_by_x,
          RANGES(hard_swish_grad, -1, 1, -2.9f, 2.9f), RANGES(hard_swish_grad, -1, 1, 3.1f, 9),
          {"values", .binary = atl_hard_swish_grad, .input = {{1, {67}}, {1, {67}, -5, 5}}, .inputs = 2,
           .no_gradient = 1})

/* gelu(x) = x P, P = erfc(-x / sqrt(2)) / 2, the cumulative normal distribution at x.  d/dx = P + x p, its density p =
 * e^(-x^2 / 2) / sqrt(2 pi)                                                        Hendrycks & Gimpel 2016 */
UNARY_ELEMENT(gelu, x < -40 ? -0.0 : 0.5 * x * erfc(x * -0.70710678118654752))
KERNEL_MAP(gelu)
static atl_node *gelu_gradient(atl_node *y, atl_node *dy) { return atl_gelu_grad(dy, atl_input_of(y, 0)); }
UNARY_OP(gelu, gelu_element, gelu_gradient, RANGE(gelu, -2, 2), VALUES(gelu, -12, 12))

/* gelu_grad(dy, x) = dy (P + x p).  d/dx = dy p (2 - x^2) */
BINARY_ELEMENT(gelu_grad,
               fabs(b) > 40 ? (b > 0 ? a : a * 0)
                            : a * (0.5 * erfc(b * -0.70710678118654752) + b * exp(-0.5 * b * b) * 0.39894228040143268))
KERNEL_MAP(gelu_grad)
static atl_node *gelu_grad_by_adjoint(atl_node *y, atl_node *g) { return atl_gelu_grad(g, atl_input_of(y, 1)); }
static atl_node *gelu_grad_by_x(atl_node *y, atl_node *g)
{
    atl_node *square = atl_square(atl_input_of(y, 1));
    atl_node *density = atl_scale(atl_exp(atl_scale(square, -0.5f)), 0.398942280f);
    return atl_mul(atl_mul(g, atl_input_of(y, 0)), atl_mul(density, atl_sub(atl_scalar(square, 2), square)));
}
BINARY_OP(gelu_grad, gelu_grad_by_adjoint, gelu_grad_by_x, RANGES(gelu_grad, -1, 1, -2, 2),
          RANGES(gelu_grad, -1, 1, -6, -2),
          {"values", .binary = atl_gelu_grad, .input = {{1, {67}}, {1, {67}, -12, 12}}, .inputs = 2, .no_gradient = 1})

/* gelu_tanh(x) = x s, s = (1 + tanh(u)) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3), an approximation of
 * gelu. d/dx = s + y (1 - s) 2 du/dx */
UNARY_ELEMENT(gelu_tanh, x < -40 ? -0.0 : x / (1 + exp(-x * (GELU_A + GELU_B * x * x))))
KERNEL_MAP(gelu_tanh)
static atl_node *gelu_tanh_gradient(atl_node *y, atl_node *dy)
{
    /* Beyond +-30 s is 0 or 1, and x^2 is not to become infinite. */
    atl_node *x = atl_clip(atl_input_of(y, 0), -30, 30), *square = atl_square(x);
    atl_node *s = atl_sigmoid(atl_mul(x, atl_add_scalar(atl_scale(square, (float)GELU_B), (float)GELU_A)));
    atl_node *slope = atl_add_scalar(atl_scale(square, (float)(3 * GELU_B)), (float)GELU_A);
    return atl_mul(dy, atl_add(s, atl_mul(atl_mul(atl_mul(x, s), atl_sub(atl_scalar(y, 1), s)), slope)));
}
UNARY_OP(gelu_tanh, gelu_tanh_element, gelu_tanh_gradient, RANGE(gelu_tanh, -2, 2), VALUES(gelu_tanh, -9, 12))

/* softsign(x) = x / (1 + |x|), and +-1 at +-inf.  d/dx = 1 / (1 + |x|)^2 */
UNARY_ELEMENT(softsign, isinf(x) ? copysign(1, x) : x / (1 + fabs(x)))
KERNEL_MAP(softsign)
static atl_node *softsign_gradient(atl_node *y, atl_node *dy)
{
    return atl_div(dy, atl_square(atl_add_scalar(atl_abs(atl_input_of(y, 0)), 1)));
}
UNARY_OP(softsign, softsign_element, softsign_gradient, RANGE(softsign, 0.1f, 2), RANGE(softsign, -2, -0.1f),
         VALUES(softsign, -1e9f, 1e9f))

/* selu(x) = l (x > 0 ? x : a (e^x - 1)).  d/dx = x > 0 ? l : y + l a                      Klambauer et al. 2017 */
UNARY_ELEMENT(selu, x > 0 ? SELU_L * x : SELU_LA * expm1(x))
KERNEL_MAP(selu)
static atl_node *selu_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_select(atl_heaviside(y), atl_scalar(y, (float)SELU_L), atl_add_scalar(y, (float)SELU_LA)));
}
UNARY_OP(selu, selu_element, selu_gradient, RANGE(selu, 0.1f, 2), RANGE(selu, -2, -0.1f), VALUES(selu, -20, 5))

atl_node *atl_hard_sigmoid(atl_node *x) { return atl_clip(atl_add_scalar(atl_scale(x, 1.0f / 6), 0.5f), 0, 1); }

/* clip(x) = lowest if x < lowest, highest if x > highest, else x.  d/dx = 1 where y = x, else 0 */
static bool infer_clip(atl_node *y)
{
    const atl_clip_bounds *bounds = atl_attributes_of(y);
    if (!(bounds->lowest <= bounds->highest))
        return atl_fail(y, "lowest, %g, is above highest, %g", (double)bounds->lowest, (double)bounds->highest);
    return atl_require_float(y, 0, "what is clipped") && atl_infer_same(y);
}
static double clip_element(const double *x, const void *attributes)
{
    const atl_clip_bounds *bounds = attributes;
    return *x < (double)bounds->lowest    ? (double)bounds->lowest
           : *x > (double)bounds->highest ? (double)bounds->highest
                                          : *x;
}
KERNEL_MAP(clip)
static atl_node *clip_gradient(atl_node *y, atl_node *dy)
{
    return atl_select(atl_equal(y, atl_input_of(y, 0)), dy, atl_scalar(y, 0));
}
/* A clip from 0 on is a relu that ends there. */
static float clip_limit(const atl_node *y)
{
    const atl_clip_bounds *bounds = y->attributes;
    return bounds->lowest >= 0 && bounds->lowest <= 0 ? bounds->highest : 0;
}

/* A clip of a clip, of a relu or of a relu6 becomes one clip if the bounds overlap. */
static atl_node *clip_simplified(atl_node *y)
{
    const atl_clip_bounds *outer = y->attributes, *inner = y->inputs[0]->attributes;
    const atl_node *x = y->inputs[0];
    float limit = x->op->flags & ATL_OP_RELU ? INFINITY : x->op == &relu6_op ? 6 : 0;
    if (x->op != y->op && limit == 0)
        return NULL;
    float lowest = limit > 0 ? 0 : inner->lowest, highest = limit > 0 ? limit : inner->highest;
    lowest = outer->lowest > lowest ? outer->lowest : lowest;
    highest = outer->highest < highest ? outer->highest : highest;
    return lowest <= highest ? atl_clip(x->inputs[0], lowest, highest) : NULL;
}
static void describe_clip(const atl_node *y, char *text, size_t size)
{
    const atl_clip_bounds *bounds = atl_attributes_of(y);
    snprintf(text, size, "to [%g, %g]", (double)bounds->lowest, (double)bounds->highest);
}
static atl_node *clip_to_half(atl_node *x) { return atl_clip(x, -0.5f, 0.5f); }
static atl_node *clip_crossed(atl_node *x) { return atl_clip(x, 2, 1); }
static atl_node *clip_nan(atl_node *x) { return atl_clip(x, NAN, 1); }
static const atl_op clip_op = {
    .name = "clip",
    .arity = 1,
    .attributes = sizeof(atl_clip_bounds),
    .infer = infer_clip,
    .gradient = {clip_gradient},
    .element = clip_element,
    .map = clip_map,
    .describe = describe_clip,
    .simplify = clip_simplified,
    .hooks = &(const atl_op_hooks){.relu_limit = clip_limit},
    .samples = (const atl_sample[]){
        {"inside", .unary = clip_to_half, .input = {{2, {2, 3}, -0.4f, 0.4f}}, .inputs = 1},
        {"above", .unary = clip_to_half, .input = {{2, {2, 3}, 0.6f, 1}}, .inputs = 1},
        {"below", .unary = clip_to_half, .input = {{2, {2, 3}, -1, -0.6f}}, .inputs = 1},
        {"values", .unary = clip_to_half, .input = {{1, {67}, -1, 1}}, .inputs = 1, .no_gradient = 1},
        {"bounds crossed", .unary = clip_crossed, .input = {{1, {3}}}, .inputs = 1, .error = "above highest"},
        {"a bound is no number", .unary = clip_nan, .input = {{1, {3}}}, .inputs = 1, .error = "nan"},
        {"of int32", .unary = clip_to_half, .input = {{1, {3}, 1, 4, 1}}, .inputs = 1, .error = "int32"},
        {0}}};
ATL_BUILTIN(clip_op);

static const atl_op hard_sigmoid_composed = {
    .name = "hard_sigmoid",
    .samples =
        (const atl_sample[]){{"slope", .unary = atl_hard_sigmoid, .input = {{2, {2, 3}, -2.9f, 2.9f}}, .inputs = 1},
                             {"below", .unary = atl_hard_sigmoid, .input = {{2, {2, 3}, -9, -3.1f}}, .inputs = 1},
                             {"above", .unary = atl_hard_sigmoid, .input = {{2, {2, 3}, 3.1f, 9}}, .inputs = 1},
                             {"of int32", .unary = atl_hard_sigmoid, .input = {{1, {3}, 1, 4, 1}}, .inputs = 1,
                              .error = "int32"},
                             {0}}};
ATL_COMPOSED(hard_sigmoid_composed);
atl_node *atl_clip(atl_node *x, float lowest, float highest)
{
    const atl_clip_bounds bounds = {lowest, highest};
    return ATL_APPLY(&clip_op, &bounds, x);
}
