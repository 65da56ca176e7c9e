/* Concat without copying: an image that can be written with its pixels apart is made where the concat of it and others will be.
 *
 * Only concats along the channels of images in plain order.  An image goes into one concat, once; what else is in that concat is
 * copied to its place beside it. */
#include "program/parts.h"

#include "graph/memory.h"

static int joins_channels(const atl_node *node)
{
    int64_t channels = 0;
    if (!(node->op->flags & ATL_OP_JOIN) || node->shape.rank != 4 || node->dtype != ATL_FLOAT32)
        return 0;
    for (int i = 0; i < node->input_count; i++) {
        const atl_shape *part = &node->inputs[i]->shape;
        for (int d = 0; d < 3; d++)
            if (part->size[d] != node->shape.size[d])
                return 0;
        channels += part->size[3];
    }
    return channels == node->shape.size[3] && atl_shape_count(node->shape) > 0;
}

atl_part *atl_find_parts(const atl_graph *graph, const char *needed, const char *once, const char *blocked,
                         int64_t count, atl_node *const *wanted, int winograd)
{
    atl_part *parts = atl_allocate((size_t)graph->count, sizeof *parts);
    char *alone = parts ? atl_allocate((size_t)graph->count, 1) : NULL;
    if (!alone) {
        atl_release(parts);
        return NULL;
    }
    for (int64_t i = 0; i < count; i++)
        alone[wanted[i]->index] = 1;
    for (int64_t n = 0; n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        int64_t first = 0;
        if (!needed[n] || once[n] || blocked[n] || !joins_channels(node))
            continue;
        for (int i = 0; i < node->input_count; first += node->inputs[i++]->shape.size[3]) {
            const atl_node *part = node->inputs[i];
            int64_t k = part->index;
            if (!alone[k] && !once[k] && !blocked[k] && part->op->writes_apart &&
                part->op->writes_apart(part, winograd))
                parts[k] = (atl_part){node, first};
            alone[k] = 1;
        }
    }
    atl_release(alone);
    return parts;
}
