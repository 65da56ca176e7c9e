/* The classes that an attack can lead to. */
#include "attack/rivals.h"

#include <stdlib.h>

#include "attack/attempt.h"
#include "graph/error.h"
#include "graph/memory.h"

int atl_rivals_of(const atl_attempt_task *task, const float *scores, int most, int *rivals)
{
    int count = 0;
    if (task->target >= 0) {
        rivals[0] = task->target;
        return 1;
    }
    for (int class = 0; class < task->classes; class ++) {
        if (class == task->label)
            continue;
        int at = count < most ? count++ : most; /* insertion into a list that stays sorted */
        for (; at > 0 && scores[rivals[at - 1]] < scores[class]; at--)
            if (at < most)
                rivals[at] = rivals[at - 1];
        if (at < most)
            rivals[at] = class;
    }
    return count;
}

static void set_weights(const atl_attempt_task *task, int rival, float *weights)
{
    weights[rival] = 1;
    if (rival != task->label)
        weights[task->label] = -1;
}

atl_status atl_rival_gradient(atl_attempt *attempt, const float *pixels, int rival, float *gradient_out,
                              float *scores_out, double *difference_out)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *weights = atl_allocate((size_t)task.classes, sizeof *weights);
    if (!weights)
        return atl_out_of_memory();
    set_weights(&task, rival, weights);
    atl_status status =
        atl_attempt_gradient(attempt, pixels, ATL_ATTACK_WEIGHTED, weights, gradient_out, scores_out, difference_out);
    atl_release(weights);
    return status;
}

atl_status atl_rival_gradients(atl_attempt *attempt, const float *pixels, int count, const int *rivals,
                               float *gradients_out, double *differences_out)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    float *weights = atl_allocate((size_t)count * (size_t)task.classes, sizeof *weights);
    if (!weights)
        return atl_out_of_memory();
    for (int i = 0; i < count; i++)
        set_weights(&task, rivals[i], weights + (int64_t)i * task.classes);
    atl_status status = atl_attempt_gradients(attempt, pixels, count, weights, gradients_out, differences_out);
    atl_release(weights);
    return status;
}
