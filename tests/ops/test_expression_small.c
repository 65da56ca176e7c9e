/* Expressions of a few elements: the same bits as by the code for any number of them, which a checked program uses. */
#include "support.h"

#include <string.h>

static const struct {
    atl_shape a, b;
} pairs[] = {
    {{1, {1}}, {1, {1}}},       {{0}, {1, {1}}},        {{1, {5}}, {0}},           {{1, {16}}, {1, {16}}},
    {{2, {8, 16}}, {1, {16}}},  {{2, {8, 16}}, {0}},    {{2, {7, 3}}, {1, {3}}},   {{1, {127}}, {1, {127}}},
    {{1, {128}}, {1, {1}}},     {{1, {129}}, {1, {1}}}, {{2, {2, 64}}, {1, {64}}}, {{2, {4, 5}}, {2, {4, 1}}},
    {{3, {2, 3, 4}}, {1, {4}}},
};

static void check_outputs(atl_graph *g, atl_nodes outputs, const atl_feed *feeds)
{
    atl_program *quick = atl_compile(g, outputs);
    atl_program *checked = atl_compile(g, outputs, .check = 1);
    assert_like_references(quick, outputs, feeds, 1e-6);
    cr_assert_eq(atl_run(checked, feeds), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < outputs.count; i++) {
        const atl_tensor *x = atl_value(quick, outputs.node[i]), *z = atl_value(checked, outputs.node[i]);
        size_t bytes = (size_t)atl_tensor_count(x) * sizeof(float);
        cr_assert(!memcmp(atl_floats(x), atl_floats(z), bytes), "output %d differs", (int)i);
    }
    atl_program_free(quick);
    atl_program_free(checked);
}

static void check(atl_shape a_shape, atl_shape b_shape)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, a_shape), *b = atl_input(g, "b", ATL_FLOAT32, b_shape);
    atl_node *h = atl_tanh(atl_add(a, b));
    atl_node *y = atl_sub(a, atl_scale(atl_mul(h, b), 0.1f)), *sum = atl_sum(atl_square(y));
    atl_node *selected = atl_select(atl_heaviside(a), atl_add_scalar(h, 1), atl_clip(y, -0.5f, 0.5f));
    atl_tensor *u = random_tensor(a_shape, -1, 1), *v = random_tensor(b_shape, -1, 1);
    check_outputs(g, ATL_NODES(y, h, sum, selected), ATL_FEEDS({a, u}, {b, v}));
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_graph_free(g);
}

Test(expression_small, same_bits_as_any_other)
{
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        check(pairs[i].a, pairs[i].b);
}

/* One instruction or two: of one operand or both, with a number or without, in either order, with the first result kept
 * or not; and some that are too much for the code of these. */
Test(expression_small, of_one_or_two_instructions)
{
    static const int64_t counts[] = {1, 15, 16, 128};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        atl_shape shape = {1, {counts[i]}};
        atl_graph *g = atl_graph_new();
        atl_node *a = atl_input(g, "a", ATL_FLOAT32, shape), *b = atl_input(g, "b", ATL_FLOAT32, shape);
        atl_node *product = atl_mul(a, b), *two = atl_scalar(a, 2);
        atl_tensor *u = random_tensor(shape, 1, 2), *v = random_tensor(shape, 1, 2);
        const atl_nodes all[] = {ATL_NODES(atl_tanh(a)),
                                 ATL_NODES(atl_sub(b, a)),
                                 ATL_NODES(atl_sub(a, atl_scale(b, 0.1f))),
                                 ATL_NODES(atl_sub(atl_scale(a, 0.3f), b)),
                                 ATL_NODES(atl_tanh(atl_add_scalar(a, -1))),
                                 ATL_NODES(atl_div(two, atl_tanh(a))),
                                 ATL_NODES(product, atl_sub(product, b)),
                                 ATL_NODES(atl_sub(a, atl_square(a))),
                                 ATL_NODES(atl_div(a, atl_add(a, b))),
                                 ATL_NODES(atl_pow(atl_scale(a, 3), two)),
                                 ATL_NODES(atl_select(atl_less(a, b), a, b))};
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            check_outputs(g, all[k], ATL_FEEDS({a, u}, {b, v}));
        atl_tensor_free(u);
        atl_tensor_free(v);
        atl_graph_free(g);
    }
}
