/* PGD: projected gradient steps from random starts (Madry et al. 2017).  The step follows eps and the number of steps:
 * together they can cross the ball and come back. */
#include "attack/attempt.h"
#include "attack/climb.h"

atl_status atl_method_pgd(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 1);
    double step = task.step_size > 0 ? task.step_size : 2.5 * task.eps / task.steps;
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    for (int i = 0; i < task.restarts && !atl_attempt_is_done(attempt); i++) {
        atl_climb_random(attempt, pixels);
        atl_status status = atl_climb(attempt, pixels, task.steps, step);
        if (status)
            return status;
    }
    return ATL_OK;
}
