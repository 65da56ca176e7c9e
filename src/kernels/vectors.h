/* Vectors of floats as wide as one register of the instruction set that is compiled for, and what kernels do with them.
 *
 * A vector must not be wider than a register: the compiler would keep it in memory. */
#ifndef ATLED_KERNELS_VECTORS_H
#define ATLED_KERNELS_VECTORS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/epilogue.h"
#include "kernels/level.h"

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Hides from the compiler where a value comes from.  In long unrolled loops it would otherwise keep an address for
 * every pixel, more than there are registers, or load an operand again for each product. */
#define HIDE_ADDRESS(x) __asm__("" : "+r"(x))
#if defined __x86_64__
#define HIDE_VECTOR(x) __asm__("" : "+v"(x))
#else
#define HIDE_VECTOR(x) (void)0
#endif

enum { VECTOR = ATL_VECTOR, LINE_FLOATS = 16 }; /* floats of a register, and of a cache line */
typedef float vec __attribute__((vector_size(4 * ATL_VECTOR)));
typedef int32_t vec_int __attribute__((vector_size(4 * ATL_VECTOR)));
typedef float vec_anywhere __attribute__((vector_size(4 * ATL_VECTOR), aligned(4), may_alias));
typedef int32_t vec_int_anywhere __attribute__((vector_size(4 * ATL_VECTOR), aligned(4), may_alias));

INLINE vec load(const float *x) { return *(const vec_anywhere *)x; }
INLINE void store(float *x, vec value) { *(vec_anywhere *)x = value; }

/* The first `lanes` elements, fewer than VECTOR, and 0 in the others: nothing behind them is touched. */
INLINE vec load_first(const float *x, int lanes)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << lanes) - 1), x);
#elif defined __AVX2__ && ATL_VECTOR == 8
    const vec_int number = {0, 1, 2, 3, 4, 5, 6, 7};
    return (vec)_mm256_maskload_ps(x, (__m256i)(number < lanes));
#else
    return lanes == 1 ? (vec){x[0]} : lanes == 2 ? (vec){x[0], x[1]} : (vec){x[0], x[1], x[2]};
#endif
}
INLINE void store_first(float *x, int lanes, vec value)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    _mm512_mask_storeu_ps(x, (__mmask16)((1u << lanes) - 1), (__m512)value);
#elif defined __AVX2__ && ATL_VECTOR == 8
    const vec_int number = {0, 1, 2, 3, 4, 5, 6, 7};
    _mm256_maskstore_ps(x, (__m256i)(number < lanes), (__m256)value);
#else
    x[0] = value[0];
    if (lanes > 1)
        x[1] = value[1];
    if (lanes > 2)
        x[2] = value[2];
#endif
}

/* VECTOR elements, or with `partly` the first `lanes`. */
INLINE vec load_lanes(const int partly, int lanes, const float *x) { return partly ? load_first(x, lanes) : load(x); }

INLINE void store_lanes(const int partly, int lanes, float *x, vec value)
{
    if (partly)
        store_first(x, lanes, value);
    else
        store(x, value);
}

/* The first `lanes` elements of x, and `other` behind them. */
INLINE vec first_or(vec x, int lanes, float other)
{
    vec_int number;
    UNROLL
    for (int i = 0; i < VECTOR; i++)
        number[i] = i;
    const vec_int first = number < lanes;
    return (vec)((first & (vec_int)x) | (~first & (vec_int)((vec){0} + other)));
}

INLINE vec broadcast(float x) { return x - (vec){0}; }

/* x where `by` is positive, else 0 */
INLINE vec where_positive(vec x, vec by) { return (vec)((vec_int)x & (by > (vec){0})); }

/* 0 where x is at most 0, else x: NaN stays NaN. */
INLINE vec relu(vec x) { return (vec)((vec_int)x & ~(x <= (vec){0})); }

/* `most` where x is above it: NaN stays NaN. */
INLINE vec at_most(vec x, float most)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_min_ps((__m512)broadcast(most), (__m512)x); /* the second operand if one is NaN */
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (vec)_mm256_min_ps((__m256)broadcast(most), (__m256)x);
#elif defined __x86_64__ && ATL_VECTOR == 4
    return (vec)_mm_min_ps((__m128)broadcast(most), (__m128)x);
#else
    const vec_int above = x > broadcast(most);
    return (vec)((above & (vec_int)broadcast(most)) | (~above & (vec_int)x));
#endif
}

/* The larger of a and b; b where one of them is NaN. */
INLINE vec larger(vec a, vec b)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined __x86_64__ && ATL_VECTOR == 4
    return (vec)_mm_max_ps((__m128)a, (__m128)b);
#else
    const vec_int above = a > b;
    return (vec)((above & (vec_int)a) | (~above & (vec_int)b));
#endif
}

/* x where `by` is below `limit`, else 0 */
INLINE vec where_below(vec x, vec by, float limit) { return (vec)((vec_int)x & (by < broadcast(limit))); }

