/* Hyperbolic functions and their inverses, element by element. */
#include "ops/elementwise.h"

/* sinh(x) = (e^x - e^-x) / 2.  d/dx = cosh(x) */
PLAIN_MAP(sinh, (float)sinh((double)x))
static atl_node *sinh_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_cosh(atl_input_of(y, 0))); }
UNARY_OP(sinh, sinh, sinh_gradient, RANGE(sinh, -2, 2), VALUES(sinh, -80, 80))

/* cosh(x) = (e^x + e^-x) / 2.  d/dx = sinh(x) */
PLAIN_MAP(cosh, (float)cosh((double)x))
static atl_node *cosh_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_sinh(atl_input_of(y, 0))); }
UNARY_OP(cosh, cosh, cosh_gradient, RANGE(cosh, -2, 2), VALUES(cosh, -80, 80))

/* asinh(x) = log(x + sqrt(x^2 + 1)).  d/dx = 1 / sqrt(x^2 + 1) */
PLAIN_MAP(asinh, (float)asinh((double)x))
static atl_node *asinh_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_rsqrt(atl_add_scalar(atl_square(atl_input_of(y, 0)), 1)));
}
UNARY_OP(asinh, asinh, asinh_gradient, RANGE(asinh, -3, 3), VALUES(asinh, -1e6f, 1e6f))

/* acosh(x) = log(x + sqrt(x^2 - 1)) for x >= 1, else NaN.  d/dx = 1 / sqrt(x^2 - 1) */
PLAIN_MAP(acosh, (float)acosh((double)x))
static atl_node *acosh_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_rsqrt(atl_add_scalar(atl_square(atl_input_of(y, 0)), -1)));
}
UNARY_OP(acosh, acosh, acosh_gradient, RANGE(acosh, 1.5f, 4), VALUES(acosh, 1, 1e6f))

/* atanh(x) = log((1 + x) / (1 - x)) / 2 for |x| <= 1.  d/dx = 1 / (1 - x^2) */
PLAIN_MAP(atanh, (float)atanh((double)x))
static atl_node *atanh_gradient(atl_node *y, atl_node *dy)
{
    return atl_div(dy, atl_add_scalar(atl_neg(atl_square(atl_input_of(y, 0))), 1));
}
UNARY_OP(atanh, atanh, atanh_gradient, RANGE(atanh, -0.8f, 0.8f), VALUES(atanh, -0.999f, 0.999f))
