/* transpose. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(transpose, .init = set_up, .fini = tear_down);

Test(transpose, a_matrix)
{
    EXPECT_VALUES(atl_transpose(counting(g, ATL_SHAPE(2, 3))), ATL_SHAPE(3, 2), 0, 3, 1, 4, 2, 5);
}

Test(transpose, any_order)
{
    EXPECT_VALUES(atl_transpose(counting(g, ATL_SHAPE(1, 2, 2, 2)), .order = {0, 3, 1, 2}), ATL_SHAPE(1, 2, 2, 2), 0, 2,
                  4, 6, 1, 3, 5, 7);
}

Test(transpose, integers)
{
    EXPECT_VALUES(atl_transpose(INTS(g, ATL_SHAPE(2, 2), 1, 2, 3, INT32_MAX)), ATL_SHAPE(2, 2), 1, 3, 2, INT32_MAX);
}

Test(transpose, unknown_sizes_move)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 3));
    expect_shape(atl_transpose(x, .order = {0, 3, 1, 2}), ATL_SHAPE(ATL_ANY, 3, 28, 28));
    expect_shape(atl_transpose(x), ATL_SHAPE(3, 28, 28, ATL_ANY));
    expect_shape(atl_transpose(x, .order = {-1, 0, 1, 2}), ATL_SHAPE(3, ATL_ANY, 28, 28));
}

Test(transpose, its_gradient_is_the_inverse)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 3, 4)), *y = atl_transpose(x, .order = {2, 0, 1});
    expect_shape(atl_gradient(atl_mul(y, y), x), ATL_SHAPE(2, 3, 4));
}

Test(transpose, the_order_must_be_a_permutation)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3, 4));
    EXPECT_REFUSED(g, atl_transpose(x, .order = {1, 1, 0}), "transpose", "no permutation", "[2, 3, 4]",
                   "axis 1 comes twice");
}
