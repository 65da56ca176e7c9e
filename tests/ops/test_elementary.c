/* Special cases of roots, reciprocals and rounding; test_vector_math.c has the rest. */
#include "ops/maps.h"

Test(elementary, rounded_once)
{
    static const char *const ops[] = {"sqrt", "rsqrt", "reciprocal", "floor", "ceil", "round"};
    for (size_t o = 0; o < COUNT(ops); o++)
        for (size_t i = 0; i < COUNT(special_floats); i++) {
            const float x = special_floats[i], y = map_of(ops[o], x, 0);
            const double exact = element_in_double(ops[o], (double)x, 0);
            cr_expect(ulps_between(y, exact) <= 0.5001, "%s(%.9g) is %.9g, not %.9g", ops[o], (double)x, (double)y,
                      exact);
        }
}

Test(elementary, halves_go_to_the_even_neighbour)
{
    static const struct {
        float x, y;
    } row[] = {{0.5f, 0}, {1.5f, 2}, {2.5f, 2}, {-0.5f, 0}, {-1.5f, -2}, {0x1p23f, 0x1p23f}, {8388609.5f, 8388610}};
    for (size_t i = 0; i < COUNT(row); i++)
        cr_expect(map_of("round", row[i].x, 0) == row[i].y, "round(%g)", (double)row[i].x);
}
