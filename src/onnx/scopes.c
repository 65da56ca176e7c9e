/* The scopes and names of a graph's nodes, from the names in the file and from what PyTorch's exporters tell. */
#include <string.h>

#include "onnx/importer.h"

const char *onnx_without_slashes(const char *name)
{
    while (*name == '/')
        name++;
    return name;
}

const char *onnx_name_in(onnx_importer *importer, const char *scope)
{
    const char *before = importer->entered;
    if (before)
        atl_leave(importer->graph);
    importer->entered = scope;
    if (scope)
        atl_enter(importer->graph, scope);
    return before;
}

/* Appends a part of a scope's name to text that ends at `end`.  PyTorch repeats what is around a part, as in
 * features/features.0/features.0.1, which becomes features/0/1. */
static char *append_part(char *start, char *end, const char *part, size_t length, const char *around, size_t repeated)
{
    if (repeated && length > repeated + 1 && part[repeated] == '.' && strncmp(part, around, repeated) == 0) {
        part += repeated + 1;
        length -= repeated + 1;
    }
    if (end > start)
        *end++ = '/';
    memcpy(end, part, length);
    return end + length;
}

/* The parts of the text between `quote`s, or, if that is 0, between slashes, but the last, which is the node's own. */
static void join_parts(const char *told, char quote, char *joined)
{
    const char *around = told;
    char *end = joined, *last = joined;
    size_t repeated = 0;
    for (const char *at = quote ? strchr(told, quote) : told; at;) {
        const char *part = quote ? at + 1 : at, *close = strchr(part, quote ? quote : '/');
        size_t length = close ? (size_t)(close - part) : strlen(part);
        if (length) {
            last = end;
            end = append_part(joined, end, part, length, around, repeated);
            around = part;
            repeated = length;
        }
        at = !close ? NULL : quote ? strchr(close + 1, quote) : close + 1;
    }
    *last = 0;
}

const char *onnx_scope_of(onnx_op *op)
{
    const onnx_node *node = op->node;
    int is_told = *node->scopes != 0;
    const char *from = is_told ? node->scopes : node->name;
    char *scope = onnx_room(op, (int64_t)strlen(from) + 1, 1);
    if (scope)
        join_parts(from, is_told ? '\'' : 0, scope);
    return scope && *scope ? scope : NULL;
}

/* The name of a value as it is within the scope: without the scope in front, or without any. */
static const char *name_within(const char *name, const char *scope)
{
    size_t length = scope ? strlen(scope) : 0;
    name = onnx_without_slashes(name);
    const char *slash = strrchr(name, '/');
    if (!scope || !slash)
        return name;
    return strncmp(name, scope, length) == 0 && name[length] == '/' ? name + length + 1 : slash + 1;
}

void onnx_name_outputs(onnx_op *op)
{
    for (int64_t i = 0; i < op->outputs; i++) {
        onnx_value *value = op->output[i];
        atl_node *node = value ? onnx_made_node(value) : NULL;
        const char *name = value ? name_within(value->name, op->scope) : "";
        if (node && *name && atl_index_of(node) == atl_graph_node_count(op->importer->graph) - 1 &&
            atl_input_count(node) > 0)
            atl_named(node, "%s", name);
    }
}
