/* Reductions over axes, and their gradients. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(reduce, .init = set_up, .fini = tear_down);

Test(reduce, over_any_axes_kept_or_not)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 3, 2));
    EXPECT_VALUES(atl_reduce_sum(x), ATL_SCALAR, 66);
    EXPECT_VALUES(atl_reduce_sum(x, .keep = 1), ATL_SHAPE(1, 1, 1), 66);
    EXPECT_VALUES(atl_reduce_mean(x, ATL_AXES(0, -1)), ATL_SHAPE(3), 3.5, 5.5, 7.5);
    EXPECT_VALUES(atl_reduce_max(x, ATL_AXES(1), .keep = 1), ATL_SHAPE(2, 1, 2), 4, 5, 10, 11);
    EXPECT_VALUES(atl_reduce_min(x, ATL_AXES(2)), ATL_SHAPE(2, 3), 0, 2, 4, 6, 8, 10);
    EXPECT_VALUES(atl_reduce_prod(x, ATL_AXES(0, 2)), ATL_SHAPE(3), 0, 2 * 3 * 8 * 9, 4 * 5 * 10 * 11);
    EXPECT_VALUES(atl_reduce_l2_norm(FLOATS(g, ATL_SHAPE(2, 2), 3, 4, 0, 0), ATL_AXES(1)), ATL_SHAPE(2), 5, 0);
    EXPECT_VALUES(atl_reduce_log_sum_exp(FLOATS(g, ATL_SHAPE(2), 1000, 1000)), ATL_SCALAR, 1000 + log(2));
    EXPECT_VALUES(atl_sum(x), ATL_SCALAR, 66);
    EXPECT_VALUES(atl_mean(x), ATL_SCALAR, 5.5);
    EXPECT_VALUES(atl_l2_norm(FLOATS(g, ATL_SHAPE(2), 3, 4)), ATL_SCALAR, 5);
}

Test(reduce, unknown_sizes_flow)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3, ATL_ANY));
    expect_shape(atl_reduce_sum(x, ATL_AXES(1)), ATL_SHAPE(ATL_ANY, ATL_ANY));
    expect_shape(atl_reduce_mean(x, ATL_AXES(0), .keep = 1), ATL_SHAPE(1, 3, ATL_ANY));
    expect_shape(atl_gradient(atl_mean(x), x), ATL_SHAPE(ATL_ANY, 3, ATL_ANY));
    expect_shape(atl_gradient(atl_reduce_max(x, ATL_AXES(1)), x), ATL_SHAPE(ATL_ANY, 3, ATL_ANY));
}

Test(reduce, the_gradient_of_a_mean_knows_the_batch)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY)), *slope = atl_gradient(atl_mean(x), x);
    atl_program *program = atl_compile(g, ATL_NODES(slope));
    for (int n = 1; n <= 8; n *= 2) {
        atl_tensor *value = random_tensor(ATL_SHAPE(n), -1, 1);
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        cr_assert_eq(element_of(atl_value(program, slope), n - 1), 1.0 / n);
        atl_tensor_free(value);
    }
    atl_program_free(program);
}

Test(reduce, equal_maxima_share_the_gradient)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(2, 4), 1, 3, 3, 2, 5, 5, 5, 5);
    EXPECT_VALUES(atl_gradient(atl_reduce_max(x, ATL_AXES(1)), x), ATL_SHAPE(2, 4), 0, 0.5, 0.5, 0, 0.25, 0.25, 0.25,
                  0.25);
    EXPECT_VALUES(atl_gradient(atl_reduce_min(x, ATL_AXES(0), .keep = 1), x), ATL_SHAPE(2, 4), 1, 1, 1, 1, 0, 0, 0, 0);
}

Test(reduce, products_have_gradients_where_they_are_zero)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(3, 3), 2, 3, 4, 2, 0, 4, 0, 0, 4);
    EXPECT_VALUES(atl_gradient(atl_reduce_prod(x, ATL_AXES(1)), x), ATL_SHAPE(3, 3), 12, 8, 6, 0, 8, 0, 0, 0, 0);
}

Test(reduce, second_derivatives_of_products_at_zeros)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(3), 0, 0, 4), *slope = atl_gradient(atl_reduce_prod(x), x);
    EXPECT_VALUES(atl_gradient(atl_index_last(slope, 0), x), ATL_SHAPE(3), 0, 4, 0);
    EXPECT_VALUES(atl_gradient(atl_index_last(slope, 2), x), ATL_SHAPE(3), 0, 0, 0);
}

Test(reduce, the_norm_of_zeros_has_the_gradient_zero)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(2, 2), 3, 4, 0, 0);
    EXPECT_VALUES(atl_gradient(atl_reduce_l2_norm(x, ATL_AXES(1)), x), ATL_SHAPE(2, 2), 0.6, 0.8, 0, 0);
}

Test(reduce, of_ones_alone_costs_nothing)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(5, 1)), *y = atl_relu(atl_reduce_sum(x, ATL_AXES(1)));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program, "%s", atl_error());
    cr_assert_eq(atl_program_step_count(program), 1);
    atl_program_free(program);
}

Test(reduce, refuses_integers)
{
    EXPECT_REFUSED(g, atl_sum(atl_input(g, "labels", ATL_INT32, ATL_SHAPE(3))), "reduce_sum", "'labels'", "float32",
                   "atl_cast");
}

/* The softmax for large x: the rounding of the value is then larger than the tolerance of the gradient. */
Test(reduce, the_gradient_of_log_sum_exp_of_large_numbers)
{
    static const float sizes[] = {1, 1e5f, 1e7f, 1e10f, 1e30f};
    for (int i = 0; i < 5; i++) {
        atl_node *x = FLOATS(g, ATL_SHAPE(2, 2), sizes[i], sizes[i], 0, -sizes[i]);
        EXPECT_VALUES(atl_slice(atl_gradient(atl_reduce_log_sum_exp(x, ATL_AXES(1)), x), .end = {1}), ATL_SHAPE(1, 2),
                      0.5, 0.5);
    }
}

Test(reduce, the_gradient_of_the_length_of_tiny_numbers)
{
    static const float sizes[] = {1, 1e-20f, 1e-35f, 1e-37f};
    for (int i = 0; i < 4; i++) {
        atl_node *x = FLOATS(g, ATL_SHAPE(2), 3 * sizes[i], 4 * sizes[i]);
        EXPECT_VALUES(atl_gradient(atl_l2_norm(x), x), ATL_SHAPE(2), 0.6, 0.8);
    }
    atl_node *zero = FLOATS(g, ATL_SHAPE(2), 0, 0);
    EXPECT_VALUES(atl_gradient(atl_l2_norm(zero), zero), ATL_SHAPE(2), 0, 0);
}
