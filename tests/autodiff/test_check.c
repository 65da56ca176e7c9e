/* The gradient checker finds wrong gradients, passes right ones, and tells kinks from mistakes. */
#include "support.h"

static double cube(double x) { return x * x * x; }
static atl_node *right_rule(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_scale(atl_square(atl_input_of(y, 0)), 3));
}
static atl_node *wrong_rule(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_scale(atl_square(atl_input_of(y, 0)), 2));
}
static const atl_op right_op = ATL_ELEMENTWISE_OP("cube", cube, right_rule),
                    wrong_op = ATL_ELEMENTWISE_OP("cube", cube, wrong_rule);

static atl_gradient_check check(const atl_op *op, int order)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    atl_tensor *value = random_tensor(ATL_SHAPE(4, 3), 0.5f, 2);
    atl_gradient_check result;
    cr_assert_eq(atl_check_gradient(atl_apply(op, x), ATL_NODES(x), ATL_FEED(x, value), .order = order,
                                    .result_out = &result),
                 ATL_OK, "%s", atl_error());
    atl_tensor_free(value);
    atl_graph_free(g);
    return result;
}

Test(check, a_right_gradient_passes)
{
    for (int order = 1; order <= 2; order++) {
        atl_gradient_check result = check(&right_op, order);
        cr_assert_lt(result.worst, 1e-8, "order %d: %g", order, result.worst);
        cr_assert_eq(result.checked, 12);
        cr_assert_eq(result.kinks, 0);
    }
}
Test(check, a_wrong_gradient_is_found)
{
    atl_gradient_check result = check(&wrong_op, 1);
    cr_assert_gt(result.worst, 0.2);
    cr_assert_float_eq(result.analytic / result.numeric, 2.0 / 3, 1e-6);
}
Test(check, a_kink_is_no_mistake)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(3), (float[]){-1, 0, 1});
    atl_gradient_check result;
    cr_assert_eq(atl_check_gradient(atl_relu(x), ATL_NODES(x), ATL_FEED(x, value), .result_out = &result), ATL_OK);
    cr_assert_lt(result.worst, 1e-8);
    cr_assert_eq(result.checked, 2);
    cr_assert_eq(result.kinks, 1);
    atl_tensor_free(value);
    atl_graph_free(g);
}
/* Kinks too slight to be told from a curve: smaller steps miss them. */
Test(check, slight_kinks_within_a_step_are_no_mistake)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1)), *y = atl_square(x);
    for (int i = 1; i <= 4; i++)
        y = atl_add(y, atl_scale(atl_relu(atl_add_scalar(x, -1 - (float)i * 7e-5f)), (i % 2 ? 1 : -1) * 1e-4f));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(1), (float[]){1});
    atl_gradient_check result;
    cr_assert_eq(atl_check_gradient(y, ATL_NODES(x), ATL_FEED(x, value), .result_out = &result), ATL_OK);
    cr_assert_lt(result.worst, 1e-8, "%g", result.worst);
    cr_assert_eq(result.checked, 1);
    atl_tensor_free(value);
    atl_graph_free(g);
}

Test(check, what_is_not_fed_is_named)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    atl_gradient_check result;
    cr_assert_neq(atl_check_gradient(atl_relu(x), ATL_NODES(x), ATL_NO_FEEDS, .result_out = &result), ATL_OK);
    cr_assert_mentions(atl_error(), "'x' is neither fed nor a variable");
    atl_graph_free(g);
}

Test(check, what_has_no_differences_is_told)
{
    static const float points[][2] = {{1, -2}, {1, 0}};
    for (int i = 0; i < 2; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2));
        atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(2), points[i]);
        atl_gradient_check result;
        cr_assert_eq(atl_check_gradient(atl_log(x), ATL_NODES(x), ATL_FEED(x, value), .result_out = &result),
                     ATL_INVALID);
        cr_assert_mentions(atl_error(), "'log'");
        cr_assert_mentions(atl_error(), "no differences");
        atl_tensor_free(value);
        atl_graph_free(g);
    }
}
