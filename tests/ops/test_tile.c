/* tile. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(tile, .init = set_up, .fini = tear_down);

Test(tile, along_each_dimension)
{
    EXPECT_VALUES(atl_tile(counting(g, ATL_SHAPE(2, 2)), 2, 2), ATL_SHAPE(4, 4), 0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2,
                  3, 2, 3);
    EXPECT_VALUES(atl_tile(INTS(g, ATL_SHAPE(2), 7, 8), 2), ATL_SHAPE(4), 7, 8, 7, 8);
}

Test(tile, the_gradient_sums_the_repeats)
{
    atl_node *x = counting(g, ATL_SHAPE(1, 2)), *y = atl_tile(x, 2, 2);
    EXPECT_VALUES(atl_gradient(atl_mul(y, counting(g, ATL_SHAPE(2, 4))), x), ATL_SHAPE(1, 2), 0 + 2 + 4 + 6,
                  1 + 3 + 5 + 7);
}

Test(tile, unknown_sizes_stay_unknown)
{
    expect_shape(atl_tile(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)), 2, 2), ATL_SHAPE(ATL_ANY, 6));
}

Test(tile, one_number_for_each_dimension)
{
    EXPECT_REFUSED(g, atl_tile(counting(g, ATL_SHAPE(2, 2)), 2, 2, 2), "3 repeats", "2 dimensions", "[2, 2]");
}
