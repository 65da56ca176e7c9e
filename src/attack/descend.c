/* One step downhill, in one pass over the pixels. */
#include "atled/attack.h"

#include <math.h>

#include "graph/error.h"
#include "ops/fast.h"

enum { LANES = 16 }; /* independent partial results, so that the loops vectorise */

typedef struct descent {
    float *pixels, *mean, *square;
    const float *gradient;
    float factor, lowest, highest; /* the step is factor * direction */
    double large_factor;           /* the factor where it is beyond a float's range */
    float mean_left, square_left;  /* Adam: shares of the moments that are kept */
    float largest[LANES];
    int32_t moved[LANES];
} descent;

/* What n <= LANES elements move by. */
typedef void direction(const descent *d, int64_t at, int n, float *step);

ATL_LANE void along_gradient(const descent *d, int64_t at, int n, float *step)
{
    for (int i = 0; i < n; i++)
        step[i] = d->factor * d->gradient[at + i];
}

/* Of a gradient so small that the factor is no float. */
ATL_LANE void along_tiny_gradient(const descent *d, int64_t at, int n, float *step)
{
    for (int i = 0; i < n; i++)
        step[i] = (float)(d->large_factor * (double)d->gradient[at + i]);
}

ATL_LANE void along_sign(const descent *d, int64_t at, int n, float *step)
{
    for (int i = 0; i < n; i++) {
        float g = d->gradient[at + i];
        step[i] = g > 0 ? d->factor : g < 0 ? -d->factor : 0;
    }
}

/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  step = factor m / (sqrt(v) + epsilon).  Kingma & Ba 2014, algorithm 1
 * with the bias corrections in the factor.  Slopes of a saturated softmax are tiny: hence so is epsilon. */
ATL_LANE void along_moments(const descent *d, int64_t at, int n, float *step)
{
    const float *g = d->gradient + at;
    float *m = d->mean + at, *v = d->square + at;
    ATL_LANES
    for (int i = 0; i < n; i++) {
        m[i] = d->mean_left * m[i] + (1 - d->mean_left) * g[i];
        v[i] = d->square_left * v[i] + (1 - d->square_left) * g[i] * g[i];
        step[i] = d->factor * m[i] / (sqrtf(v[i]) + 1e-16f);
    }
}

ATL_LANE void move(descent *d, int64_t at, int n, const float *step)
{
    float *x = d->pixels + at;
    ATL_LANES
    for (int i = 0; i < n; i++) {
        float size = fabsf(step[i]), to = x[i] - step[i];
        to = to < d->lowest ? d->lowest : to;
        to = to > d->highest ? d->highest : to;
        d->largest[i] = size > d->largest[i] ? size : d->largest[i];
        d->moved[i] += to != x[i];
        x[i] = to;
    }
}

/* The direction is known where this is called from, and becomes part of the loop; so does the descent, which is no other's. */
ATL_LANE void descend(descent *all, int64_t count, direction *along)
{
    descent d = *all;
    float step[LANES];
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        along(&d, i, LANES, step);
        move(&d, i, LANES, step);
    }
    along(&d, i, (int)(count - i), step);
    move(&d, i, (int)(count - i), step);
    *all = d;
}

ATL_FAST static void descend_gradient(descent *d, int64_t count) { descend(d, count, along_gradient); }
ATL_FAST static void descend_tiny_gradient(descent *d, int64_t count) { descend(d, count, along_tiny_gradient); }
ATL_FAST static void descend_sign(descent *d, int64_t count) { descend(d, count, along_sign); }
ATL_FAST static void descend_moments(descent *d, int64_t count) { descend(d, count, along_moments); }

/* Summed in double: the squares of tiny gradients must not vanish. */
static double root_mean_square(const float *x, int64_t count)
{
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k] * x[i + k];
    for (; i < count; i++)
        sum += (double)x[i] * x[i];
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    return count ? sqrt(sum / (double)count) : 0;
}

static int same_floats(const atl_tensor *a, const atl_tensor *b)
{
    return atl_floats(a) && atl_floats(b) && atl_shape_equal(atl_tensor_shape(a), atl_tensor_shape(b));
}

static atl_status check(const atl_descend_args *args, atl_descent method)
{
    char pixels[160], gradient[160];
    if (!atl_floats(args->pixels) || !atl_floats(args->gradient))
        return atl_set_error(ATL_INVALID, "atl_descend: pixels and gradient must be float32 tensors, and one is %s",
                             args->pixels && args->gradient ? "of another type" : "null");
    if (!same_floats(args->pixels, args->gradient))
        return atl_set_error(ATL_INVALID, "atl_descend: the pixels are %s but their gradient is %s",
                             atl_shape_text(atl_tensor_shape(args->pixels), pixels, sizeof pixels),
                             atl_shape_text(atl_tensor_shape(args->gradient), gradient, sizeof gradient));
    if (method == ATL_DESCENT_ADAM &&
        (!same_floats(args->pixels, args->moments[0]) || !same_floats(args->pixels, args->moments[1])))
        return atl_set_error(ATL_INVALID, "atl_descend: Adam needs .moments: two tensors of the pixels' shape, %s",
                             atl_shape_text(atl_tensor_shape(args->pixels), pixels, sizeof pixels));
    return ATL_OK;
}

static void tell_effect(const descent *d, atl_descent_effect *effect)
{
    *effect = (atl_descent_effect){0};
    for (int i = 0; i < LANES; i++) {
        effect->largest = d->largest[i] > effect->largest ? d->largest[i] : effect->largest;
        effect->moved += d->moved[i];
    }
}

atl_status atl_descend_with(const atl_descend_args *args)
{
    if (!args)
        return atl_null_argument("atl_descend", "the options are");
    atl_descent method = args->method == ATL_DESCENT_DEFAULT ? ATL_DESCENT_NORMALISED : args->method;
    atl_status status = check(args, method);
    if (status)
        return status;
    int64_t count = atl_tensor_count(args->pixels);
    int bounded = args->lowest != 0 || args->highest != 0;
    descent d = {.pixels = atl_floats(args->pixels),
                 .gradient = atl_floats(args->gradient),
                 .factor = args->rate,
                 .lowest = bounded ? args->lowest : -INFINITY,
                 .highest = bounded ? args->highest : INFINITY};
    if (method == ATL_DESCENT_NORMALISED) {
        double size = root_mean_square(d.gradient, count);
        d.large_factor = size > 0 ? args->rate / size : 0;
        d.factor = (float)d.large_factor;
    } else if (method == ATL_DESCENT_ADAM) {
        d.mean = atl_floats(args->moments[0]);
        d.square = atl_floats(args->moments[1]);
        d.mean_left = 0.9f;
        d.square_left = 0.999f;
        d.factor = (float)(args->rate * sqrt(1 - pow(0.999, args->step + 1)) / (1 - pow(0.9, args->step + 1)));
    }
    (method == ATL_DESCENT_ADAM   ? descend_moments
     : method == ATL_DESCENT_SIGN ? descend_sign
     : isinf(d.factor)            ? descend_tiny_gradient
                                  : descend_gradient)(&d, count);
    if (args->effect_out)
        tell_effect(&d, args->effect_out);
    return ATL_OK;
}
