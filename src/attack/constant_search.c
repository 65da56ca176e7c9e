/* The search for the constant of Carlini & Wagner 2016, which EAD uses, too: it grows tenfold until the goal is met;
 * after that it is halfway between the last failure and the last success. */
#include "attack/constant_search.h"

#include <math.h>
#include <string.h>

#include "attack/attempt.h"

static const double first_constant = 1e-3, least_fall = 1e-4;

static void choose_next(atl_constant_search *s, int was_met)
{
    if (was_met)
        s->high = fmin(s->high, s->value);
    else
        s->low = fmax(s->low, s->value);
    s->value = isfinite(s->high) ? (s->low + s->high) / 2 : 10 * s->value;
}

atl_status atl_constant_search_run(int restarts, atl_constant_descend *descend, void *context)
{
    atl_constant_search search = {.value = first_constant, .high = INFINITY};
    atl_status status = ATL_OK;
    for (int i = 0; i < restarts && !status; i++) {
        int was_met = 0;
        search.last_loss = INFINITY;
        status = descend(context, &search, &was_met);
        choose_next(&search, was_met);
    }
    return status;
}

int atl_constant_search_stalls(atl_constant_search *s, int step, int steps, double loss)
{
    if (step % (steps >= 10 ? steps / 10 : 1) != 0)
        return 0;
    int stalls = loss > s->last_loss * (1 - least_fall);
    s->last_loss = loss;
    return stalls;
}

atl_status atl_goal_loss(atl_attempt *attempt, const float *pixels, float *gradient_out, float *scores_out,
                         double *loss_out)
{
    atl_attempt_task task = atl_attempt_task_of(attempt);
    double value;
    atl_attack_loss loss = atl_attempt_loss(attempt, ATL_ATTACK_MARGIN);
    atl_status status = atl_attempt_gradient(attempt, pixels, loss, NULL, gradient_out, scores_out, &value);
    if (status)
        return status;
    int is_met = atl_attempt_is_met(attempt, scores_out);
    double needed = atl_needed_margin(attempt, scores_out);
    *loss_out = is_met ? 0 : loss == ATL_ATTACK_MARGIN ? needed - value : -value;
    for (int64_t i = 0; i < task.count; i++)
        gradient_out[i] = is_met ? 0 : -255 * gradient_out[i];
    return ATL_OK;
}
