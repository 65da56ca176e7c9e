#include "attack/finish.h"

#include <string.h>

#include "attack/attempt.h"
#include "attack/climb.h"
#include "graph/error.h"

enum { CLIMBS = 4, STARTS = 16 };
static const double last_share = 0.02;

bool atl_attempt_is_near(const atl_attempt *attempt, double share)
{
    double before = attempt->clean_margin, after = attempt->best_margin;
    return after > before && -after < share * (after - before);
}

static bool goes_on(const atl_attempt *attempt)
{
    return !atl_attempt_is_done(attempt) && atl_attempt_is_near(attempt, last_share);
}

static atl_climbing with_long_steps(int steps, double step)
{
    return (atl_climbing){.steps = steps, .step = step, .loss = ATL_ATTACK_MARGIN, .shrinks = true, .momentum = 0.75f};
}

atl_status atl_climb_on(atl_attempt *attempt, int steps)
{
    const atl_attempt_task task = atl_attempt_task_of(attempt);
    float *pixels = atl_attempt_room(attempt, 1);
    atl_status status = pixels ? ATL_OK : atl_out_of_memory();
    for (int i = 0; i < CLIMBS && !status && goes_on(attempt); i++) {
        const atl_climbing how = with_long_steps(steps, task.eps / (1 << i));
        memcpy(pixels, attempt->best, (size_t)task.count * sizeof *pixels);
        status = atl_climb(attempt, pixels, &how);
    }
    return status;
}

atl_status atl_search_nearby(atl_attempt *attempt, int steps)
{
    const atl_climbing how = with_long_steps(steps, 2 * atl_attempt_task_of(attempt).eps);
    atl_status status = atl_climb_on(attempt, steps);
    for (int i = 0; i < STARTS && !status && goes_on(attempt); i++) {
        float *pixels = atl_attempt_room(attempt, 1);
        const double before = attempt->best_margin;
        if (!pixels)
            return atl_out_of_memory();
        atl_climb_random(attempt, pixels);
        status = atl_climb(attempt, pixels, &how);
        if (!status && attempt->best_margin > before)
            status = atl_climb_on(attempt, steps);
    }
    return status;
}
