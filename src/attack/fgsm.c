/* FGSM: one step along the gradient (Goodfellow et al. 2014). */
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"

atl_status atl_method_fgsm(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 1);
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    memcpy(pixels, task.original, (size_t)task.count * sizeof *pixels);
    double step = task.step_size > 0 ? task.step_size : task.eps;
    return atl_climb(attempt, pixels, &(atl_climbing){.steps = 1, .step = step});
}