/* x where `by` is above 0 and below `highest`, else 0 */
INLINE vec where_between(vec x, vec by, float highest)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    const __mmask16 above = _mm512_cmp_ps_mask((__m512)by, _mm512_setzero_ps(), _CMP_GT_OQ);
    return (vec)_mm512_maskz_mov_ps(_mm512_mask_cmp_ps_mask(above, (__m512)by, (__m512)broadcast(highest), _CMP_LT_OQ),
                                    (__m512)x);
#else
    return where_below(where_positive(x, by), by, highest);
#endif
}

/* Bit i: element i is above 0 and below `highest`, if that is not 0. */
INLINE unsigned bits_between(vec x, float highest)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    const unsigned bits = _mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_GT_OQ);
    return highest > 0 ? bits & _mm512_cmp_ps_mask((__m512)x, (__m512)broadcast(highest), _CMP_LT_OQ) : bits;
#else
    vec_int is = x > (vec){0};
    if (highest > 0)
        is &= x < broadcast(highest);
#if defined __AVX2__ && ATL_VECTOR == 8
    return (unsigned)_mm256_movemask_ps((__m256)is);
#elif defined __x86_64__ && ATL_VECTOR == 4
    return (unsigned)_mm_movemask_ps((__m128)is);
#else
    unsigned bits = 0;
    for (int i = 0; i < VECTOR; i++)
        bits |= (unsigned)(is[i] & 1) << i;
    return bits;
#endif
#endif
}

/* A relu up to `highest`, above 0: at_most(relu(x), highest), and bits_between of that. */
INLINE vec clipped(vec x, float highest, unsigned *bits)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    const __m512 most = (__m512)broadcast(highest);
    const __mmask16 kept = _mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_NLE_UQ); /* or not a number */
    *bits = _mm512_mask_cmp_ps_mask(kept, (__m512)x, most, _CMP_LT_OQ);
    return (vec)_mm512_maskz_min_ps(kept, most, (__m512)x); /* x, the second, where it is not a number */
#elif defined __AVX2__ && ATL_VECTOR == 8
    const vec_int kept = ~(x <= (vec){0});
    *bits = (unsigned)_mm256_movemask_ps((__m256)(kept & (x < broadcast(highest))));
    return (vec)_mm256_min_ps((__m256)broadcast(highest), (__m256)((vec_int)x & kept));
#else
    const vec y = at_most(relu(x), highest);
    *bits = bits_between(y, highest);
    return y;
#endif
}

/* x where its bit is set, else 0 */
INLINE vec where_bits(vec x, unsigned bits)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_maskz_mov_ps((__mmask16)bits, (__m512)x);
#else
    vec_int bit;
    UNROLL
    for (int i = 0; i < VECTOR; i++)
        bit[i] = 1 << i;
#if defined __AVX2__ && ATL_VECTOR == 8
    const vec_int all = (vec_int)_mm256_set1_epi8((char)bits); /* one instruction, from a byte in memory */
#else
    const vec_int all = (int32_t)bits + (vec_int){0};
#endif
    return (vec)((vec_int)x & ((all & bit) == bit));
#endif
}

/* The bits of a vector in a mask (kernels/mask.h) whose first element is `at`, a multiple of VECTOR. */
INLINE unsigned bits_at(const uint8_t *mask, int64_t at)
{
    const uint8_t *byte = mask + (uint64_t)at / 8;
#if defined __AVX512F__ && ATL_VECTOR == 16
    uint16_t both; /* one load, straight into a mask register */
    memcpy(&both, byte, sizeof both);
    return both;
#else
    return VECTOR == 16 ? byte[0] | (unsigned)byte[1] << 8 : VECTOR == 8 ? *byte : (unsigned)*byte >> at % 8;
#endif
}

/* Writes them; of vectors of four, adds them to bits that are 0. */
INLINE void add_bits(uint8_t *mask, int64_t at, unsigned bits)
{
    uint8_t *byte = mask + at / 8;
    byte[0] = (uint8_t)(VECTOR == 4 ? byte[0] | bits << at % 8 : bits);
    if (VECTOR == 16)
        byte[1] = (uint8_t)(bits >> 8);
}

/* 1 / sqrt(x) */
INLINE vec reciprocal_root(vec x)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    const vec r =
        (vec)_mm512_rsqrt14_ps((__m512)x); /* 14 bits, and one of Newton's steps: two units in the last place */
    return r * (1.5f - 0.5f * x * r * r);
#elif defined __AVX2__ && ATL_VECTOR == 8
    return 1 / (vec)_mm256_sqrt_ps((__m256)x);
#elif defined __x86_64__ && ATL_VECTOR == 4
    return 1 / (vec)_mm_sqrt_ps((__m128)x);
#elif defined __aarch64__ && ATL_VECTOR == 4
    return 1 / (vec)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < VECTOR; i++)
        x[i] = 1 / sqrtf(x[i]);
    return x;
#endif
}

/* The sum of the elements. */
INLINE float sum_of_vector(vec x)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return _mm512_reduce_add_ps((__m512)x);
#elif defined __AVX2__ && ATL_VECTOR == 8
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
#else
    float part[VECTOR];
    store(part, x);
    for (int width = VECTOR / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            part[i] += part[i + width];
    return part[0];
#endif
}

