/* APGD: gradient steps with momentum, whose size halves when the loss stops rising (Croce & Hein 2020), with the cross
 * entropy, the ratio of score differences (DLR), or that ratio towards each of the nearest classes. */
#include "attack/apgd.h"

#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"
#include "attack/rivals.h"
#include "attack/vectors.h"
#include "graph/memory.h"

enum { MOST_RIVALS = 9 };
static const double momentum = 0.75, rising_share = 0.75;

static void keep_best(atl_ascent *a)
{
    if (!(a->value > a->best_value))
        return;
    size_t bytes = (size_t)a->task.count * sizeof(float);
    a->best_value = a->value;
    memcpy(a->best, a->pixels, bytes);
    memcpy(a->best_gradient, a->gradient, bytes);
}

atl_status atl_ascent_measure(atl_ascent *a)
{
    atl_status status = atl_attempt_gradient(a->attempt, a->pixels, a->loss, a->weights, a->gradient, NULL, &a->value);
    if (!status)
        keep_best(a);
    return status;
}

/* Linf: uniform, with the largest element at eps; L2: of length eps. */
static void start(atl_ascent *a)
{
    double size = 0;
    for (int64_t i = 0; i < a->task.count; i++) {
        double x =
            a->task.norm == ATL_NORM_LINF ? 2 * atl_attempt_uniform(a->attempt) - 1 : atl_attempt_normal(a->attempt);
        a->pixels[i] = (float)x;
        size = a->task.norm == ATL_NORM_LINF ? fmax(size, fabs(x)) : size + x * x;
    }
    size = a->task.norm == ATL_NORM_LINF ? size : sqrt(size);
    for (int64_t i = 0; i < a->task.count; i++)
        a->pixels[i] = a->task.original[i] + (float)(a->task.eps / size) * a->pixels[i];
    atl_attempt_project(a->attempt, a->pixels);
}

/* One step along the gradient, and one along the last movement. */
static void advance(atl_ascent *a, int is_first)
{
    double part = is_first ? 1 : momentum;
    size_t bytes = (size_t)a->task.count * sizeof(float);
    memcpy(a->next, a->pixels, bytes);
    atl_climb_step(a->task.norm, a->step, a->task.count, a->gradient, a->next, a->copy);
    atl_attempt_project(a->attempt, a->next);
    for (int64_t i = 0; i < a->task.count; i++)
        a->next[i] = a->pixels[i] + (float)part * (a->next[i] - a->pixels[i]) +
                     (float)(1 - part) * (a->pixels[i] - a->before[i]);
    atl_attempt_project(a->attempt, a->next);
    memcpy(a->before, a->pixels, bytes);
    memcpy(a->pixels, a->next, bytes);
}

static atl_status ascend(atl_ascent *a)
{
    int steps = a->task.steps, period = steps * 22 / 100, least = steps * 6 / 100, shorter = steps * 3 / 100;
    int since = 0, rises = 0, was_halved = 0;
    double last_best = -INFINITY, last = -INFINITY;
    period = period ? period : 1;
    least = least ? least : 1;
    shorter = shorter ? shorter : 1;
    a->step = 2 * a->task.eps;
    a->best_value = -INFINITY;
    start(a);
    memcpy(a->before, a->pixels, (size_t)a->task.count * sizeof(float));
    for (int i = 0; i <= steps; i++) {
        atl_status status = atl_ascent_measure(a);
        if (status || atl_attempt_is_done(a->attempt))
            return status;
        rises += i > 0 && a->value > last;
        last = a->value;
        if (i > 0 && ++since == period) {
            int halves = rises <= since * rising_share || (!was_halved && last_best >= a->best_value);
            was_halved = halves;
            last_best = a->best_value;
            if (halves) {
                a->step /= 2;
                memcpy(a->pixels, a->best, (size_t)a->task.count * sizeof(float));
                memcpy(a->gradient, a->best_gradient, (size_t)a->task.count * sizeof(float));
            }
            since = rises = 0;
            period = period - shorter > least ? period - shorter : least;
        }
        if (i < steps)
            advance(a, i == 0);
    }
    return atl_attempt_offer(a->attempt, a->best);
}

static atl_status begin(atl_attempt *attempt, atl_attack_loss loss, atl_ascent *a)
{
    *a = (atl_ascent){.attempt = attempt, .task = atl_attempt_task_of(attempt), .loss = loss};
    float *room = atl_attempt_room(attempt, 7);
    a->pixels = room;
    a->before = room + a->task.count;
    a->next = a->before + a->task.count;
    a->gradient = a->next + a->task.count;
    a->best = a->gradient + a->task.count;
    a->best_gradient = a->best + a->task.count;
    a->copy = a->best_gradient + a->task.count;
    return room ? ATL_OK : ATL_OUT_OF_MEMORY;
}

atl_status atl_apgd(atl_attempt *attempt, atl_attack_loss loss)
{
    atl_ascent a;
    atl_status status = begin(attempt, atl_attempt_loss(attempt, loss), &a);
    for (int i = 0; i < a.task.restarts && !status && !atl_attempt_is_done(attempt); i++)
        status = a.task.norm == ATL_NORM_L1 ? atl_ascend_l1(&a) : ascend(&a);
    return status;
}

atl_status atl_apgd_targeted(atl_attempt *attempt, int most)
{
    atl_ascent a;
    int rivals[MOST_RIVALS];
    atl_status status = begin(attempt, ATL_ATTACK_DLR, &a);
    float *scores = atl_allocate(2 * (size_t)a.task.classes, sizeof *scores);
    a.weights = scores ? scores + a.task.classes : NULL;
    if (!status)
        status = scores ? atl_attempt_scores(attempt, 1, a.task.original, scores) : ATL_OUT_OF_MEMORY;
    int count = status ? 0 : atl_rivals_of(&a.task, scores, most < MOST_RIVALS ? most : MOST_RIVALS, rivals);
    for (int i = 0; i < a.task.restarts && !status; i++)
        for (int k = 0; k < count && !status && !atl_attempt_is_done(attempt); k++) {
            memset(a.weights, 0, (size_t)a.task.classes * sizeof *a.weights);
            a.weights[rivals[k]] = 1;
            a.weights[a.task.label] -= 1;
            status = a.task.norm == ATL_NORM_L1 ? atl_ascend_l1(&a) : ascend(&a);
        }
    atl_release(scores);
    return status;
}

atl_status atl_method_apgd_ce(atl_attempt *attempt) { return atl_apgd(attempt, ATL_ATTACK_CROSS_ENTROPY); }
atl_status atl_method_apgd_dlr(atl_attempt *attempt) { return atl_apgd(attempt, ATL_ATTACK_DLR); }
atl_status atl_method_apgd_t(atl_attempt *attempt) { return atl_apgd_targeted(attempt, MOST_RIVALS); }
