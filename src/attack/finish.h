/* What an attack within eps does at its end for a picture that it has nearly reached. */
#ifndef ATLED_ATTACK_FINISH_H
#define ATLED_ATTACK_FINISH_H

#include "atled/adversarial.h"

/* Whether a bound that is larger by that share would do, if the margin goes on rising at the same rate. */
bool atl_attempt_is_near(const atl_attempt *attempt, double share);
/* Goes on from the best picture, with ever shorter steps, towards the class that it is nearest to: four times `steps`
 * gradients, as long as a fiftieth more of eps would do.  Not in L1, whose steps are of another kind. */
atl_status atl_climb_on(atl_attempt *attempt, int steps);
/* The same, then up to 16 random starts within eps, whose steps are long at first; after a start that found a better
 * picture it goes on from there. */
atl_status atl_search_nearby(atl_attempt *attempt, int steps);

#endif
