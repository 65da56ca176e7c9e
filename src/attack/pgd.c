/* PGD: projected gradient steps from random starts (Madry et al. 2017).  The step follows eps and the number of steps:
 * together they can cross the ball and come back.  Each start has a loss of its own: the cross entropy, the margin,
 * and then, as multi-targeted attacks do (Gowal et al. 2019), the margin of one other class after another, the most
 * probable first.  These more starts, unless their number is given, are only for pictures whose goal came near. */
#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"
#include "attack/finish.h"
#include "attack/rivals.h"
#include "graph/error.h"
#include "graph/memory.h"

/* More starts, one for each of the most probable classes, for pictures that a bound half as large again would reach;
 * and then more steps from the best picture, where a fiftieth more would do. */
enum { NEAR_CLASSES = 5 };
static const double near_share = 0.5;

typedef struct others {
    float *scores, *weights; /* [classes] of each; of the unchanged picture, and of the loss */
    int *rivals, count;      /* 0: not sorted yet */
} others;

/* The weights of the margin of the other class at that place. */
static atl_status weigh(atl_attempt *attempt, const atl_attempt_task *task, others *o, int place)
{
    atl_status status = ATL_OK;
    if (o->count == 0) {
        status = atl_attempt_scores(attempt, 1, task->original, o->scores);
        o->count = atl_rivals_of(task, o->scores, task->classes - 1, o->rivals);
    }
    for (int i = 0; i < task->classes; i++)
        o->weights[i] = 0;
    o->weights[o->rivals[place % o->count]] = 1;
    o->weights[task->label] = -1;
    return status;
}

/* The first start has steps of one size.  Those of the others are long at first, so that they reach the corners of the
 * ball, and end at nothing; a running sum of gradients leads them, as in APGD (Croce & Hein 2020).
 * In L1 all are so, without the sum: steps are sparse, and what they change in vain is taken back later.  The first
 * start stays within eps; the others come from far outside, as in APGD for L1 (Croce & Hein 2021), because a network
 * that was trained to resist is flat around the picture. */
static void set_step(const atl_attempt *attempt, const atl_attempt_task *task, int start, atl_climbing *how)
{
    bool is_l1 = task->norm == ATL_NORM_L1;
    how->widest = is_l1 && start > 0 && !attempt->args->project ? 6 : 1;
    how->step = task->step_size > 0 ? task->step_size : 2.5 * task->eps / task->steps;
    if (task->step_size > 0 || (start == 0 && !is_l1))
        return;
    how->shrinks = true;
    how->step = !is_l1 ? 2 * task->eps : how->widest > 1 ? task->eps : task->eps / 2;
    how->momentum = is_l1 ? 0 : 0.75f;
}

static atl_status climb(atl_attempt *attempt, const atl_attempt_task *task, others *o, int start, float *pixels)
{
    atl_climbing how = {.steps = task->steps, .loss = start % 2 ? ATL_ATTACK_MARGIN : ATL_ATTACK_CROSS_ENTROPY};
    atl_status status = ATL_OK;
    set_step(attempt, task, start, &how);
    if (start >= 2 && task->target < 0) {
        status = weigh(attempt, task, o, start - 2);
        how.loss = ATL_ATTACK_WEIGHTED;
        how.weights = o->weights;
    }
    if (how.widest > 1) {
        atl_climb_noise(attempt, pixels);
        atl_project_change(task->norm, how.widest * task->eps, task->count, task->original, pixels);
    } else
        atl_climb_random(attempt, pixels);
    return status ? status : atl_climb(attempt, pixels, &how);
}

static atl_status climb_near(atl_attempt *attempt, const atl_attempt_task *task, others *o, float *pixels)
{
    if (attempt->args->restarts || attempt->attacker->has_own_loss || task->target >= 0)
        return ATL_OK;
    atl_status status = weigh(attempt, task, o, 0);
    int most = task->restarts + (o->count < NEAR_CLASSES ? o->count : NEAR_CLASSES);
    for (int i = task->restarts;
         i < most && !status && !atl_attempt_is_done(attempt) && atl_attempt_is_near(attempt, near_share); i++)
        status = climb(attempt, task, o, i, pixels);
    return status || task->norm == ATL_NORM_L1 ? status : atl_climb_on(attempt, task->steps);
}

atl_status atl_method_pgd(atl_attempt *attempt)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    size_t classes = (size_t)task.classes;
    float *pixels = atl_attempt_room(attempt, 1);
    others o = {.scores = atl_allocate(2 * classes, sizeof(float)), .rivals = atl_allocate(classes, sizeof(int))};
    atl_status status = pixels && o.scores && o.rivals ? ATL_OK : atl_out_of_memory();
    o.weights = o.scores ? o.scores + classes : NULL;
    for (int i = 0; i < task.restarts && !status && !atl_attempt_is_done(attempt); i++)
        status = climb(attempt, &task, &o, i, pixels);
    if (!status && !atl_attempt_is_done(attempt))
        status = climb_near(attempt, &task, &o, pixels);
    atl_release(o.scores);
    atl_release(o.rivals);
    return status;
}
