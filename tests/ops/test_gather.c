/* gather, scatter_add. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(gather, .init = set_up, .fini = tear_down);

Test(gather, in_the_order_of_the_indices)
{
    atl_node *x = counting(g, ATL_SHAPE(3, 2));
    EXPECT_VALUES(atl_gather(x, INTS(g, ATL_SHAPE(4), 2, 0, 2, 3), 0), ATL_SHAPE(4, 2), 4, 5, 0, 1, 4, 5, 0, 0);
    EXPECT_VALUES(atl_gather(x, INTS(g, ATL_SHAPE(1, 2), 1, -1), -1), ATL_SHAPE(3, 1, 2), 1, 0, 3, 0, 5, 0);
    EXPECT_VALUES(atl_gather(x, INTS(g, ATL_SCALAR, 1), 0), ATL_SHAPE(2), 2, 3);
}

Test(gather, integers)
{
    EXPECT_VALUES(atl_gather(INTS(g, ATL_SHAPE(3), 10, 20, 30), INTS(g, ATL_SHAPE(2), 2, 2), 0), ATL_SHAPE(2), 30, 30);
}

Test(gather, scatter_adds_what_comes_twice)
{
    atl_node *like = counting(g, ATL_SHAPE(3, 2)), *updates = FLOATS(g, ATL_SHAPE(4, 2), 1, 2, 3, 4, 5, 6, 7, 8);
    EXPECT_VALUES(atl_scatter_add(updates, INTS(g, ATL_SHAPE(4), 2, 0, 2, 9), like, 0), ATL_SHAPE(3, 2), 3, 4, 0, 0, 6,
                  8);
}

Test(gather, each_is_the_gradient_of_the_other)
{
    atl_node *x = counting(g, ATL_SHAPE(3)), *indices = INTS(g, ATL_SHAPE(4), 1, 1, 0, -5);
    EXPECT_VALUES(atl_gradient(atl_gather(x, indices, 0), x), ATL_SHAPE(3), 1, 2, 0);
    atl_node *updates = counting(g, ATL_SHAPE(4)), *y = atl_mul(atl_scatter_add(updates, indices, x, 0), x);
    EXPECT_VALUES(atl_gradient(y, updates), ATL_SHAPE(4), 1, 1, 0, 0);
}

Test(gather, unknown_sizes_flow)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)),
             *indices = atl_input(g, "i", ATL_INT32, ATL_SHAPE(ATL_ANY));
    expect_shape(atl_gather(x, indices, 0), ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_gather(x, indices, 1), ATL_SHAPE(ATL_ANY, ATL_ANY));
    expect_shape(atl_gradient(atl_gather(x, indices, 1), x), ATL_SHAPE(ATL_ANY, 3));
}

Test(gather, updates_must_have_the_shape_that_gather_gives)
{
    atl_node *like = counting(g, ATL_SHAPE(3, 2)), *updates = atl_input(g, "updates", ATL_FLOAT32, ATL_SHAPE(5, 2));
    EXPECT_REFUSED(g, atl_scatter_add(updates, INTS(g, ATL_SHAPE(2), 0, 1), like, 0), "'updates'", "[5, 2]",
                   "must be [2, 2]");
}
