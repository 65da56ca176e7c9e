/* The loops of the element-wise ops: see maps.h for what each computes. */
#include "kernels/maps.h"

#include "kernels/level.h"
#include "kernels/loops.h"
#include "kernels/gelu.h"

#define MAP(name) void KERNEL(map_##name)(const void *attributes, size_t n, const float *const *inputs, float *result)

#define UNARY_MAP(name, of_x)                                                                                          \
    MAP(name)                                                                                                          \
    {                                                                                                                  \
        const float *const input = inputs[0];                                                                          \
        (void)attributes;                                                                                              \
        ATL_LANES                                                                                                      \
        for (size_t i = 0; i < n; i++) {                                                                               \
            const float x = input[i];                                                                                  \
            result[i] = (of_x);                                                                                        \
        }                                                                                                              \
    }

#define BINARY_MAP(name, of_a_and_b)                                                                                   \
    MAP(name)                                                                                                          \
    {                                                                                                                  \
        const float *const left = inputs[0], *const right = inputs[1];                                                 \
        (void)attributes;                                                                                              \
        ATL_LANES                                                                                                      \
        for (size_t i = 0; i < n; i++) {                                                                               \
            const float a = left[i], b = right[i];                                                                     \
            result[i] = (of_a_and_b);                                                                                  \
        }                                                                                                              \
    }

/* Functions of ATL_VECTOR_MAPS. */
ATL_LANE float smaller_of(float a, float b) { return a <= b || a != a ? a : b; }
ATL_LANE float larger_of(float a, float b) { return a >= b || a != a ? a : b; }
ATL_LANE float size_of(float x) { return fabsf(x); }
ATL_LANE float root_of(float x) { return sqrtf(x); }
ATL_LANE float relu(float x) { return x <= 0 ? 0 : x; }
ATL_LANE float at_most(float x, float most) { return x > most ? most : x; }
ATL_LANE float step_of(float x) { return x > 0 ? 1 : 0; }
ATL_LANE float where_positive(float x, float by) { return by > 0 ? x : 0; }
ATL_LANE float where_below(float x, float by, float limit) { return by < limit ? x : 0; }

#define BELOW(name)
ATL_MAPS(UNARY_MAP, BINARY_MAP, BELOW)

/* In rare blocks with a number beyond CIRCLE_LIMIT, the C library computes that number. */
#define CIRCLE_MAP(name)                                                                                               \
    MAP(name)                                                                                                          \
    {                                                                                                                  \
        const float *const x = inputs[0];                                                                              \
        int far = 0;                                                                                                   \
        (void)attributes;                                                                                              \
        for (size_t i = 0; i < n; i++)                                                                                 \
            far |= fabsf(x[i]) > CIRCLE_LIMIT;                                                                         \
        for (size_t i = 0; i < n && far; i++)                                                                          \
            result[i] = fabsf(x[i]) > CIRCLE_LIMIT ? (float)name((double)x[i]) : fast_##name(x[i]);                    \
        if (far)                                                                                                       \
            return;                                                                                                    \
        ATL_LANES                                                                                                      \
        for (size_t i = 0; i < n; i++)                                                                                 \
            result[i] = fast_##name(x[i]);                                                                             \
    }
CIRCLE_MAP(sin)
CIRCLE_MAP(cos)
CIRCLE_MAP(tan)

/* attributes: the slope below 0 */
MAP(leaky_relu)
{
    const float slope = *(const float *)attributes, *const x = inputs[0];
    ATL_LANES
    for (size_t i = 0; i < n; i++) {
        const float below = slope * x[i];
        result[i] = x[i] > 0 ? x[i] : below;
    }
}

MAP(clip)
{
    const float lowest = ((const atl_clip_bounds *)attributes)->lowest,
                highest = ((const atl_clip_bounds *)attributes)->highest;
    const float *const x = inputs[0];
    ATL_LANES
    for (size_t i = 0; i < n; i++) {
        const float above = x[i] < lowest ? lowest : x[i];
        result[i] = above > highest ? highest : above;
    }
}

MAP(select)
{
    const float *const condition = inputs[0], *const left = inputs[1], *const right = inputs[2];
    (void)attributes;
    ATL_LANES
    for (size_t i = 0; i < n; i++) {
        const float a = left[i], b = right[i];
        result[i] = condition[i] != 0 ? a : b;
    }
}
