/* FAB towards classes: projects onto the linear boundary from the picture and from the original, and mixes both (Croce
 * & Hein 2019). */
#include "attack/fab.h"

#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"
#include "attack/hyperplane.h"
#include "attack/rivals.h"
#include "attack/vectors.h"
#include "graph/memory.h"

enum { MOST_RIVALS = 9 };
static const double largest_mix = 0.1, extrapolation = 1.05, pull_back = 0.9;

typedef struct walk {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *pixels, *gradient, *from_here, *from_original, *scores;
} walk;

static double change_size(const atl_attempt_task *task, const float *change)
{
    double size = 0;
    for (int64_t i = 0; i < task->count; i++) {
        double d = fabs((double)change[i]);
        size = task->norm == ATL_NORM_LINF ? fmax(size, d) : size + (task->norm == ATL_NORM_L2 ? d * d : d);
    }
    return task->norm == ATL_NORM_L2 ? sqrt(size) : size;
}

/* One step towards the boundary with the class. */
static atl_status step(walk *w, int rival)
{
    double difference;
    atl_attempt_task *t = &w->task;
    atl_status status = atl_rival_gradient(w->attempt, w->pixels, rival, w->gradient, w->scores, &difference);
    if (status || atl_l2_of(t->count, w->gradient) == 0)
        return status;
    double along = atl_dot_of(t->count, w->gradient, w->pixels) - atl_dot_of(t->count, w->gradient, t->original);
    atl_cross_hyperplane(t->norm, t->count, w->pixels, w->gradient, -difference, w->from_here);
    atl_cross_hyperplane(t->norm, t->count, t->original, w->gradient, along - difference, w->from_original);
    double here = change_size(t, w->from_here), original = change_size(t, w->from_original);
    double mix = here + original > 0 ? fmin(here / (here + original), largest_mix) : 0;
    for (int64_t i = 0; i < t->count; i++) {
        double a = (double)w->pixels[i] + extrapolation * (double)w->from_here[i];
        double b = (double)t->original[i] + extrapolation * (double)w->from_original[i];
        w->pixels[i] = fminf(fmaxf((float)((1 - mix) * a + mix * b), 0), 255);
    }
    return ATL_OK;
}

/* Steps towards a class; goes back towards the original where the goal is met. */
static atl_status approach(walk *w, int rival)
{
    atl_status status = ATL_OK;
    for (int i = 0; i < w->task.steps && !status && !atl_attempt_is_done(w->attempt); i++) {
        status = step(w, rival);
        if (!status)
            status = atl_attempt_scores(w->attempt, 1, w->pixels, w->scores);
        if (!status && atl_attempt_margin(w->attempt, w->scores) > 0)
            for (int64_t k = 0; k < w->task.count; k++)
                w->pixels[k] =
                    (float)((1 - pull_back) * (double)w->task.original[k] + pull_back * (double)w->pixels[k]);
    }
    return status;
}

atl_status atl_fab_targeted(atl_attempt *attempt)
{
    walk w = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    int rivals[MOST_RIVALS];
    w.pixels = atl_attempt_room(attempt, 4);
    w.gradient = w.pixels + w.task.count;
    w.from_here = w.gradient + w.task.count;
    w.from_original = w.from_here + w.task.count;
    w.scores = atl_allocate((size_t)w.task.classes, sizeof *w.scores);
    atl_status status =
        w.pixels && w.scores ? atl_attempt_scores(attempt, 1, w.task.original, w.scores) : ATL_OUT_OF_MEMORY;
    int count = status ? 0 : atl_rivals_of(&w.task, w.scores, MOST_RIVALS, rivals);
    for (int r = 0; r < w.task.restarts && !status; r++)
        for (int k = 0; k < count && !status && !atl_attempt_is_done(attempt); k++) {
            memcpy(w.pixels, w.task.original, (size_t)w.task.count * sizeof *w.pixels);
            if (r > 0 && isfinite(w.task.eps))
                atl_climb_random(attempt, w.pixels);
            status = approach(&w, rivals[k]);
        }
    atl_release(w.scores);
    return status;
}

atl_status atl_method_fab_t(atl_attempt *attempt) { return atl_fab_targeted(attempt); }
