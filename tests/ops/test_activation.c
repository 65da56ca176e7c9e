/* Activations at their extremes; the battery and test_vector_math.c have the rest. */
#include "ops/maps.h"

static void expect_rows(const char *op, size_t count, const float (*row)[2])
{
    for (size_t i = 0; i < count; i++) {
        const float y = map_of(op, row[i][0], 0), want = row[i][1];
        cr_expect(y == want || (isnan(y) && isnan(want)), "%s(%.9g) is %.9g, not %.9g", op, (double)row[i][0],
                  (double)y, (double)want);
        const double exact = element_in_double(op, (double)row[i][0], 0);
        cr_expect((float)exact == want || (isnan(exact) && isnan(want)), "%s(%.9g) in double is %.17g, not %.9g", op,
                  (double)row[i][0], exact, (double)want);
    }
}
#define EXPECT_ROWS(op, ...) expect_rows(op, COUNT(((const float[][2]){__VA_ARGS__})), (const float[][2]){__VA_ARGS__})

Test(activation, far_out)
{
    EXPECT_ROWS("relu", {INFINITY, INFINITY}, {-INFINITY, 0}, {NAN, NAN}, {-0.0f, 0}, {-1e-45f, 0}, {1e-45f, 1e-45f});
    EXPECT_ROWS("sigmoid", {INFINITY, 1}, {-INFINITY, 0}, {NAN, NAN}, {0, 0.5f}, {200, 1}, {-200, 0},
                {-100, 3.78350585e-44f});
    EXPECT_ROWS("softplus", {INFINITY, INFINITY}, {-INFINITY, 0}, {NAN, NAN}, {1e30f, 1e30f}, {-1e30f, 0},
                {-100, 3.78350585e-44f});
    EXPECT_ROWS("tanh", {INFINITY, 1}, {-INFINITY, -1}, {NAN, NAN}, {1e-45f, 1e-45f}, {20, 1}, {-20, -1});
    EXPECT_ROWS("elu", {INFINITY, INFINITY}, {-INFINITY, -1}, {NAN, NAN}, {-1e-45f, -1e-45f}, {-30, -1});
    EXPECT_ROWS("selu", {INFINITY, INFINITY}, {-INFINITY, -1.75809934f}, {NAN, NAN}, {0, 0});
    EXPECT_ROWS("swish", {INFINITY, INFINITY}, {-INFINITY, 0}, {NAN, NAN}, {0, 0}, {-FLT_MAX, 0}, {FLT_MAX, FLT_MAX});
    EXPECT_ROWS("gelu", {INFINITY, INFINITY}, {-INFINITY, 0}, {NAN, NAN}, {0, 0}, {-FLT_MAX, 0}, {FLT_MAX, FLT_MAX});
    EXPECT_ROWS("gelu_tanh", {INFINITY, INFINITY}, {-INFINITY, 0}, {NAN, NAN}, {0, 0}, {-FLT_MAX, 0},
                {FLT_MAX, FLT_MAX});
    EXPECT_ROWS("softsign", {INFINITY, 1}, {-INFINITY, -1}, {NAN, NAN}, {1e-45f, 1e-45f}, {FLT_MAX, 1}, {1, 0.5f});
}

static double slope_at(atl_node *(*build)(atl_node *), float at)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), *slope = atl_gradient(build(x), x);
    atl_tensor *value = atl_tensor_of_floats(ATL_SCALAR, &at);
    atl_program *p = atl_compile(g, ATL_NODES(slope));
    cr_assert(p && atl_run(p, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    double result = (double)atl_scalar_of(p, slope);
    atl_program_free(p);
    atl_tensor_free(value);
    atl_graph_free(g);
    return result;
}

static atl_node *clip_to_unit(atl_node *x) { return atl_clip(x, 0, 1); }
static atl_node *leaky(atl_node *x) { return atl_leaky_relu(x, 0.25f); }

Test(activation, slopes_on_kinks)
{
    static const struct {
        atl_node *(*build)(atl_node *);
        float x;
        double slope;
    } row[] = {{atl_relu, 0, 0},       {leaky, 0, 0.25},        {atl_abs, 0, 0},           {clip_to_unit, 0, 1},
               {clip_to_unit, 1, 1},   {clip_to_unit, -1, 0},   {clip_to_unit, 2, 0},      {atl_relu6, 6, 0},
               {atl_relu6, 0, 0},      {atl_relu6, 3, 1},       {atl_hard_sigmoid, -4, 0}, {atl_hard_sigmoid, 4, 0},
               {atl_elu, 0, 1},        {atl_sign, 0, 0},        {atl_heaviside, 0, 0},     {atl_round, 0.5f, 0},
               {atl_hard_swish, 4, 1}, {atl_hard_swish, -4, 0}, {atl_hard_swish, 3, 1.5},  {atl_hard_swish, -3, -0.5}};
    for (size_t i = 0; i < COUNT(row); i++) {
        double slope = slope_at(row[i].build, row[i].x);
        cr_expect(slope == row[i].slope, "row %zu: the slope at %g is %g, not %g", i, (double)row[i].x, slope,
                  row[i].slope);
    }
}

Test(activation, slopes_far_out)
{
    cr_expect_eq(slope_at(atl_softplus, 100), 1);
    cr_expect_float_eq(slope_at(atl_softplus, -50) / exp(-50), 1, 1e-6);
    cr_expect_float_eq(slope_at(atl_gelu, -8) / (0.5 * erfc(8 / sqrt(2)) - 8 * exp(-32) / sqrt(2 * acos(-1))), 1, 1e-4);
    cr_expect_eq(slope_at(atl_gelu, 20), 1);
    cr_expect_eq(slope_at(atl_gelu_tanh, 20), 1);
    cr_expect_eq(slope_at(atl_swish, 200), 1);
    cr_expect_eq(slope_at(atl_sigmoid, 200), 0);
    cr_expect_eq(slope_at(atl_tanh, -50), 0);
}

Test(activation, clip_bounds)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2));
    cr_assert_not_null(atl_clip(x, 1, 1));
    cr_assert_not_null(atl_clip(x, -INFINITY, 0));
    cr_assert_null(atl_clip(x, 1, -1));
    cr_assert_mentions(atl_graph_error(g), "lowest, 1, is above highest, -1");
    atl_graph_free(g);
}

Test(activation, the_gradient_of_gelu_tanh_far_out)
{
    enum { COUNT_OF_POINTS = 8 };
    const float points[COUNT_OF_POINTS] = {20, 1e18f, 2e19f, 3e38f, -20, -1e18f, -2e19f, -3e38f};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(COUNT_OF_POINTS)), *dx = atl_gradient(atl_gelu_tanh(x), x);
    atl_program *program = atl_compile(g, ATL_NODES(dx));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(COUNT_OF_POINTS), points);
    cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
    for (int i = 0; i < COUNT_OF_POINTS; i++)
        cr_expect_eq(element_of(atl_value(program, dx), i), points[i] > 0, "at %g it is %g", (double)points[i],
                     element_of(atl_value(program, dx), i));
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}
