/* Elementary functions, element-wise: roots, exponentials, logarithms, the error function, rounding. */
#include "ops/elementwise.h"

/* reciprocal(x) = 1 / x.  d/dx = -y^2 */
UNARY_ELEMENT(reciprocal, 1 / x)
KERNEL_MAP(reciprocal)
static atl_node *reciprocal_gradient(atl_node *y, atl_node *dy) { return atl_neg(atl_mul(dy, atl_square(y))); }
UNARY_OP_WITH(reciprocal, reciprocal_element, reciprocal_gradient, 0, IN_REGISTERS(reciprocal),
              RANGE(reciprocal, 0.5f, 2), RANGE(reciprocal, -2, -0.5f))

/* sqrt(x).  d/dx = 1 / (2 y) */
KERNEL_MAP(sqrt)
static atl_node *sqrt_gradient(atl_node *y, atl_node *dy) { return atl_div(atl_scale(dy, 0.5f), y); }
UNARY_OP_WITH(sqrt, sqrt, sqrt_gradient, 0, IN_REGISTERS(sqrt), RANGE(sqrt, 0.5f, 2))

/* rsqrt(x) = 1 / sqrt(x).  d/dx = -y^3 / 2 */
UNARY_ELEMENT(rsqrt, 1 / sqrt(x))
KERNEL_MAP(rsqrt)
static atl_node *rsqrt_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_mul(atl_scale(y, -0.5f), atl_square(y)));
}
UNARY_OP(rsqrt, rsqrt_element, rsqrt_gradient, RANGE(rsqrt, 0.5f, 2))

/* exp(x).  d/dx = y */
KERNEL_MAP(exp)
static atl_node *exp_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, y); }
UNARY_OP(exp, exp, exp_gradient, RANGE(exp, -2, 2), VALUES(exp, -87, 88))

/* exp2(x) = 2^x.  d/dx = y log(2) */
KERNEL_MAP(exp2)
static atl_node *exp2_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_scale(y, (float)LN_2)); }
UNARY_OP(exp2, exp2, exp2_gradient, RANGE(exp2, -2, 2), VALUES(exp2, -125, 127))

/* expm1(x) = e^x - 1, also where e^x is nearly 1.  d/dx = y + 1 */
KERNEL_MAP(expm1)
static atl_node *expm1_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_add_scalar(y, 1)); }
UNARY_OP(expm1, expm1, expm1_gradient, RANGE(expm1, -2, 2), VALUES(expm1, -1e-6f, 1e-6f), VALUES(expm1, -30, 88))

/* log(x).  d/dx = 1 / x */
KERNEL_MAP(log)
static atl_node *log_gradient(atl_node *y, atl_node *dy) { return atl_div(dy, atl_input_of(y, 0)); }
UNARY_OP(log, log, log_gradient, RANGE(log, 0.5f, 2), VALUES(log, 1e-9f, 1e9f))

/* log1p(x) = log(1 + x), also where 1 + x is nearly 1.  d/dx = 1 / (1 + x) */
KERNEL_MAP(log1p)
static atl_node *log1p_gradient(atl_node *y, atl_node *dy)
{
    return atl_div(dy, atl_add_scalar(atl_input_of(y, 0), 1));
}
UNARY_OP(log1p, log1p, log1p_gradient, RANGE(log1p, -0.5f, 2), VALUES(log1p, -1e-6f, 1e-6f))

/* 2 / sqrt(pi) e^(-x^2) */
static atl_node *erf_derivative(atl_node *x) { return atl_scale(atl_exp(atl_neg(atl_square(x))), 1.12837917f); }

/* erf(x) = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.  d/dx = 2 / sqrt(pi) e^(-x^2) */
KERNEL_MAP(erf)
static atl_node *erf_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, erf_derivative(atl_input_of(y, 0))); }
UNARY_OP(erf, erf, erf_gradient, RANGE(erf, -2, 2), VALUES(erf, -6, 6))

/* erfc(x) = 1 - erf(x), also where that is nearly 0.  d/dx = -2 / sqrt(pi) e^(-x^2) */
KERNEL_MAP(erfc)
static atl_node *erfc_gradient(atl_node *y, atl_node *dy)
{
    return atl_neg(atl_mul(dy, erf_derivative(atl_input_of(y, 0))));
}
UNARY_OP(erfc, erfc, erfc_gradient, RANGE(erfc, -2, 2), VALUES(erfc, -3, 9))

/* floor, ceil, round (halves to even).  d/dx = 0.  The samples lie between integers. */
KERNEL_MAP(floor)
UNARY_OP(floor, floor, nothing_flows, RANGE(floor, 0.1f, 0.9f), RANGE(floor, -2.9f, -2.1f), VALUES(floor, -9, 9))
KERNEL_MAP(ceil)
UNARY_OP(ceil, ceil, nothing_flows, RANGE(ceil, 0.1f, 0.9f), RANGE(ceil, -2.9f, -2.1f), VALUES(ceil, -9, 9))
KERNEL_MAP(round)
UNARY_OP(round, rint, nothing_flows, RANGE(round, 0.6f, 1.4f), RANGE(round, -2.4f, -1.6f), VALUES(round, -9, 9))
