/* Lines that are fetched while tiles of a product are computed. */
#ifndef ATLED_KERNELS_LINES_AHEAD_H
#define ATLED_KERNELS_LINES_AHEAD_H

#include "common/numbers.h"
#include "kernels/vectors.h"

enum { TERMS = 16 }; /* of a sum, between which some lines are fetched */

/* `step` floats of them before some terms, up to the end of a tile in which there are no more. */
typedef struct lines_ahead {
    const float *from, *end;
    int64_t step;
} lines_ahead;

static inline lines_ahead spread(const float *from, int64_t floats, int64_t steps, int64_t most)
{
    const int64_t lines = floats / LINE_FLOATS, times = atl_larger(steps, 1); /* sums may have no terms */
    return (lines_ahead){from, from + floats, atl_smaller((lines + times - 1) / times, most) * LINE_FLOATS};
}

INLINE void fetch_lines(const int lines, const float *from, const int near)
{
    UNROLL
    for (int i = 0; i < lines; i++)
        if (near) /* the first-level cache, else the second */
            __builtin_prefetch(from + i * LINE_FLOATS, 0, 3);
        else
            __builtin_prefetch(from + i * LINE_FLOATS, 0, 2);
}

#endif
