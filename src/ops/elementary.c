/* Elementary functions, element by element: roots, exponentials and logarithms. */
#include "ops/elementwise.h"

/* sqrt(x).  d/dx = 1 / (2 y) */
UNARY_MAP(sqrt, sqrtf(x))
static atl_node *sqrt_gradient(atl_node *y, atl_node *dy) { return atl_div(atl_scale(dy, 0.5f), y); }
UNARY_OP(sqrt, sqrt, sqrt_gradient, RANGE(sqrt, 0.5f, 2))

/* exp(x).  d/dx = y */
UNARY_MAP(exp, fast_exp(x))
static atl_node *exp_gradient(atl_node *y, atl_node *dy) { return atl_mul(dy, y); }
UNARY_OP(exp, exp, exp_gradient, RANGE(exp, -2, 2), VALUES(exp, -87, 88))

/* log(x).  d/dx = 1 / x */
UNARY_MAP(log, fast_log(x))
static atl_node *log_gradient(atl_node *y, atl_node *dy) { return atl_div(dy, atl_input_of(y, 0)); }
UNARY_OP(log, log, log_gradient, RANGE(log, 0.5f, 2), VALUES(log, 1e-9f, 1e9f))
