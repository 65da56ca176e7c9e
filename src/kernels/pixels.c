/* Loops over the pixels of a picture: see pixels.h. */
#include "kernels/pixels.h"

#include <math.h>

#include "kernels/level.h"
#include "kernels/loops.h"

enum { PARTS = ATL_DESCENT_PARTS };

void KERNEL(clamp_pixels)(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] < 255 ? x[i] : 255 : 0;
}

void KERNEL(round_pixels)(int64_t n, const float *x, float *rounded)
{
    for (int64_t i = 0; i < n; i++)
        rounded[i] = (float)(int)(x[i] + 0.5f);
}

float KERNEL(largest_magnitude)(int64_t n, const float *x)
{
    float part[PARTS] = {0}, largest = 0;
    int64_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (int k = 0; k < PARTS; k++) {
            float size = fabsf(x[i + k]);
            part[k] = size > part[k] || size != size ? size : part[k]; /* what is not a number stays */
        }
    for (; i < n; i++)
        largest = fabsf(x[i]) > largest || x[i] != x[i] ? fabsf(x[i]) : largest;
    for (int k = 0; k < PARTS; k++)
        largest = part[k] > largest || part[k] != part[k] ? part[k] : largest;
    return largest;
}

/* ---- one step downhill, in one pass ------------------------------------------------------------------------------ */

/* What n <= PARTS elements move by. */
typedef void direction(const atl_descent_job *d, int64_t at, int n, float *step);

ATL_LANE void along_gradient(const atl_descent_job *d, int64_t at, int n, float *step)
{
    for (int i = 0; i < n; i++)
        step[i] = d->factor * d->gradient[at + i];
}

/* Of a gradient so small that the factor is no float. */
ATL_LANE void along_tiny_gradient(const atl_descent_job *d, int64_t at, int n, float *step)
{
    for (int i = 0; i < n; i++)
        step[i] = (float)(d->large_factor * (double)d->gradient[at + i]);
}

ATL_LANE void along_sign(const atl_descent_job *d, int64_t at, int n, float *step)
{
    for (int i = 0; i < n; i++) {
        float g = d->gradient[at + i];
        step[i] = g > 0 ? d->factor : g < 0 ? -d->factor : 0;
    }
}

/* m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  step = factor m / (sqrt(v) + epsilon).  Kingma & Ba 2014, algorithm
 * 1 with the bias corrections in the factor.  Gradients of a saturated softmax are tiny: hence so is epsilon. */
ATL_LANE void along_moments(const atl_descent_job *d, int64_t at, int n, float *step)
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

ATL_LANE void move(atl_descent_job *d, int64_t at, int n, const float *step)
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

/* The direction is known where this is called from, and becomes part of the loop; so does the descent, which is no
 * other's. */
ATL_LANE void descend(atl_descent_job *all, int64_t count, direction *along)
{
    atl_descent_job d = *all;
    float step[PARTS];
    int64_t i = 0;
    for (; i + PARTS <= count; i += PARTS) {
        along(&d, i, PARTS, step);
        move(&d, i, PARTS, step);
    }
    along(&d, i, (int)(count - i), step);
    move(&d, i, (int)(count - i), step);
    *all = d;
}

void KERNEL(descend_gradient)(atl_descent_job *d, int64_t count) { descend(d, count, along_gradient); }
void KERNEL(descend_tiny_gradient)(atl_descent_job *d, int64_t count) { descend(d, count, along_tiny_gradient); }
void KERNEL(descend_sign)(atl_descent_job *d, int64_t count) { descend(d, count, along_sign); }
void KERNEL(descend_moments)(atl_descent_job *d, int64_t count) { descend(d, count, along_moments); }
