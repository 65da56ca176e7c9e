/* Elementary functions of one float, for loops that run many lanes side by side: no branch, no call.
 *
 * They compute in double and round once, so that every one of them is within 0.51 units in the last place (pow: 0.53)
 * for every float (tests/kernels/test_vector_math.c); sin, cos and tan up to CIRCLE_LIMIT.  Those of networks' large
 * images compute in single precision, which is up to twice as fast, within two to four units: swish, and the slopes of
 * gelu and swish.  Denormals are numbers like any other; inf, NaN and the sign of zero are as in C's <math.h>.
 *
 * Polynomials are minimax (Remez) on the stated interval for the stated error; coefficients from x^0 up. */
#ifndef ATLED_KERNELS_VECTOR_MATH_H
#define ATLED_KERNELS_VECTOR_MATH_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/loops.h"

#ifdef __clang__
#define UNROLL_POLYNOMIAL _Pragma("clang loop unroll(full)")
#else
#define UNROLL_POLYNOMIAL _Pragma("GCC unroll 16")
#endif

/* c[0] + c[step] x + ... up to c[last], unrolled. */
ATL_LANE double chain_of(double x, const double *c, int last, int step)
{
    double sum = c[last];
    UNROLL_POLYNOMIAL
    for (int i = last - step; i >= 0; i -= step)
        sum = sum * x + c[i];
    return sum;
}

/* c[0] + c[1] x + ...; even and odd powers of a long one apart, so that a term waits for half as many before it. */
#define POLYNOMIAL(x, ...)                                                                                             \
    polynomial((x), (const double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))
ATL_LANE double polynomial(double x, const double *c, int count)
{
    if (count < 9)
        return chain_of(x, c, count - 1, 1);
    const double square = x * x;
    return chain_of(square, c, (count - 1) / 2 * 2, 2) + x * chain_of(square, c + 1, (count - 2) / 2 * 2, 2);
}

ATL_LANE uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
ATL_LANE double of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

