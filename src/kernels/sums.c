/* Sums side by side: see sums.h. */
#include "kernels/sums.h"

#include <string.h>

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/vectors.h"

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

INLINE vec sum_of_rows(const float *sum, const float *a, int64_t rows, int64_t stride)
{
    vec all = load(sum);
    for (int64_t r = 0; r < rows; r++)
        all += load(a + r * stride);
    return all;
}

/* Each sum stays in a register.  The last ones are a vector of their own, in which some others are summed again. */
void KERNEL(add_rows_to_sums)(float *sum, const float *a, int64_t rows, int64_t stride, int64_t n)
{
    const int64_t end = n - VECTOR;
    if (end < 0) {
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < n; i++)
                sum[i] += a[r * stride + i];
        return;
    }
    const vec last = sum_of_rows(sum + end, a + end, rows, stride);
    for (int64_t i = 0; i < end; i += VECTOR)
        store(sum + i, sum_of_rows(sum + i, a + i, rows, stride));
    store(sum + end, last);
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

/* a[0] + a[stride] + ..., or of a b. */
INLINE double sum_of_run(const int is_product, const float *a, const float *b, int64_t n, int64_t stride)
{
    enum { LANES = 8 };
    double part[LANES] = {0}, total = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int64_t k = 0; k < LANES; k++)
            part[k] += (double)a[(i + k) * stride] * (is_product ? (double)b[(i + k) * stride] : 1);
    for (; i < n; i++)
        total += (double)a[i * stride] * (is_product ? (double)b[i * stride] : 1);
    for (int k = 0; k < LANES; k++)
        total += part[k];
    return total;
}

INLINE void sum_columns(const int is_product, const float *a, const float *b, int64_t runs, int64_t n, int64_t columns,
                        double scale, float *result)
{
    for (int64_t k = 0; k < runs; k++, a += n * columns, b += is_product ? n * columns : 0)
        for (int64_t c = 0; c < columns; c++)
            *result++ = (float)(scale * sum_of_run(is_product, a + c, b + (is_product ? c : 0), n, columns));
}

void KERNEL(sum_runs)(const float *a, const float *b, int64_t runs, int64_t n, int64_t columns, double scale,
                      float *result)
{
    if (b)
        sum_columns(1, a, b, runs, n, columns, scale, result);
    else if (columns == 1)
        sum_columns(0, a, a, runs, n, 1, scale, result);
    else
        sum_columns(0, a, a, runs, n, columns, scale, result);
}

void KERNEL(fill_with)(float *to, float value, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        to[i] = value;
}

/* Whole vectors, whose ends are written again with the next number; not behind the last one. */
void KERNEL(repeat_each)(float *to, const float *from, int64_t stride, int64_t count, int64_t run)
{
    const float *end = to + count * run;
    for (int64_t i = 0; i < count; i++, to += run) {
        const vec value = broadcast(from[i * stride]);
        int64_t k = 0;
        for (; k < run && to + k + VECTOR <= end; k += VECTOR)
            store(to + k, value);
        for (; k < run; k++)
            to[k] = from[i * stride];
    }
}