/* The largest of the elements, none of which is NaN. */
INLINE float largest_of_vector(vec x)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return _mm512_reduce_max_ps((__m512)x);
#elif defined __AVX2__ && ATL_VECTOR == 8
    __m128 half = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
#else
    float largest = x[0];
    for (int i = 1; i < VECTOR; i++)
        largest = x[i] > largest ? x[i] : largest;
    return largest;
#endif
}

/* Elements k to k + VECTOR - 1 of a and b, one after the other; 0 <= k <= VECTOR. */
INLINE vec window_of(int k, vec a, vec b)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    const vec_int number = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return (vec)_mm512_permutex2var_ps((__m512)a, (__m512i)(number + k), (__m512)b);
#elif defined __AVX2__ && ATL_VECTOR == 8
    const vec_int number = {0, 1, 2, 3, 4, 5, 6, 7}, index = number + k; /* permutevar looks at the lowest three bits */
    const vec of_a = (vec)_mm256_permutevar8x32_ps((__m256)a, (__m256i)index),
              of_b = (vec)_mm256_permutevar8x32_ps((__m256)b, (__m256i)index);
    return (vec)_mm256_blendv_ps((__m256)of_a, (__m256)of_b, (__m256)(index > 7));
#else
    float both[2 * VECTOR];
    store(both, a);
    store(both + VECTOR, b);
    return load(both + k);
#endif
}

/* Elements of a and b in turn: of their first halves, and of their second halves. */
#if ATL_VECTOR == 16
#define FIRST_IN_TURN(a, b)  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define SECOND_IN_TURN(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif ATL_VECTOR == 8
#define FIRST_IN_TURN(a, b)  __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define SECOND_IN_TURN(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define FIRST_IN_TURN(a, b)  __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define SECOND_IN_TURN(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

/* Turns a square of numbers: element j of row i becomes element i of row j. */
INLINE void turn_square(vec *square)
{
#if defined __clang__ || __GNUC__ >= 12
    UNROLL
    for (int n = 1; n < VECTOR; n *= 2) {
        vec half[VECTOR];
        UNROLL
        for (int i = 0; i < VECTOR / 2; i++) {
            half[2 * i] = FIRST_IN_TURN(square[i], square[i + VECTOR / 2]);
            half[2 * i + 1] = SECOND_IN_TURN(square[i], square[i + VECTOR / 2]);
        }
        UNROLL
        for (int i = 0; i < VECTOR; i++)
            square[i] = half[i];
    }
#else
    float rows[VECTOR][VECTOR];
    for (int i = 0; i < VECTOR; i++)
        store(rows[i], square[i]);
    for (int j = 0; j < VECTOR; j++)
        for (int i = 0; i < VECTOR; i++)
            square[j][i] = rows[i][j];
#endif
}

/* Bias, residual, relu and its gradient for the outputs from `channel` on; `at` is the linear index of the first in a
 * dense result. */
INLINE vec apply_epilogue(const atl_epilogue *end, vec value, int64_t at, int64_t channel)
{
    if (end->bias)
        value += load(end->bias + channel);
    if (end->residual)
        value += load(end->residual + at);
    if (end->relu)
        value = relu(value);
    if (end->relu && end->highest > 0)
        value = at_most(value, end->highest);
    if (end->relu_grad)
        value = where_positive(value, load(end->relu_grad + at));
    if (end->relu_grad && end->highest > 0)
        value = where_below(value, load(end->relu_grad + at), end->highest);
    if (end->mask)
        value = where_bits(value, bits_at(end->mask, at));
    if (end->positive)
        add_bits(end->positive, at, bits_between(value, end->highest));
    return value;
}

/* ---- calls with a constant --------------------------------------------------------------------------------------- */

/* One of four calls, by a number of vectors from 1 to 4. */
#define FOR_VECTORS(vectors, four, three, two, one)                                                                    \
    switch (vectors) {                                                                                                 \
    case 4:                                                                                                            \
        four;                                                                                                          \
        break;                                                                                                         \
    case 3:                                                                                                            \
        three;                                                                                                         \
        break;                                                                                                         \
    case 2:                                                                                                            \
        two;                                                                                                           \
        break;                                                                                                         \
    default:                                                                                                           \
        one;                                                                                                           \
    }

/* Calls function(n, ...) with n as a constant, 1 to 6; what is larger is the `default` below. */
#define CASE_OF(n, function, ...)                                                                                      \
    case n:                                                                                                            \
        function(n, __VA_ARGS__);                                                                                      \
        break;
#define CASES_TO_6(function, ...)                                                                                      \
    CASE_OF(1, function, __VA_ARGS__)                                                                                  \
    CASE_OF(2, function, __VA_ARGS__)                                                                                  \
    CASE_OF(3, function, __VA_ARGS__)                                                                                  \
    CASE_OF(4, function, __VA_ARGS__)                                                                                  \
    CASE_OF(5, function, __VA_ARGS__)                                                                                  \
    CASE_OF(6, function, __VA_ARGS__)

#endif
