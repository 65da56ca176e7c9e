/* Universal perturbation and patch: the change is found for all pictures of the call first (shared_change.c); here it
 * comes on one picture. */
#include "attack/shared_change.h"

atl_status atl_method_universal(atl_attempt *attempt)
{
    float *pixels = atl_attempt_room(attempt, 1);
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    atl_shared_change_apply(attempt->shared, attempt->task.original, (atl_patch_place){0, 0}, pixels);
    return atl_attempt_offer(attempt, pixels);
}

/* At random places, one for each restart. */
atl_status atl_method_patch(atl_attempt *attempt)
{
    float *pixels = atl_attempt_room(attempt, 1);
    if (!pixels)
        return ATL_OUT_OF_MEMORY;
    for (int i = 0; i < attempt->task.restarts && !atl_attempt_is_done(attempt); i++) {
        double u = atl_attempt_uniform(attempt), v = atl_attempt_uniform(attempt);
        atl_shared_change_apply(attempt->shared, attempt->task.original, atl_patch_place_at(attempt->shared, u, v),
                                pixels);
        atl_status status = atl_attempt_offer(attempt, pixels);
        if (status)
            return status;
    }
    return ATL_OK;
}
