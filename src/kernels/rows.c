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
    const float least = -87; /* below, e^x is soon no normal float */
    ATL_LANES
    for (int64_t i = 0; i < n; i++) {
        const float below = x[i] - most, power = fast_exp(below < least ? least : below);
        e[i] = below < least ? 0 : power;
    }
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

INLINE double total_of_lanes(wide x)
{
    double part[HALF];
    memcpy(part, &x, sizeof part);
    UNROLL
    for (int width = HALF / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
}
INLINE double total_of(wide_sums parts) { return total_of_lanes((parts[0] + parts[1]) + (parts[2] + parts[3])); }

static double factor_of(double variance, float epsilon)
{
    return 1 / sqrt((variance < 0 ? 0 : variance) + (double)epsilon);
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
    const double left = sum / (double)n;
    *mean = first + left;
    *factor = factor_of(square / (double)n - left * left, epsilon);
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

/* What the gradient of a row needs: mean and factor of x as above, the mean of dy, and the mean of
 * (dy - its mean) (x - mean). */
typedef struct slope_moments {
    double mean, factor, middle, product;
} slope_moments;

/* In one pass: deviations from the first elements, as above.  Equal dy, as a mean of the results has them, give exactly
 * their number. */
static slope_moments slope_moments_of(int64_t n, float epsilon, const float *dy, const float *x)
{
    enum { SIDE_BY_SIDE = 2 };
    const double first = (double)x[0], first_dy = (double)dy[0], count = (double)n;
    wide sums[SIDE_BY_SIDE] = {{0}}, squares[SIDE_BY_SIDE] = {{0}}, slopes[SIDE_BY_SIDE] = {{0}},
         products[SIDE_BY_SIDE] = {{0}};
    int64_t i = 0;
    for (; i + SIDE_BY_SIDE * HALF <= n; i += SIDE_BY_SIDE * HALF)
        UNROLL
    for (int p = 0; p < SIDE_BY_SIDE; p++) {
        const wide d = load_wide(x + i + p * HALF) - first, e = load_wide(dy + i + p * HALF) - first_dy;
        sums[p] += d;
        squares[p] += d * d;
        slopes[p] += e;
        products[p] += e * d;
    }
    double sum = total_of_lanes(sums[0] + sums[1]), square = total_of_lanes(squares[0] + squares[1]),
           slope = total_of_lanes(slopes[0] + slopes[1]), product = total_of_lanes(products[0] + products[1]);
    for (; i < n; i++) {
        const double d = (double)x[i] - first, e = (double)dy[i] - first_dy;
        sum += d;
        square += d * d;
        slope += e;
        product += e * d;
    }
    const double left = sum / count;
    return (slope_moments){.mean = first + left,
                           .factor = factor_of(square / count - left * left, epsilon),
                           .middle = first_dy + slope / count,
                           .product = (product - slope * left) / count};
}

/* In double, because the three terms may almost cancel: a row of two elements is -1 and 1 for nearly all x. */
void KERNEL(normalize_grad_row)(int64_t n, float epsilon, const float *dy, const float *x, const float *addend,
                                float *result)
{
    const slope_moments m = slope_moments_of(n, epsilon, dy, x);
    const double mean = m.mean, factor = m.factor, middle = m.middle, slope = m.product * factor * factor;
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
