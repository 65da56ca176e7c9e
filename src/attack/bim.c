/* BIM: steps along the gradient from the unchanged picture (Kurakin et al. 2016). */
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"

atl_status atl_method_bim(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 1);
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    memcpy(pixels, task.original, (size_t)task.count * sizeof *pixels);
    double step = task.step_size > 0 ? task.step_size : task.eps / 5;
    return atl_climb(attempt, pixels, &(atl_climbing){.steps = task.steps, .step = step});
}