ATL_LANE int32_t float_bits(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
ATL_LANE float float_of(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Adding this rounds a double below 2^51 to a whole number, and leaves that number in the lowest bits. */
#define ROUNDER 0x1.8p52
#define LN_2    0.69314718055994531
#define HALF_PI 1.5707963267948966

/* ---- exponential: x = n ln 2 + r, |r| <= ln 2 / 2 ---------------------------------------------------------------- */

/* (e^r - 1) / r on [-ln 2 / 2, ln 2 / 2], 2^-32 */
ATL_LANE double reduced_expm1(double r)
{
    return r * POLYNOMIAL(r, 0.99999999999100807, 0.5000000047155607, 0.16666666853739728, 0.041666352737150153,
                          0.0083332685644439492, 0.0013941121211182524, 0.00019915882111859345);
}

/* Beyond +-200 the float result is 0 or infinite, anyway. NaN stays NaN. */
ATL_LANE double limited_exponent(double x)
{
    x = x < -200 ? -200 : x;
    return x > 200 ? 200 : x;
}

/* For |x| <= 700, or NaN. */
ATL_LANE double double_exp_within(double x)
{
    const double rounder = ROUNDER + 1023; /* so that the lowest bits are the exponent of 2^n */
    const double rounded = x * (1 / LN_2) + rounder, n = rounded - rounder;
    const double power = of_bits(bits_of(rounded) << 52);
    return power + power * reduced_expm1(x - n * LN_2);
}

ATL_LANE double double_exp(double x) { return double_exp_within(limited_exponent(x)); }

ATL_LANE double double_expm1_within(double x)
{
    const double rounder = ROUNDER + 1023;
    const double rounded = x * (1 / LN_2) + rounder, n = rounded - rounder;
    const double power = of_bits(bits_of(rounded) << 52);
    return power * reduced_expm1(x - n * LN_2) + (power - 1);
}

/* Limits of a float are cheaper than those of the two halves that a vector of floats becomes. */
ATL_LANE float at_most_200(float x) { return x > 200 ? 200 : x; }
ATL_LANE float at_least_minus_200(float x) { return x < -200 ? -200 : x; }
ATL_LANE float within_200(float x) { return at_most_200(at_least_minus_200(x)); }

ATL_LANE float fast_exp(float x) { return (float)double_exp_within((double)within_200(x)); }
ATL_LANE float fast_exp2(float x) { return (float)double_exp_within((double)within_200(x) * LN_2); }
ATL_LANE float fast_expm1(float x) { return copysignf((float)double_expm1_within((double)within_200(x)), x); }

/* ---- logarithm: x = 2^k (1 + f), 1 + f in [sqrt(1/2), sqrt(2)) --------------------------------------------------- */

/* x must be above 0, finite, and not denormal as a double (no float is).  Error 2^-36, relative also near 1. */
ATL_LANE double double_log(double x)
{
    const uint64_t root_half = 0x3fe6a09e667f3bcd, mantissa = 0xfffffffffffff;
    const uint64_t from_root = bits_of(x) - root_half + (UINT64_C(1023) << 52);
    const double k = of_bits(from_root >> 52 | bits_of(0x1p52)) - (0x1p52 + 1023);
    const double f = of_bits((from_root & mantissa) + root_half) - 1;
    /* log(1 + f) / f */
    return k * LN_2 + f * POLYNOMIAL(f, 0.99999999998596012, -0.50000000029410787, 0.33333334333673345,
                                     -0.24999994080670915, 0.19999881146703647, -0.16666943383845685,
                                     0.14290986923318621, -0.12497485375839737, 0.11005083626460396,
                                     -0.09922848113077278, 0.10033199235424304, -0.099008780913962673,
                                     0.053629151997248019);
}

/* log(1 + x) for x above -1, also when 1 + x rounds x away. */
ATL_LANE double double_log1p(double x)
{
    const double sum = 1 + x;
    return double_log(sum) + (x - (sum - 1));
}

/* `log_x` where it holds, for x in (0, inf); else what log gives. */
ATL_LANE float log_or_limit(float x, double log_x)
{
    const float limit = x == 0 ? -INFINITY : NAN, finite = (float)log_x;
    return x > 0 ? (x <= FLT_MAX ? finite : x) : limit;
}

ATL_LANE float fast_log(float x) { return log_or_limit(x, double_log((double)x)); }

ATL_LANE float fast_log1p(float x)
{
    const float log_sum = log_or_limit(1 + x, double_log1p((double)x));
    return x == 0 ? x : log_sum;
}

/* ---- sigmoid and its kin ----------------------------------------------------------------------------------------- */

ATL_LANE float fast_tanh(float x)
{
    const float size = fabsf(x), limited = size > 10 ? 10 : size; /* tanh(10) rounds to 1 */
    const double t = double_expm1_within(2 * (double)limited);
    return copysignf((float)(t / (t + 2)), x);
}

/* factor / (1 + e^-x), |x| <= 700: a sum of positive numbers, in which no digit is lost. */
ATL_LANE float scaled_sigmoid(double factor, double x) { return (float)(factor / (1 + double_exp_within(-x))); }

ATL_LANE float fast_sigmoid(float x) { return scaled_sigmoid(1, (double)within_200(x)); }

ATL_LANE float fast_softplus(float x)
{
    const double log_part = double_log1p(double_exp_within(-(double)at_most_200(fabsf(x))));
    return (float)((x > 0 ? (double)x : 0) + log_part);
}

ATL_LANE float fast_elu(float x)
{
    const float below = fast_expm1(x);
    return x > 0 ? x : below;
}

/* l (x > 0 ? x : a (e^x - 1)): l and l a */
#define SELU_L  1.0507009873554805
#define SELU_LA 1.7580993408473766 /* a = 1.6732632423543772 */

ATL_LANE float fast_selu(float x)
{
    return (float)(x > 0 ? SELU_L * (double)x : SELU_LA * double_expm1_within((double)within_200(x)));
}

/* ---- error function ---------------------------------------------------------------------------------------------- */

ATL_LANE float fast_erf(float x)
{
    const float size = fabsf(x), limited = size > 3.95f ? 3.95f : size; /* erf(3.95) rounds to 1 */
    const double a = (double)limited;
    /* -log(erfc(a)) / a on [0, 3.95], 2^-31 of the erf */
    const double slope =
        POLYNOMIAL(a, 1.1283791666279189, 0.63661983456999565, 0.10277127723040697, -0.019117695186282863,
                   -0.00025306037565982277, 0.0017993530295868416, -0.00074068531419621389, 0.00016748071158216307,
                   -2.1354538955297085e-5, 1.1932935947825002e-6);
    return copysignf((float)-double_expm1_within(-a * slope), x);
}

/* erfc(size) for size from 0 to 20; beyond 10.1 it is below every float */
ATL_LANE double double_erfc(double size)
{
    const double t = 3 / (3 + size);
    /* log(erfc(a) e^(a^2) / t) for a on [0, 10.1], 2^-31                    form: Numerical Recipes, 6.2.2 */
    const double p = POLYNOMIAL(t, -1.6710792041624698, 1.0026434429624524, 0.41386711874762364, 0.43060698959553718,
                                -0.83880305089509465, 2.8608369508072101, -6.1671182859750053, 9.1624455020911578,
                                -9.4548027251219247, 6.1313316692983712, -2.2052067892649652, 0.33527838154881405);
    return t * double_exp_within(p - size * size);
}

ATL_LANE float fast_erfc(float x)
{
    const float size = fabsf(x), limited = size > 12 ? 12 : size;
    const double of_size = double_erfc((double)limited);
    return (float)(x < 0 ? 2 - of_size : of_size);
}

/* 2 sqrt(2 / pi), and 0.044715 times that */
#define GELU_A 1.5957691216057308
#define GELU_B 0.071354816272600247

ATL_LANE float fast_gelu_tanh(float x)
{
    x = x < -15 ? -15 : x; /* there the sigmoid has long been 0, and from 15 on 1, to every float */
    const double d = (double)(x > 15 ? 15 : x);
    return scaled_sigmoid((double)x, d * (GELU_A + GELU_B * d * d));
}

/* ---- in single precision: about two units in the last place, twice as many lanes --------------------------------- */

/* A number times two powers of 2, because the product of these may be denormal. */
typedef struct scaled_float {
    float number, first, second;
} scaled_float;

/* e^(x - less) for -130 < x <= 0 and a small less >= 0. */
ATL_LANE scaled_float scaled_exp_below(float x, float less)
{
    const float head = 0.693359375f, tail = -2.12194440e-4f, rounder = 0x1.8p23f; /* head + tail = ln 2 */
    const float rounded = x * (float)(1 / LN_2) + rounder, n = rounded - rounder;
    const float r = ((x - n * head) - n * tail) - less;
    /* (e^r - 1 - r) / r^2 on [-ln 2 / 2, ln 2 / 2] */
    const float rest =
        ((((1.9875691e-4f * r + 1.3981999e-3f) * r + 8.3334519e-3f) * r + 4.1665795e-2f) * r + 1.6666665e-1f) * r +
        0.5f;
    const int32_t magic = 0x4b400000; /* of the rounder */
    const int32_t exponent = float_bits(rounded) - magic, half = exponent >> 1;
    return (scaled_float){.number = 1 + (r + r * r * rest),
                          .first = float_of((half + 127) << 23),
                          .second = float_of((exponent - half + 127) << 23)};
}

/* The same for every x <= 0, denormal results included. */
ATL_LANE float single_exp_below(float x, float less)
{
    const scaled_float e = scaled_exp_below(x < -110 ? -110 : x, less);
    return e.number * e.first * e.second;
}

/* P + x p, the derivative of gelu: with u = |x| and the tail's share Q = p M, M = Mills' ratio, it is
 * p (M - u) below 0, and 1 minus that above. */
ATL_LANE float single_gelu_slope(float x)
{
    const float size = fabsf(x), u = size > 14.5f ? 14.5f : size; /* p(14.5) rounds to 0 */
    /* M / t on [0, 14.5], 2^-27 */
    const float t = 3.5f / (3.5f + u);
    const float mills =
        t * (((((((((-0.040588020f * t + 0.25999768f) * t - 0.62932653f) * t + 0.66329144f) * t - 0.33507066f) * t +
                 0.32542029f) *
                    t +
                0.16845358f) *
                   t +
               0.27045756f) *
                  t +
              0.28493167f) *
                 t +
             0.28574715f);
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    bits &= 0xfffff000; /* whose square is exact */
    float head;
    memcpy(&head, &bits, sizeof bits);
    const float density = 0.39894228f * single_exp_below(-0.5f * head * head, 0.5f * (u - head) * (u + head));
    const float below = density * (mills - u);
    return x < 0 ? below : 1 - below;
}

/* s + x s (1 - s), the derivative of swish, with s = sigmoid(x): below 0, and 1 minus that of -x above. */
ATL_LANE float single_swish_slope(float x)
{
    const float size = fabsf(x), u = size > 110 ? 110 : size, e = single_exp_below(-u, 0), rest = 1 / (1 + e);
    const float below = e * rest * (1 - u * rest);
    return x < 0 ? below : 1 - below;
}

/* x / (1 + e^-x), below 0 x e / (1 + e) with e = e^x.  Within 3 units in the last place. */
ATL_LANE float fast_swish(float x)
{
    const float size = fabsf(x), u = size > 120 ? 120 : size; /* -120 e^-120 rounds to 0 */
    const scaled_float e = scaled_exp_below(-u, 0);
    const float y = (x < 0 ? -u * e.number : x) / (1 + e.number * e.first * e.second);
    return y * (x < 0 ? e.first : 1) * (x < 0 ? e.second : 1);
}

/* ---- circle functions: x = n pi / 2 + r, |r| <= pi / 4 ----------------------------------------------------------- */

#define CIRCLE_LIMIT 0x1p20f /* sin, cos and tan hold for |x| up to this: n times the 33 bits of the head is exact */

typedef struct circle_point {
    double sine, cosine; /* of r */
    uint64_t quadrant;   /* n modulo 4, in the lowest two bits */
} circle_point;

ATL_LANE circle_point reduced_circle(double x)
{
    const double head = 0x1.921fb544p+0, tail = 6.077100506506192e-11; /* of pi / 2 */
    const double rounded = x * (1 / HALF_PI) + ROUNDER, n = rounded - ROUNDER;
    const double r = (x - n * head) - n * tail, z = r * r;
    /* sin(r) / r and cos(r), in r^2, 2^-37 and 2^-34 */
    return (circle_point){.sine = r * POLYNOMIAL(z, 0.99999999999567949, -0.16666666631621646, 0.0083333287847017212,
                                                 -0.00019839202734721307, 2.717349439214743e-6),
                          .cosine = POLYNOMIAL(z, 0.99999999995257699, -0.49999999615281032, 0.041666616724350622,
                                               -0.0013886618759908711, 2.4379887608784366e-5),
                          .quadrant = bits_of(rounded)};
}

/* The sine, n quarters of a turn on. */
ATL_LANE double sine_after(circle_point point, uint64_t quarters)
{
    const uint64_t n = point.quadrant + quarters;
    return of_bits(bits_of(n & 1 ? point.cosine : point.sine) ^ (n & 2) << 62);
}

ATL_LANE float fast_sin(float x) { return (float)sine_after(reduced_circle((double)x), 0); }
ATL_LANE float fast_cos(float x) { return (float)sine_after(reduced_circle((double)x), 1); }
ATL_LANE float fast_tan(float x)
{
    const circle_point point = reduced_circle((double)x);
    return (float)(sine_after(point, 0) / sine_after(point, 1));
}

ATL_LANE float fast_atan(float x)
{
    const double size = fabs((double)x), t = size > 1 ? 1 / size : size, z = t * t;
    /* atan(t) / t in t^2 on [0, 1], 2^-31 */
    const double angle =
        t * POLYNOMIAL(z, 0.99999999966724094, -0.33333324719121099, 0.19999630607615164, -0.14279493127635524,
                       0.1105667467074516, -0.088069044738943083, 0.067346258139838876, -0.04461840485193722,
                       0.022496448944015014, -0.0073040316558596467, 0.0011120639098154743);
    return copysignf((float)(size > 1 ? HALF_PI - angle : angle), x);
}

/* asin(sqrt(z)) for z in [0, 1/4] */
ATL_LANE double reduced_asin(double root, double z)
{
    /* asin(sqrt(z)) / sqrt(z), 2^-31 */
    return root * POLYNOMIAL(z, 1.0000000002607408, 0.16666656769123229, 0.075006122629459289, 0.044501698044240762,
                             0.031911486971368927, 0.014101590444083439, 0.03793602816279483);
}

/* Above 1/2: asin(x) = pi / 2 - 2 asin(sqrt((1 - x) / 2)) */
ATL_LANE float fast_asin(float x)
{
    const double size = fabs((double)x), half_rest = 0.5 - 0.5 * size;
    const double z = size > 0.5 ? half_rest : size * size, root = size > 0.5 ? sqrt(half_rest) : size;
    const double angle = reduced_asin(root, z);
    return copysignf((float)(size > 0.5 ? HALF_PI - 2 * angle : angle), x);
}

ATL_LANE float fast_acos(float x)
{
    const double size = fabs((double)x), half_rest = 0.5 - 0.5 * size;
    const double z = size > 0.5 ? half_rest : size * size, root = size > 0.5 ? sqrt(half_rest) : size;
    const double angle = reduced_asin(root, z), outer = x > 0 ? 2 * angle : 2 * HALF_PI - 2 * angle;
    return (float)(size > 0.5 ? outer : HALF_PI - copysign(angle, (double)x));
}

/* ---- power ------------------------------------------------------------------------------------------------------- */

/* a^b = e^(b log |a|), with the sign of a if b is odd; NaN if a < 0 and b is not whole. */
ATL_LANE float fast_pow(float a, float b)
{
    const float size = fabsf(a), limited = fabsf(b) < 0x1p25f ? b : 0x1p25f; /* which is even, as b is from 2^24 up */
    const double whole = ((double)limited + ROUNDER) - ROUNDER, half = 0.5 * (double)limited;
    const double whole_half = (half + ROUNDER) - ROUNDER;
    const int is_whole = whole == (double)limited, is_even = whole_half == half;
    const float log_of_limit = size == 0 ? -INFINITY : size; /* inf, NaN or 0 */
    const double log_size = size > 0 && size <= FLT_MAX ? double_log((double)size) : (double)log_of_limit;
    const float power = (float)double_exp((double)b * log_size);
    const float magnitude = size == 1 && b == b ? 1 : power;
    const float negative = is_even ? magnitude : -magnitude;
    const float below_0 = is_whole ? negative : size > 0 && size <= FLT_MAX ? NAN : magnitude;
    const float result = copysignf(1, a) < 0 ? below_0 : magnitude;
    return b == 0 || a == 1 ? 1 : result;
}

#endif
