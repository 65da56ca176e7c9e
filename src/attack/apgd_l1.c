/* APGD in L1: sparse steps, whose number of elements follows the sparsity of the best change, within a ball that
 * shrinks to eps in three phases (Croce & Hein 2021, Mind the box). */
#include <math.h>
#include <string.h>

#include "attack/apgd.h"
#include "attack/attempt.h"
#include "attack/climb.h"

enum { PHASES = 3 };
static const double first_share = 0.2, least_change = 0.95, shrinking = 1.5, least_step = 0.1;
static const double radius_of[PHASES] = {3, 2, 1}, steps_of[PHASES] = {0.3, 0.3, 0.4};

/* The nearest picture within the radius.  A larger radius than eps leaves a constraint of one's own out. */
static void project(const atl_ascent *a, double radius, float *pixels)
{
    atl_project_change(ATL_NORM_L1, radius, a->task.count, a->task.original, pixels);
    if (radius <= a->task.eps)
        atl_attempt_project(a->attempt, pixels);
}

/* Moves the `share` of the elements with the largest gradients, together by `step`. */
static void advance(atl_ascent *a, double share, double step, double radius)
{
    int64_t count = a->task.count, wanted = (int64_t)(share * (double)count);
    wanted = wanted < 1 ? 1 : wanted < count ? wanted : count;
    atl_climb_step_l1(wanted, step, count, a->gradient, a->pixels, a->copy);
    project(a, radius, a->pixels);
}

static void take_best(atl_ascent *a)
{
    memcpy(a->pixels, a->best, (size_t)a->task.count * sizeof(float));
    memcpy(a->gradient, a->best_gradient, (size_t)a->task.count * sizeof(float));
}

/* From pixels, within the radius. */
static atl_status ascend(atl_ascent *a, int steps, double radius, double share)
{
    int period = steps * 4 / 100 > 1 ? steps * 4 / 100 : 1, since = 0;
    double count = (double)a->task.count, last_sparsity = count, step = radius;
    a->best_value = -INFINITY;
    for (int i = 0; i <= steps; i++) {
        atl_status status = atl_ascent_measure(a);
        if (status || atl_attempt_is_done(a->attempt))
            return status;
        if (i > 0 && ++since == period) {
            double sparsity = atl_change_size(ATL_NORM_L0, a->task.count, a->task.original, a->best);
            int is_sparser = sparsity < least_change * last_sparsity;
            share = sparsity / count / shrinking;
            step = is_sparser ? radius : fmax(step / shrinking, least_step * radius);
            if (is_sparser)
                take_best(a);
            last_sparsity = sparsity;
            since = 0;
        }
        if (i < steps)
            advance(a, share, step, radius);
    }
    return ATL_OK;
}

atl_status atl_ascend_l1(atl_ascent *a)
{
    atl_status status = ATL_OK;
    int has_own = a->attempt->args->project != NULL, done = 0;
    atl_climb_noise(a->attempt, a->pixels);
    for (int phase = has_own ? PHASES - 1 : 0; phase < PHASES && !status; phase++) {
        int steps = phase < PHASES - 1 ? (int)(steps_of[phase] * a->task.steps) : a->task.steps - done;
        double radius = radius_of[phase] * a->task.eps, share = first_share;
        project(a, radius, a->pixels);
        if (done > 0)
            share = atl_change_size(ATL_NORM_L0, a->task.count, a->task.original, a->pixels) / shrinking /
                    (double)a->task.count;
        status = ascend(a, steps, radius, share);
        done += steps;
        if (status || atl_attempt_is_done(a->attempt))
            return status;
        memcpy(a->pixels, a->best, (size_t)a->task.count * sizeof(float));
    }
    return status ? status : atl_attempt_offer(a->attempt, a->best);
}
