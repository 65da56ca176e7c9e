/* Sharing a big loop among the threads. */
#include "kernels/parallel.h"

#include <omp.h>

#include "cost/cost.h"

void atl_parallel(int64_t count, int64_t work, atl_range_loop *loop, const void *job)
{
    if (work < atl_costs_in_use()->loop_elements || count < 2 || omp_get_max_threads() == 1) {
        if (count > 0)
            loop(job, 0, count);
        return;
    }
#pragma omp parallel
    {
        int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
        int64_t first = count / threads * thread + (thread < count % threads ? thread : count % threads);
        int64_t last = first + count / threads + (thread < count % threads);
        if (first < last)
            loop(job, first, last);
    }
}
