/* Marks over a graph, in one loop each: nodes are in order of creation. */
#include "lowering/needed.h"

#include "graph/memory.h"
#include "lowering/op_hooks.h"

char *atl_mark_needed(const atl_graph *graph, int64_t count, atl_node *const *outputs, int shapes_too)
{
    char *needed = atl_allocate((size_t)graph->count, 1);
    for (int64_t i = 0; needed && i < count; i++)
        needed[outputs[i]->index] = 1;
    for (int64_t n = needed ? graph->count - 1 : -1; n >= 0; n--) {
        const atl_node *node = graph->nodes[n];
        for (int i = 0; needed[n] && i < node->input_count; i++)
            if (shapes_too || atl_reads_input(node, i))
                needed[node->inputs[i]->index] = 1;
    }
    return needed;
}

char *atl_mark_prepackable(const atl_graph *graph, const char *needed)
{
    char *once = atl_allocate((size_t)graph->count, 1);
    for (int64_t n = 0; once && n < graph->count; n++)
        once[n] = 1;
    for (int64_t n = 0; once && n < graph->count; n++)
        if (needed[n] && graph->nodes[n]->op->flags & ATL_OP_ASSIGN)
            once[graph->nodes[n]->inputs[0]->index] = 0;
    for (int64_t n = 0; once && n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        int changes = node->op->flags & (ATL_OP_INPUT | ATL_OP_RANDOM) ||
                      (node->op->flags & ATL_OP_SIDE_EFFECT && !(node->op->flags & ATL_OP_VARIABLE));
        once[n] &= !changes;
        for (int i = 0; i < node->input_count; i++)
            if (atl_reads_input(node, i))
                once[n] &= once[node->inputs[i]->index];
    }
    return once;
}
