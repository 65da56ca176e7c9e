/* The interpreter of element_code.h: for a few vectors at a time, it runs the whole program. */
#include "kernels/element_code.h"

#include "kernels/vectors.h"

/* Vectors that a value has: enough for the latency of an instruction, and half of 16 registers, so that others are left
 * for arrays and masks. */
enum { VALUE_VECTORS = 8 };

/* Functions of ATL_VECTOR_MAPS that vectors.h does not have. */
INLINE vec smaller_of(vec a, vec b)
{
    const vec_int first = (a <= b) | (a != a);
    return (vec)((first & (vec_int)a) | (~first & (vec_int)b));
}
INLINE vec larger_of(vec a, vec b)
{
    const vec_int first = (a >= b) | (a != a);
    return (vec)((first & (vec_int)a) | (~first & (vec_int)b));
}
INLINE vec size_of(vec x) { return (vec)((vec_int)x & INT32_MAX); }
INLINE vec step_of(vec x) { return where_positive(broadcast(1), x); }
INLINE vec root_of(vec x)
{
#if defined __AVX512F__ && ATL_VECTOR == 16
    return (vec)_mm512_sqrt_ps((__m512)x);
#elif defined __AVX2__ && ATL_VECTOR == 8
    return (vec)_mm256_sqrt_ps((__m256)x);
#elif defined __x86_64__ && ATL_VECTOR == 4
    return (vec)_mm_sqrt_ps((__m128)x);
#elif defined __aarch64__ && ATL_VECTOR == 4
    return (vec)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < VECTOR; i++)
        x[i] = sqrtf(x[i]);
    return x;
#endif
}

/* `lanes`: of a part of a vector; 0: whole vectors. */
INLINE vec load_lanes(const float *x, int lanes) { return lanes ? load_first(x, lanes) : load(x); }
INLINE void store_lanes(float *x, int lanes, vec value)
{
    if (lanes)
        store_first(x, lanes, value);
    else
        store(x, value);
}

#define FOR_VALUE                                                                                                      \
    UNROLL                                                                                                             \
    for (int v = 0; v < vectors; v++)

#define UNARY_CASE(name, of_x)                                                                                         \
    case ATL_ELEMENT_##name:                                                                                           \
        FOR_VALUE                                                                                                      \
        {                                                                                                              \
            const vec x = value[v];                                                                                    \
            value[v] = (of_x);                                                                                         \
        }                                                                                                              \
        break;

#define BINARY_CASE(name, of_a_and_b)                                                                                  \
    case ATL_ELEMENT_##name:                                                                                           \
        FOR_VALUE                                                                                                      \
        {                                                                                                              \
            const vec a = value[v], b = load_lanes(array + v * VECTOR, lanes);                                         \
            value[v] = (of_a_and_b);                                                                                   \
        }                                                                                                              \
        break;                                                                                                         \
    case ATL_ELEMENT_##name##_reversed:                                                                                \
        FOR_VALUE                                                                                                      \
        {                                                                                                              \
            const vec a = load_lanes(array + v * VECTOR, lanes), b = value[v];                                         \
            value[v] = (of_a_and_b);                                                                                   \
        }                                                                                                              \
        break;

/* The program for elements `at` to at + vectors * VECTOR - 1, or, with a number of lanes, to at + lanes - 1. */
INLINE void run_vectors(const int vectors, int lanes, const atl_element_code *code, int length,
                        const float *const *arrays, int64_t at)
{
    vec value[VALUE_VECTORS];
    FOR_VALUE
    value[v] = load_lanes(arrays[code->array] + at + v * VECTOR, lanes);
    for (const atl_element_code *end = code++ + length; code < end; code++) {
        const float *array = arrays[code->array] + at;
        switch (code->op) {
        case ATL_ELEMENT_LOAD:
            FOR_VALUE
            value[v] = load_lanes(array + v * VECTOR, lanes);
            break;
        case ATL_ELEMENT_STORE:
            FOR_VALUE
            store_lanes((float *)array + v * VECTOR, lanes, value[v]);
            break;
            ATL_VECTOR_MAPS(UNARY_CASE, BINARY_CASE)
        default:
            __builtin_unreachable();
        }
    }
}

void KERNEL(run_element_code)(const atl_element_code *code, int length, const float *const *array, int64_t n)
{
    int64_t at = 0;
    for (; at + VALUE_VECTORS * VECTOR <= n; at += VALUE_VECTORS * VECTOR)
        run_vectors(VALUE_VECTORS, 0, code, length, array, at);
    for (; at + VECTOR <= n; at += VECTOR)
        run_vectors(1, 0, code, length, array, at);
    if (at < n)
        run_vectors(1, (int)(n - at), code, length, array, at);
}
