/* Masks: whether each element of an array is above 0 (and below a limit, if there is one), in one bit.
 *
 * 512 elements are a block of 16 words: element 16 k + j is bit k of word j, so that neighbours in a vector are
 * neighbours in the words. */
#ifndef ATLED_KERNELS_MASK_H
#define ATLED_KERNELS_MASK_H

#include <stdint.h>

enum { ATL_MASK_WORDS = 16, ATL_MASK_BLOCK = 32 * ATL_MASK_WORDS }; /* elements of a block */

typedef struct atl_mask_job {
    const float *x;
    uint32_t *mask;     /* that is made */
    const uint32_t *by; /* that is used */
    float *result;
    float highest; /* of mask_blocks: 0: no limit */
    int64_t count; /* elements; the last block may be incomplete */
} atl_mask_job;

/* mask_blocks: the blocks first..last-1 of mask, of x
 * relu_grad_by_mask_blocks: the same of result, which is x where the bit of `by` is set, else 0 */
#define ATL_MASK_KERNELS(K)                                                                                            \
    K(void, mask_blocks, (const atl_mask_job *job, int64_t first, int64_t last))                                       \
    K(void, relu_grad_by_mask_blocks, (const atl_mask_job *job, int64_t first, int64_t last))

#endif
