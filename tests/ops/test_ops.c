/* The table of ops, and functions shared by the files of ops. */
#include "support.h"

#include <ctype.h>

#include "graph/graph.h"

Test(ops, the_table_is_sorted_and_sound)
{
    int64_t count;
    const atl_op *const *ops = atl_builtin_ops(&count);
    cr_assert_gt(count, 50);
    for (int i = 0; i < count; i++) {
        cr_expect_null(atl_op_fault(ops[i]), "%s: %s", ops[i]->name, atl_op_fault(ops[i]));
        cr_expect(i == 0 || strcmp(ops[i - 1]->name, ops[i]->name) < 0, "%s stands twice, or not in order",
                  ops[i]->name);
        for (const char *c = ops[i]->name; *c; c++)
            cr_expect(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_', "%s", ops[i]->name);
    }
}

Test(ops, axes_count_from_either_end)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3, 4));
    cr_assert(atl_shape_equal(atl_shape_of(atl_argmax(x, -1)), atl_shape_of(atl_argmax(x, 2))));
    cr_assert(atl_shape_equal(atl_shape_of(atl_argmax(x, -3)), ATL_SHAPE(3, 4)));
    cr_assert_null(atl_argmax(x, 3));
    cr_assert_mentions(atl_graph_error(g), "axis 3");
    cr_assert_mentions(atl_graph_error(g), "[2, 3, 4]");
    cr_assert_mentions(atl_graph_error(g), "-3..2");
    atl_graph_free(g);
}

Test(ops, a_scalar_has_no_axes)
{
    atl_graph *g = atl_graph_new();
    cr_assert_null(atl_argmax(atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), 0));
    cr_assert_mentions(atl_graph_error(g), "scalar");
    atl_graph_free(g);
}
