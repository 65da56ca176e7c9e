/* Arithmetic of sizes. */
#ifndef ATLED_COMMON_NUMBERS_H
#define ATLED_COMMON_NUMBERS_H

#include <stdint.h>

static inline int64_t atl_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t atl_larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* a / b, rounded up; a >= 0, b > 0. */
static inline int64_t atl_divide_up(int64_t a, int64_t b) { return a / b + (a % b != 0); }

/* The least multiple of step that is n or more. */
static inline int64_t atl_round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

#endif
