/* Equal nodes become one. */
#include "compiler/passes/cse.h"
#include "passes.h"

Test(merge, joins_the_two_gradients) { assert_pass_shortens(ATL_PASS_CSE); }

/* The same op of the same inputs with the same attributes; constants with the same values, if they are small. */
Test(merge, equal_nodes_become_one)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 5)), *half = atl_reduce_sum(x, ATL_AXES(0)), *parts[6];
    const float two[] = {2, 2, 2, 2, 2};
    atl_tensor *pair = atl_tensor_of_floats(ATL_SHAPE(5), two), *value = random_tensor(ATL_SHAPE(4, 5), -1, 1);
    for (int i = 0; i < 2; i++) {
        parts[i] = atl_reverse(x, 0);
        parts[2 + i] = atl_reduce_sum(x, ATL_AXES(0));
        parts[4 + i] = atl_mul(half, atl_constant(g, pair));
    }
    atl_nodes wanted = {6, parts};
    cr_assert_eq(steps_saved(ATL_PASS_CSE, ATL_PASS_FUSE, wanted, ATL_FEED(x, value), 0), 1 + 2 + 1);
    atl_tensor_free(pair);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* Two shapes whose unused sizes and padding bytes differ are one. */
Test(merge, equal_shapes_make_equal_nodes)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 5)), *parts[4];
    atl_tensor *value = random_tensor(ATL_SHAPE(4, 5), -1, 1);
    for (int i = 0; i < 2; i++) {
        atl_shape shape;
        memset(&shape, i ? 0x55 : 0x2a, sizeof shape);
        shape.rank = 3;
        shape.size[0] = 2;
        shape.size[1] = 2;
        shape.size[2] = 5;
        parts[i] = atl_reverse(atl_reshape(x, shape), 0);
        shape.size[1] = 4;
        parts[2 + i] = atl_reverse(atl_broadcast_to(x, shape), 0);
    }
    cr_assert_eq(steps_saved(ATL_PASS_CSE, ATL_PASS_FUSE, (atl_nodes){4, parts}, ATL_FEED(x, value), 0), 1 + 2);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* Other attributes, other inputs, and random numbers, which differ for each node. */
Test(merge, what_differs_stays_apart)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(40, 5));
    atl_node *dropped[2] = {atl_dropout(x, .rate = 0.5f), atl_dropout(x, .rate = 0.5f)};
    atl_node *all[] = {dropped[0], dropped[1], atl_reduce_sum(x, ATL_AXES(0)), atl_reduce_sum(x, ATL_AXES(1))};
    atl_tensor *value = random_tensor(ATL_SHAPE(40, 5), 1, 2);
    cr_assert_eq(steps_saved(ATL_PASS_CSE, 0, (atl_nodes){4, all}, ATL_FEED(x, value), 0), 0);
    atl_program *program = atl_compile(g, {2, dropped});
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_gt(largest_difference(atl_value(program, dropped[0]), atl_value(program, dropped[1])), 0);
    atl_program_free(program);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* More nodes than the table was made for: it grows, and still finds every one of them. */
Test(merge, of_more_nodes_than_expected)
{
    enum { NODES = 500 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *first[NODES];
    atl_cse_table table;
    cr_assert(atl_merging_begin(&table, 1));
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < NODES; i++) {
            int64_t from = atl_graph_node_count(g);
            atl_node *made = atl_add_scalar(x, (float)i), *kept = atl_cse_new(&table, g, from, made);
            cr_assert_eq(kept, turn ? first[i] : made, "node %d, turn %d", i, turn);
            first[i] = kept;
        }
    cr_expect_gt(table.mask, NODES);
    atl_merging_end(&table);
    atl_graph_free(g);
}
