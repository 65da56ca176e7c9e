/* reverse. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(reverse, .init = set_up, .fini = tear_down);

Test(reverse, one_axis_and_both)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 3));
    EXPECT_VALUES(atl_reverse(x, 0), ATL_SHAPE(2, 3), 3, 4, 5, 0, 1, 2);
    EXPECT_VALUES(atl_reverse(x, -1), ATL_SHAPE(2, 3), 2, 1, 0, 5, 4, 3);
    EXPECT_VALUES(atl_reverse(x, 0, 1), ATL_SHAPE(2, 3), 5, 4, 3, 2, 1, 0);
}

Test(reverse, the_gradient_is_reversed)
{
    atl_node *x = counting(g, ATL_SHAPE(3));
    EXPECT_VALUES(atl_gradient(atl_mul(atl_reverse(x, 0), counting(g, ATL_SHAPE(3))), x), ATL_SHAPE(3), 2, 1, 0);
}

Test(reverse, too_many_axes)
{
    EXPECT_REFUSED(g, atl_reverse(counting(g, ATL_SHAPE(3)), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                   "the list of 10 axes is too long");
}
