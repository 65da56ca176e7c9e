/* Chains, trees and diamonds of element-wise ops, with sums at their end, as one step. */
#include "passes.h"

Test(fuse, chains_become_one_step) { assert_pass_shortens(ATL_PASS_FUSE); }

/* A tree that broadcasts, with a sum at its end, and a diamond: one pass over memory. */
Test(fuse, trees_diamonds_and_sums_are_one_step)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(50, 30)),
             *row = atl_input(g, "row", ATL_FLOAT32, ATL_SHAPE(30));
    atl_node *z = atl_tanh(atl_add(atl_exp(x), row)), *y = atl_mul(atl_sub(z, x), atl_square(z));
    atl_node *sums = atl_reduce_sum(y, ATL_AXES(1));
    atl_tensor *u = random_tensor(ATL_SHAPE(50, 30), -1, 1), *v = random_tensor(ATL_SHAPE(30), -1, 1);
    const atl_feed *feeds = ATL_FEEDS({x, u}, {row, v});
    cr_expect_eq(steps_saved(ATL_PASS_FUSE, 0, ATL_NODES(y), feeds, 1e-6), 6 - 1);
    cr_expect_eq(steps_saved(ATL_PASS_FUSE, 0, ATL_NODES(sums), feeds, 1e-6), 7 - 1);
    cr_expect_eq(steps_saved(ATL_PASS_FUSE, 0, ATL_NODES(sums, z, y), feeds, 1e-6), 7 - 1);
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_graph_free(g);
}
