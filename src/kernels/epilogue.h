/* The operations that a convolution applies to each result before it is written, in this order.  Null or 0: not
 * applied. */
#ifndef ATLED_KERNELS_EPILOGUE_H
#define ATLED_KERNELS_EPILOGUE_H

#include <stdint.h>

/* Element-wise operations of another step on the results first..last-1, in the order of memory, of a dense array: the
 * kernel calls it once for each range that it has written, while the caches hold it.  Each element is in one range. */
typedef struct atl_post_op {
    void (*apply)(const void *job, int64_t first, int64_t last); /* null: none */
    const void *job;
} atl_post_op;

typedef struct atl_epilogue {
    const float *bias;      /* [out]: added */
    const float *residual;  /* of the result's shape, dense: added */
    int relu;               /* 0 where the sum is not above 0; NaN stays NaN */
    float highest;          /* what is above it becomes it, or has no gradient, as in relu6; 0: no limit */
    const float *relu_grad; /* of the result's shape, dense: 0 where it is not positive, and below `highest` */
    const uint8_t *mask;    /* the same as bits: see kernels/mask.h */
    uint8_t *positive;      /* not by vectors of four: a mask that is made, of what is written */
    /* Only pointwise_convolve applies these: */
    const float *scale;          /* [out]: factors */
    const float *addend;         /* of the result's shape: added to what is scaled */
    int64_t addend_pixel_stride; /* floats from pixel to pixel */
    const float *factor;         /* of the result's shape, dense: factors */
    atl_post_op post_op;         /* last, on what is written */
} atl_epilogue;

static inline void atl_apply_post_op(const atl_epilogue *end, int64_t first, int64_t last)
{
    if (end->post_op.apply && first < last)
        end->post_op.apply(end->post_op.job, first, last);
}

#endif
