/* The square attack as AutoAttack uses it. */
#ifndef ATLED_ATTACK_SQUARE_PUBLISHED_H
#define ATLED_ATTACK_SQUARE_PUBLISHED_H

#include "atled/adversarial.h"

/* Squares shrink as they would in 10,000 trials, however few there are. */
atl_status atl_square_as_published(atl_attempt *attempt);

#endif
