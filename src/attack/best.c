/* Looks for the smallest change on the levels of 8 bits.
 *
 * L2: at a picture near the boundary the network is taken for linear; the smallest change of the original that
 * reaches the boundary is then a multiple of the gradient, rounded.  Several multiples are judged by the network, and
 * the best of them is the next place to look.  At the end, changes that are not needed are dropped.
 * Linf: signed steps with momentum within 1, 2, 3, 4, 6 ... levels, towards each near class, until one succeeds.
 * L1 and L0: the steps of FMN, whose changes are sparse, and fewer of them are left by the polishing. */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"
#include "attack/hyperplane.h"
#include "attack/rivals.h"
#include "attack/vectors.h"
#include "graph/memory.h"

enum { MOST_RIVALS = 4, TRIALS = 4, LINF_RIVALS = 9, FMN_STEPS = 100 };

typedef struct search {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *here, *gradient, *direction, *trials, *scores; /* trials: [TRIALS] pictures; scores: [TRIALS + 1] */
    int rivals[LINF_RIVALS];
    int rival_count;
} search;

static float *trial(const search *s, int i) { return s->trials + i * s->task.count; }

/* ---- L2 ---------------------------------------------------------------------------------------------------------- */

/* The rivals in the order of their distance by the gradients at the original. */
static atl_status sort_rivals(search *s)
{
    double distance[LINF_RIVALS];
    for (int k = 0; k < s->rival_count; k++) {
        double difference;
        int rival = s->rivals[k], at = k;
        atl_status status = atl_rival_gradient(s->attempt, s->task.original, rival, s->gradient, NULL, &difference);
        if (status)
            return status;
        double size = s->task.norm == ATL_NORM_LINF ? atl_l1_of(s->task.count, s->gradient)
                                                    : atl_l2_of(s->task.count, s->gradient);
        double own = size > 0 ? fabs(difference) / size : INFINITY;
        for (; at > 0 && distance[at - 1] > own; at--) {
            distance[at] = distance[at - 1];
            s->rivals[at] = s->rivals[at - 1];
        }
        distance[at] = own;
        s->rivals[at] = rival;
    }
    return ATL_OK;
}

/* The gradient at `here` joins the direction, which keeps half of what it was: this damps swings between two places. */
static void turn(search *s, double memory)
{
    double size = atl_l2_of(s->task.count, s->gradient), old = atl_l2_of(s->task.count, s->direction);
    for (int64_t i = 0; size > 0 && i < s->task.count; i++)
        s->direction[i] =
            (float)((double)s->gradient[i] / size + (old > 0 ? memory * (double)s->direction[i] / old : 0));
}

/* Which trial to go on from: the smallest one that meets the goal, else the one that comes nearest to it. */
static int choose(const search *s)
{
    int best = 0;
    double best_margin = -INFINITY, best_size = INFINITY;
    for (int i = 0; i < TRIALS; i++) {
        double margin = atl_attempt_margin(s->attempt, s->scores + i * s->task.classes);
        double size = atl_change_size(s->task.norm, s->task.count, s->task.original, trial(s, i));
        int is_better = margin > 0 ? best_margin <= 0 || size < best_size : best_margin <= 0 && margin > best_margin;
        if (!is_better)
            continue;
        best = i;
        best_margin = margin;
        best_size = size;
    }
    return best;
}

/* One place: the gradient there, and four multiples of the direction. */
static atl_status look(search *s, int rival, double memory)
{
    static const double factor[TRIALS] = {0.92, 1, 1.06, 1.25};
    double difference;
    atl_attempt_task *t = &s->task;
    atl_status status = t->target >= 0 ? atl_attempt_gradient(s->attempt, s->here, ATL_ATTACK_MARGIN, NULL, s->gradient,
                                                              NULL, &difference)
                                       : atl_rival_gradient(s->attempt, s->here, rival, s->gradient, NULL, &difference);
    if (status)
        return status;
    double along = atl_dot_of(t->count, s->gradient, s->here) - atl_dot_of(t->count, s->gradient, t->original);
    turn(s, memory);
    double base =
        atl_cross_on_levels(t->norm, t->count, t->original, s->gradient, s->direction, along - difference, trial(s, 0));
    for (int i = 0; i < TRIALS; i++) {
        float *x = trial(s, i);
        atl_change_on_levels(t->norm, t->count, t->original, s->direction, factor[i] * base, x);
        for (int64_t k = 0; k < t->count; k++)
            x[k] += t->original[k];
    }
    status = atl_attempt_scores(s->attempt, TRIALS, s->trials, s->scores);
    if (!status)
        memcpy(s->here, trial(s, choose(s)), (size_t)t->count * sizeof *s->here);
    return status;
}

