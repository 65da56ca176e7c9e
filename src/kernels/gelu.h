/* Gelu and its slope, for loops that run many lanes side by side.
 *
 * In single precision where fused multiply-adds tell the rounding errors of products: the value is within 2 units in
 * the last place above -1 and within 4 below, down to the smallest numbers; the slope is within 2.5e-7 of the larger
 * one of its two terms, which have opposite signs below 0.  Else in double, rounded once. */
#ifndef ATLED_KERNELS_GELU_H
#define ATLED_KERNELS_GELU_H

#include "kernels/vector_math.h"

/* Choices as integers: one between floats would be made of the doubles that they become, where vectors hold half as
 * many.
 *
 * x, or -0 if it has a minus sign; min(|x|, 14.5), NaN of NaN. */
ATL_LANE float not_below_0(float x)
{
    const int32_t bits = float_bits(x), positive = bits > 0 ? bits : 0;
    return float_of(positive | (bits & INT32_MIN));
}
ATL_LANE float size_to_14(float x)
{
    const int32_t size = float_bits(x) & 0x7fffffff, limit = 0x41680000, infinite = 0x7f800000;
    const int32_t limited = size < limit ? size : limit;
    return float_of(size > infinite ? size : limited);
}

/* gelu(x) is x times the share of the normal distribution below x: max(x, 0) less |x| times the share beyond |x|, which
 * from 14.5 on rounds away.  The slope is the share below x, and x times the density. */
typedef struct value_and_slope {
    float value, slope;
} value_and_slope;

#if defined __FMA__ || defined __ARM_FEATURE_FMA
#define ATL_GELU_IS_SINGLE 1
#else
#define ATL_GELU_IS_SINGLE 0
#endif

#if ATL_GELU_IS_SINGLE

#define DENSITY_AT_0 0.39894228f /* of the normal distribution, 1 / sqrt(2 pi) */

/* e^(-size^2 / 2) as (1 + part) * scale, so that it is rounded with what it multiplies. */
typedef struct single_bell {
    float part, scale;
} single_bell;

ATL_LANE single_bell bell_at(float size)
{
    const float square = size * size, lost_square = fmaf(size, size, -square), power = -0.5f * square;
    const float head_of_ln2 = 0.693359375f, tail_of_ln2 = -2.12194440e-4f, rounder = 0x1.8p23f;
    const float rounded = power * (float)(1 / LN_2) + rounder, n = rounded - rounder;
    const float head = fmaf(-n, head_of_ln2, power), tail = fmaf(n, tail_of_ln2, 0.5f * lost_square);
    const float r = head - tail, lost = (head - r) - tail;
    /* (e^r - 1 - r) / r^2 on [-ln 2 / 2, ln 2 / 2] */
    const float rest =
        ((((1.9875691e-4f * r + 1.3981999e-3f) * r + 8.3334519e-3f) * r + 4.1665795e-2f) * r + 1.6666665e-1f) * r +
        0.5f;
    const int32_t exponent = float_bits(rounded) - float_bits(rounder), half = exponent >> 1;
    const float first = float_of((half + 127) << 23), second = float_of((exponent - half + 127) << 23);
    return (single_bell){.part = r + fmaf(r * r, rest, lost), .scale = first * second};
}
ATL_LANE float times_bell(float x, single_bell bell) { return fmaf(x, bell.part, x) * bell.scale; }

/* The share of the normal distribution beyond `size`, from 1 on, divided by the bell. */
ATL_LANE float single_share(float size)
{
    const float sum = 3.5f + size, lost = size - (sum - 3.5f), t = 3.5f / sum;
    /* share / (bell t) less its first term, on [1, 14.6], 2^-28.9 */
    const float rest =
        ((((((0.0313222222f * t - 0.11053624f) * t + 0.109507531f) * t - 0.0265885536f) * t + 0.0819536448f) * t +
          0.0810368583f) *
             t +
         0.105408274f) *
            t +
        0.113923974f;
    const float share = fmaf(t, 0.113985591f, t * t * rest);
    /* t belongs to a size that is by so much smaller; the derivative of the share there */
    const float off = fmaf(fmaf(t, sum, -3.5f), sum * (1 / 3.5f), lost);
    return fmaf(off, fmaf(size, share, -DENSITY_AT_0), share);
}

/* The share below x for |x| <= 1, of `square` = x^2: 0.5 + x (c + x^2 times a polynomial), without the rounding of its
 * first two terms where they have one sign. */
ATL_LANE float single_share_below(float x, float square)
{
    /* 2^-28.4 of the share */
    const float rest =
        (((-8.17179534e-06f * square + 0.00011502397f) * square - 0.00118802383f) * square + 0.00997416396f) * square -
        0.0664905384f;
    const float sum = fmaf(x, DENSITY_AT_0, 0.5f), lost = fmaf(x, DENSITY_AT_0, 0.5f - sum);
    return sum + fmaf(x * square, rest, float_of(float_bits(lost) & ~(float_bits(x) >> 31)));
}

ATL_LANE value_and_slope gelu_and_slope(float x)
{
    const float size = size_to_14(x), share = single_share(size);
    const int32_t sign = float_bits(x) & INT32_MIN, one = 0x3f800000 & ~(float_bits(x) >> 31);
    const float limited = float_of(float_bits(size) | sign);
    const single_bell bell = bell_at(size);
    const float below = single_share_below(limited, size * size), along = limited * DENSITY_AT_0;
    const float beyond = times_bell(fmaf(size, DENSITY_AT_0, -share), bell), part = size * share;
    const value_and_slope near = {.value = x * below, .slope = fmaf(fmaf(along, bell.part, along), bell.scale, below)};
    const value_and_slope far = {.value = fmaf(-fmaf(part, bell.part, part), bell.scale, not_below_0(x)),
                                 .slope = float_of(one) + float_of(float_bits(beyond) ^ sign)};
    return (value_and_slope){.value = size < 1 ? near.value : far.value, .slope = size < 1 ? near.slope : far.slope};
}

#else

/* Of the normal distribution: the share beyond `size`, and the density there, for sizes from 0 to 14.5. */
typedef struct normal_tail {
    double share, density;
} normal_tail;

ATL_LANE normal_tail tail_beyond(double size)
{
    const double t = 3.82 / (3.82 + size), e = double_exp_within(-0.5 * size * size);
    /* share / (e t) on [0, 13.3], 2^-32; 2^-30 up to 14.5, where a float has no such digits any more */
    const double ratio =
        POLYNOMIAL(t, 0.10443131064036613, 0.10453481827128919, 0.096133276543511082, 0.090645597936789991,
                   0.02960568016199583, 0.13835989639700775, -0.17935048077566704, 0.27156106408175348,
                   -0.23967256060004028, 0.099958946997304559, -0.016207549778479269);
    return (normal_tail){e * (t * ratio), e * 0.39894228040143268};
}

ATL_LANE value_and_slope gelu_and_slope(float x)
{
    const double size = (double)size_to_14(x);
    const normal_tail tail = tail_beyond(size);
    const float beyond = (float)(size * tail.density - tail.share); /* the slope is this above 0, and 1 more */
    const int32_t sign = float_bits(x) & INT32_MIN, one = 0x3f800000 & ~(float_bits(x) >> 31);
    return (value_and_slope){.value = (float)((double)not_below_0(x) - size * tail.share),
                             .slope = float_of(one) + float_of(float_bits(beyond) ^ sign)};
}

#endif

ATL_LANE float fast_gelu(float x) { return gelu_and_slope(x).value; }

#endif
