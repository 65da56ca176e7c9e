/* How many threads a run uses: a setting of OpenMP for the calling thread, which oneDNN and our own loops go by.
 *
 * oneDNN's primitives are made for a number of threads, and some wait for exactly so many.  So a program keeps the number it was
 * compiled with, sets it for each of its runs, and leaves the caller's own setting as it was.  OpenMP must then really give so many:
 * with fewer, oneDNN 2.6.3 silently leaves out a part of a filter's gradient. */
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
        omp_set_dynamic(0); /* or there may be fewer */
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

/* True if a loop of so many threads could have fewer here: within a parallel region of the caller's. */
static inline int atl_lacks_threads(int count) { return count > 1 && omp_in_parallel(); }

#endif
