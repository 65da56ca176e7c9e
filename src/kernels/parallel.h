/* Divides a large loop among the threads. */
#ifndef ATLED_KERNELS_PARALLEL_H
#define ATLED_KERNELS_PARALLEL_H

#include <stdint.h>

typedef void atl_range_loop(const void *job, int64_t first, int64_t last);

/* Calls loop on ranges that make up 0..count-1.  `work` is the approximate number of elements touched in total: below
 * some tens of thousands the calling thread does it alone, because waking the others costs microseconds.  The ends of
 * the ranges depend on the number of threads only, and a loop must give the same bits for any ranges. */
void atl_parallel(int64_t count, int64_t work, atl_range_loop *loop, const void *job);

#endif
