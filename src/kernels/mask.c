/* Masks of bits: see mask.h. */
#include "kernels/mask.h"

#include <math.h>
#include <string.h>

#include "kernels/level.h"
#include "kernels/loops.h"

enum { WORDS = ATL_MASK_WORDS, BITS = 32, BLOCK = ATL_MASK_BLOCK };

void KERNEL(mask_blocks)(const atl_mask_job *job, int64_t first, int64_t last)
{
    const float highest = job->highest > 0 ? job->highest : INFINITY;
    for (int64_t b = first; b < last; b++) {
        const float *x = job->x + b * BLOCK;
        int64_t rest = job->count - b * BLOCK;
        uint32_t word[WORDS] = {0}, over[WORDS] = {0};
        for (int k = 0; k < BITS && rest >= (k + 1) * WORDS; k++) {
            ATL_LANES
            for (int j = 0; j < WORDS; j++)
                word[j] |= (uint32_t)(x[k * WORDS + j] > 0) << k;
        }
        for (int k = 0; k < BITS && job->highest > 0 && rest >= (k + 1) * WORDS; k++) {
            ATL_LANES
            for (int j = 0; j < WORDS; j++)
                over[j] |= (uint32_t)(x[k * WORDS + j] >= highest) << k;
        }
        for (int j = 0; j < WORDS; j++)
            word[j] &= ~over[j];
        for (int64_t i = rest / WORDS * WORDS; i < rest && i < BLOCK; i++)
            word[i % WORDS] |= (uint32_t)(x[i] > 0 && (x[i] < highest || job->highest <= 0)) << (i / WORDS);
        memcpy(job->mask + b * WORDS, word, sizeof word);
    }
}

void KERNEL(relu_grad_by_mask_blocks)(const atl_mask_job *job, int64_t first, int64_t last)
{
    for (int64_t b = first; b < last; b++) {
        const float *x = job->x + b * BLOCK;
        float *result = job->result + b * BLOCK;
        const uint32_t *word = job->by + b * WORDS;
        int64_t rest = job->count - b * BLOCK;
        for (int k = 0; k < BITS && rest >= (k + 1) * WORDS; k++) {
            ATL_LANES
            for (int j = 0; j < WORDS; j++) {
                const float open = x[k * WORDS + j];
                result[k * WORDS + j] = word[j] >> k & 1 ? open : 0;
            }
        }
        for (int64_t i = rest / WORDS * WORDS; i < rest && i < BLOCK; i++)
            result[i] = word[i % WORDS] >> (i / WORDS) & 1 ? x[i] : 0;
    }
}
