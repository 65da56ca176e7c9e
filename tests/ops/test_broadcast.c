/* broadcast_like, broadcast_to, sum_to. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(broadcast, .init = set_up, .fini = tear_down);

Test(broadcast, repeats_ones_and_what_is_missing)
{
    EXPECT_VALUES(atl_broadcast_to(FLOATS(g, ATL_SHAPE(2, 1), 1, 2), ATL_SHAPE(2, 2, 3)), ATL_SHAPE(2, 2, 3), 1, 1, 1,
                  2, 2, 2, 1, 1, 1, 2, 2, 2);
    EXPECT_VALUES(atl_broadcast_like(INTS(g, ATL_SHAPE(2), 3, 4), counting(g, ATL_SHAPE(2, 2))), ATL_SHAPE(2, 2), 3, 4,
                  3, 4);
    EXPECT_VALUES(atl_broadcast_to(FLOATS(g, ATL_SHAPE(2, 1), 1, 2), ATL_SHAPE(-1, 2)), ATL_SHAPE(2, 2), 1, 1, 2, 2);
}

Test(broadcast, sum_to_sums_ones_and_what_is_missing)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 2, 3));
    EXPECT_VALUES(atl_sum_to(x, counting(g, ATL_SHAPE(2, 1))), ATL_SHAPE(2, 1), 24, 42);
    EXPECT_VALUES(atl_sum_to(x, counting(g, ATL_SHAPE(3))), ATL_SHAPE(3), 18, 22, 26);
    EXPECT_VALUES(atl_sum_to(x, counting(g, ATL_SCALAR)), ATL_SCALAR, 66);
    EXPECT_VALUES(atl_sum_to(x, x), ATL_SHAPE(2, 2, 3), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
}

Test(broadcast, each_is_the_gradient_of_the_other)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 3)), *row = counting(g, ATL_SHAPE(3));
    EXPECT_VALUES(atl_gradient(atl_mul(atl_broadcast_like(row, x), x), row), ATL_SHAPE(3), 3, 5, 7);
    EXPECT_VALUES(atl_gradient(atl_mul(atl_sum_to(x, row), row), x), ATL_SHAPE(2, 3), 0, 1, 2, 0, 1, 2);
}

Test(broadcast, unknown_sizes_flow)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)),
             *row = atl_input(g, "row", ATL_FLOAT32, ATL_SHAPE(3));
    expect_shape(atl_broadcast_like(row, x), ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_broadcast_to(x, ATL_SHAPE(2, -1, 3)), ATL_SHAPE(2, ATL_ANY, 3));
    expect_shape(atl_sum_to(x, row), ATL_SHAPE(3));
    expect_shape(atl_sum_to(x, x), ATL_SHAPE(ATL_ANY, 3));
}

Test(broadcast, sizes_must_go_together)
{
    EXPECT_REFUSED(g, atl_broadcast_to(counting(g, ATL_SHAPE(2, 3)), ATL_SHAPE(2, 4)),
                   "[2, 3] does not broadcast to [2, 4]");
}
