/* AutoAttack: APGD with the cross entropy, APGD towards nine classes, FAB towards nine classes and the square attack,
 * each if the one before has failed, with the constants of the publication (Croce & Hein 2020): 100 steps, 5000
 * trials. */
#include "attack/apgd.h"
#include "attack/attempt.h"
#include "attack/fab.h"

atl_status atl_method_autoattack(atl_attempt *attempt)
{
    static atl_status (*const parts[])(atl_attempt *) = {atl_method_apgd_ce, atl_apgd_targeted, atl_fab_targeted,
                                                         atl_method_square};
    static const int steps[] = {100, 100, 100, 5000};
    atl_status status = ATL_OK;
    for (int i = 0; i < 4 && !status && !atl_attempt_is_done(attempt); i++) {
        atl_attempt_set_steps(attempt, steps[i], 1);
        status = parts[i](attempt);
    }
    return status;
}
