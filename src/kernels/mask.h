/* Masks: whether each element of an array is above 0 (and below a limit, if there is one), in one bit.
 *
 * Bit i % 8 of byte i / 8 belongs to element i.  Work is shared in blocks of 512 elements. */
#ifndef ATLED_KERNELS_MASK_H
#define ATLED_KERNELS_MASK_H

#include <stdint.h>

enum { ATL_MASK_BLOCK = 512 }; /* elements of a block */

typedef struct atl_mask_job {
    const float *x;
    uint8_t *mask;     /* that is made */
    const uint8_t *by; /* that is used */
    float *result;
    float highest; /* of mask_blocks: 0: no limit */
    int64_t count; /* elements; the last block may be incomplete */
} atl_mask_job;

/* mask_blocks: the blocks first..last-1 of mask, of x; the bits behind the last element are 0
 * relu_grad_by_mask_blocks: the same of result, which is x where the bit of `by` is set, else 0 */
#define ATL_MASK_KERNELS(K)                                                                                            \
    K(void, mask_blocks, (const atl_mask_job *job, int64_t first, int64_t last))                                       \
    K(void, relu_grad_by_mask_blocks, (const atl_mask_job *job, int64_t first, int64_t last))

#endif
