/* The number of threads of a run: an OpenMP setting of the calling thread, which oneDNN and our own loops use.
 *
 * oneDNN creates its primitives for a number of threads, and some need exactly that many.  So a program stores the
 * number it was compiled with, sets it for each of its runs, and restores the caller's setting.  OpenMP must then
 * really provide that many: with fewer, oneDNN 2.6.3 silently leaves out a part of a filter's gradient. */
#ifndef ATLED_PROGRAM_THREADS_H
#define ATLED_PROGRAM_THREADS_H

#include <omp.h>

/* The settings of the calling thread, to be restored. */
typedef struct atl_threads {
    int count, dynamic;
} atl_threads;

/* From now on the calling thread's loops use exactly so many.  Returns what was set before. */
static inline atl_threads atl_use_threads(int count)
{
    atl_threads before = {omp_get_max_threads(), omp_get_dynamic()};
    if (before.dynamic)
        omp_set_dynamic(0); /* otherwise OpenMP may use fewer */
    if (before.count != count)
        omp_set_num_threads(count);
    return before;
}

static inline void atl_restore_threads(atl_threads before)
{
    if (omp_get_max_threads() != before.count)
        omp_set_num_threads(before.count);
    if (before.dynamic)
        omp_set_dynamic(1);
}

/* True if a loop with that many threads could get fewer here: inside a parallel region of the caller. */
static inline int atl_lacks_threads(int count) { return count > 1 && omp_in_parallel(); }

#endif
