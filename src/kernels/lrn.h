/* Local response normalisation and its gradient, over the channels of each pixel. */
#ifndef ATLED_KERNELS_LRN_H
#define ATLED_KERNELS_LRN_H

#include <stdint.h>

/* x s^-beta, s = bias + alpha (sum of x^2 over the channels from c - radius to c + radius that there are).  Given dy,
 * the gradient: dy s^-beta - 2 alpha beta x (sum of dy x s^(-beta - 1) over the same channels). */
typedef struct atl_normalization {
    int64_t pixels, channels, radius;
    float bias, alpha, beta;
    const float *x, *dy; /* [pixels, channels]; dy null: forward */
    int relu_grad;       /* the gradient is zero where x is not positive */
    float *result;
} atl_normalization;

enum {
    ATL_LRN_BLOCK = 512,     /* channels that lrn_block takes at most */
    ATL_LRN_MAX_RADIUS = 256 /* up to this radius, windows are summed in blocks */
};

/* lrn_vectors: the pixels first..last-1 in one pass over memory each, in registers, where lrn_fits_vectors: channels
 *     that fill whole vectors, up to 1024, a radius up to half a vector, beta 1/2, 3/4 or 1.
 * lrn_block, lrn_grad_block: the channels first..last-1 of one pixel, for any exponent; relu_grad is not done. */
#define ATL_LRN_KERNELS(K)                                                                                             \
    K(int, lrn_fits_vectors, (const atl_normalization *of))                                                            \
    K(void, lrn_vectors, (const atl_normalization *of, int64_t first, int64_t last))                                   \
    K(void, lrn_block, (const atl_normalization *job, const float *x, int64_t first, int64_t last, float *y))          \
    K(void, lrn_grad_block,                                                                                            \
      (const atl_normalization *job, const float *dy, const float *x, int64_t first, int64_t last, float *dx))

#endif
