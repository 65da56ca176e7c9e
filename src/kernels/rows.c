/* Loops over one row: see rows.h. */
#include "kernels/rows.h"

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/vector_math.h"

float KERNEL(sum_of)(const float *x, int64_t n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

float KERNEL(largest_of)(const float *x, int64_t n)
{
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

void KERNEL(exp_below)(const float *x, float most, int64_t n, float *e)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        e[i] = fast_exp(x[i] - most);
}

void KERNEL(softmax_grad_row)(int64_t n, const float *dy, const float *value, float *result)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += dy[i] * value[i];
    for (int64_t i = 0; i < n; i++)
        result[i] = value[i] * (dy[i] - sum);
}
