/* one_hot. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(one_hot, .init = set_up, .fini = tear_down);

Test(one_hot, zeros_for_what_is_out_of_range)
{
    EXPECT_VALUES(atl_one_hot(INTS(g, ATL_SHAPE(4), 1, -1, 0, 3), 3), ATL_SHAPE(4, 3), 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                  0);
}

Test(one_hot, unknown_batch)
{
    expect_shape(atl_one_hot(atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY)), 10), ATL_SHAPE(ATL_ANY, 10));
}

Test(one_hot, labels_must_be_integers)
{
    EXPECT_REFUSED(g, atl_one_hot(atl_input(g, "labels", ATL_FLOAT32, ATL_SHAPE(3)), 10), "'labels'", "int32",
                   "atl_cast");
}
