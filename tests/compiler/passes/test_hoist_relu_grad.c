/* Relu gradients of all parts of a concat's gradient become one of the whole, if each part's relu is the
 * corresponding part of the concat. */
#include "nets.h"

/* The gradients with respect to two inputs that are concatenated along `axis`, the second after a relu or (0) a
 * tanh: the number of relu gradients with the pass and without. */
static void check(int axis, int both, int64_t expected)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(3, 4, 5)),
             *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(3, 4, 5));
    atl_node *y = atl_concat(axis, atl_relu(a), both ? atl_relu(b) : atl_tanh(b)), *slopes[2];
    atl_node *loss = atl_sum(atl_exp(y));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(loss), .by = ATL_NODES(a, b), .result_out = slopes), ATL_OK);
    atl_nodes wanted = ATL_NODES(slopes[0], slopes[1]);
    atl_program *with = atl_compile(g, wanted, .disabled_passes = ATL_PASS_FUSE);
    atl_program *without = atl_compile(g, wanted, .disabled_passes = ATL_PASS_FUSE | ATL_PASS_CONCAT_ELIMINATION);
    cr_assert(with && without, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(with, "relu_grad", NULL), expected);
    cr_expect_eq(steps_by(without, "relu_grad", NULL), 1 + both);
    atl_tensor *x = random_tensor(ATL_SHAPE(3, 4, 5), -1, 1), *z = random_tensor(ATL_SHAPE(3, 4, 5), -1, 1);
    cr_assert_eq(atl_run(with, ATL_FEEDS({a, x}, {b, z})), ATL_OK);
    cr_assert_eq(atl_run(without, ATL_FEEDS({a, x}, {b, z})), ATL_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_close(atl_value(with, slopes[i]), atl_value(without, slopes[i]), 0);
    atl_tensor_free(x);
    atl_tensor_free(z);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

Test(join, one_gate_for_all_parts)
{
    for (int axis = 0; axis < 3; axis++)
        check(axis, 1, 1);
}

Test(join, not_where_a_part_is_not_gated) { check(1, 0, 1); }

/* A part of one concat has a relu, and is made of another concat: each of the two relus has its gradient, before and
 * after its part is taken. */
Test(join, concats_of_concats)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(3, 4, 5)),
             *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(3, 4, 5)),
             *s = atl_input(g, "s", ATL_FLOAT32, ATL_SHAPE(3, 4, 10));
    atl_node *inner = atl_relu(atl_add(atl_concat(2, atl_relu(a), b), s)), *outer = atl_relu(atl_concat(2, inner, s));
    atl_node *outermost = atl_concat(2, s, atl_relu(atl_sub(outer, atl_concat(2, s, s))));
    atl_nodes wanted = ATL_NODES(atl_gradient(atl_sum(atl_exp(atl_concat(2, inner, s))), a),
                                 atl_gradient(atl_sum(atl_exp(outermost)), a));
    atl_tensor *x = random_tensor(ATL_SHAPE(3, 4, 5), -1, 1), *y = random_tensor(ATL_SHAPE(3, 4, 5), -1, 1),
               *z = random_tensor(ATL_SHAPE(3, 4, 10), -1, 1);
    for (int i = 0; i < 2; i++) {
        atl_program *program = atl_compile(g, wanted, .disabled_passes = i ? ATL_PASS_FUSE | ATL_PASS_SIMPLIFY : 0);
        assert_like_references(program, wanted, ATL_FEEDS({a, x}, {b, y}, {s, z}), 1e-6);
        atl_program_free(program);
    }
    atl_tensor_free(x);
    atl_tensor_free(y);
    atl_tensor_free(z);
    atl_graph_free(g);
}
