/* The end of a minimal attack: from a float picture to levels of 8 bits.  Rounds the change in several ways and keeps
 * what still meets the goal; then drops changes that are not needed.  The network judges each trial. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atled/adversarial.h"
#include "attack/attempt.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { TRIALS = 8, COUNTS = 16, TOGETHER = 4, MOST_ROUNDS = 24 };

typedef struct polishing {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *trials, *scores; /* [TRIALS] of each */
    float *gradient, *best;
    int64_t *order; /* elements, the least useful change first */
    int first;      /* of the shares of drop_changes: larger ones have failed, and what is left is needed more */
} polishing;

/* Has the network judge the first `count` trials; those that meet the goal are kept if they are smaller.  Sets the
 * number of trials that are kept. */
static atl_status judge(polishing *p, int count, int *improved_out)
{
    double before, after;
    atl_attempt_best(p->attempt, &before);
    atl_status status = atl_attempt_scores(p->attempt, count, p->trials, p->scores);
    atl_attempt_best(p->attempt, &after);
    *improved_out = after < before;
    return status;
}

static float *trial(const polishing *p, int index) { return p->trials + index * p->task.count; }

/* ---- rounding ---------------------------------------------------------------------------------------------------- */

/* Each element to the level below, or above if its fraction is larger than the number here. */
static atl_status try_fractions(polishing *p, const float *pixels, int *improved_out)
{
    static const double above[] = {0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0};
    for (int i = 0; i < TRIALS; i++)
        atl_round_change(ATL_NORM_L0, INFINITY, above[i], p->task.count, p->task.original, pixels, trial(p, i));
    return judge(p, TRIALS, improved_out);
}

/* A longer change in the same direction. */
static atl_status try_longer(polishing *p, const float *pixels, int *improved_out)
{
    static const float factor[] = {1.1f, 1.25f, 1.5f, 2, 3, 5, 9, 17};
    for (int i = 0; i < TRIALS; i++) {
        float *x = trial(p, i);
        for (int64_t k = 0; k < p->task.count; k++)
            x[k] = p->task.original[k] + factor[i] * (pixels[k] - p->task.original[k]);
        atl_round_change(ATL_NORM_L0, INFINITY, 0.3, p->task.count, p->task.original, x, x);
    }
    return judge(p, TRIALS, improved_out);
}

/* ---- dropping ---------------------------------------------------------------------------------------------------- */

typedef struct change {
    double use; /* the part of the margin that is owed to one level of it, over what that level costs */
    int64_t index;
} change;

