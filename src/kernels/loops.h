/* For loops that the compiler vectorises, in sources that are compiled once for each instruction set.
 *
 * ATL_LANES before a loop: iterations do not depend on one another (an output may be exactly an input, not a shifted
 * one), so that they may run side by side.  ATL_LANE before a function that such a loop calls. */
#ifndef ATLED_KERNELS_LOOPS_H
#define ATLED_KERNELS_LOOPS_H

#define ATL_LANES _Pragma("omp simd")
#define ATL_LANE  static inline __attribute__((always_inline))

#endif
