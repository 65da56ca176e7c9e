/* Ranges of results for a post-op (epilogue.h), by a kernel that writes them from first to last: long, because each
 * costs a call, but soon after they are written. */
#ifndef ATLED_KERNELS_POST_OP_RANGES_H
#define ATLED_KERNELS_POST_OP_RANGES_H

#include "cost/cost.h"
#include "kernels/epilogue.h"
#include "kernels/vectors.h"

enum { POST_OP_FLOATS = ATL_CORE_FLOATS }; /* about as many in a range */

/* Applies the post-op to the results *first..last-1, which are written, if they are many; *first is then `last`. */
INLINE void apply_post_op_to_many(const atl_epilogue *end, int64_t *first, int64_t last)
{
    if (end->post_op.apply && last - *first >= POST_OP_FLOATS) {
        end->post_op.apply(end->post_op.job, *first, last);
        *first = last;
    }
}

/* Applies it to the channels first..last-1 of some pixels, one after another in the result: all at once if these are
 * all channels, else pixel after pixel. */
static inline void apply_post_op_to_pixels(const atl_epilogue *end, int64_t pixel, int64_t pixels, int64_t channels,
                                           int64_t first, int64_t last)
{
    if (!end->post_op.apply)
        return;
    if (last - first == channels)
        atl_apply_post_op(end, pixel * channels, (pixel + pixels) * channels);
    else
        for (int64_t p = pixel; p < pixel + pixels; p++)
            atl_apply_post_op(end, p * channels + first, p * channels + last);
}

#endif
