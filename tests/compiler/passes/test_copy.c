/* The copy of a graph. */
#include "support.h"

#include "compiler/passes/specialize_shapes.h"

static atl_shape five_rows(const atl_node *input, const void *context)
{
    (void)input, (void)context;
    return ATL_SHAPE(5, 2);
}

Test(copy, new_nodes_know_their_origin)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2)), *y = atl_exp(x), *unused = atl_neg(x);
    atl_copy copy;
    cr_assert_eq(atl_specialize_shapes(ATL_NODES(y), five_rows, NULL, 0, &copy), ATL_OK, "%s", atl_error());
    cr_expect_null(copy.of[unused->index]);
    atl_node *made = copy.of[y->index];
    cr_assert(made && copy.of[x->index]);
    cr_expect_eq(made->origin, y);
    cr_expect_eq(made->shape->size[0], 5);
    atl_node *replaced = atl_square(copy.of[x->index]);
    atl_note_origin(copy.graph, replaced->index, made, y, copy.of);
    cr_expect_eq(replaced->origin, y);
    atl_copy_free(&copy);
    cr_expect(!copy.graph && !copy.of);
    atl_graph_free(g);
}
