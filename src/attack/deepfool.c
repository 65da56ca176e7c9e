/* DeepFool: steps to the nearest boundary of the network's linear approximation (Moosavi-Dezfooli et al. 2015). */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/rivals.h"
#include "attack/vectors.h"
#include "graph/memory.h"

enum { MOST_RIVALS = 9 };
static const double overshoot = 0.02;

typedef struct nearest {
    double distance, difference;
    const float *gradient; /* of the nearest rival */
    float *gradients;      /* [MOST_RIVALS, elements] */
} nearest;

/* The nearest boundary at pixels, over the classes; none is sought if the scores, which come with the first gradient,
 * meet the goal. */
static atl_status find_nearest(atl_attempt *attempt, const atl_attempt_task *task, const float *pixels,
                               const int *rivals, int count, float *scores, nearest *n)
{
    double difference[MOST_RIVALS];
    n->distance = INFINITY;
    if (count == 0)
        return ATL_OK;
    atl_status status = atl_rival_gradient(attempt, pixels, rivals[0], n->gradients, scores, difference);
    if (!status && count > 1 && !atl_attempt_is_met(attempt, scores))
        status =
            atl_rival_gradients(attempt, pixels, count - 1, rivals + 1, n->gradients + task->count, difference + 1);
    if (status || atl_attempt_is_met(attempt, scores))
        return status;
    for (int i = 0; i < count; i++) {
        const float *gradient = n->gradients + i * task->count;
        double size = task->norm == ATL_NORM_LINF ? atl_l1_of(task->count, gradient) : atl_l2_of(task->count, gradient);
        double distance = size > 0 ? fabs(difference[i]) / size : INFINITY;
        if (!(distance < n->distance))
            continue;
        n->gradient = gradient;
        n->distance = distance;
        n->difference = difference[i];
    }
    return ATL_OK;
}

/* Adds the smallest change that crosses the linear boundary. */
static void add_step(const atl_attempt_task *task, const nearest *n, float *change)
{
    double square = atl_dot_of(task->count, n->gradient, n->gradient), gap = fabs(n->difference) + 1e-3;
    for (int64_t i = 0; i < task->count; i++)
        change[i] += task->norm == ATL_NORM_LINF ? (float)copysign(n->distance + 1e-3, (double)n->gradient[i])
                                                 : (float)(gap / square * (double)n->gradient[i]);
}

static atl_status walk(atl_attempt *attempt, const atl_attempt_task *task, float *pixels, float *scores, int *rivals)
{
    float *change = pixels + task->count;
    nearest n = {.gradients = change + task->count};
    memcpy(pixels, task->original, (size_t)task->count * sizeof *pixels);
    atl_status status = atl_attempt_scores(attempt, 1, pixels, scores);
    int count = status ? 0 : atl_rivals_of(task, scores, MOST_RIVALS, rivals);
    for (int i = 0; i < task->steps && !status; i++) {
        status = find_nearest(attempt, task, pixels, rivals, count, scores, &n);
        if (status || atl_attempt_is_met(attempt, scores) || !isfinite(n.distance))
            return status;
        add_step(task, &n, change);
        for (int64_t k = 0; k < task->count; k++)
            pixels[k] = task->original[k] + (float)(1 + overshoot) * change[k];
        atl_attempt_project(attempt, pixels);
    }
    return status ? status : atl_attempt_scores(attempt, 1, pixels, scores);
}

atl_status atl_method_deepfool(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    int rivals[MOST_RIVALS];
    float *pixels = atl_attempt_room(attempt, 2 + MOST_RIVALS);
    float *scores = atl_allocate((size_t)task.classes, sizeof *scores);
    atl_status status = pixels && scores ? walk(attempt, &task, pixels, scores, rivals) : ATL_OUT_OF_MEMORY;
    atl_release(scores);
    return status;
}
