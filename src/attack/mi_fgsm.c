/* MI-FGSM: steps along a running sum of gradients, each divided by its mean magnitude (Dong et al. 2017).  There, the
 * step is eps over the number of steps, which reaches the bound with the last one only; eps succeeds more often. */
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"

atl_status atl_method_mi_fgsm(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 4);
    float *gradient = pixels + task.count, *sum = gradient + task.count, *copy = sum + task.count;
    double step = task.step_size > 0 ? task.step_size : task.eps;
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    memcpy(pixels, task.original, (size_t)task.count * sizeof *pixels);
    for (int i = 0; i < task.steps; i++) {
        atl_attack_loss loss = atl_attempt_loss(attempt, ATL_ATTACK_CROSS_ENTROPY);
        atl_status status = atl_attempt_gradient(attempt, pixels, loss, NULL, gradient, NULL, NULL);
        if (status || atl_attempt_is_done(attempt))
            return status;
        atl_climb_add_gradient(1, task.count, gradient, sum); /* as published */
        atl_climb_step(task.norm, step, task.count, sum, pixels, copy);
        atl_attempt_project(attempt, pixels);
    }
    return atl_attempt_offer(attempt, pixels);
}
