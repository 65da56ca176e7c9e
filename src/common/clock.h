/* Clocks, in seconds, for durations. */
#ifndef ATLED_COMMON_CLOCK_H
#define ATLED_COMMON_CLOCK_H

#include <time.h>

static inline double atl_seconds_of(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static inline double atl_seconds_now(void) { return atl_seconds_of(CLOCK_MONOTONIC); }
/* That this thread, or all threads of the process, have computed. */
static inline double atl_thread_seconds(void) { return atl_seconds_of(CLOCK_THREAD_CPUTIME_ID); }
static inline double atl_process_seconds(void) { return atl_seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

#endif
