/* Fused element-wise expressions: every kind of broadcast, sizes around the block, and trees. */
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
    {{4, {3, 24, 24, 3}}, {4, {3, 1, 1, 1}}},
    {{3, {5, 7, 700}}, {3, {5, 1, 700}}},
    {{3, {40, 3, 17}}, {3, {40, 1, 17}}},
};

static void check(size_t i, unsigned without)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, pairs[i].a), *b = atl_input(g, "b", ATL_FLOAT32, pairs[i].b);
    atl_node *sum = atl_add(a, b);
    atl_node *y = atl_sub(atl_mul(atl_tanh(sum), atl_sigmoid(atl_scale(a, 2))),
                          atl_square(atl_div(b, atl_add_scalar(atl_exp(a), 1))));
    atl_tensor *u = random_tensor(pairs[i].a, -1, 1), *v = random_tensor(pairs[i].b, -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y, sum), .disabled_passes = without);
    assert_like_references(program, ATL_NODES(y, sum), ATL_FEEDS({a, u}, {b, v}), 1e-6);
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(expression, every_kind_of_broadcast)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        check(i, 0);
        check(i, ATL_PASS_FUSE);
    }
}

Test(expression, a_long_one_is_cut_into_several)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *y = x;
    for (int i = 0; i < 200; i++)
        y = atl_add(atl_tanh(y), atl_scale(x, 0.01f * (float)i));
    atl_tensor *value = random_tensor(ATL_SHAPE(1000), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    assert_like_references(program, ATL_NODES(y), ATL_FEED(x, value), 1e-5);
    cr_assert_lt(atl_program_step_count(program), 60);
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

Test(expression, an_op_of_the_users_joins)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(33)),
             *y = atl_relu(atl_apply(&cube_op, atl_add_scalar(x, 0.5f)));
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

Test(expression, a_result_that_nobody_reads_keeps_its_place_while_the_chain_runs)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4));
    atl_node *r = atl_reverse(x, 0), *s = atl_slice(atl_pad(x, .after = {1}), .begin = {1});
    atl_node *z = atl_neg(s), *a = atl_tanh(r), *b = atl_exp(a), *c = atl_mul(atl_sub(b, a), z);
    atl_node *mean = atl_mean(b), *late = atl_group(x, a); /* a must be computed, but only the expression reads it */
    atl_tensor *value = random_tensor(ATL_SHAPE(4), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(c, mean, late));
    assert_like_references(program, ATL_NODES(c), ATL_FEED(x, value), 1e-6);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

/* ---- sums in the same pass --------------------------------------------------------------------------------------- */

/* Over axes first to last of x: short and long runs, one and several tiles, shares for several threads. */
static const struct {
    atl_shape x, y; /* y broadcasts to x */
    int axes, axis[ATL_MAX_RANK];
} sums[] = {
    {{1, {100}}, {0}, 0, {0}},
    {{2, {300, 7}}, {1, {7}}, 1, {0}},
    {{2, {300, 7}}, {2, {300, 1}}, 1, {1}},
    {{2, {3000, 64}}, {1, {64}}, 1, {0}},
    {{2, {70, 1300}}, {1, {1300}}, 1, {0}},
    {{2, {70, 1300}}, {1, {1300}}, 1, {1}},
    {{2, {70, 1301}}, {2, {70, 1301}}, 1, {-1}},
    {{3, {40, 1000, 3}}, {2, {1000, 3}}, 1, {1}},
    {{3, {2, 40000, 2}}, {2, {1, 2}}, 1, {1}},
    {{4, {9, 24, 24, 3}}, {1, {3}}, 3, {1, 2, 3}},
    {{4, {9, 7, 24, 20}}, {1, {20}}, 3, {0, 1, 2}},
    {{4, {9, 7, 24, 20}}, {3, {7, 1, 1}}, 0, {0}},
    {{3, {4, 5, 1030}}, {2, {5, 1030}}, 1, {0}},
    {{3, {600, 2, 3}}, {2, {2, 3}}, 2, {1, 2}},
    {{2, {0, 3}}, {1, {3}}, 1, {1}},
    {{2, {1, 3}}, {1, {3}}, 1, {0}},
};

typedef struct summed_pair {
    atl_graph *graph;
    atl_node *x, *y, *outputs[4];
} summed_pair;

static atl_node *sum_of(atl_node *x, size_t i, int mean)
{
    atl_reduce_args args = {.x = x, .axes = sums[i].axes};
    memcpy(args.axis, sums[i].axis, sizeof args.axis);
    return mean ? atl_reduce_mean_with(&args) : atl_reduce_sum_with(&args);
}

static summed_pair summed_pair_new(size_t i)
{
    summed_pair p = {.graph = atl_graph_new()};
    p.x = atl_input(p.graph, "x", ATL_FLOAT32, sums[i].x);
    p.y = atl_input(p.graph, "y", ATL_FLOAT32, sums[i].y);
    atl_node *z = atl_mul(atl_tanh(p.x), atl_add_scalar(p.y, 2));
    p.outputs[0] = sum_of(z, i, 0);
    p.outputs[1] = z;
    p.outputs[2] = sum_of(atl_mul(z, p.x), i, atl_shape_count(sums[i].x) > 0);
    p.outputs[3] = sum_of(atl_square(atl_add_scalar(z, 1)), i, 0);
    return p;
}

static void check_sums(size_t i, int64_t first, int64_t count, unsigned without)
{
    summed_pair p = summed_pair_new(i);
    atl_nodes wanted = {count, p.outputs + first};
    atl_tensor *u = random_tensor(sums[i].x, -1, 1), *v = random_tensor(sums[i].y, -1, 1);
    atl_program *program = atl_compile(p.graph, wanted, .disabled_passes = without);
    assert_like_references(program, wanted, ATL_FEEDS({p.x, u}, {p.y, v}), 1e-5);
    int is_one_pass = atl_shape_count(sums[i].x) > atl_shape_count(atl_shape_of(p.outputs[0]));
    if (!without && is_one_pass && count == 4)
        cr_assert_leq(atl_program_step_count(program), 2, "%zu: %lld steps", i, /* one is y + 2 */
                      (long long)atl_program_step_count(program));
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_program_free(program);
    atl_graph_free(p.graph);
}

Test(expression, sums_are_made_in_the_same_pass)
{
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        for (int first = 0; first < 4; first++)
            for (int64_t count = 1; count + first <= 4; count++) {
                check_sums(i, first, count, 0);
                check_sums(i, first, count, ATL_PASS_FUSE);
            }
}

/* A sum that an op of the same expression reads stays separate: two passes, not one. */
Test(expression, what_needs_a_sum_comes_after_it)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(500, 8)), *z = atl_tanh(x);
    atl_node *off = atl_sub(z, atl_reduce_mean(z, ATL_AXES(0)));
    atl_node *variance = atl_reduce_mean(atl_square(off), ATL_AXES(0)), *y = atl_div(off, atl_sqrt(variance));
    atl_tensor *value = random_tensor(ATL_SHAPE(500, 8), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y, variance));
    assert_like_references(program, ATL_NODES(y), ATL_FEED(x, value), 1e-5);
    assert_like_references(program, ATL_NODES(variance), ATL_FEED(x, value), 1e-6);
    cr_assert_leq(atl_program_step_count(program), 4);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}
