/* Sixteen floats at a time, for loops that keep their sums in registers.  Functions marked WIDE are compiled for AVX-512, and may be
 * called only where atl_has_wide_lanes(); other compilers and processors make of them what they can. */
#ifndef ATLED_OPS_LANES_H
#define ATLED_OPS_LANES_H

#include <stdint.h>

#if defined __x86_64__ && defined __GNUC__
#define WIDE __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,fma")))
static inline int atl_has_wide_lanes(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}
#else
#define WIDE
static inline int atl_has_wide_lanes(void) { return 0; }
#endif
#define WIDE_INLINE static inline __attribute__((always_inline)) WIDE
#define UNROLL      _Pragma("GCC unroll 16")

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(64)));
typedef int32_t lane_bits __attribute__((vector_size(64)));
typedef float lanes_anywhere __attribute__((vector_size(64), aligned(4), may_alias));

WIDE_INLINE lanes load(const float *x) { return *(const lanes_anywhere *)x; }
WIDE_INLINE void store(float *x, lanes value) { *(lanes_anywhere *)x = value; }
WIDE_INLINE lanes all_lanes(float x) { return x - (lanes){0}; }
/* x where `by` is positive, else 0 */
WIDE_INLINE lanes where_positive(lanes x, lanes by) { return (lanes)((lane_bits)x & (by > (lanes){0})); }

/* x, but 0 where it is not above 0; NaN stays NaN */
WIDE_INLINE lanes not_negative(lanes x) { return (lanes)((lane_bits)x & ~(x <= (lanes){0})); }

/* x where bit k of sixteen words is set, else 0 */
WIDE_INLINE lanes where_bit(lanes x, const uint32_t *word, int k)
{
    return (lanes)((lane_bits)x & ((lane_bits)load((const float *)word) << (31 - k) < 0));
}

/* What is done to each result of a convolution before it is written, in this order; null: not. */
typedef struct atl_epilogue {
    const float *bias;     /* [out]: added */
    const float *residual; /* of the result's shape, dense: added */
    int relu;
    const float *relu_grad; /* of the result's shape, dense: zero where it is not positive */
    const uint32_t *mask;   /* the same as bits: see ops/mask.h */
} atl_epilogue;

/* Of sixteen outputs, the first of them `channel`, which would be at `at` of a dense result. */
WIDE_INLINE lanes ended(const atl_epilogue *end, lanes value, int64_t at, int64_t channel)
{
    if (end->bias)
        value += load(end->bias + channel);
    if (end->residual)
        value += load(end->residual + at);
    if (end->relu)
        value = not_negative(value);
    if (end->relu_grad)
        value = where_positive(value, load(end->relu_grad + at));
    if (end->mask)
        value = where_bit(value, end->mask + at / (LANES * 32) * LANES, (int)(at / LANES % 32));
    return value;
}

/* The sixteens of outputs that a product keeps in registers side by side, and rows of them. */
static inline int lanes_side_by_side(int64_t out)
{
    int64_t vectors = out / LANES;
    return vectors % 4 == 0 ? 4 : vectors % 3 == 0 ? 3 : vectors % 2 == 0 ? 2 : 1;
}
static inline int rows_beside(int vectors) { return vectors == 4 ? 6 : vectors == 3 ? 8 : 12; }

/* A product that is kept in registers: rows of up to four sixteens. */
typedef lanes product_tile[16][4];

WIDE_INLINE void clear_tile(const int rows, const int vectors, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = (lanes){0};
}

WIDE_INLINE void load_tile(const int rows, const int vectors, const float *c, int64_t c_row, product_tile sum)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        sum[i][v] = load(c + i * c_row + v * LANES);
}

WIDE_INLINE void store_tile(const int rows, const int vectors, product_tile sum, float *c, int64_t c_row)
{
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
    for (int v = 0; v < vectors; v++)
        store(c + i * c_row + v * LANES, sum[i][v]);
}

/* sum [rows, 16 * vectors] += a [rows, depth] b [depth, 16 * vectors], with floats from row to row and from step to step of the depth. */
WIDE_INLINE void add_to_tile(const int rows, const int vectors, int64_t depth, const float *a, int64_t a_row,
                             int64_t a_step, const float *b, int64_t b_step, product_tile sum)
{
    for (int64_t k = 0; k < depth; k++, a += a_step, b += b_step) {
        lanes row[4];
        UNROLL
        for (int v = 0; v < vectors; v++)
            row[v] = load(b + v * LANES);
        UNROLL
        for (int i = 0; i < rows; i++) {
            lanes one = all_lanes(a[i * a_row]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] += one * row[v];
        }
    }
}

#endif