/* ---- Linf -------------------------------------------------------------------------------------------------------- */

/* Signed steps towards a class within `bound` levels: whole at the corners, and larger at first. */
static atl_status climb(search *s, int rival, int bound, int steps, int is_random)
{
    atl_attempt_task *t = &s->task;
    float *sum = s->direction;
    memset(sum, 0, (size_t)t->count * sizeof *sum);
    for (int64_t i = 0; i < t->count; i++)
        s->here[i] = t->original[i] + (is_random ? (float)(bound * (2 * atl_attempt_uniform(s->attempt) - 1)) : 0.0f);
    atl_project_change(ATL_NORM_LINF, bound, t->count, t->original, s->here);
    for (int i = 0; i < steps; i++) {
        atl_status status = atl_rival_gradient(s->attempt, s->here, rival, s->gradient, NULL, NULL);
        if (status)
            return status;
        double step = bound * 1.5 * (1 - 0.9 * i / steps);
        atl_climb_add_gradient(0.75f, t->count, s->gradient, sum);
        atl_climb_step(ATL_NORM_LINF, step, t->count, sum, s->here, NULL);
        atl_project_change(ATL_NORM_LINF, bound, t->count, t->original, s->here);
        /* The network judges the corners, which are whole levels. */
        for (int64_t k = 0; k < t->count; k++)
            trial(s, 0)[k] = roundf(s->here[k]);
        status = atl_attempt_scores(s->attempt, 1, s->trials, s->scores);
        if (status || atl_attempt_best(s->attempt, NULL))
            return status;
    }
    return ATL_OK;
}

/* Larger and larger bounds, until one succeeds. */
static atl_status grow_linf(search *s)
{
    atl_status status = ATL_OK;
    for (int bound = 1; bound < 256 && !status && !atl_attempt_best(s->attempt, NULL);
         bound += bound < 4 ? 1 : bound / 2)
        for (int round = 0; round < 2; round++)
            for (int k = 0; k < s->rival_count && !status && !atl_attempt_best(s->attempt, NULL); k++)
                status = climb(s, s->rivals[k], bound, k < 2 ? s->task.steps : s->task.steps / 2 + 1, round);
    return status;
}

static atl_status polish_best(search *s)
{
    const float *best = atl_attempt_best(s->attempt, NULL);
    if (!best)
        return ATL_OK;
    memcpy(s->here, best, (size_t)s->task.count * sizeof *s->here);
    return atl_attempt_polish(s->attempt, s->here);
}

static atl_status search_linf(search *s)
{
    atl_status status = sort_rivals(s);
    if (!status)
        status = grow_linf(s);
    return status ? status : polish_best(s);
}

static atl_status search_small(search *s)
{
    atl_status status = sort_rivals(s);
    int steps = s->task.steps;
    for (int k = 0; k < s->rival_count && (k < 2 || !atl_attempt_best(s->attempt, NULL)) && !status; k++) {
        memcpy(s->here, s->task.original, (size_t)s->task.count * sizeof *s->here);
        memset(s->direction, 0, (size_t)s->task.count * sizeof *s->direction);
        for (int i = 0; i < (k ? steps / 2 + 1 : steps) && !status; i++)
            status = look(s, s->rivals[k], i < 3 ? 0.3 : 0.7);
    }
    if (!status && !atl_attempt_best(s->attempt, NULL)) /* any change that meets the goal can be lowered */
        status = grow_linf(s);
    return status ? status : polish_best(s);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

atl_status atl_method_best(atl_attempt *attempt)
{
    search s = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    if (s.task.norm == ATL_NORM_L1 || s.task.norm == ATL_NORM_L0) {
        atl_attempt_set_steps(attempt, attempt->args->steps ? attempt->args->steps : FMN_STEPS, 1);
        atl_status status = atl_method_fmn(attempt);
        if (status || attempt->met || isfinite(attempt->unrounded_size))
            return status;
    }
    s.here = atl_attempt_room(attempt, 3 + TRIALS);
    s.gradient = s.here + s.task.count;
    s.direction = s.gradient + s.task.count;
    s.trials = s.direction + s.task.count;
    s.scores = atl_allocate((size_t)((TRIALS + 1) * s.task.classes), sizeof *s.scores);
    atl_status status =
        s.here && s.scores ? atl_attempt_scores(attempt, 1, s.task.original, s.scores) : ATL_OUT_OF_MEMORY;
    if (!status) {
        int most = s.task.norm == ATL_NORM_LINF ? LINF_RIVALS : MOST_RIVALS;
        s.rival_count = atl_rivals_of(&s.task, s.scores, most, s.rivals);
        status = s.task.norm == ATL_NORM_LINF ? search_linf(&s) : search_small(&s);
    }
    atl_release(s.scores);
    return status;
}
