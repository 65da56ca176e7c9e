/* Masks of bits: see mask.h. */
#include "kernels/mask.h"

#include <string.h>

#include "kernels/level.h"
#include "kernels/loops.h"

enum { WORDS = ATL_MASK_WORDS, BITS = 32, BLOCK = ATL_MASK_BLOCK };

/* `limited` is a constant, so that the loops are compiled once for each. */
ATL_LANE int is_open(const int limited, float x, float highest) { return limited ? (x > 0) & (x < highest) : x > 0; }

ATL_LANE void mask_range(const int limited, const atl_mask_job *job, int64_t first, int64_t last)
{
    const float highest = job->highest; /* not read again within the vector loop */
    for (int64_t b = first; b < last; b++) {
        const float *x = job->x + b * BLOCK;
        int64_t rest = job->count - b * BLOCK;
        uint32_t word[WORDS] = {0};
        for (int k = 0; k < BITS && rest >= (k + 1) * WORDS; k++) {
            ATL_LANES
            for (int j = 0; j < WORDS; j++)
                word[j] |= (uint32_t)is_open(limited, x[k * WORDS + j], highest) << k;
        }
        for (int64_t i = rest / WORDS * WORDS; i < rest && i < BLOCK; i++)
            word[i % WORDS] |= (uint32_t)is_open(limited, x[i], highest) << (i / WORDS);
        memcpy(job->mask + b * WORDS, word, sizeof word);
    }
}

void KERNEL(mask_blocks)(const atl_mask_job *job, int64_t first, int64_t last)
{
    if (job->highest > 0)
        mask_range(1, job, first, last);
    else
        mask_range(0, job, first, last);
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
