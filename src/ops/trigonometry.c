/* Trigonometric functions and their inverses, element-wise; angles in radians. */
#include "ops/elementwise.h"

/* sin(x).  d/dx = cos(x) */
KERNEL_MAP(sin)
static atl_node *sin_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_cos(atl_input_of(y, 0))); }
UNARY_OP(sin, sin, sin_gradient, RANGE(sin, -3, 3), VALUES(sin, -1e5f, 1e5f), VALUES(sin, -1e9f, 1e9f))

/* cos(x).  d/dx = -sin(x) */
KERNEL_MAP(cos)
static atl_node *cos_gradient(atl_node *y, atl_node *dy) { return atl_neg(atl_mul(dy, atl_sin(atl_input_of(y, 0)))); }
UNARY_OP(cos, cos, cos_gradient, RANGE(cos, -3, 3), VALUES(cos, -1e5f, 1e5f), VALUES(cos, -1e9f, 1e9f))

/* tan(x).  d/dx = 1 + y^2 */
KERNEL_MAP(tan)
static atl_node *tan_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_add_scalar(atl_square(y), 1)); }
UNARY_OP(tan, tan, tan_gradient, RANGE(tan, -1, 1), VALUES(tan, -1e5f, 1e5f), VALUES(tan, -1e9f, 1e9f))

/* sqrt(1 - x^2), which loses nothing near +-1 */
static atl_node *cosine_of_sine(atl_node *x)
{
    atl_node *one = atl_scalar(x, 1);
    return atl_sqrt(atl_mul(atl_sub(one, x), atl_add(one, x)));
}

/* asin(x).  d/dx = 1 / sqrt(1 - x^2) */
KERNEL_MAP(asin)
static atl_node *asin_gradient(atl_node *y, atl_node *dy) { return atl_div(dy, cosine_of_sine(atl_input_of(y, 0))); }
UNARY_OP(asin, asin, asin_gradient, RANGE(asin, -0.8f, 0.8f), VALUES(asin, -1, 1))

/* acos(x).  d/dx = -1 / sqrt(1 - x^2) */
KERNEL_MAP(acos)
static atl_node *acos_gradient(atl_node *y, atl_node *dy)
{
    return atl_neg(atl_div(dy, cosine_of_sine(atl_input_of(y, 0))));
}
UNARY_OP(acos, acos, acos_gradient, RANGE(acos, -0.8f, 0.8f), VALUES(acos, -1, 1))

/* atan(x).  d/dx = 1 / (1 + x^2) */
KERNEL_MAP(atan)
static atl_node *atan_gradient(atl_node *y, atl_node *dy)
{
    return atl_div(dy, atl_add_scalar(atl_square(atl_input_of(y, 0)), 1));
}
UNARY_OP(atan, atan, atan_gradient, RANGE(atan, -2, 2), VALUES(atan, -90, 90))