static int by_use(const void *a, const void *b)
{
    const change *x = a, *y = b;
    if (x->use != y->use)
        return x->use < y->use ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Fills `order` with the changed elements; returns their number, -1 without memory. */
static int64_t sort_changes(polishing *p)
{
    change *changes = atl_allocate((size_t)p->task.count, sizeof *changes);
    int64_t count = 0;
    for (int64_t i = 0; changes && i < p->task.count; i++) {
        double d = (double)p->best[i] - (double)p->task.original[i];
        if (d == 0)
            continue;
        double cost = p->task.norm == ATL_NORM_L2 ? 2 * fabs(d) - 1 : 1;
        double levels = p->task.norm == ATL_NORM_L0 ? fabs(d) : 1;
        changes[count++] = (change){copysign(levels, d) * (double)p->gradient[i] / cost, i};
    }
    if (changes)
        qsort(changes, (size_t)count, sizeof *changes, by_use);
    for (int64_t i = 0; i < count; i++)
        p->order[i] = changes[i].index;
    atl_release(changes);
    return changes ? count : -1;
}

/* Lowers the `count` least useful changes by a level, or drops them if only their number matters. */
static void lower(const polishing *p, int64_t count, float *x)
{
    memcpy(x, p->best, (size_t)p->task.count * sizeof *x);
    for (int64_t k = 0; k < count; k++) {
        int64_t i = p->order[k];
        float d = x[i] - p->task.original[i];
        x[i] -= p->task.norm == ATL_NORM_L0 ? d : d > 0 ? 1.0f : -1.0f;
    }
}

/* One round: orders the changes by the gradient of the margin, and lowers as many as the network allows. */
static atl_status drop_changes(polishing *p, int *improved_out)
{
    static const double share[COUNTS] = {0.6,  0.45,  0.33,  0.25,  0.18,  0.13,  0.09,  0.06,
                                         0.04, 0.025, 0.015, 0.009, 0.005, 0.003, 0.001, 0.0004};
    memcpy(p->best, atl_attempt_best(p->attempt, NULL), (size_t)p->task.count * sizeof *p->best);
    atl_status status = atl_attempt_gradient(p->attempt, p->best, ATL_ATTACK_MARGIN, NULL, p->gradient, NULL, NULL);
    int64_t changed = status ? 0 : sort_changes(p);
    *improved_out = 0;
    if (changed < 0)
        return atl_out_of_memory();
    for (; p->first < COUNTS && !status; p->first += TOGETHER) {
        int trials = 0;
        for (int64_t last = 0; trials < TOGETHER; trials++) {
            int64_t count = (int64_t)(share[p->first + trials] * (double)changed);
            count = count > 0 ? count : TOGETHER - trials;
            count = count < changed ? count : changed;
            if (count == last || count == 0)
                break;
            lower(p, last = count, trial(p, trials));
        }
        status = trials ? judge(p, trials, improved_out) : ATL_OK;
        if (*improved_out)
            break;
    }
    return status;
}

/* In Linf all changes shrink together. */
static atl_status shrink_linf(polishing *p, int *improved_out)
{
    double size;
    const float *best = atl_attempt_best(p->attempt, &size);
    memcpy(p->best, best, (size_t)p->task.count * sizeof *p->best);
    int trials = 0;
    *improved_out = 0;
    for (int bound = (int)size - 1; bound > 0 && trials<TRIALS; bound = bound> 8 ? bound * 3 / 4 : bound - 1) {
        float *x = trial(p, trials++);
        for (int64_t i = 0; i < p->task.count; i++)
            x[i] = fminf(fmaxf(p->best[i], p->task.original[i] - (float)bound), p->task.original[i] + (float)bound);
    }
    return trials ? judge(p, trials, improved_out) : ATL_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static atl_status polish(polishing *p, const float *pixels)
{
    int improved;
    double before, after;
    atl_status status = try_fractions(p, pixels, &improved);
    if (!status && !atl_attempt_best(p->attempt, NULL))
        status = try_longer(p, pixels, &improved);
    for (int i = 0; i < MOST_ROUNDS && !status && atl_attempt_best(p->attempt, &before); i++) {
        status = p->task.norm == ATL_NORM_LINF ? shrink_linf(p, &improved) : drop_changes(p, &improved);
        atl_attempt_best(p->attempt, &after);
        if (after > before * 0.998)
            break;
    }
    return status;
}

atl_status atl_attempt_polish(atl_attempt *attempt, const float *pixels)
{
    if (!attempt || !pixels)
        return atl_null_argument("atl_attempt_polish", "an argument is");
    polishing p = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    p.trials = atl_attempt_room(attempt, TRIALS + 2);
    p.scores = atl_allocate((size_t)(TRIALS * p.task.classes), sizeof *p.scores);
    p.order = atl_allocate((size_t)p.task.count, sizeof *p.order);
    atl_status status = ATL_OUT_OF_MEMORY;
    if (p.trials && p.scores && p.order) {
        p.gradient = trial(&p, TRIALS);
        p.best = trial(&p, TRIALS + 1);
        status = polish(&p, pixels);
    } else
        atl_out_of_memory();
    atl_release(p.scores);
    atl_release(p.order);
    return status;
}
