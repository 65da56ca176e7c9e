/* cumulative_sum. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(cumulative_sum, .init = set_up, .fini = tear_down);

Test(cumulative_sum, from_either_end_with_or_without_itself)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(4), 1, 2, 3, 4);
    EXPECT_VALUES(atl_cumulative_sum(x), ATL_SHAPE(4), 1, 3, 6, 10);
    EXPECT_VALUES(atl_cumulative_sum(x, .exclusive = 1), ATL_SHAPE(4), 0, 1, 3, 6);
    EXPECT_VALUES(atl_cumulative_sum(x, .reverse = 1), ATL_SHAPE(4), 10, 9, 7, 4);
    EXPECT_VALUES(atl_cumulative_sum(x, .exclusive = 1, .reverse = 1), ATL_SHAPE(4), 9, 7, 4, 0);
}

Test(cumulative_sum, along_any_axis)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 2, 2));
    EXPECT_VALUES(atl_cumulative_sum(x, 1), ATL_SHAPE(2, 2, 2), 0, 1, 2, 4, 4, 5, 10, 12);
    EXPECT_VALUES(atl_cumulative_sum(x, -1), ATL_SHAPE(2, 2, 2), 0, 1, 2, 5, 4, 9, 6, 13);
}

Test(cumulative_sum, the_gradient_counts_who_uses_an_element)
{
    atl_node *x = counting(g, ATL_SHAPE(3));
    EXPECT_VALUES(atl_gradient(atl_cumulative_sum(x), x), ATL_SHAPE(3), 3, 2, 1);
    EXPECT_VALUES(atl_gradient(atl_cumulative_sum(x, .exclusive = 1), x), ATL_SHAPE(3), 2, 1, 0);
}
