/* FAB, which AutoAttack uses, too. */
#ifndef ATLED_ATTACK_FAB_H
#define ATLED_ATTACK_FAB_H

#include "atled/adversarial.h"

atl_status atl_fab_targeted(atl_attempt *attempt);

#endif
