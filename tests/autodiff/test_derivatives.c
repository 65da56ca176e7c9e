/* Products with Jacobians and Hessians, whole Jacobians and Hessians, overrides, and modified gradients. */
#include "support.h"

/* f(x) = tanh(A x) with A [3, 4]; everything is compared in double through the oracle. */
static atl_graph *g;
static atl_node *x, *y, *v;
static atl_tensor *at, *along;
static void open_graph(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4));
    v = atl_input(g, "v", ATL_FLOAT32, ATL_SHAPE(4));
    atl_node *a = atl_variable(g, "a", ATL_SHAPE(3, 4), atl_normal(0.7f));
    y = atl_tanh(atl_reshape(atl_matmul(a, atl_reshape(x, ATL_SHAPE(4, 1))), ATL_SHAPE(3)));
    at = random_tensor(ATL_SHAPE(4), -1, 1);
    along = random_tensor(ATL_SHAPE(4), -1, 1);
}
static void close_graph(void)
{
    atl_tensor_free(at);
    atl_tensor_free(along);
    atl_graph_free(g);
}
TestSuite(derivatives, .init = open_graph, .fini = close_graph);

static atl_reference *run(atl_nodes wanted, const atl_tensor *point)
{
    atl_reference *r = atl_reference_run(wanted, ATL_FEEDS({x, point}, {v, along}));
    cr_assert(r, "%s", atl_error());
    return r;
}

/* (f(at + h along) - f(at - h along)) / 2h, element k. */
static double directional(atl_node *f, int64_t k)
{
    const double h = 1e-4;
    double value[2];
    for (int side = 0; side < 2; side++) {
        atl_tensor *point = atl_tensor_convert(at, ATL_FLOAT64);
        for (int i = 0; i < 4; i++)
            atl_doubles(point)[i] += (side ? h : -h) * atl_floats(along)[i];
        atl_reference *r = run(ATL_NODES(f), point);
        value[side] = atl_doubles(atl_reference_value(r, f))[k];
        atl_reference_free(r);
        atl_tensor_free(point);
    }
    return (value[1] - value[0]) / (2 * h);
}

