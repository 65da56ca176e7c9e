/* The end of an attack within eps.  A picture that is nearly reached is worth more gradients than the others: its
 * margin has several maxima, and the attack has seen the wrong one. */
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

/* Up to `steps` steps, the first of which is `step` levels long, towards the class that the picture is nearest to. */
static atl_status climb(atl_attempt *attempt, int steps, double step, float *pixels)
{
    const atl_climbing how = {
        .steps = steps, .step = step, .loss = ATL_ATTACK_MARGIN, .shrinks = true, .momentum = 0.75f};
    return atl_climb(attempt, pixels, &how);
}

/* From the best picture; pixels: room for one. */
static atl_status climb_from_best(atl_attempt *attempt, int steps, float *pixels)
{
    const atl_attempt_task task = atl_attempt_task_of(attempt);
    atl_status status = ATL_OK;
    for (int i = 0; i < CLIMBS && !status && goes_on(attempt); i++) {
        memcpy(pixels, attempt->best, (size_t)task.count * sizeof *pixels);
        status = climb(attempt, steps, task.eps / (1 << i), pixels);
    }
    return status;
}

atl_status atl_climb_on(atl_attempt *attempt, int steps)
{
    float *pixels = atl_attempt_room(attempt, 1);
    return pixels ? climb_from_best(attempt, steps, pixels) : atl_out_of_memory();
}

atl_status atl_search_nearby(atl_attempt *attempt, int steps)
{
    const double eps = atl_attempt_task_of(attempt).eps;
    float *pixels = atl_attempt_room(attempt, 1);
    atl_status status = pixels ? climb_from_best(attempt, steps, pixels) : atl_out_of_memory();
    for (int i = 0; i < STARTS && !status && goes_on(attempt); i++) {
        const double before = attempt->best_margin;
        atl_climb_random(attempt, pixels);
        status = climb(attempt, steps, 2 * eps, pixels);
        if (!status && attempt->best_margin > before)
            status = climb_from_best(attempt, steps, pixels);
    }
    return status;
}
