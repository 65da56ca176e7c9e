/* Masks of bits: see mask.h. */
#include "kernels/mask.h"

#include "kernels/vectors.h"

/* The vectors of blocks first..last-1, and the elements of one more that is not complete. */
typedef struct mask_range {
    int64_t first, whole, rest;
} mask_range;

static mask_range range_of(const atl_mask_job *job, int64_t first, int64_t last)
{
    const int64_t from = first * ATL_MASK_BLOCK, end = last * ATL_MASK_BLOCK, to = end < job->count ? end : job->count;
    return (mask_range){from, to - to % VECTOR, to % VECTOR};
}

void KERNEL(mask_blocks)(const atl_mask_job *job, int64_t first, int64_t last)
{
    const mask_range r = range_of(job, first, last);
    const float highest = job->highest;
    memset(job->mask + r.first / 8, 0, (size_t)(last - first) * ATL_MASK_BLOCK / 8);
    for (int64_t i = r.first; i < r.whole; i += VECTOR)
        add_bits(job->mask, i, bits_between(load(job->x + i), highest));
    if (r.rest)
        add_bits(job->mask, r.whole, bits_between(load_first(job->x + r.whole, (int)r.rest), highest));
}

void KERNEL(relu_grad_by_mask_blocks)(const atl_mask_job *job, int64_t first, int64_t last)
{
    const mask_range r = range_of(job, first, last);
    for (int64_t i = r.first; i < r.whole; i += VECTOR)
        store(job->result + i, where_bits(load(job->x + i), bits_at(job->by, i)));
    if (r.rest)
        store_first(job->result + r.whole, (int)r.rest,
                    where_bits(load_first(job->x + r.whole, (int)r.rest), bits_at(job->by, r.whole)));
}
