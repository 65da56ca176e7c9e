/* AutoAttack: APGD with the cross entropy, APGD towards nine classes, FAB towards nine classes and the square attack,
 * each if the one before has failed, with the constants of the publication (Croce & Hein 2020): 100 steps, 5000 trials.
 * In L1: five restarts, and APGD towards five classes (Croce & Hein 2021).
 * Where a result is judged as 8 bits store it, a picture that is nearly reached gets a search of ours at the end. */
#include "attack/apgd.h"
#include "attack/attempt.h"
#include "attack/fab.h"
#include "attack/finish.h"
#include "attack/remarks.h"
#include "attack/square_published.h"

static atl_status towards_classes(atl_attempt *attempt)
{
    return atl_apgd_targeted(attempt, atl_attempt_task_of(attempt).norm == ATL_NORM_L1 ? 5 : 9);
}

atl_status atl_method_autoattack(atl_attempt *attempt)
{
    static atl_status (*const parts[])(atl_attempt *) = {atl_method_apgd_ce, towards_classes, atl_fab_targeted,
                                                         atl_square_as_published};
    static const int steps[] = {100, 100, 100, 5000};
    int is_l1 = atl_attempt_task_of(attempt).norm == ATL_NORM_L1;
    atl_status status = ATL_OK;
    for (int i = 0; i < 4 && !status && !atl_attempt_is_done(attempt); i++) {
        atl_attempt_set_steps(attempt, steps[i], is_l1 && i == 0 ? 5 : 1);
        status = parts[i](attempt);
        if (!status && i == 3)
            atl_remark_on_black_box(attempt);
    }
    const int searches = !is_l1 && atl_attempt_task_of(attempt).is_rounded;
    return status || !searches ? status : atl_search_nearby(attempt, steps[0]);
}
