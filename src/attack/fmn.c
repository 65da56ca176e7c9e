/* FMN: steps along the gradient within a bound that shrinks where the goal is met and grows where it is not, in every
 * norm (Pintor et al. 2021). */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/vectors.h"
#include "graph/memory.h"

static const double first_rate = 255, last_rate = 2.55, first_gamma = 0.05, last_gamma = 0.001; /* rates: in levels */

typedef struct walk {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *pixels, *gradient, *scores;
    double bound, smallest; /* of the change; of those that met the goal */
} walk;

/* From `first` to `last` along a half cosine. */
static double annealed(double first, double last, int step, int steps)
{
    return last + (first - last) * (1 + cos(3.14159265358979323846 * step / steps)) / 2;
}

/* The norm in which the gradient bounds the change of the loss. */
static double dual_size(const walk *w)
{
    if (w->task.norm == ATL_NORM_LINF)
        return atl_l1_of(w->task.count, w->gradient);
    if (w->task.norm == ATL_NORM_L2)
        return atl_l2_of(w->task.count, w->gradient);
    double largest = 0;
    for (int64_t i = 0; i < w->task.count; i++)
        largest = fmax(largest, fabs((double)w->gradient[i]));
    return largest;
}

static void move_bound(walk *w, double margin, double gamma)
{
    int is_met = atl_attempt_is_met(w->attempt, w->scores);
    double size = atl_change_size(w->task.norm, w->task.count, w->task.original, w->pixels);
    if (is_met)
        w->smallest = fmin(w->smallest, size);
    if (w->task.norm == ATL_NORM_L0) /* whole numbers: at least one element more or less */
        w->bound = is_met ? fmin(fmin(w->bound - 1, floor(w->bound * (1 - gamma))), w->smallest)
                          : fmax(w->bound + 1, floor(w->bound * (1 + gamma)));
    else if (is_met)
        w->bound = fmin(w->bound * (1 - gamma), w->smallest);
    else if (isfinite(w->smallest))
        w->bound *= 1 + gamma;
    else /* no success yet: to the boundary of the linear approximation */
        w->bound = size + fabs(margin) / dual_size(w);
    w->bound = fmax(w->bound, 0);
}

static atl_status step(walk *w, int i)
{
    double margin, rate = annealed(first_rate, last_rate, i, w->task.steps);
    atl_attack_loss loss = atl_attempt_loss(w->attempt, ATL_ATTACK_MARGIN);
    atl_status status = atl_attempt_gradient(w->attempt, w->pixels, loss, NULL, w->gradient, w->scores, &margin);
    if (status)
        return status;
    move_bound(w, margin, annealed(first_gamma, last_gamma, i, w->task.steps));
    double length = atl_l2_of(w->task.count, w->gradient);
    for (int64_t k = 0; length > 0 && k < w->task.count; k++)
        w->pixels[k] += (float)(rate / length * (double)w->gradient[k]);
    atl_project_change(w->task.norm, w->bound, w->task.count, w->task.original, w->pixels);
    atl_attempt_project(w->attempt, w->pixels);
    return ATL_OK;
}

atl_status atl_method_fmn(atl_attempt *attempt)
{
    walk w = {.attempt = attempt, .task = atl_attempt_task_of(attempt), .smallest = INFINITY};
    w.bound = w.task.norm == ATL_NORM_L0 ? 1 : INFINITY;
    w.pixels = atl_attempt_room(attempt, 2);
    w.gradient = w.pixels + w.task.count;
    w.scores = atl_allocate((size_t)w.task.classes, sizeof *w.scores);
    atl_status status = w.pixels && w.scores ? ATL_OK : ATL_OUT_OF_MEMORY;
    if (!status)
        memcpy(w.pixels, w.task.original, (size_t)w.task.count * sizeof *w.pixels);
    for (int i = 0; i < w.task.steps && !status && !atl_attempt_is_done(attempt); i++)
        status = step(&w, i);
    if (!status)
        status = atl_attempt_scores(attempt, 1, w.pixels, w.scores);
    atl_release(w.scores);
    return status;
}
