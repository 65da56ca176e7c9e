/* pick, index_last. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(pick, .init = set_up, .fini = tear_down);

Test(pick, one_of_each_row)
{
    EXPECT_VALUES(atl_gather_last(counting(g, ATL_SHAPE(4, 3)), INTS(g, ATL_SHAPE(4), 2, 0, -1, 3)), ATL_SHAPE(4), 2, 3,
                  0, 0);
    EXPECT_VALUES(atl_index_last(counting(g, ATL_SHAPE(2, 3)), 1), ATL_SHAPE(2), 1, 4);
    EXPECT_VALUES(atl_index_last(counting(g, ATL_SHAPE(3)), 2), ATL_SCALAR, 2);
}

Test(pick, the_gradient_goes_where_the_element_was)
{
    atl_node *x = counting(g, ATL_SHAPE(3, 2));
    EXPECT_VALUES(atl_gradient(atl_gather_last(x, INTS(g, ATL_SHAPE(3), 1, 5, 0)), x), ATL_SHAPE(3, 2), 0, 1, 0, 0, 1,
                  0);
    EXPECT_VALUES(atl_gradient(atl_index_last(x, 1), x), ATL_SHAPE(3, 2), 0, 1, 0, 1, 0, 1);
}

Test(pick, unknown_batch)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 10)),
             *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(7));
    expect_shape(atl_gather_last(x, labels), ATL_SHAPE(7));
    expect_shape(atl_index_last(x, 9), ATL_SHAPE(ATL_ANY));
}

Test(pick, labels_must_go_with_the_rows)
{
    EXPECT_REFUSED(g, atl_gather_last(counting(g, ATL_SHAPE(4, 3)), INTS(g, ATL_SHAPE(2), 0, 1)), "[4, 3]", "[2]",
                   "one label for each row");
}

Test(pick, index_out_of_range)
{
    EXPECT_REFUSED(g, atl_index_last(atl_input(g, "scores", ATL_FLOAT32, ATL_SHAPE(1, 1000)), 1000), "1000", "'scores'",
                   "[1, 1000]");
}
