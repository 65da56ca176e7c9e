/* APGD, which several methods use. */
#ifndef ATLED_ATTACK_APGD_H
#define ATLED_ATTACK_APGD_H

#include "atled/adversarial.h"

/* One ascent, and its best place so far. */
typedef struct atl_ascent {
    atl_attempt *attempt;
    atl_attempt_task task;
    atl_attack_loss loss;
    float *weights; /* of DLR towards a class; null: none */
    float *pixels, *before, *next, *gradient, *best, *best_gradient, *copy;
    double value, best_value, step;
} atl_ascent;

/* The loss and its gradient at the pixels; keeps the best place. */
atl_status atl_ascent_measure(atl_ascent *ascent);
atl_status atl_ascend_l1(atl_ascent *ascent); /* from a random picture, in L1: apgd_l1.c */

atl_status atl_apgd(atl_attempt *attempt, atl_attack_loss loss);
/* With the DLR loss towards each of the `most` classes with the highest scores, or towards the target. */
atl_status atl_apgd_targeted(atl_attempt *attempt, int most);

#endif
