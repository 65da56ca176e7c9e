/* The products of the others. */
#include "values.h"

#include "ops/product.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(product, .init = set_up, .fini = tear_down);

Test(product, of_the_others_along_axes)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(2, 3), 1, 2, 3, 4, 0, 5);
    EXPECT_VALUES(atl_product_of_others(x, 2), ATL_SHAPE(2, 3), 6, 3, 2, 0, 20, 0);
    EXPECT_VALUES(atl_product_of_others(x, 1), ATL_SHAPE(2, 3), 4, 0, 5, 1, 2, 3);
    EXPECT_VALUES(atl_product_of_others(x, 0), ATL_SHAPE(2, 3), 1, 1, 1, 1, 1, 1);
}

/* x0 x1 x2 x3: each derivative with respect to another factor removes that factor. */
Test(product, every_order_is_exact)
{
    atl_node *x = FLOATS(g, ATL_SHAPE(4), 2, 3, 5, 7), *y = atl_reduce_prod(x);
    const double left[] = {105, 35, 7, 1};
    for (int order = 0; order < 4; order++) {
        y = atl_index_last(atl_gradient(y, x), order);
        expect_values(y, ATL_SCALAR, &left[order]);
    }
    EXPECT_VALUES(atl_gradient(y, x), ATL_SHAPE(4), 0, 0, 0, 0);
}

Test(product, ends_with_the_eighth_derivative)
{
    atl_node *x = counting(g, ATL_SHAPE(3)), *y = atl_reduce_prod(x);
    for (int order = 1; y && order < 12; order++)
        y = atl_gradient(atl_mul(y, y), x);
    EXPECT_REFUSED(g, y, "8th");
}
