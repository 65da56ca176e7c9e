/* Macros for loops that the compiler vectorises, in sources that are compiled once per instruction set. ATL_LANES
 * before a loop: its iterations are independent (an output may be exactly an input, not a shifted one), so they may run
 * in parallel lanes.  ATL_LANE before a function that such a loop calls. */
#ifndef ATLED_KERNELS_LOOPS_H
#define ATLED_KERNELS_LOOPS_H

#define ATL_LANES _Pragma("omp simd")
#define ATL_LANE  static inline __attribute__((always_inline))

#endif
