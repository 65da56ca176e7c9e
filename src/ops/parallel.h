/* How kernels share a big loop among the threads, and which processors they are compiled for. */
#ifndef ATLED_OPS_PARALLEL_H
#define ATLED_OPS_PARALLEL_H

#include <stdint.h>

/* A function compiled once more for AVX2 and AVX-512, and chosen when the library is loaded
 * (not under sanitizers, which are not ready by then).  What it calls must be inlined
 * to be compiled with it. */
#if defined(__x86_64__) && defined(__ELF__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ATL_MANY_TARGETS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ATL_MANY_TARGETS
#endif

typedef void atl_range_loop(const void *job, int64_t first, int64_t last);

/* Calls loop on ranges that make up 0..count-1.  `work` is about the number of elements touched in all: below some tens of
 * thousands the caller's thread does it alone, for waking the others costs microseconds.  Where a range ends depends on the
 * number of threads only, and a loop must give the same bits wherever its range begins. */
void atl_parallel(int64_t count, int64_t work, atl_range_loop *loop, const void *job);

#endif
