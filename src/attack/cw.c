/* Carlini & Wagner 2016, L2: Adam on |x - original|^2 + constant * max(margin of the label, 0), with a search for the
 * constant.  x = (tanh w + 1) / 2 stays within the range. */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/constant_search.h"
#include "graph/memory.h"

static const double rate = 0.01, inside = 0.999999, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

typedef struct descent {
    atl_attempt *attempt;
    atl_attempt_task task;
    float *pixels, *w, *mean, *square, *gradient, *scores;
    double constant;
} descent;

/* x in levels from w; returns |x - original|^2, the range counted as 1. */
static double set_pixels(descent *d)
{
    double sum = 0;
    for (int64_t i = 0; i < d->task.count; i++) {
        d->pixels[i] = 127.5f * (tanhf(d->w[i]) + 1);
        double change = ((double)d->pixels[i] - (double)d->task.original[i]) / 255;
        sum += change * change;
    }
    return sum;
}

/* One iteration of Adam (Kingma & Ba 2014) on w. */
static void move(descent *d, int iteration)
{
    double first = 1 - pow(beta1, iteration + 1), second = 1 - pow(beta2, iteration + 1);
    for (int64_t i = 0; i < d->task.count; i++) {
        double x = (double)d->pixels[i] / 255, change = x - (double)d->task.original[i] / 255;
        double by_x = 2 * change + d->constant * (double)d->gradient[i];
        double g = by_x * 2 * x * (1 - x); /* dx/dw = (1 - tanh(w)^2) / 2 */
        d->mean[i] = (float)(beta1 * (double)d->mean[i] + (1 - beta1) * g);
        d->square[i] = (float)(beta2 * (double)d->square[i] + (1 - beta2) * g * g);
        d->w[i] -= (float)(rate * ((double)d->mean[i] / first) / (sqrt((double)d->square[i] / second) + epsilon));
    }
}

static atl_status descend(void *context, atl_constant_search *search, int *was_met_out)
{
    descent *d = context;
    size_t bytes = (size_t)d->task.count * sizeof(float);
    memset(d->mean, 0, bytes);
    memset(d->square, 0, bytes);
    for (int64_t i = 0; i < d->task.count; i++)
        d->w[i] = (float)atanh(inside * ((double)d->task.original[i] / 127.5 - 1));
    d->constant = search->value;
    for (int i = 0; i < d->task.steps && !atl_attempt_is_done(d->attempt); i++) {
        double size = set_pixels(d), loss;
        atl_attempt_project(d->attempt, d->pixels);
        atl_status status = atl_goal_loss(d->attempt, d->pixels, d->gradient, d->scores, &loss);
        if (status)
            return status;
        *was_met_out |= atl_attempt_is_met(d->attempt, d->scores);
        if (atl_constant_search_stalls(search, i, d->task.steps, size + d->constant * loss))
            break;
        move(d, i);
    }
    return ATL_OK;
}

atl_status atl_method_cw(atl_attempt *attempt)
{
    descent d = {.attempt = attempt, .task = atl_attempt_task_of(attempt)};
    d.pixels = atl_attempt_room(attempt, 5);
    d.scores = atl_allocate((size_t)d.task.classes, sizeof *d.scores);
    atl_status status = d.pixels && d.scores ? ATL_OK : ATL_OUT_OF_MEMORY;
    d.w = d.pixels + d.task.count;
    d.mean = d.w + d.task.count;
    d.square = d.mean + d.task.count;
    d.gradient = d.square + d.task.count;
    if (!status)
        status = atl_constant_search_run(d.task.restarts, descend, &d);
    atl_release(d.scores);
    return status;
}
