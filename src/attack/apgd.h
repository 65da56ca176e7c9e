/* APGD, which several methods use. */
#ifndef ATLED_ATTACK_APGD_H
#define ATLED_ATTACK_APGD_H

#include "atled/adversarial.h"

atl_status atl_apgd(atl_attempt *attempt, atl_attack_loss loss);
/* With the DLR loss towards each of the nine classes with the highest scores, or towards the target. */
atl_status atl_apgd_targeted(atl_attempt *attempt);

#endif
