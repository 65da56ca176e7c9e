/* Groups of boxes in scopes that have too many. */
#include "drawings.h"

#include "drawing/explorer_scopes.h"
#include "graph/names.h"

TestSuite(explorer_groups, .init = make_graph, .fini = free_graph);

static explorer_page collected(void)
{
    static const atl_dot_args none = {0};
    explorer_page p = {.d = {.args = &none, .graph = graph}};
    cr_assert(atl_give_names(graph));
    cr_assert_eq(explorer_collect(&p), ATL_OK);
    return p;
}

Test(explorer_groups, no_scope_has_more_than_48_boxes)
{
    atl_node *h = image_of(4);
    for (int i = 0; i < 5000; i++)
        h = atl_tanh(h);
    explorer_page p = collected();
    int64_t groups = 0;
    for (int64_t k = 0; k < p.scopes; k++) {
        cr_assert_leq(p.scope[k]->boxes, 48);
        groups += p.scope[k]->is_group;
    }
    cr_assert_gt(groups, 5000 / 48);
    explorer_release(&p);
}

/* A parameter lies in the group of its first user, and a group is called after its computed nodes. */
Test(explorer_groups, hold_what_belongs_together)
{
    atl_node *h = image_of(4), *w[60];
    for (int i = 0; i < 60; i++)
        w[i] = atl_variable(graph, ATL_NAME("w%d", i), ATL_SHAPE(4), atl_zeros());
    for (int i = 0; i < 60; i++)
        h = atl_named(atl_mul(h, w[i]), "product%d", i);
    explorer_page p = collected();
    for (int64_t i = 0; i < graph->count; i++)
        for (int k = 1; k < graph->nodes[i]->input_count; k++)
            cr_assert_eq(p.scope_of[i], p.scope_of[graph->nodes[i]->inputs[k]->index]);
    for (int64_t k = 1; k < p.scopes; k++)
        cr_assert_eq(strncmp(atl_name_of(p.scope[k]->first), "product", 7), 0, "%s", atl_name_of(p.scope[k]->first));
    explorer_release(&p);
}

Test(explorer_groups, small_scopes_have_none)
{
    slope_of_three_layers();
    explorer_page p = collected();
    for (int64_t k = 0; k < p.scopes; k++)
        cr_assert(!p.scope[k]->is_group);
    explorer_release(&p);
}
