/* EAD: the elastic net of L1 and L2, |x - original|^2 + beta |x - original|_1 + constant * max(margin of the label, 0),
 * by accelerated proximal steps, with a search for the constant (Chen et al. 2017). */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/constant_search.h"
#include "graph/memory.h"

static const double first_rate = 0.01, beta = 0.01;

typedef struct descent {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *pixels, *ahead, *gradient, *scores; /* pixels: the iterate; ahead: extrapolated, where the gradient is */
    double constant;
} descent;

/* A step from `ahead`; changes of at most beta vanish, all others shrink by it; then the extrapolation. */
static void move(descent *d, int iteration)
{
    double rate = first_rate * sqrt(1 - (double)iteration / d->task.steps);
    double part = (double)iteration / (iteration + 3);
    for (int64_t i = 0; i < d->task.count; i++) {
        double original = (double)d->task.original[i] / 255, y = (double)d->ahead[i] / 255;
        double change = y - original - rate * (2 * (y - original) + d->constant * (double)d->gradient[i]);
        double shrunk = fabs(change) > beta ? copysign(fabs(change) - beta, change) : 0;
        float next = shrunk == 0 ? d->task.original[i] : (float)(255 * fmin(fmax(original + shrunk, 0), 1));
        d->ahead[i] = next + (float)part * (next - d->pixels[i]);
        d->pixels[i] = next;
    }
}

static double elastic_net(const descent *d)
{
    double l2 = atl_change_size(ATL_NORM_L2, d->task.count, d->task.original, d->ahead) / 255;
    return l2 * l2 + beta * atl_change_size(ATL_NORM_L1, d->task.count, d->task.original, d->ahead) / 255;
}

static atl_status descend(void *context, atl_constant_search *search, int *was_met_out)
{
    descent *d = context;
    size_t bytes = (size_t)d->task.count * sizeof(float);
    memcpy(d->pixels, d->task.original, bytes);
    memcpy(d->ahead, d->task.original, bytes);
    d->constant = search->value;
    for (int i = 0; i < d->task.steps && !atl_attempt_is_done(d->attempt); i++) {
        double loss;
        atl_status status = atl_goal_loss(d->attempt, d->ahead, d->gradient, d->scores, &loss);
        if (status)
            return status;
        if (atl_constant_search_stalls(search, i, d->task.steps, elastic_net(d) + d->constant * loss))
            break;
        move(d, i);
        atl_attempt_project(d->attempt, d->pixels);
        status = atl_attempt_scores(d->attempt, 1, d->pixels, d->scores);
        if (status)
            return status;
        *was_met_out |= atl_attempt_is_met(d->attempt, d->scores);
    }
    return ATL_OK;
}

atl_status atl_method_ead(atl_attempt *attempt)
{
    descent d = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    d.pixels = atl_attempt_room(attempt, 3);
    d.scores = atl_allocate((size_t)d.task.classes, sizeof *d.scores);
    atl_status status = d.pixels && d.scores ? ATL_OK : ATL_OUT_OF_MEMORY;
    d.ahead = d.pixels + d.task.count;
    d.gradient = d.ahead + d.task.count;
    if (!status)
        status = atl_constant_search_run(d.task.restarts, descend, &d);
    atl_release(d.scores);
    return status;
}
