/* Sums over pictures, shared by the methods. */
#ifndef ATLED_ATTACK_VECTORS_H
#define ATLED_ATTACK_VECTORS_H

#include <math.h>
#include <stdint.h>

static inline double atl_dot_of(int64_t count, const float *a, const float *b)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static inline double atl_l2_of(int64_t count, const float *x) { return sqrt(atl_dot_of(count, x, x)); }

static inline double atl_l1_of(int64_t count, const float *x)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += fabs((double)x[i]);
    return sum;
}

#endif
