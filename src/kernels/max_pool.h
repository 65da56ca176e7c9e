/* Max-pooling of NHWC images, and its gradient, a vector of channels at a time. */
#ifndef ATLED_KERNELS_MAX_POOL_H
#define ATLED_KERNELS_MAX_POOL_H

#include <stdint.h>

/* One direction of the window: element i of the window at output o is pixel o * stride - pad + i. */
typedef struct atl_pool_direction {
    int64_t input, output, size, stride, pad;
} atl_pool_direction;

enum { ATL_MAX_POOL_ELEMENTS = 256 }; /* of a window: the position of its maximum is kept in a byte */

/* The image is [batch, height, width, channels], the result [batch, output height, output width, channels], both
 * dense; channels is a multiple of a vector, and every window has a pixel of the image. */
typedef struct atl_max_pool {
    int64_t batch, channels;
    atl_pool_direction v, h;
    const float *x;            /* image */
    float *y;                  /* result: the first NaN of a window, else its maximum */
    uint8_t *positions;        /* of the result's shape: the element of the window, row by row; null: not wanted */
    const float *dy;           /* gradient of the result */
    const uint8_t *maximum_at; /* the positions that the forward pass found */
    float *dx;                 /* gradient of the image */
} atl_max_pool;

/* max_pool_rows: rows first..last-1 of y, over all images
 * max_pool_gradient_rows: the same of dx; each element is the sum of dy of the windows whose maximum it is */
#define ATL_MAX_POOL_KERNELS(K)                                                                                        \
    K(void, max_pool_rows, (const atl_max_pool *p, int64_t first, int64_t last))                                       \
    K(void, max_pool_gradient_rows, (const atl_max_pool *p, int64_t first, int64_t last))

#endif
