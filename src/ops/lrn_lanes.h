/* Local response normalisation and its gradient, where channels fill whole vectors: one pass over memory each. */
#ifndef ATLED_OPS_LRN_LANES_H
#define ATLED_OPS_LRN_LANES_H

#include <stdint.h>

/* x s^-beta, s = bias + alpha (sum of x^2 over the channels from c - radius to c + radius that there are).  Given dy, the gradient:
 * dy s^-beta - 2 alpha beta x (sum of dy x s^(-beta - 1) over the same channels). */
typedef struct atl_normalisation {
    int64_t pixels, channels, radius;
    float bias, alpha, beta;
    const float *x, *dy; /* [pixels, channels]; dy null: forward */
    int relu_gradient;   /* the gradient is zero where x is not positive */
    float *result;
} atl_normalisation;

/* True if the processor has the registers, and the sizes are such: channels in sixteens up to 1024, a radius of 1 to 8, beta 1/2, 3/4
 * or 1. */
int atl_suits_lanes(const atl_normalisation *of);
void atl_normalise_in_lanes(const atl_normalisation *of);

#endif
