/* Checks feeds and outputs. */
#include "program/feeds.h"

#include "lowering/needed.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "compiler/passes/specialize_shapes.h"

const atl_tensor *atl_fed_value(const atl_feed *feeds, const atl_node *node)
{
    for (; feeds && feeds->node; feeds++)
        if (feeds->node == node)
            return feeds->value;
    return NULL;
}

atl_shape atl_fed_shape(const atl_node *input, const void *feeds)
{
    const atl_tensor *value = atl_fed_value(feeds, input);
    return value ? value->shape : *input->shape;
}

atl_status atl_check_outputs(atl_graph *graph, atl_nodes outputs)
{
    if (ATL_LIST_IS_NULL(outputs))
        return atl_null_argument("outputs", "the list is");
    const atl_node *first = outputs.count > 0 ? outputs.node[0] : NULL;
    if (!graph && first)
        graph = first->graph;
    if (graph && graph->broken)
        return atl_set_error(graph->broken, "%s", graph->error);
    if (!graph)
        return atl_set_error(ATL_INVALID, "there are no outputs, or the graph is null");
    if (outputs.count <= 0)
        return atl_set_error(ATL_INVALID, "there are no outputs: name at least one node, ATL_NODES(loss)");
    for (int64_t i = 0; i < outputs.count; i++) {
        if (!outputs.node[i])
            return atl_set_error(ATL_INVALID, "output %lld is null", (long long)i + 1);
        if (outputs.node[i]->graph != graph)
            return atl_set_error(ATL_INVALID, "output '%s' belongs to another graph", atl_name_of(outputs.node[i]));
    }
    return ATL_OK;
}

atl_status atl_check_fed_once(const atl_feed *feeds)
{
    for (const atl_feed *feed = feeds; feed && feed->node; feed++)
        for (const atl_feed *other = feeds; other < feed; other++)
            if (other->node == feed->node)
                return atl_set_error(ATL_INVALID, "feed: input '%s' is fed twice; give it one tensor",
                                     atl_name_of(feed->node));
    return ATL_OK;
}

/* True if the sizes from dimension `first` on are valid for the input. */
static int fits_from(int first, const atl_shape *input, const atl_shape *value)
{
    int fits = value->rank == input->rank;
    for (int d = first; fits && d < value->rank; d++)
        fits = input->size[d] == ATL_ANY || input->size[d] == value->size[d];
    return fits;
}

atl_status atl_check_feed(const atl_node *node, const atl_tensor *value, int for_reference)
{
    if (value && node->op->flags & ATL_OP_INPUT && value->dtype == node->dtype &&
        fits_from(0, node->shape, &value->shape))
        return ATL_OK; /* of most runs: names and texts are for messages */
    char want[160], have[160];
    const char *name = atl_name_of(node);
    int is_source = node->op->flags & (for_reference ? ATL_OP_INPUT | ATL_OP_VARIABLE : ATL_OP_INPUT);
    if (!is_source)
        return atl_set_error(ATL_INVALID, "feed: '%s' is not an input but the result of %s; only inputs can be fed",
                             name, node->op->name);
    if (!value)
        return atl_set_error(ATL_INVALID, "feed: the tensor for input '%s' is null", name);
    int fits =
        value->dtype == node->dtype || (for_reference && value->dtype == ATL_FLOAT64 && node->dtype == ATL_FLOAT32);
    if (!fits)
        return atl_set_error(ATL_INVALID, "feed: input '%s' takes %s, but the tensor is %s; see atl_tensor_convert",
                             name, atl_dtype_name(node->dtype), atl_dtype_name(value->dtype));
    if (fits_from(0, node->shape, &value->shape))
        return ATL_OK;
    int but_for_batch = node->shape->rank > 1 && fits_from(1, node->shape, &value->shape);
    return atl_set_error(ATL_INVALID, "feed: input '%s' takes %s, but the tensor is %s%s", name,
                         atl_shape_text(*node->shape, want, sizeof want),
                         atl_shape_text(value->shape, have, sizeof have),
                         but_for_batch ? "; an input whose first size is ATL_ANY takes batches of any size" : "");
}

static int has_unknown_size(const atl_node *node)
{
    for (int d = 0; d < node->shape->rank; d++)
        if (node->shape->size[d] == ATL_ANY)
            return 1;
    return 0;
}

atl_status atl_find_missing(const atl_graph *graph, atl_nodes outputs, const atl_feed *feeds,
                            const atl_node **missing_out)
{
    char *by_value = atl_mark_needed(graph, outputs.count, outputs.node, 0);
    char *by_shape = atl_mark_needed(graph, outputs.count, outputs.node, 1);
    atl_status status = by_value && by_shape ? ATL_OK : atl_out_of_memory();
    *missing_out = NULL;
    for (int64_t n = 0; !status && !*missing_out && n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        int needed = by_value[n] || (by_shape[n] && has_unknown_size(node));
        if (needed && node->op->flags & ATL_OP_INPUT && !atl_fed_value(feeds, node))
            *missing_out = node;
    }
    atl_release(by_value);
    atl_release(by_shape);
    return status;
}

atl_status atl_not_fed(const atl_node *input)
{
    char text[160];
    return atl_set_error(ATL_INVALID, "feed: input '%s' %s %s is needed but not fed", atl_name_of(input),
                         atl_dtype_name(input->dtype), atl_shape_text(*input->shape, text, sizeof text));
}

atl_status atl_check_feeds(const atl_graph *graph, atl_nodes outputs, const atl_feed *feeds, int for_reference)
{
    for (const atl_feed *feed = feeds; feed && feed->node; feed++) {
        if (feed->node->graph != graph)
            return atl_set_error(ATL_INVALID, "feed: '%s' is a node of another graph", atl_name_of(feed->node));
        atl_status status = atl_check_feed(feed->node, feed->value, for_reference);
        if (status)
            return status;
    }
    const atl_node *missing = NULL;
    atl_status status = atl_check_fed_once(feeds);
    if (!status)
        status = atl_find_missing(graph, outputs, feeds, &missing);
    return missing ? atl_not_fed(missing) : status;
}
