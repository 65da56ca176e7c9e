/* The loops of reductions: see fold.h. */
#include "kernels/fold.h"

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/vector_math.h"

#define DEFINE_FOLD(name, start_value, part_type, ELEMENT, COMBINE)                                                    \
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
        (void)shift;                                                                                                   \
        for (int64_t run = 0; run < width; run++, x += stride) {                                                       \
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

#define SHIFTED_EXP(x, shift) fast_exp((x) - (shift))

DEFINE_FOLD(sum, 0.0, float, FOLD_VALUE, FOLD_ADD);
DEFINE_FOLD(max, -INFINITY, float, FOLD_VALUE, FOLD_LARGER);
DEFINE_FOLD(min, INFINITY, float, FOLD_VALUE, FOLD_SMALLER);
DEFINE_FOLD(product, 1.0, double, FOLD_VALUE, FOLD_MULTIPLY);
DEFINE_FOLD(sum_square, 0.0, double, FOLD_SQUARE, FOLD_ADD);
DEFINE_FOLD(exp_sum, 0.0, float, SHIFTED_EXP, FOLD_ADD);

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
