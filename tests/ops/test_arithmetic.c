/* Special cases of arithmetic; the battery has the rest. */
#include "ops/maps.h"

static atl_graph *g;
static atl_node *a, *b;
static void set_up(void)
{
    g = atl_graph_new();
    a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(3));
    b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(3));
}
static void tear_down(void) { atl_graph_free(g); }
TestSuite(arithmetic, .init = set_up, .fini = tear_down);

/* The gradients of sum(y) with respect to a and b, at the given points. */
static void slopes(atl_node *y, const float *at_a, const float *at_b, double *da, double *db)
{
    atl_node *d[2];
    cr_assert_eq(atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(a, b), .result_out = d), ATL_OK, "%s",
                 atl_graph_error(g));
    atl_tensor *value_a = atl_tensor_of_floats(ATL_SHAPE(3), at_a), *value_b = atl_tensor_of_floats(ATL_SHAPE(3), at_b);
    atl_program *p = atl_compile(g, ATL_NODES(d[0], d[1]));
    cr_assert(p && atl_run(p, ATL_FEEDS({a, value_a}, {b, value_b})) == ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < 3; i++) {
        da[i] = element_of(atl_value(p, d[0]), i);
        db[i] = element_of(atl_value(p, d[1]), i);
    }
    atl_program_free(p);
    atl_tensor_free(value_a);
    atl_tensor_free(value_b);
}

Test(arithmetic, ties_go_to_the_first)
{
    double da[3], db[3];
    slopes(atl_minimum(a, b), FLOATS(1, 2, -0.0f), FLOATS(1, 1, 0), da, db);
    cr_assert(da[0] == 1 && db[0] == 0);
    cr_assert(da[1] == 0 && db[1] == 1);
    cr_assert(da[2] == 1 && db[2] == 0);
    slopes(atl_maximum(a, b), FLOATS(1, 2, 0), FLOATS(1, 3, 0), da, db);
    cr_assert(da[0] == 1 && db[0] == 0);
    cr_assert(da[1] == 0 && db[1] == 1);
    cr_assert(da[2] == 1 && db[2] == 0);
}

Test(arithmetic, slopes_of_powers_of_zero)
{
    double da[3], db[3];
    slopes(atl_pow(a, b), FLOATS(0, 0, -2), FLOATS(1, 2, 3), da, db);
    cr_assert(da[0] == 1 && da[1] == 0 && da[2] == 12, "%g %g %g", da[0], da[1], da[2]);
    cr_assert(db[0] == 0 && db[1] == 0 && db[2] == 0, "%g %g %g", db[0], db[1], db[2]);
}

/* A square near the smallest float must not underflow before the difference is computed. */
Test(arithmetic, tiny_differences_still_choose)
{
    double da[3], db[3];
    slopes(atl_minimum(a, b), FLOATS(1e-45f, 0, 1e-30f), FLOATS(0, 1e-45f, 1.0000001e-30f), da, db);
    cr_assert(da[0] == 0 && da[1] == 1 && da[2] == 1);
}

Test(arithmetic, special_pairs)
{
    static const char *const ops[] = {"add", "sub", "mul", "div", "minimum", "maximum"};
    for (size_t o = 0; o < COUNT(ops); o++)
        for (size_t i = 0; i < COUNT(special_floats); i++)
            for (size_t k = 0; k < COUNT(special_floats); k++) {
                const float x = special_floats[i], y = special_floats[k], z = map_of(ops[o], x, y);
                const float exact = (float)element_in_double(ops[o], (double)x, (double)y);
                cr_expect(z == exact || (isnan(z) && isnan(exact)), "%s(%g, %g) is %g, not %g", ops[o], (double)x,
                          (double)y, (double)z, (double)exact);
            }
}

Test(arithmetic, nan_wins_minimum_and_maximum)
{
    cr_assert(isnan(map_of("minimum", NAN, 1)) && isnan(map_of("minimum", 1, NAN)));
    cr_assert(isnan(map_of("maximum", NAN, 1)) && isnan(map_of("maximum", 1, NAN)));
}

Test(arithmetic, signs)
{
    cr_assert(map_of("sign", INFINITY, 0) == 1 && map_of("sign", -1e-45f, 0) == -1);
    cr_assert(map_of("sign", 0, 0) == 0 && isnan(map_of("sign", NAN, 0)));
    cr_assert(signbit(map_of("neg", 0, 0)) && !signbit(map_of("abs", -0.0f, 0)));
}

Test(arithmetic, a_bias_has_one_value_for_each_channel)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 5, 5, 4));
    atl_node *four = atl_variable(g, "bias", ATL_SHAPE(4), atl_zeros());
    atl_node *y = atl_bias_add(x, four);
    cr_assert(atl_shape_equal(atl_shape_of(y), atl_shape_of(x)));
    atl_enter(g, "conv1");
    cr_assert_null(atl_bias_add(x, b));
    atl_leave(g);
    cr_assert_mentions(atl_graph_error(g), "conv1/bias_add: ");
    cr_assert_mentions(atl_graph_error(g), "[?, 5, 5, 4]");
    cr_assert_mentions(atl_graph_error(g), "4 values");
    cr_assert_mentions(atl_graph_error(g), "'b' is [3]");
}

Test(arithmetic, a_bias_is_a_vector)
{
    cr_assert_null(atl_bias_add(a, atl_scalar(a, 1)));
    cr_assert_mentions(atl_graph_error(g), "must be a vector");
}

Test(arithmetic, a_scalar_has_no_channels)
{
    cr_assert_null(atl_bias_add(atl_scalar(a, 1), b));
    cr_assert_mentions(atl_graph_error(g), "is a scalar");
}

Test(arithmetic, null_passes)
{
    cr_assert_null(atl_bias_add(NULL, b));
    cr_assert_null(atl_bias_add(a, NULL));
    cr_assert_null(atl_scale(NULL, 2));
    cr_assert_null(atl_add_scalar(NULL, 2));
    cr_assert_str_empty(atl_graph_error(g));
}

static atl_node *vector_in(atl_graph *graph, float x, float y, float z)
{
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(3), (const float[]){x, y, z});
    atl_node *node = atl_constant(graph, value);
    atl_tensor_free(value);
    return node;
}

static void expect_everywhere(atl_node *y, double expected)
{
    atl_program *program = atl_compile(atl_graph_of(y), ATL_NODES(y));
    cr_assert(program && !atl_run(program, ATL_NO_FEEDS), "%s", atl_error());
    for (int i = 0; i < 3; i++)
        cr_expect_eq(element_of(atl_value(program, y), i), expected, "element %d is %g, not %g", i,
                     element_of(atl_value(program, y), i), expected);
    atl_program_free(program);
}

/* x^0 is 1 everywhere, also at 0. */
Test(arithmetic, the_gradient_of_the_power_0)
{
    atl_graph *own = atl_graph_new();
    atl_node *x = vector_in(own, 0, 1, -2), *e = vector_in(own, 0, 0, 0), *dx = atl_gradient(atl_pow(x, e), x);
    expect_everywhere(atl_gradient(atl_pow(x, atl_scalar(x, 0)), x), 0);
    expect_everywhere(dx, 0);
    expect_everywhere(atl_gradient(dx, x), 0);
    expect_everywhere(atl_gradient(atl_pow(x, atl_scalar(x, 1)), x), 1);
    atl_graph_free(own);
}
