/* argmax. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(argmax, .init = set_up, .fini = tear_down);

Test(argmax, the_first_of_equal_ones)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(2, 3), 1, 7, 7, -1, -5, -3);
    EXPECT_VALUES(atl_argmax(x, 1), ATL_SHAPE(2), 1, 0);
    EXPECT_VALUES(atl_argmax(x, 0), ATL_SHAPE(3), 0, 0, 0);
}

Test(argmax, what_is_not_a_number_wins)
{
    EXPECT_VALUES(atl_argmax(FLOATS(g, ATL_SHAPE(4), 1, NAN, INFINITY, NAN), 0), ATL_SCALAR, 1);
}

Test(argmax, gives_integers_of_the_rows)
{
    atl_node *y = atl_argmax(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 10)), -1);
    expect_shape(y, ATL_SHAPE(ATL_ANY));
    cr_assert_eq(atl_dtype_of(y), ATL_INT32);
}

Test(argmax, of_nothing)
{
    EXPECT_REFUSED(g, atl_argmax(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 0)), 1), "empty", "[2, 0]");
}
