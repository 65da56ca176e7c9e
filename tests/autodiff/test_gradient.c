/* The reverse pass: paths, seeds, stops, unused gradients, which nodes it builds, and every error. */
#include "support.h"

static atl_graph *g;
static atl_node *x;
static void open_graph(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
}
static void close_graph(void) { atl_graph_free(g); }
TestSuite(gradient, .init = open_graph, .fini = close_graph);
TestSuite(mistakes, .init = open_graph, .fini = close_graph);

/* The node's values with x = (0.5, 1, 2). */
static void assert_value(atl_node *node, float a, float b, float c)
{
    cr_assert(node, "%s", atl_graph_error(g));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(3), (float[]){0.5f, 1, 2});
    atl_program *program = atl_compile(g, ATL_NODES(node));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    const float *got = atl_floats(atl_value(program, node));
    cr_assert_float_eq(got[0], a, 1e-5, "%g, not %g", (double)got[0], (double)a);
    cr_assert_float_eq(got[1], b, 1e-5, "%g, not %g", (double)got[1], (double)b);
    cr_assert_float_eq(got[2], c, 1e-5, "%g, not %g", (double)got[2], (double)c);
    atl_program_free(program);
    atl_tensor_free(value);
}

Test(gradient, paths_add_up) { assert_value(atl_gradient(atl_add(atl_mul(x, x), atl_scale(x, 3)), x), 4, 5, 7); }
Test(gradient, of_itself_is_one) { assert_value(atl_gradient(x, x), 1, 1, 1); }
Test(gradient, broadcasts_are_summed_up)
{
    atl_node *column = atl_input(g, "column", ATL_FLOAT32, ATL_SHAPE(4, 1));
    assert_value(atl_gradient(atl_add(x, atl_fill(column, 1)), x), 4, 4, 4);
}
Test(gradient, third_order)
{
    atl_node *y = atl_pow(x, atl_scalar(x, 4));
    assert_value(atl_gradient(atl_gradient(atl_gradient(y, x), x), x), 12, 24, 48);
}
Test(gradient, several_ys_with_seeds)
{
    atl_node *dx = NULL, *seed = ATL_CONSTANT(x, 1, 2, 3);
    cr_assert_eq(atl_gradients(ATL_NODES(atl_square(x), x), ATL_NODES(x), &dx, .seeds = ATL_NODES(seed, NULL)), ATL_OK);
    assert_value(dx, 2, 5, 13);
}
Test(gradient, one_y_below_another)
{
    atl_node *dx = NULL, *y = atl_square(x), *z = atl_square(y);
    cr_assert_eq(atl_gradients(ATL_NODES(z, y), ATL_NODES(x), &dx), ATL_OK);
    assert_value(dx, 4 * 0.125f + 1, 4 + 2, 32 + 4);
}
Test(gradient, by_an_inner_node_and_by_what_is_below_it)
{
    atl_node *by[2], *y = atl_square(x), *z = atl_mul(y, x);
    cr_assert_eq(atl_gradients(ATL_NODES(z), ATL_NODES(y, x), by), ATL_OK);
    assert_value(by[0], 0.5f, 1, 2);
    assert_value(by[1], 0.75f, 3, 12);
}
Test(gradient, stops_where_it_is_told)
{
    atl_node *dx = NULL, *y = atl_square(x);
    cr_assert_eq(atl_gradients(ATL_NODES(atl_mul(y, x)), ATL_NODES(x), &dx, .stop = ATL_NODES(y)), ATL_OK);
    assert_value(dx, 0.25f, 1, 4);
}
Test(gradient, stop_gradient_is_a_constant)
{
    assert_value(atl_gradient(atl_mul(atl_stop_gradient(x), x), x), 0.5f, 1, 2);
}
Test(gradient, zero_along_a_path_is_no_mistake) { assert_value(atl_gradient(atl_sign(x), x), 0, 0, 0); }
Test(gradient, unused_zeros)
{
    atl_node *dx = NULL, *other = atl_variable(g, "other", ATL_SHAPE(3), atl_zeros());
    cr_assert_eq(atl_gradients(ATL_NODES(other), ATL_NODES(x), &dx, .unused = ATL_UNUSED_ZEROS), ATL_OK);
    assert_value(dx, 0, 0, 0);
}
Test(gradient, unused_null)
{
    atl_node *dx = x, *other = atl_variable(g, "other", ATL_SHAPE(3), atl_zeros());
    cr_assert_eq(atl_gradients(ATL_NODES(other), ATL_NODES(x), &dx, .unused = ATL_UNUSED_NULL), ATL_OK);
    cr_assert_null(dx);
}
Test(gradient, nothing_of_the_filters_is_built_for_an_image)
{
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 8, 8, 3)), *h = image;
    for (int i = 0; i < 3; i++)
        h = atl_relu(atl_conv2d(h, atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(3, 3, 3, 3), atl_he())));
    cr_assert(atl_gradient(h, image));
    for (int64_t i = 0; i < atl_graph_node_count(g); i++)
        cr_assert_str_neq(atl_op_of(atl_graph_node(g, i))->name, "conv2d_filter_grad");
}
Test(gradient, calls_coexist_under_names_of_their_own)
{
    atl_node *y = atl_named(atl_square(x), "y"), *first = atl_gradient(y, x), *second = atl_gradient(y, x);
    cr_assert_neq(first, second);
    cr_assert_eq(strncmp(atl_name_of(first), "gradients/y/", 12), 0, "%s", atl_name_of(first));
    cr_assert_eq(strncmp(atl_name_of(second), "gradients_1/y/", 14), 0, "%s", atl_name_of(second));
    cr_assert_eq(atl_forward_of(first), y);
}
Test(gradient, a_deep_chain_overflows_nothing)
{
    atl_node *h = x;
    for (int i = 0; i < 200000; i++)
        h = atl_relu(h);
    cr_assert(atl_gradient(h, x));
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

Test(mistakes, no_path)
{
    atl_node *other = atl_variable(g, "other", ATL_SHAPE(3), atl_zeros());
    cr_assert_null(atl_gradient(atl_named(atl_square(other), "y"), x));
    cr_assert_mentions(atl_graph_error(g), "no path leads from 'y' to 'x'");
    cr_assert_mentions(atl_graph_error(g), "ATL_UNUSED_ZEROS");
}
Test(mistakes, a_path_that_is_cut)
{
    atl_node *class_of = atl_named(atl_argmax(x, 0), "class");
    cr_assert_null(atl_gradient(atl_one_hot(class_of, 3), x));
    cr_assert_mentions(atl_graph_error(g), "one_hot");
    cr_assert_mentions(atl_graph_error(g), "int32");
}
Test(mistakes, of_an_int32)
{
    cr_assert_null(atl_gradient(atl_named(atl_argmax(x, 0), "class"), x));
    cr_assert_mentions(atl_graph_error(g), "'class' (a y) is int32");
}
Test(mistakes, seeds_of_a_wrong_shape)
{
    atl_node *dx;
    cr_assert_neq(atl_gradients(ATL_NODES(x), ATL_NODES(x), &dx, .seeds = ATL_NODES(atl_scalar(x, 1))), ATL_OK);
    cr_assert_mentions(atl_graph_error(g), "[3]");
    cr_assert_null(dx);
}
Test(mistakes, another_graph)
{
    atl_graph *other = atl_graph_new();
    cr_assert_null(atl_gradient(x, atl_input(other, "stranger", ATL_FLOAT32, ATL_SCALAR)));
    cr_assert_mentions(atl_graph_error(g), "another graph");
    atl_graph_free(other);
}
Test(mistakes, null_passes_quietly)
{
    cr_assert_null(atl_gradient(NULL, x));
    cr_assert_null(atl_gradient(x, NULL));
    cr_assert_str_empty(atl_graph_error(g));
}

static double cube(double v) { return v * v * v; }
static const atl_op cube_op = ATL_ELEMENTWISE_OP("cube", cube, NULL);
Test(mistakes, an_op_without_a_gradient_is_named_with_the_path)
{
    atl_node *y = atl_named(atl_exp(atl_named(atl_apply(&cube_op, atl_named(atl_square(x), "a")), "b")), "c");
    cr_assert_null(atl_gradient(y, x));
    cr_assert_mentions(atl_graph_error(g), "op cube ('b')");
    cr_assert_mentions(atl_graph_error(g), "c <- b <- a <- x");
}
static atl_node *scalar_rule(atl_node *y, atl_node *dy)
{
    (void)dy;
    return atl_reshape(atl_input_of(y, 0), ATL_SHAPE(3, 1, 1));
}
static void reference_copy(const atl_node *y, const double *const *in, double *out)
{
    memcpy(out, in[0], (size_t)atl_shape_count(atl_shape_of(y)) * sizeof *out);
}
static bool infer_copy(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }
static const atl_op wrong_op = {
    .name = "wrong", .arity = 1, .infer = infer_copy, .gradient = {scalar_rule}, .reference = reference_copy};
Test(mistakes, a_rule_that_returns_a_wrong_shape)
{
    cr_assert_null(atl_gradient(atl_apply(&wrong_op, x), x));
    cr_assert_mentions(atl_graph_error(g), "wrong");
    cr_assert_mentions(atl_graph_error(g), "[3, 1, 1]");
}

/* x0 x1 as a user's op, of which only the first input has a rule, or none. */
static double product_of(const double *in, const void *attributes) { return (void)attributes, in[0] * in[1]; }
static atl_node *first_rule(atl_node *y, atl_node *dy) { return atl_mul(dy, atl_input_of(y, 1)); }
static atl_node *expand_product(atl_node *y) { return atl_mul(atl_input_of(y, 0), atl_input_of(y, 1)); }
static atl_node *pass_on(atl_node *y, atl_node *dy) { return (void)y, dy; }
static const atl_op half_ruled_op = {
    .name = "half_ruled", .arity = 2, .element = product_of, .gradient = {first_rule}, .expand = expand_product};
static const atl_op unruled_op = {.name = "unruled", .arity = 2, .element = product_of, .expand = expand_product};

static void assert_derivatives(atl_node *y, const atl_override *overrides, const float (*expected)[3])
{
    atl_node *by[2], *z = atl_find(g, "z");
    cr_assert_eq(atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(z, x), .result_out = by, .overrides = overrides,
                               .unused = ATL_UNUSED_ZEROS),
                 ATL_OK, "%s", atl_error());
    for (int i = 0; i < 2; i++)
        assert_value(by[i], expected[i][0], expected[i][1], expected[i][2]);
}
static atl_node *variable_z(void) { return atl_variable(g, "z", ATL_SHAPE(3), atl_fill_with(3)); }

Test(gradient, an_input_with_a_rule_beside_one_without)
{
    assert_derivatives(atl_apply(&half_ruled_op, variable_z(), x), NULL, (const float[][3]){{0.5f, 1, 2}, {3, 3, 3}});
    assert_derivatives(atl_apply(&half_ruled_op, x, x), NULL, (const float[][3]){{0, 0, 0}, {1, 2, 4}});
}
Test(gradient, an_override_of_an_op_without_rules)
{
    const atl_override *pass = ATL_OVERRIDES({"unruled", NULL, pass_on});
    assert_derivatives(atl_apply(&unruled_op, variable_z(), x), pass, (const float[][3]){{1, 1, 1}, {3, 3, 3}});
    assert_derivatives(atl_apply(&unruled_op, x, x), pass, (const float[][3]){{0, 0, 0}, {1.5f, 2, 3}});
}
