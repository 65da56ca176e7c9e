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

/* Mean, and 1 / sqrt(variance + epsilon).  The deviations are taken from a rounded mean, and what is left of it is made
 * up for. */
static void moments_of(int64_t n, float epsilon, const float *x, double *mean, double *factor)
{
    double sum = 0, square = 0;
    const float first = KERNEL(sum_of)(x, n) / (float)n;
#pragma omp simd reduction(+ : sum, square)
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)first;
        sum += d;
        square += d * d;
    }
    const double left = sum / (double)n, variance = square / (double)n - left * left;
    *mean = (double)first + left;
    *factor = 1 / sqrt((variance < 0 ? 0 : variance) + (double)epsilon);
}

void KERNEL(normalize_row)(int64_t n, float epsilon, const float *x, float *result)
{
    double mean, factor;
    moments_of(n, epsilon, x, &mean, &factor);
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        result[i] = (float)(((double)x[i] - mean) * factor);
}

/* In double, because the three terms may almost cancel: a row of two elements is -1 and 1 for nearly all x. */
void KERNEL(normalize_grad_row)(int64_t n, float epsilon, const float *dy, const float *x, float *result)
{
    double mean, factor, sum = 0, product = 0;
    const double first = (double)dy[0]; /* equal ones, as a mean of the results has them, give exactly 0 */
    moments_of(n, epsilon, x, &mean, &factor);
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)dy[i] - first;
    const double middle = first + sum / (double)n;
#pragma omp simd reduction(+ : product)
    for (int64_t i = 0; i < n; i++)
        product += ((double)dy[i] - middle) * (((double)x[i] - mean) * factor);
    product /= (double)n;
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        result[i] = (float)(((double)dy[i] - middle - ((double)x[i] - mean) * factor * product) * factor);
}