Test(derivatives, jvp_is_the_derivative_along_v)
{
    atl_node *jv = atl_jvp(y, x, v);
    cr_assert(jv, "%s", atl_graph_error(g));
    atl_reference *r = run(ATL_NODES(jv), at);
    for (int k = 0; k < 3; k++)
        cr_assert_float_eq(atl_doubles(atl_reference_value(r, jv))[k], directional(y, k), 1e-7);
    atl_reference_free(r);
}
Test(derivatives, hvp_is_the_derivative_of_the_gradient)
{
    atl_node *loss = atl_sum(atl_square(y)), *hv = atl_hvp(loss, x, v), *dx = atl_gradient(loss, x);
    cr_assert(hv && dx, "%s", atl_graph_error(g));
    atl_reference *r = run(ATL_NODES(hv), at);
    for (int k = 0; k < 4; k++)
        cr_assert_float_eq(atl_doubles(atl_reference_value(r, hv))[k], directional(dx, k), 1e-6);
    atl_reference_free(r);
}
Test(derivatives, jacobian_and_hessian_agree_with_their_products)
{
    atl_node *j = atl_jacobian(y, x), *jv = atl_jvp(y, x, v), *loss = atl_sum(atl_square(y));
    atl_node *h = atl_hessian(loss, x), *hv = atl_hvp(loss, x, v);
    cr_assert(j && h, "%s", atl_graph_error(g));
    atl_reference *r = run(ATL_NODES(j, jv, h, hv), at);
    const double *jacobian = atl_doubles(atl_reference_value(r, j)), *hessian = atl_doubles(atl_reference_value(r, h));
    for (int row = 0; row < 4; row++) {
        double in_j = 0, in_h = 0;
        for (int k = 0; k < 4; k++) {
            in_j += row < 3 ? jacobian[row * 4 + k] * atl_floats(along)[k] : 0;
            in_h += hessian[row * 4 + k] * atl_floats(along)[k];
            cr_assert_float_eq(hessian[row * 4 + k], hessian[k * 4 + row], 1e-12);
        }
        if (row < 3)
            cr_assert_float_eq(in_j, atl_doubles(atl_reference_value(r, jv))[row], 1e-12);
        cr_assert_float_eq(in_h, atl_doubles(atl_reference_value(r, hv))[row], 1e-12);
    }
    atl_reference_free(r);
}
/* A gradient that does not depend on x has the derivative 0; so does what is constant in pieces. */
Test(derivatives, second_derivatives_of_linear_functions_are_zeros)
{
    atl_node *linear = atl_sum(atl_scale(x, 3)), *hv = atl_hvp(linear, x, v), *h = atl_hessian(linear, x);
    atl_node *jv = atl_jvp(atl_round(x), x, v);
    cr_assert(hv && h && jv, "%s", atl_graph_error(g));
    atl_reference *r = run(ATL_NODES(hv, h, jv), at);
    for (int k = 0; k < 4; k++) {
        cr_expect_eq(atl_doubles(atl_reference_value(r, hv))[k], 0);
        cr_expect_eq(atl_doubles(atl_reference_value(r, jv))[k], 0);
    }
    for (int k = 0; k < 16; k++)
        cr_expect_eq(atl_doubles(atl_reference_value(r, h))[k], 0);
    atl_reference_free(r);
}
Test(derivatives, a_jacobian_too_large_says_its_bytes)
{
    atl_node *wide = atl_input(g, "wide", ATL_FLOAT32, ATL_SHAPE(3000, 50));
    cr_assert_null(atl_jacobian(atl_square(atl_reduce_sum(wide, ATL_AXES(1))), wide));
    cr_assert_mentions(atl_graph_error(g), "1800000000 bytes");
    cr_assert_mentions(atl_graph_error(g), "atl_jvp");
}
Test(derivatives, a_gradient_penalty_has_a_gradient)
{
    atl_node *dx = atl_gradient(atl_sum(y), x),
             *penalty = atl_square(atl_add_scalar(atl_sqrt(atl_sum(atl_square(dx))), -1));
    atl_gradient_check check;
    cr_assert_eq(atl_check_gradient(penalty, ATL_NODES(x, atl_find(g, "a")), ATL_FEEDS({x, at}), .result_out = &check),
                 ATL_OK, "%s", atl_error());
    cr_assert_lt(check.worst, 1e-6);
    cr_assert_eq(check.checked, 4 + 12);
}
Test(derivatives, gradients_scaled_and_clipped_on_their_way)
{
    atl_node *reversed = atl_gradient(atl_square(atl_scale_gradient(x, -1)), x),
             *plain = atl_gradient(atl_square(x), x);
    atl_node *clipped = atl_gradient(atl_square(atl_clip_gradient(x, -0.1f, 0.1f)), x);
    atl_reference *r = run(ATL_NODES(reversed, plain, clipped), at);
    for (int k = 0; k < 4; k++) {
        double dx = atl_doubles(atl_reference_value(r, plain))[k];
        cr_assert_float_eq(atl_doubles(atl_reference_value(r, reversed))[k], -dx, 1e-12);
        cr_assert_float_eq(atl_doubles(atl_reference_value(r, clipped))[k], fmax(-0.1, fmin(0.1, dx)), 1e-7);
    }
    atl_reference_free(r);
}

/* Two relus, in scopes a and b, of (1, -1, 1, -1), with adjoints from outside of (1, 1, -1, -1). */
static void assert_override(const atl_override *overrides, double p, double q, double r, double s)
{
    atl_node *dx = NULL, *seed = ATL_CONSTANT(x, 1, 1, -1, -1);
    atl_enter(g, "a");
    atl_node *h = atl_relu(x);
    atl_leave(g);
    cr_assert_eq(atl_gradients(ATL_NODES(h), ATL_NODES(x), &dx, .seeds = ATL_NODES(seed), .overrides = overrides),
                 ATL_OK);
    atl_tensor *signs = atl_tensor_of_floats(ATL_SHAPE(4), (float[]){1, -1, 1, -1});
    atl_reference *oracle = run(ATL_NODES(dx), signs);
    const double *got = atl_doubles(atl_reference_value(oracle, dx)), want[] = {p, q, r, s};
    for (int k = 0; k < 4; k++)
        cr_assert_eq(got[k], want[k], "element %d: %g, not %g", k, got[k], want[k]);
    atl_reference_free(oracle);
    atl_tensor_free(signs);
}
Test(derivatives, no_override) { assert_override(NULL, 1, 0, -1, 0); }
Test(derivatives, guided) { assert_override(ATL_OVERRIDES({"relu", NULL, atl_guided_relu}), 1, 0, 0, 0); }
Test(derivatives, deconvolution) { assert_override(ATL_OVERRIDES({"relu", "a", atl_deconvolution_relu}), 1, 1, 0, 0); }
Test(derivatives, redirected) { assert_override(ATL_OVERRIDES({"relu", NULL, atl_redirected_relu}), 1, 0, -1, -1); }
Test(derivatives, an_override_elsewhere)
{
    assert_override(ATL_OVERRIDES({"relu", "b/", atl_guided_relu}), 1, 0, -1, 0);
}
