/* Chains of element-wise ops: broadcasting of every kind, sizes around the block, and trees. */
#include "support.h"

static const struct {
    atl_shape a, b;
} pairs[] = {
    {{3, {7, 5, 3}}, {3, {7, 5, 3}}},
    {{3, {7, 5, 3}}, {0}},
    {{3, {7, 5, 3}}, {1, {3}}},
    {{3, {7, 5, 3}}, {2, {5, 1}}},
    {{3, {7, 1, 3}}, {3, {1, 5, 1}}},
    {{2, {700, 64}}, {1, {64}}},
    {{2, {9, 1000}}, {1, {1000}}},
    {{2, {1000, 9}}, {2, {1000, 1}}},
    {{1, {511}}, {1, {1}}},
    {{1, {512}}, {1, {512}}},
    {{1, {513}}, {0}},
    {{4, {2, 40, 40, 16}}, {4, {2, 1, 1, 16}}},
    {{1, {0}}, {0}},
    {{2, {3, 0}}, {2, {3, 1}}},
    {{2, {300, 300}}, {2, {1, 300}}},
    {{5, {2, 1, 3, 1, 5}}, {4, {4, 1, 6, 1}}},
};

static void check(size_t i, unsigned without)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, pairs[i].a), *b = atl_input(g, "b", ATL_FLOAT32, pairs[i].b);
    atl_node *sum = atl_add(a, b);
    atl_node *y =
        atl_sub(atl_mul(atl_tanh(sum), atl_sigmoid(atl_scale(a, 2))), atl_square(atl_div(b, atl_shift(atl_exp(a), 1))));
    atl_tensor *u = random_tensor(pairs[i].a, -1, 1), *v = random_tensor(pairs[i].b, -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y, sum), .without = without);
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(program, ATL_FEEDS({a, u}, {b, v})), ATL_OK);
    atl_reference *oracle = atl_reference_run(ATL_NODES(y, sum), ATL_FEEDS({a, u}, {b, v}));
    cr_assert_close(atl_value(program, y), atl_reference_value(oracle, y), 1e-6);
    cr_assert_close(atl_value(program, sum), atl_reference_value(oracle, sum), 1e-6);
    atl_reference_free(oracle);
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(chain, every_kind_of_broadcast)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        check(i, 0);
        check(i, ATL_PASS_FUSE);
    }
}

Test(chain, a_long_one_is_cut_into_several)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *y = x;
    for (int i = 0; i < 200; i++)
        y = atl_add(atl_tanh(y), atl_scale(x, 0.01f * (float)i));
    atl_tensor *value = random_tensor(ATL_SHAPE(1000), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
    atl_reference *oracle = atl_reference_run(ATL_NODES(y), ATL_FEED(x, value));
    cr_assert_close(atl_value(program, y), atl_reference_value(oracle, y), 1e-5);
    cr_assert_lt(atl_program_step_count(program), 60);
    atl_reference_free(oracle);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

static double cube(double x) { return x * x * x; }
static atl_node *cube_gradient(atl_node *y, atl_node *dy)
{
    return atl_mul(dy, atl_scale(atl_square(atl_input_of(y, 0)), 3));
}
static const atl_op cube_op = ATL_ELEMENTWISE_OP("cube", cube, cube_gradient);

Test(chain, an_op_of_the_users_joins)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(33)), *y = atl_relu(atl_apply(&cube_op, atl_shift(x, 0.5f)));
    atl_node *dx = atl_gradient(y, x);
    atl_tensor *value = random_tensor(ATL_SHAPE(33), 0, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
    for (int i = 0; i < 33; i++) {
        double u = atl_floats(value)[i] + 0.5;
        cr_assert_float_eq(atl_floats(atl_value(program, y))[i], u * u * u, 1e-6);
        cr_assert_float_eq(atl_floats(atl_value(program, dx))[i], 3 * u * u, 2e-6);
    }
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}
Test(chain, a_result_that_nobody_reads_keeps_its_place_while_the_chain_runs)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4));
    atl_node *r = atl_reverse(x, 0), *s = atl_slice(atl_pad(x, .after = {1}), .begin = {1});
    atl_node *z = atl_neg(s), *a = atl_tanh(r), *b = atl_exp(a), *c = atl_mul(atl_sub(b, a), z);
    atl_node *mean = atl_mean(b), *late = atl_group(x, a); /* a has to be made, but is read by the chain only */
    atl_tensor *value = random_tensor(ATL_SHAPE(4), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(c, mean, late));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
    atl_reference *oracle = atl_reference_run(ATL_NODES(c), ATL_FEED(x, value));
    cr_assert_close(atl_value(program, c), atl_reference_value(oracle, c), 1e-6);
    atl_reference_free(oracle);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}
