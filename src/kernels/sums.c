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

/* Adds the numbers to as many totals in turn, and these at the end: a single one would wait for each addition. */
static double total_of(const float *sum, int64_t n)
{
    enum { TOTALS = 16 };
    double total[TOTALS] = {0}, whole = 0;
    int64_t i = 0;
    for (; i + TOTALS <= n; i += TOTALS)
        for (int k = 0; k < TOTALS; k++)
            total[k] += (double)sum[i + k];
    for (; i < n; i++)
        whole += (double)sum[i];
    for (int k = 0; k < TOTALS; k++)
        whole += total[k];
    return whole;
}

void KERNEL(flush_sums)(float *restrict sum, double *restrict total, int64_t columns, int64_t n)
{
    if (columns == 1)
        total[0] += total_of(sum, n);
    for (int64_t first = 0; columns > 1 && first < n; first += columns)
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
