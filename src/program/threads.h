/* How many threads a run uses: a setting of OpenMP for the calling thread, which oneDNN and our own loops go by.
 *
 * oneDNN's primitives are made for a number of threads, and some wait for exactly so many.  So a program keeps the number it was
 * compiled with, sets it for each of its runs, and leaves the caller's own setting as it was. */
#ifndef ATLED_PROGRAM_THREADS_H
#define ATLED_PROGRAM_THREADS_H

#include <omp.h>

/* From now on the calling thread's loops use so many.  Returns how many it was before. */
static inline int atl_use_threads(int count)
{
    int before = omp_get_max_threads();
    if (before != count)
        omp_set_num_threads(count);
    return before;
}

#endif
