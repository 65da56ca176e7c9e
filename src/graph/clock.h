/* A monotonic clock, for durations. */
#ifndef ATLED_GRAPH_CLOCK_H
#define ATLED_GRAPH_CLOCK_H

#include <time.h>

static inline double atl_seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#endif
