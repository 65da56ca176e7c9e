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

#define FOR_VALUE                                                                                                      \
    UNROLL                                                                                                             \
    for (int v = 0; v < vectors; v++)

#define FETCH_VALUE(to_write)                                                                                          \
    UNROLL                                                                                                             \
    for (int v = 0; v < vectors; v += LINE_FLOATS / VECTOR)                                                            \
        __builtin_prefetch(array + v * VECTOR + ATL_ELEMENT_AHEAD, to_write);

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
            const vec a = value[v], b = load_lanes(partly, lanes, array + v * VECTOR);                                 \
            value[v] = (of_a_and_b);                                                                                   \
        }                                                                                                              \
        break;                                                                                                         \
    case ATL_ELEMENT_##name##_reversed:                                                                                \
        FOR_VALUE                                                                                                      \
        {                                                                                                              \
            const vec a = load_lanes(partly, lanes, array + v * VECTOR), b = value[v];                                 \
            value[v] = (of_a_and_b);                                                                                   \
        }                                                                                                              \
        break;

/* The program for elements `at` to at + vectors * VECTOR - 1; with `partly`, to at + lanes - 1. */
INLINE void run_vectors(const int vectors, const int partly, int lanes, const atl_element_code *code, int length,
                        const float *const *arrays, int64_t at)
{
    vec value[VALUE_VECTORS];
    FOR_VALUE
    value[v] = load_lanes(partly, lanes, arrays[code->array] + at + v * VECTOR);
    for (const atl_element_code *end = code++ + length; code < end; code++) {
        const float *array = arrays[code->array] + at;
        switch (code->op) {
        case ATL_ELEMENT_LOAD:
            FOR_VALUE
            value[v] = load_lanes(partly, lanes, array + v * VECTOR);
            break;
        case ATL_ELEMENT_STORE:
            FOR_VALUE
            store_lanes(partly, lanes, (float *)array + v * VECTOR, value[v]);
            break;
        case ATL_ELEMENT_FETCH:
            FETCH_VALUE(0)
            break;
        case ATL_ELEMENT_FETCH_TO_WRITE:
            FETCH_VALUE(1)
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
        run_vectors(VALUE_VECTORS, 0, VECTOR, code, length, array, at);
    for (; at + VECTOR <= n; at += VECTOR)
        run_vectors(1, 0, VECTOR, code, length, array, at);
    if (at < n)
        run_vectors(1, 1, (int)(n - at), code, length, array, at);
}
