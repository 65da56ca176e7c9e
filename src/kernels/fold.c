/* The loops of reductions: see fold.h. */
#include "kernels/fold.h"

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/vector_math.h"
#include "kernels/vectors.h"

#define DEFINE_FOLD(name, start_value, part_type, ELEMENT, COMBINE, FIRST_RUNS)                                        \
    static void name##_begin(void *part, int64_t n)                                                                    \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                                \
            ((part_type *)part)[i] = (part_type)(start_value);                                                         \
    }                                                                                                                  \
    static void name##_rows(void *part, const float *restrict x, const float *restrict shift, int64_t n)               \
    {                                                                                                                  \
        part_type *restrict sum = part;                                                                                \
        (void)shift;                                                                                                   \
        for (int64_t i = 0; i < n; i++)                                                                                \
            sum[i] = COMBINE(sum[i], ELEMENT(x[i], shift[i]));                                                         \
    }                                                                                                                  \
    static void name##_flush(double *restrict total, const void *part, int64_t first, int64_t n)                       \
    {                                                                                                                  \
        const part_type *restrict sum = (const part_type *)part + first;                                               \
        for (int64_t i = 0; i < n; i++)                                                                                \
            total[i] = COMBINE(total[i], sum[i]);                                                                      \
    }                                                                                                                  \
    static void name##_join(double *restrict total, const double *restrict more, int64_t n)                            \
    {                                                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                                \
            total[i] = COMBINE(total[i], more[i]);                                                                     \
    }                                                                                                                  \
    /* Each block of a run is summed in ATL_FOLD_LANES partial results. */                                             \
    static void name##_runs(double *restrict total, const float *restrict x, int64_t stride, int64_t n,                \
                            const float *restrict shift, int64_t width)                                                \
    {                                                                                                                  \
        const int64_t done = FIRST_RUNS(total, x, stride, n, width);                                                   \
        (void)shift;                                                                                                   \
        x += done * stride;                                                                                            \
        for (int64_t run = done; run < width; run++, x += stride) {                                                    \
            double sum = total[run];                                                                                   \
            int64_t i = 0;                                                                                             \
            while (n - i >= ATL_FOLD_LANES) {                                                                          \
                part_type lane[ATL_FOLD_LANES];                                                                        \
                int64_t end = i + ATL_FOLD_BLOCK < n ? i + ATL_FOLD_BLOCK : n;                                         \
                for (int j = 0; j < ATL_FOLD_LANES; j++)                                                               \
                    lane[j] = (part_type)(start_value);                                                                \
                for (; i + ATL_FOLD_LANES <= end; i += ATL_FOLD_LANES)                                                 \
                    ATL_LANES for (int j = 0; j < ATL_FOLD_LANES; j++) lane[j] =                                       \
                        COMBINE(lane[j], ELEMENT(x[i + j], shift[run]));                                               \
                for (int j = 0; j < ATL_FOLD_LANES; j++)                                                               \
                    sum = COMBINE(sum, lane[j]);                                                                       \
            }                                                                                                          \
            for (; i < n; i++)                                                                                         \
                sum = COMBINE(sum, ELEMENT(x[i], shift[run]));                                                         \
            total[run] = sum;                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static const atl_fold_loops name##_fold = {.wide = sizeof(part_type) == sizeof(double),                            \
                                               .begin = name##_begin,                                                  \
                                               .rows = name##_rows,                                                    \
                                               .flush = name##_flush,                                                  \
                                               .join = name##_join,                                                    \
                                               .runs = name##_runs}

/* Extremes are the same in any order.  Each of VECTOR short runs is combined to a vector, in which the last elements
 * may occur twice; the square of these is turned, so that the extremes of the runs are found side by side.  Returns how
 * many runs are done. */
#define DEFINE_EXTREME_RUNS(name, IS_BEYOND)                                                                           \
    INLINE vec name##_of_two(vec a, vec b)                                                                             \
    {                                                                                                                  \
        const vec_int other = IS_BEYOND(b, a) | (b != b);                                                              \
        return (vec)(((vec_int)b & other) | ((vec_int)a & ~other));                                                    \
    }                                                                                                                  \
    static int64_t name##_of_runs(double *restrict total, const float *restrict x, int64_t stride, int64_t n,          \
                                  int64_t width)                                                                       \
    {                                                                                                                  \
        int64_t run = 0;                                                                                               \
        const int is_short = n >= VECTOR && n <= 8 * VECTOR; /* longer ones take longer, in one vector */              \
        for (; is_short && run + VECTOR <= width; run += VECTOR) {                                                     \
            vec square[VECTOR];                                                                                        \
            for (int k = 0; k < VECTOR; k++, x += stride) {                                                            \
                vec most = load(x);                                                                                    \
                for (int64_t i = VECTOR; i < n; i += VECTOR)                                                           \
                    most = name##_of_two(most, load(x + (i + VECTOR <= n ? i : n - VECTOR)));                          \
                square[k] = most;                                                                                      \
            }                                                                                                          \
            turn_square(square);                                                                                       \
            for (int k = 1; k < VECTOR; k++)                                                                           \
                square[0] = name##_of_two(square[0], square[k]);                                                       \
            float extreme[VECTOR];                                                                                     \
            store(extreme, square[0]);                                                                                 \
            for (int k = 0; k < VECTOR; k++)                                                                           \
                total[run + k] = name##_of_pair(total[run + k], (double)extreme[k]);                                   \
        }                                                                                                              \
        return run;                                                                                                    \
    }

#define IS_LARGER(a, b)  ((a) > (b))
#define IS_SMALLER(a, b) ((a) < (b))
INLINE double max_of_pair(double a, double b) { return FOLD_LARGER(a, b); }
INLINE double min_of_pair(double a, double b) { return FOLD_SMALLER(a, b); }
DEFINE_EXTREME_RUNS(max, IS_LARGER)
DEFINE_EXTREME_RUNS(min, IS_SMALLER)

#define NO_RUNS(total, x, stride, n, width) 0
#define SHIFTED_EXP(x, shift)               fast_exp((x) - (shift))

DEFINE_FOLD(sum, 0.0, float, FOLD_VALUE, FOLD_ADD, NO_RUNS);
DEFINE_FOLD(max, -INFINITY, float, FOLD_VALUE, FOLD_LARGER, max_of_runs);
DEFINE_FOLD(min, INFINITY, float, FOLD_VALUE, FOLD_SMALLER, min_of_runs);
DEFINE_FOLD(product, 1.0, double, FOLD_VALUE, FOLD_MULTIPLY, NO_RUNS);
DEFINE_FOLD(sum_square, 0.0, double, FOLD_SQUARE, FOLD_ADD, NO_RUNS);
DEFINE_FOLD(exp_sum, 0.0, float, SHIFTED_EXP, FOLD_ADD, NO_RUNS);

const atl_fold_loops *KERNEL(fold_loops)(atl_fold kind)
{
    switch (kind) {
    case ATL_FOLD_MAX:
        return &max_fold;
    case ATL_FOLD_MIN:
        return &min_fold;
    case ATL_FOLD_PRODUCT:
        return &product_fold;
    case ATL_FOLD_SUM_SQUARE:
    case ATL_FOLD_NORM:
        return &sum_square_fold;
    case ATL_FOLD_LOG_SUM_EXP:
        return &exp_sum_fold;
    default:
        return &sum_fold;
    }
}
