/* The arrays on which kernels and costs are measured. */
#ifndef ATLED_BENCH_FLOATS_H
#define ATLED_BENCH_FLOATS_H

#include <stdint.h>

/* Numbers between -1 and 1, and 64 bytes more than they take; the caller frees them. */
float *floats(int64_t count);

#endif
