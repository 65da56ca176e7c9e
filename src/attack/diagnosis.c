/* Explains why an image does not reach its target: first the observation, then the remedy. */
#include "attack/diagnosis.h"

#include <stdio.h>

#include "common/plural.h"

static const char *method_name(atl_descent method)
{
    static const char *const names[] = {"Adam", "Adam", "normalised", "sign", "raw"};
    return names[method];
}

static atl_fool_trouble not_finite(const atl_symptoms *s, char *message, size_t size)
{
    snprintf(message, size,
             "after %d iteration%s the network's output or its gradient is not a finite number: are these the weights "
             "of this "
             "network, in its own scale?",
             s->iterations, atl_plural(s->iterations));
    return ATL_TROUBLE_NOT_FINITE;
}

static atl_fool_trouble uniform(const atl_symptoms *s, char *message, size_t size)
{
    snprintf(
        message, size,
        "every class of the start has the same probability, 1/%lld: the network does not see the picture. Have its "
        "weights been loaded?",
        (long long)s->classes);
    return ATL_TROUBLE_UNIFORM;
}

/* The mean squared error has no gradient through a saturated softmax: d/dz_t (p_t - 1)^2 = 2 (p_t - 1) p_t (1 -
 * p_t). */
static int saturates(const atl_symptoms *s) { return s->loss == ATL_LOSS_SOFTMAX_MSE && s->best_probability < 0.5; }

static const char saturated[] =
    "The softmax is saturated: the gradient of the mean squared error carries the target's "
    "own probability as a factor, %.2g "
    "here, so it vanishes where it is needed most. Take cross entropy, whose gradient at the "
    "logit, p - 1, is largest there";

static atl_fool_trouble zero_slope(const atl_symptoms *s, char *message, size_t size)
{
    int at = snprintf(message, size, "after %d iteration%s the gradient is exactly zero at every pixel. ",
                      s->iterations, atl_plural(s->iterations));
    if (saturates(s))
        snprintf(message + at, size - (size_t)at, saturated, s->probability);
    else
        snprintf(message + at, size - (size_t)at,
                 "Nothing that the target's score is made of depends on the picture any more (every relu on the way is "
                 "off, or the weights are zero): check the weights, or take another start or seed");
    return ATL_TROUBLE_ZERO_GRADIENT;
}

static atl_fool_trouble tiny_step(const atl_symptoms *s, char *message, size_t size)
{
    int at = snprintf(
        message, size,
        "stalled: the largest change that an iteration makes to any pixel is %.2g grey levels, below what a float "
        "near 255 can hold (%.2g), so the picture does not change. ",
        s->largest_step, ATL_PIXEL_RESOLUTION);
    if (saturates(s))
        at += snprintf(message + at, size - (size_t)at, saturated, s->probability);
    else
        at += snprintf(message + at, size - (size_t)at, "Use a larger step size");
    if (s->method == ATL_DESCENT_RAW && s->largest_gradient > 0)
        snprintf(message + at, size - (size_t)at,
                 "; or Adam or normalised steps, which do not depend on the size of the gradient (%.2g at most)",
                 s->largest_gradient);
    return ATL_TROUBLE_TINY_STEP;
}

static atl_fool_trouble stands_still(const atl_symptoms *s, char *message, size_t size)
{
    snprintf(message, size,
             "stalled after %d iteration%s: every pixel that the gradient wants to move is at 0 or 255 already. Take "
             "another "
             "start, seed or method",
             s->iterations, atl_plural(s->iterations));
    return ATL_TROUBLE_ITERATIONS_USED_UP;
}

static atl_fool_trouble flat(const atl_symptoms *s, char *message, size_t size)
{
    int at = snprintf(message, size, "%d %s iteration%s took the target from %.2g to %.2g at best. ", s->iterations,
                      method_name(s->method), atl_plural(s->iterations), s->first_probability, s->best_probability);
    snprintf(message + at, size - (size_t)at, saturated, s->probability);
    return ATL_TROUBLE_SATURATED;
}

static atl_fool_trouble used_up(const atl_symptoms *s, char *message, size_t size)
{
    int at = snprintf(message, size, "%d %s iteration%s of size %g reached %.4g, not %g. ", s->iterations,
                      method_name(s->method), atl_plural(s->iterations), s->rate, s->best_probability, s->confidence);
    if (s->rounding_lost)
        snprintf(message + at, size - (size_t)at,
                 "The picture was there before it was rounded to whole grey levels: allow more iterations");
    else if (s->largest_step < 0.01)
        snprintf(message + at, size - (size_t)at,
                 "The last one changed pixels by %.2g grey levels at most: use a larger step size", s->largest_step);
    else
        snprintf(message + at, size - (size_t)at, "Allow more iterations, or use another step size");
    return ATL_TROUBLE_ITERATIONS_USED_UP;
}

atl_fool_trouble atl_diagnose(const atl_symptoms *s, char *message, size_t size)
{
    if (s->stopped) {
        snprintf(message, size, "stopped after %d iteration%s, at %.4g", s->iterations, atl_plural(s->iterations),
                 s->best_probability);
        return ATL_TROUBLE_STOPPED;
    }
    if (!s->finite)
        return not_finite(s, message, size);
    if (s->uniform < 1e-3)
        return uniform(s, message, size);
    if (s->largest_gradient == 0)
        return zero_slope(s, message, size);
    if (s->idle && s->largest_step < ATL_PIXEL_RESOLUTION)
        return tiny_step(s, message, size);
    if (s->idle && !s->moved)
        return stands_still(s, message, size);
    if (saturates(s))
        return flat(s, message, size);
    return used_up(s, message, size);
}
