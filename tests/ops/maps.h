/* Element-wise ops by name: their maps in float beside their elements in double. */
#ifndef ATLED_TESTS_OPS_MAPS_H
#define ATLED_TESTS_OPS_MAPS_H

#include "support.h"

#include <float.h>
#include <stdint.h>

#include "graph/graph.h"

static inline const atl_op *op_named(const char *name)
{
    int64_t count;
    const atl_op *const *ops = atl_builtin_ops(&count);
    for (int i = 0; i < count; i++)
        if (!strcmp(ops[i]->name, name))
            return ops[i];
    cr_assert_fail("there is no op '%s'", name);
    return NULL;
}

static inline float map_of(const char *name, float a, float b)
{
    const float *const x[2] = {&a, &b};
    float y;
    op_named(name)->map(NULL, 1, x, &y);
    return y;
}

static inline double element_in_double(const char *name, double a, double b)
{
    const atl_op *op = op_named(name);
    const double x[2] = {a, b};
    return op->function ? op->function(a) : op->element(x, NULL);
}

/* The distance from value to `exact` in units in the last place of a float; infinite if one is NaN and the other is
 * not, if a zero has the wrong sign, and if value is infinite but `exact` fits a float. */
static inline double ulps_between(float value, double exact)
{
    const float rounded = (float)exact;
    if (isnan(value) || isnan(rounded))
        return isnan(value) && isnan(rounded) ? 0 : INFINITY;
    if (value == 0 && rounded == 0)
        return signbit(value) == signbit(rounded) ? 0 : INFINITY;
    if (isinf(value) || isinf(rounded))
        return value == rounded ? 0 : INFINITY;
    const double ulp = fmax(ldexp(1, ilogb(exact) - 23), 0x1p-149);
    return fabs((double)value - exact) / ulp;
}

#define FLOATS(...)  ((const float[]){__VA_ARGS__})
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Special arguments: zeros, denormals, whole numbers, the limits of exp and of the floats, inf, NaN. */
static const float special_floats[] = {0,         -0.0f,       1e-45f,     -1e-45f,      1e-38f,     -1e-38f,
                                       0x1p-126f, -0x1p-126f,  0.5f,       -0.5f,        1,          -1,
                                       1.5f,      -1.5f,       2,          -2,           3,          -3,
                                       6,         -6,          10,         -10,          88.72283f,  88.72284f,
                                       -87.5f,    -103.9f,     -104.0f,    128,          -149,       -150,
                                       0x1p20f,   -0x1p20f,    0x1.8p20f,  -0x1.8p20f,   0x1p24f,    -0x1p24f,
                                       16777215,  -16777215,   0x1p25f,    -0x1p25f,     1e30f,      -1e30f,
                                       FLT_MAX,   -FLT_MAX,    INFINITY,   -INFINITY,    NAN,        1e-30f,
                                       -1e-30f,   0.99999994f, 1.0000001f, -0.99999994f, -1.0000001f};

#endif
