/* Sums side by side: see sums.h. */
#include "kernels/sums.h"

#include <string.h>

#include "kernels/level.h"
#include "kernels/loops.h"

void KERNEL(add_deviations)(float *restrict sum, float *restrict square, const float *x, const float *first, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++) {
        const float d = x[i] - first[i];
        sum[i] += d;
        square[i] += d * d;
    }
}

void KERNEL(add_to_sums)(float *restrict sum, const float *a, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        sum[i] += a[i];
}

void KERNEL(add_products_to_sums)(float *restrict sum, const float *a, const float *b, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        sum[i] += a[i] * b[i];
}

void KERNEL(flush_sums)(float *restrict sum, double *restrict total, int64_t columns, int64_t n)
{
    for (int64_t first = 0; first < n; first += columns)
        for (int64_t c = 0; c < columns && first + c < n; c++)
            total[c] += (double)sum[first + c];
    memset(sum, 0, (size_t)n * sizeof *sum);
}

void KERNEL(fill_with)(float *to, float value, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        to[i] = value;
}
