/* Selects the nodes to draw: all, or those on which some nodes depend, or those between two nodes. */
#include <string.h>

#include "drawing/drawing.h"
#include "graph/error.h"
#include "graph/memory.h"

static int refuse_stranger(const drawing *d, const atl_node *node)
{
    if (!node || node->graph == d->graph)
        return 0;
    atl_set_error(ATL_INVALID, "dot: node '%s' is not of the graph that is to be drawn", atl_name_of(node));
    return 1;
}

/* Marks every node on which the roots (already marked) depend. */
static void mark_ancestors(const atl_graph *graph, char *mark)
{
    for (int64_t i = graph->count - 1; i >= 0; i--)
        for (int k = 0; mark[i] && k < graph->nodes[i]->input_count; k++)
            mark[graph->nodes[i]->inputs[k]->index] = 1;
}

/* Drops nodes that do not depend on `from`. */
static void keep_descendants(const drawing *d, char *reached)
{
    reached[d->args->from->index] = 1;
    for (int64_t i = 0; i < d->graph->count; i++) {
        const atl_node *node = d->graph->nodes[i];
        for (int k = 0; !reached[i] && k < node->input_count; k++)
            reached[i] = reached[node->inputs[k]->index];
        d->is_drawn[i] &= reached[i];
    }
}

atl_status dot_select_nodes(drawing *d)
{
    const atl_dot_args *args = d->args;
    int64_t roots = 0;
    for (int64_t i = 0; i < args->outputs.count; i++) {
        const atl_node *node = args->outputs.node[i];
        if (refuse_stranger(d, node))
            return ATL_INVALID;
        if (node)
            d->is_drawn[node->index] = d->is_wanted[node->index] = 1;
        roots += node != NULL;
    }
    if (refuse_stranger(d, args->from) || refuse_stranger(d, args->to))
        return ATL_INVALID;
    if (args->to)
        d->is_drawn[args->to->index] = 1;
    if (roots || args->to)
        mark_ancestors(d->graph, d->is_drawn);
    else
        memset(d->is_drawn, 1, (size_t)d->graph->count);
    if (!args->from)
        return ATL_OK;
    char *reached = atl_allocate((size_t)d->graph->count, 1);
    if (!reached)
        return atl_out_of_memory();
    keep_descendants(d, reached);
    atl_release(reached);
    if (args->to && !d->is_drawn[args->to->index])
        return atl_set_error(ATL_INVALID,
                             "dot: no path leads from '%s' to '%s'; draw what '%s' is computed from by giving it alone",
                             atl_name_of(args->from), atl_name_of(args->to), atl_name_of(args->to));
    return ATL_OK;
}
