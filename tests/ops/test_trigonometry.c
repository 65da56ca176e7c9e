/* Trigonometric functions of large numbers; test_vector_math.c has the small ones. */
#include "ops/maps.h"

#include "kernels/vector_math.h"

static const char *const ops[] = {"sin", "cos", "tan"};

Test(trigonometry, far_numbers_among_near_ones)
{
    enum { N = 100 };
    float x[N], y[N];
    const float *const input[1] = {x};
    for (size_t o = 0; o < COUNT(ops); o++) {
        for (int i = 0; i < N; i++)
            x[i] = (float)random_below(1000) * (i % 9 == 4 ? 1e30f : 0.01f);
        op_named(ops[o])->map(NULL, N, input, y);
        for (int i = 0; i < N; i++)
            cr_expect(ulps_between(y[i], element_in_double(ops[o], (double)x[i], 0)) <= 0.51, "%s(%.9g) is %.9g",
                      ops[o], (double)x[i], (double)y[i]);
    }
}

/* The result for a number does not depend on its neighbours. */
Test(trigonometry, neighbours_do_not_matter)
{
    for (size_t o = 0; o < COUNT(ops); o++)
        for (int k = 0; k < 1000; k++) {
            const float near = (float)random_below(1 << 20) / 7, x[2] = {near, CIRCLE_LIMIT * 3}, *const input[1] = {x};
            float alone, y[2];
            op_named(ops[o])->map(NULL, 1, input, &alone);
            op_named(ops[o])->map(NULL, 2, input, y);
            cr_expect(alone == y[0], "%s(%.9g)", ops[o], (double)near);
        }
}

Test(trigonometry, infinity_has_no_angle)
{
    for (size_t o = 0; o < COUNT(ops); o++)
        cr_expect(isnan(map_of(ops[o], INFINITY, 0)) && isnan(map_of(ops[o], -INFINITY, 0)) &&
                  isnan(map_of(ops[o], NAN, 0)));
    cr_expect(isnan(map_of("asin", 1.0000001f, 0)) && isnan(map_of("acos", -1.0000001f, 0)));
    cr_expect_eq(map_of("atan", -INFINITY, 0), -1.57079637f);
}
