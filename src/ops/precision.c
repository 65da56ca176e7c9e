/* Numbers of less precision, element by element, for models that were made with them; and a test for what is no
 * number. */
#include "ops/elementwise.h"

/* is_nan(x): 1 where x is not a number, else 0.  By its bits: compilers may take every float for a number.  d/dx = 0 */
static inline float nan_as_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7fffffff) > 0x7f800000 ? 1.0f : 0.0f;
}
UNARY_ELEMENT(is_nan, isnan(x) ? 1 : 0)
PLAIN_MAP(is_nan, nan_as_float(x))
UNARY_OP(is_nan, is_nan_element, nothing_flows, RANGE(is_nan, -1, 1))

/* The gradient of the ops below is that of x itself ("straight through", Bengio et al. 2013), because their derivative
 * is 0 almost everywhere.  Central differences would not agree with it, so the samples test values only. */
static atl_node *straight_through(atl_node *y, atl_node *dy)
{
    (void)y;
    return dy;
}

/* round_through(x): to the nearest whole number, halves to the even neighbour.  d/dx = 1 */
PLAIN_MAP(round_through, rintf(x))
UNARY_OP_WITH(round_through, rint, straight_through, ATL_OP_STRAIGHT_THROUGH, NULL, VALUES(round_through, -9, 9))

/* round_to_bfloat16(x): to 8 bits of mantissa, halves to even.  d/dx = 1 */
static inline float to_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) <= 0x7f800000)
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof bits);
    return x;
}
UNARY_ELEMENT(round_to_bfloat16, (double)to_bfloat16((float)x))
PLAIN_MAP(round_to_bfloat16, to_bfloat16(x))
UNARY_OP_WITH(round_to_bfloat16, round_to_bfloat16_element, straight_through, ATL_OP_STRAIGHT_THROUGH, NULL,
              VALUES(round_to_bfloat16, -300, 300))

/* round_to_half(x): to IEEE binary16: 11 bits of mantissa, infinite from 65520 on, steps of 2^-24 near 0.  d/dx = 1 */
static double to_half(double x)
{
    int exponent;
    if (!(fabs(x) < 65520))
        return isnan(x) ? x : x < 0 ? -INFINITY : INFINITY;
    frexp(x, &exponent);
    double step = ldexp(1, (exponent < -13 ? -13 : exponent) - 11);
    return rint(x / step) * step;
}
PLAIN_MAP(round_to_half, (float)to_half((double)x))
UNARY_OP_WITH(round_to_half, to_half, straight_through, ATL_OP_STRAIGHT_THROUGH, NULL,
              VALUES(round_to_half, -70000, 70000), VALUES(round_to_half, -1e-4f, 1e-4f))
