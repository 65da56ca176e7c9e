/* The example's basis functions against their formula; the example itself checks that they learn. */
#include "support.h"

int two_spirals(void);
#define main two_spirals
#include "../../examples/two_spirals.c"
#undef main

Test(two_spirals, basis_functions)
{
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, test_seed());
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2)), *phi = radial_basis(x);
    atl_program *program = atl_compile(g, ATL_NODES(phi));
    atl_tensor *points = random_tensor(ATL_SHAPE(7, 2), -1, 1),
               *expected = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(7, CENTERS));
    cr_assert(program && atl_run(program, ATL_FEED(x, points)) == ATL_OK, "%s", atl_graph_error(g));
    const float *center = atl_floats(atl_variable_value(atl_find(g, "centers")));
    for (int i = 0; i < 7 * CENTERS; i++) {
        double dx = element_of(points, i / CENTERS * 2) - (double)center[i % CENTERS * 2];
        double dy = element_of(points, i / CENTERS * 2 + 1) - (double)center[i % CENTERS * 2 + 1];
        atl_floats(expected)[i] = (float)exp(-(dx * dx + dy * dy) / (0.3 * 0.3));
    }
    cr_assert_close(atl_value(program, phi), expected, 1e-5);
    atl_tensor_free(points);
    atl_tensor_free(expected);
    atl_program_free(program);
    atl_graph_free(g);
}

/* No line separates the two classes: their points are opposite each other, at equal distances from the centre. */
Test(two_spirals, the_spirals_wind_around_each_other)
{
    atl_tensor *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(POINTS)), *points = spirals(0, labels);
    const float *p = atl_floats(points);
    double turned = 0;
    for (int i = 0; i < POINTS; i += 2) {
        cr_assert_float_eq(p[2 * i], -p[2 * i + 2], 1e-6);
        cr_assert_float_eq(p[2 * i + 1], -p[2 * i + 3], 1e-6);
        cr_assert(atl_ints(labels)[i] == 0 && atl_ints(labels)[i + 1] == 1);
        if (i) {
            double cross = p[2 * i - 4] * p[2 * i + 1] - p[2 * i - 3] * p[2 * i];
            turned += asin(cross / hypot(p[2 * i - 4], p[2 * i - 3]) / hypot(p[2 * i], p[2 * i + 1]));
        }
    }
    cr_assert_float_eq(fabs(turned) / (2 * acos(-1)), 3, 0.01, "%g turns", fabs(turned) / (2 * acos(-1)));
    atl_tensor_free(labels);
    atl_tensor_free(points);
}
