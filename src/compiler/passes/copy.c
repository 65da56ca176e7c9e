/* The copy of a graph: see copy.h. */
#include "compiler/passes/copy.h"

#include "graph/memory.h"

void atl_copy_free(atl_copy *copy)
{
    atl_graph_free(copy->graph);
    atl_release(copy->of);
    *copy = (atl_copy){0};
}

void atl_note_origin(atl_graph *graph, int64_t first, const atl_node *old, const atl_node *origin, atl_node *const *of)
{
    for (int64_t n = first; n < graph->count; n++) {
        graph->nodes[n]->origin = origin;
        graph->nodes[n]->distinct |= old->distinct;
        graph->nodes[n]->forward = old->forward ? of[old->forward->index] : NULL;
    }
}
