/* Steps along a gradient, shared by the methods that climb a loss within eps. */
#ifndef ATLED_ATTACK_CLIMB_H
#define ATLED_ATTACK_CLIMB_H

#include "atled/adversarial.h"

/* Moves pixels uphill by `step` in that norm; copy: room for `count` numbers. */
void atl_climb_step(atl_norm norm, double step, int64_t count, const float *gradient, float *pixels, float *copy);
/* In L1: moves the `wanted` elements with the largest gradients, together by `step` (Tramer & Boneh 2019). */
void atl_climb_step_l1(int64_t wanted, double step, int64_t count, const float *gradient, float *pixels, float *copy);
/* Adds a gradient, over the mean magnitude of its elements, to a running sum, of which the part `momentum` stays.  A
 * gradient of zeros leaves the sum as it is. */
void atl_climb_add_gradient(float momentum, int64_t count, const float *gradient, float *sum);
typedef struct atl_climbing {
    int steps;
    double step;          /* in levels */
    bool shrinks;         /* to nothing at the end */
    double widest;        /* the bound at first, in eps; it shrinks to eps in 0.6 of the steps; 1 or less: eps */
    float momentum;       /* the part of the earlier gradients that stays in the direction; below 1 */
    atl_attack_loss loss; /* unless the caller has an own one */
    const float *weights; /* as for atl_attempt_gradient */
} atl_climbing;
/* Steps uphill until the attempt is done, and offers the last picture. */
atl_status atl_climb(atl_attempt *attempt, float *pixels, const atl_climbing *how);
/* A random picture within eps: uniform in the ball of the norm. */
void atl_climb_random(atl_attempt *attempt, float *pixels);
/* The picture with normal noise as large as the range of a pixel: to be projected. */
void atl_climb_noise(atl_attempt *attempt, float *pixels);

#endif
