/* Loops over one row: see rows.h. */
#include "kernels/rows.h"

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/vector_math.h"
#include "kernels/vectors.h"

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

/* ---- moments, in double ------------------------------------------------------------------------------------------ */

/* Half a vector of floats becomes a vector of doubles.  Several sums side by side: one would wait for its own last
 * term. */
enum { HALF = VECTOR / 2, PARTS = 4, TOGETHER = PARTS * HALF };
typedef float half __attribute__((vector_size(2 * ATL_VECTOR)));
typedef float half_anywhere __attribute__((vector_size(2 * ATL_VECTOR), aligned(4), may_alias));
typedef double wide __attribute__((vector_size(4 * ATL_VECTOR)));
typedef wide wide_sums[PARTS];

/* gcc makes several instructions of a conversion by __builtin_convertvector where one does it. */
INLINE wide load_wide(const float *x)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (wide)_mm512_cvtps_pd(_mm256_loadu_ps(x));
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (wide)_mm256_cvtps_pd(_mm_loadu_ps(x));
#else
    return __builtin_convertvector(*(const half_anywhere *)x, wide);
#endif
}
INLINE half rounded(wide value)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (half)_mm512_cvtpd_ps((__m512d)value);
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (half)_mm256_cvtpd_ps((__m256d)value);
#else
    return __builtin_convertvector(value, half);
#endif
}
INLINE half load_half(const float *x) { return *(const half_anywhere *)x; }
INLINE void store_half(float *x, half value) { *(half_anywhere *)x = value; }

INLINE double total_of(wide_sums parts)
{
    const wide all = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    double total = 0;
    for (int i = 0; i < HALF; i++)
        total += all[i];
    return total;
}

/* Mean, and 1 / sqrt(variance + epsilon).  The first element is no further from the mean than sqrt(n) times the
 * deviation, so that deviations from it lose no digits that count. */
static void moments_of(int64_t n, float epsilon, const float *x, double *mean, double *factor)
{
    const double first = n ? (double)x[0] : 0;
    wide_sums sums = {{0}}, squares = {{0}};
    int64_t i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER)
        UNROLL
    for (int p = 0; p < PARTS; p++) {
        const wide d = load_wide(x + i + p * HALF) - first;
        sums[p] += d;
        squares[p] += d * d;
    }
    double sum = total_of(sums), square = total_of(squares);
    for (; i < n; i++) {
        const double d = (double)x[i] - first;
        sum += d;
        square += d * d;
    }
    const double left = sum / (double)n, variance = square / (double)n - left * left;
    *mean = first + left;
    *factor = 1 / sqrt((variance < 0 ? 0 : variance) + (double)epsilon);
}

/* Equal ones, as a mean of the results has them, give exactly their number. */
static double mean_of(int64_t n, const float *x)
{
    const double first = (double)x[0];
    wide_sums sums = {{0}};
    int64_t i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER)
        UNROLL
    for (int p = 0; p < PARTS; p++)
        sums[p] += load_wide(x + i + p * HALF) - first;
    double sum = total_of(sums);
    for (; i < n; i++)
        sum += (double)x[i] - first;
    return first + sum / (double)n;
}

/* The sum of (a - mean_a) (b - mean_b). */
static double sum_of_products(int64_t n, const float *a, double mean_a, const float *b, double mean_b)
{
    wide_sums sums = {{0}};
    int64_t i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER)
        UNROLL
    for (int p = 0; p < PARTS; p++)
        sums[p] += (load_wide(a + i + p * HALF) - mean_a) * (load_wide(b + i + p * HALF) - mean_b);
    double sum = total_of(sums);
    for (; i < n; i++)
        sum += ((double)a[i] - mean_a) * ((double)b[i] - mean_b);
    return sum;
}

void KERNEL(normalize_row)(int64_t n, float epsilon, const float *x, const float *scale, const float *shift,
                           const float *addend, float *result)
{
    double mean, factor;
    moments_of(n, epsilon, x, &mean, &factor);
    int64_t i = 0;
    for (; i + HALF <= n; i += HALF) {
        half y = rounded((load_wide(x + i) - mean) * factor);
        if (scale)
            y *= load_half(scale + i);
        if (shift)
            y += load_half(shift + i);
        if (addend)
            y += load_half(addend + i);
        store_half(result + i, y);
    }
    for (; i < n; i++) {
        float y = (float)(((double)x[i] - mean) * factor);
        if (scale)
            y *= scale[i];
        if (shift)
            y += shift[i];
        result[i] = addend ? y + addend[i] : y;
    }
}

/* In double, because the three terms may almost cancel: a row of two elements is -1 and 1 for nearly all x. */
void KERNEL(normalize_grad_row)(int64_t n, float epsilon, const float *dy, const float *x, const float *addend,
                                float *result)
{
    double mean, factor;
    moments_of(n, epsilon, x, &mean, &factor);
    const double middle = mean_of(n, dy), slope = sum_of_products(n, dy, middle, x, mean) * factor / (double)n * factor;
    int64_t i = 0;
    for (; i + HALF <= n; i += HALF) {
        half dx = rounded((load_wide(dy + i) - middle - (load_wide(x + i) - mean) * slope) * factor);
        store_half(result + i, addend ? dx + load_half(addend + i) : dx);
    }
    for (; i < n; i++) {
        float dx = (float)(((double)dy[i] - middle - ((double)x[i] - mean) * slope) * factor);
        result[i] = addend ? dx + addend[i] : dx;
    }
}
