/* Copies a graph with concrete shapes.  No recursion: nodes come after their inputs, so one pass downwards marks the
 * needed nodes, and one pass upwards copies them. */
#include "compiler/passes/specialize_shapes.h"

#include <string.h>

#include "atled/program.h"
#include "lowering/needed.h"
#include "graph/memory.h"
#include "compiler/passes/cse.h"
#include "compiler/passes/simplify.h"

static atl_node *copy_node(atl_copy *copy, const atl_node *node, atl_input_shape *shape_of, const void *context,
                           atl_node **inputs)
{
    const void *attributes = node->attributes;
    atl_source_type type;
    for (int i = 0; i < node->input_count; i++)
        inputs[i] = copy->of[node->inputs[i]->index];
    if (node->op->flags & ATL_OP_INPUT) {
        memcpy(&type, node->attributes, sizeof type);
        type.shape = shape_of(node, context);
        attributes = &type;
    }
    return atl_apply_in(copy->graph, node->op, attributes, node->input_count, inputs);
}

static atl_status copy_all(atl_copy *copy, const atl_graph *original, const char *needed, atl_input_shape *shape_of,
                           const void *context, unsigned at_once, atl_cse_table *merging)
{
    int widest = 1;
    for (int64_t n = 0; n < original->count; n++)
        if (needed[n] && original->nodes[n]->input_count > widest)
            widest = original->nodes[n]->input_count;
    atl_node **inputs = atl_allocate((size_t)widest, sizeof *inputs);
    if (!inputs)
        return atl_out_of_memory();
    for (int64_t n = 0; n < original->count; n++) {
        const atl_node *node = original->nodes[n];
        if (!needed[n])
            continue;
        copy->graph->copying = node;
        atl_node *made = copy_node(copy, node, shape_of, context, inputs);
        if (!made || !atl_check_same_type(node, made))
            break;
        int64_t first = made->index;
        made->storage = node->storage;
        made = at_once & ATL_PASS_SIMPLIFY ? atl_simplified(made) : made;
        if (!made)
            break;
        atl_note_origin(copy->graph, first, node, node, copy->of);
        copy->of[n] = merging->table ? atl_cse_new(merging, copy->graph, first, made) : made;
    }
    copy->graph->copying = NULL;
    atl_release(inputs);
    if (copy->graph->broken)
        return atl_set_error(copy->graph->broken, "%s", copy->graph->error);
    return ATL_OK;
}

atl_status atl_specialize_shapes(atl_nodes outputs, atl_input_shape *shape_of, const void *context, unsigned at_once,
                                 atl_copy *copy_out)
{
    atl_cse_table merging = {0};
    const atl_graph *original = outputs.node[0]->graph;
    char *needed = atl_mark_needed(original, outputs.count, outputs.node, 1);
    *copy_out = (atl_copy){.graph = atl_graph_new(), .count = original->count};
    if (copy_out->graph)
        copy_out->graph->is_copy = 1;
    copy_out->of = atl_allocate((size_t)original->count, sizeof *copy_out->of);
    int ok = needed && copy_out->graph && copy_out->of &&
             (!(at_once & ATL_PASS_CSE) || atl_merging_begin(&merging, original->count));
    atl_status status =
        ok ? copy_all(copy_out, original, needed, shape_of, context, at_once, &merging) : atl_out_of_memory();
    atl_merging_end(&merging);
    atl_release(needed);
    if (status)
        atl_copy_free(copy_out);
    return status;
}
