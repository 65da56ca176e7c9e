/* The square attack in L2 and L1. */
#ifndef ATLED_ATTACK_SQUARE_WINDOWS_H
#define ATLED_ATTACK_SQUARE_WINDOWS_H

#include "attack/square.h"

atl_status atl_square_windows_start(atl_square *search);
/* One trial, with windows of that share of the picture's area. */
atl_status atl_square_windows_try(atl_square *search, double share);

#endif
