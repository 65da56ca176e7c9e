/* The edges of a drawing: one for each operand; one for all edges between the same two ends if one of these is a
 * box. */
#include <stdlib.h>

#include "drawing/drawing.h"
#include "graph/error.h"
#include "graph/memory.h"

/* The code of a node is 2i, that of a box 2k + 1. */
static int64_t code_of(const drawing *d, const atl_node *node)
{
    const dot_scope *scope = d->scope_of[node->index];
    return scope->is_box ? 2 * scope->id + 1 : 2 * node->index;
}

static const dot_scope *scope_of_code(const drawing *d, int64_t code)
{
    return code & 1 ? d->scopes[code / 2] : d->scope_of[code / 2];
}

static const dot_scope *part_of_scope(const dot_scope *scope)
{
    while (scope->parent)
        scope = scope->parent;
    return scope;
}

/* Puts the attributes of an edge except the one that shows its shape, and returns the name of that attribute. Within a
 * gradient the edge is reversed for the layout, so that the gradient runs upwards; edges from the forward part then
 * pull it to the level of its ops.  An edge that enters a frame leaves room for the parameters in the frame: frames
 * that share no level are placed below each other.  Between parts, the shape is a label for which the layout reserves
 * no room, or none if only the shape is used.  (minlen=0, which puts both ends on the same level, sometimes crashes
 * Graphviz 2.43.) */
static const char *open_edge(drawing *d, int64_t tail, int64_t head_code, int is_shape)
{
    const dot_scope *from = scope_of_code(d, tail), *to = scope_of_code(d, head_code);
    int is_inside = part_of_scope(from) == part_of_scope(to), is_gradient = is_inside && to->hue;
    int64_t first = is_gradient ? head_code : tail, second = is_gradient ? tail : head_code;
    dot_print(&d->text, "  %c%lld -> %c%lld [", first & 1 ? 'b' : 'n', (long long)(first / 2), second & 1 ? 'b' : 'n',
              (long long)(second / 2));
    if (is_gradient)
        dot_print(&d->text, "dir=back, color=\"%s\", ", dot_hues[to->hue].line);
    else if (!is_inside)
        dot_print(&d->text, "color=\"%s\", penwidth=0.9, ", is_shape ? "#d0d6dd" : "#b9c2cd");
    if (is_shape)
        dot_put(&d->text, "style=dashed, ");
    if (is_inside && from != to && to->parent && !to->is_box && d->levels[head_code / 2])
        dot_print(&d->text, "minlen=%d, ", 1 + d->levels[head_code / 2]);
    return is_inside ? "label" : is_shape ? "tooltip" : "xlabel";
}

static void put_edge(drawing *d, const atl_node *tail, const atl_node *user, int is_shape)
{
    dot_print(&d->text, "%s=\" ", open_edge(d, code_of(d, tail), code_of(d, user), is_shape));
    dot_put_shape(&d->text, tail);
    dot_put(&d->text, " \"];\n");
}

static int compare_box_edges(const void *left, const void *right)
{
    const box_edge *a = left, *b = right;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
    if (a->tail != b->tail)
        return a->tail < b->tail ? -1 : 1;
    return (a->node > b->node) - (a->node < b->node);
}

/* Puts all edges between the same two ends, with nodes in ascending order, as one; returns their number. */
static int64_t put_merged_edges(drawing *d, const box_edge *edge, int64_t count)
{
    int64_t same = 0, tensors = 0;
    int is_shape = 1;
    while (same < count && edge[same].tail == edge->tail && edge[same].head == edge->head) {
        tensors += same == 0 || edge[same].node != edge[same - 1].node;
        is_shape &= edge[same].is_shape;
        same++;
    }
    dot_print(&d->text, "%s=\" ", open_edge(d, edge->tail, edge->head, is_shape));
    if (tensors == 1)
        dot_put_shape(&d->text, d->graph->nodes[edge->node]);
    else
        dot_print(&d->text, "%lld tensors", (long long)tensors);
    dot_put(&d->text, " \"];\n");
    return same;
}

/* Writes edges between nodes immediately, and collects those with a box at one end. */
static atl_status put_edges_to(drawing *d, const atl_node *node)
{
    for (int k = 0; k < node->input_count; k++) {
        const atl_node *input = node->inputs[k];
        int is_shape = atl_is_shape_input(node->op, k);
        if (!d->is_drawn[input->index])
            continue;
        int64_t tail = code_of(d, input), head_code = code_of(d, node);
        if (!((tail | head_code) & 1)) {
            put_edge(d, input, node, is_shape);
            continue;
        }
        if (tail == head_code)
            continue;
        if (!ATL_GROW(d->edges, d->edge_count, d->edge_capacity))
            return atl_out_of_memory();
        d->edges[d->edge_count++] = (box_edge){tail, head_code, input->index, is_shape};
    }
    return ATL_OK;
}

atl_status dot_put_edges(drawing *d)
{
    for (int64_t i = 0; i < d->graph->count; i++)
        if (d->is_drawn[i] && put_edges_to(d, d->graph->nodes[i]))
            return ATL_OUT_OF_MEMORY;
    if (d->edge_count)
        qsort(d->edges, (size_t)d->edge_count, sizeof *d->edges, compare_box_edges);
    for (int64_t i = 0; i < d->edge_count;)
        i += put_merged_edges(d, d->edges + i, d->edge_count - i);
    return ATL_OK;
}
