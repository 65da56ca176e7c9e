/* Random changes of size eps, as a control: what an attack does better than this is owed to its method. */
#include "attack/attempt.h"
#include "attack/climb.h"

atl_status atl_method_noise(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 1);
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    for (int i = 0; i < task.restarts && !atl_attempt_is_done(attempt); i++) {
        atl_climb_random(attempt, pixels);
        atl_status status = atl_attempt_offer(attempt, pixels);
        if (status)
            return status;
    }
    return ATL_OK;
}
