/* Which nodes are lowered before the assignments. */
#include "support.h"

#include "compiler/lower/assignments.h"
#include "graph/memory.h"
#include "lowering/needed.h"

Test(assignments, what_only_an_assignment_needs_comes_last)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *w = atl_variable(g, "w", ATL_SHAPE(3), atl_zeros());
    atl_node *read = atl_mul(x, w), *only = atl_exp(x), *assign = atl_assign(w, only);
    atl_node *roots[] = {read, assign};
    cr_assert(assign, "%s", atl_graph_error(g));
    char *needed = atl_mark_needed(g, 2, roots, 0);
    cr_assert(needed);
    atl_mark_early(g, needed, 2, roots);
    cr_expect_eq(needed[x->index], 2);
    cr_expect_eq(needed[read->index], 2);
    cr_expect_eq(needed[only->index], 1, "only the assignment reads it");
    cr_expect_eq(needed[assign->index], 1);
    atl_release(needed);
    atl_graph_free(g);
}
