/* The smallest change that reaches a linear boundary: with a multiplier, the elements are independent.  The product is
 * concave in the multiplier and made of straight pieces, so Newton's steps from 0 end after a few. */
#include "attack/hyperplane.h"

#include <math.h>

#include "attack/vectors.h"

enum { HALVINGS = 60, MOST_STEPS = 100 };

static float within(float change, float from) { return fminf(fmaxf(change, -from), 255 - from); }

static double set_change(atl_norm norm, int64_t count, const float *from, const float *gradient, double factor,
                         float *change)
{
    for (int64_t i = 0; i < count; i++) {
        double d =
            norm == ATL_NORM_LINF ? factor * ((gradient[i] > 0) - (gradient[i] < 0)) : factor * (double)gradient[i];
        change[i] = within((float)d, from[i]);
    }
    return atl_dot_of(count, gradient, change);
}

/* The slope of the product by the factor, over the elements that can still move. */
static double free_slope(atl_norm norm, int64_t count, const float *from, const float *gradient, double sign,
                         const float *change)
{
    double slope = 0;
    for (int64_t i = 0; i < count; i++) {
        double g = fabs((double)gradient[i]);
        float end = sign * (double)gradient[i] > 0 ? 255 : 0;
        if (from[i] + change[i] != end)
            slope += norm == ATL_NORM_LINF ? g : g * g;
    }
    return slope;
}

/* L1: elements with larger gradients first, each to the end of its range; `sign` is the gap's. */
static double move_above(double least, double sign, int64_t count, const float *from, const float *gradient,
                         float *change)
{
    for (int64_t i = 0; i < count; i++) {
        double g = sign * (double)gradient[i];
        change[i] = fabs(g) > least ? (g > 0 ? 255 - from[i] : -from[i]) : 0;
    }
    return sign * atl_dot_of(count, gradient, change);
}

static void cross_in_l1(int64_t count, const float *from, const float *gradient, double gap, float *change)
{
    double sign = gap < 0 ? -1 : 1, low = 0, high = 0;
    for (int64_t i = 0; i < count; i++)
        high = fmax(high, fabs((double)gradient[i]));
    for (int i = 0; i < HALVINGS; i++) {
        double middle = (low + high) / 2;
        if (move_above(middle, sign, count, from, gradient, change) < sign * gap)
            high = middle;
        else
            low = middle;
    }
    double left = sign * gap - move_above(high, sign, count, from, gradient, change);
    for (int64_t i = 0; i < count && left > 0; i++) { /* those at the threshold, as far as needed */
        double g = sign * (double)gradient[i];
        if (g == 0 || change[i] != 0 || fabs(g) <= low * (1 - 1e-9))
            continue;
        double room = g > 0 ? 255 - (double)from[i] : (double)from[i], d = fmin(room, left / fabs(g));
        change[i] = (float)copysign(d, g);
        left -= d * fabs(g);
    }
}

void atl_cross_hyperplane(atl_norm norm, int64_t count, const float *from, const float *gradient, double gap,
                          float *change_out)
{
    if (norm == ATL_NORM_L1) {
        cross_in_l1(count, from, gradient, gap, change_out);
        return;
    }
    double sign = gap < 0 ? -1 : 1, factor = 0;
    for (int i = 0; i < MOST_STEPS; i++) {
        double left = sign * gap - sign * set_change(norm, count, from, gradient, sign * factor, change_out);
        double slope = free_slope(norm, count, from, gradient, sign, change_out);
        if (left <= 1e-7 * sign * gap || slope <= 0)
            return;
        factor += left / slope;
    }
}

void atl_change_on_levels(atl_norm norm, int64_t count, const float *from, const float *direction, double factor,
                          float *change_out)
{
    for (int64_t i = 0; i < count; i++) {
        /* For the smallest sum of squares at a given product, each element is rounded to the nearest level. */
        double d = factor * (double)direction[i];
        if (norm == ATL_NORM_L1) /* a level costs the same wherever it is: the larger products first */
            d *= fabs(d);
        change_out[i] = within((float)nearbyint(d), from[i]);
    }
}

double atl_cross_on_levels(atl_norm norm, int64_t count, const float *from, const float *gradient,
                           const float *direction, double gap, float *change_out)
{
    double largest = 0, low = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)direction[i]));
    if (!(largest > 0) || !isfinite(largest))
        return 0;
    double high = 0.5 / largest; /* the first factor that changes an element */
    for (int i = 0; i < 40; i++) {
        atl_change_on_levels(norm, count, from, direction, high, change_out);
        if (atl_dot_of(count, gradient, change_out) >= gap)
            break;
        low = high;
        high *= 2;
    }
    for (int i = 0; i < 24; i++) {
        double middle = (low + high) / 2;
        atl_change_on_levels(norm, count, from, direction, middle, change_out);
        if (atl_dot_of(count, gradient, change_out) < gap)
            low = middle;
        else
            high = middle;
    }
    atl_change_on_levels(norm, count, from, direction, high, change_out);
    return high;
}
