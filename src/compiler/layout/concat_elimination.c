/* Concat elimination: an image whose kernel can write with a pixel stride is computed directly into the result of its
 * concat.
 *
 * This covers concats along the channels of images in NHWC.  An image is part of at most one concat; the other inputs
 * of that concat are copied into the result. */
#include "compiler/layout/concat_elimination.h"

#include "graph/memory.h"
#include "lowering/op_hooks.h"

static int joins_channels(const atl_node *node)
{
    int64_t channels = 0;
    if (!(node->op->flags & ATL_OP_CONCAT) || node->shape->rank != 4 || node->dtype != ATL_FLOAT32)
        return 0;
    for (int i = 0; i < node->input_count; i++) {
        const atl_shape *part = &*node->inputs[i]->shape;
        for (int d = 0; d < 3; d++)
            if (part->size[d] != node->shape->size[d])
                return 0;
        channels += part->size[3];
    }
    return channels == node->shape->size[3] && atl_shape_count(*node->shape) > 0;
}

atl_sub_buffer *atl_find_sub_buffers(const atl_graph *graph, const char *needed, const char *prepackable,
                                     const char *blocked, int64_t count, atl_node *const *outputs, int winograd)
{
    atl_sub_buffer *parts = atl_allocate((size_t)graph->count, sizeof *parts);
    char *alone = parts ? atl_allocate((size_t)graph->count, 1) : NULL;
    if (!alone) {
        atl_release(parts);
        return NULL;
    }
    for (int64_t i = 0; i < count; i++)
        alone[outputs[i]->index] = 1;
    for (int64_t n = 0; n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        int64_t first = 0;
        if (!needed[n] || prepackable[n] || blocked[n] || !joins_channels(node))
            continue;
        for (int i = 0; i < node->input_count; first += node->inputs[i++]->shape->size[3]) {
            const atl_node *part = node->inputs[i];
            int64_t k = part->index;
            if (!alone[k] && !prepackable[k] && !blocked[k] && atl_hooks_of(part)->writes_strided &&
                atl_hooks_of(part)->writes_strided(part, winograd))
                parts[k] = (atl_sub_buffer){node, first};
            alone[k] = 1;
        }
    }
    atl_release(alone);
    return parts;
}
