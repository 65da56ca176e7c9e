/* How kernels share a big loop among the threads. */
#ifndef ATLED_KERNELS_PARALLEL_H
#define ATLED_KERNELS_PARALLEL_H

#include <stdint.h>

typedef void atl_range_loop(const void *job, int64_t first, int64_t last);

/* Calls loop on ranges that make up 0..count-1.  `work` is about the number of elements touched in all: below some tens
 * of thousands the caller's thread does it alone, for waking the others costs microseconds.  Where a range ends depends
 * on the number of threads only, and a loop must give the same bits wherever its range begins. */
void atl_parallel(int64_t count, int64_t work, atl_range_loop *loop, const void *job);

#endif
