/* DDN: the direction follows the gradient, the norm grows or shrinks by a twentieth (Rony et al. 2018). */
#include <math.h>
#include <string.h>

#include "attack/attempt.h"
#include "attack/vectors.h"
#include "graph/memory.h"

static const double gamma_of_norm = 0.05, first_norm = 255, last_rate = 0.01;

/* change <- norm * change / |change| */
static void rescale(int64_t count, float *change, double norm)
{
    double size = atl_l2_of(count, change);
    for (int64_t i = 0; size > 0 && i < count; i++)
        change[i] = (float)(norm / size * (double)change[i]);
}

static atl_status descend(atl_attempt *attempt, const atl_attempt_task *task, float *pixels, float *scores)
{
    float *change = pixels + task->count, *gradient = change + task->count;
    double norm = first_norm;
    memcpy(pixels, task->original, (size_t)task->count * sizeof *pixels);
    for (int i = 0; i < task->steps; i++) {
        atl_attack_loss loss = atl_attempt_loss(attempt, ATL_ATTACK_CROSS_ENTROPY);
        atl_status status = atl_attempt_gradient(attempt, pixels, loss, NULL, gradient, scores, NULL);
        if (status || atl_attempt_is_done(attempt))
            return status;
        double cosine = (1 + cos(3.14159265358979323846 * i / task->steps)) / 2;
        double rate = 255 * (last_rate + (1 - last_rate) * cosine), size = atl_l2_of(task->count, gradient);
        for (int64_t k = 0; size > 0 && k < task->count; k++)
            change[k] += (float)(rate / size * (double)gradient[k]);
        norm *= atl_attempt_margin(attempt, scores) > 0 ? 1 - gamma_of_norm : 1 + gamma_of_norm;
        rescale(task->count, change, norm);
        for (int64_t k = 0; k < task->count; k++)
            pixels[k] = task->original[k] + change[k];
        atl_attempt_project(attempt, pixels);
        for (int64_t k = 0; k < task->count; k++) {
            pixels[k] = task->is_rounded ? roundf(pixels[k]) : pixels[k]; /* as published: the levels of 8 bits */
            change[k] = pixels[k] - task->original[k];
        }
    }
    return atl_attempt_offer(attempt, pixels);
}

atl_status atl_method_ddn(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 3);
    float *scores = atl_allocate((size_t)task.classes, sizeof *scores);
    atl_status status = pixels && scores ? descend(attempt, &task, pixels, scores) : ATL_OUT_OF_MEMORY;
    atl_release(scores);
    if (!status && isfinite(task.eps))
        return ATL_OK;
    double size;
    const float *best = atl_attempt_best(attempt, &size);
    if (!status && best) { /* drops what is not needed */
        memcpy(pixels, best, (size_t)task.count * sizeof *pixels);
        status = atl_attempt_polish(attempt, pixels);
    }
    return status;
}
