/* Finds where a NaN or an infinity began. */
#include "atled/train.h"

#include <math.h>

#include "atled/op.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { NOT_LOOKED_AT = ATL_OP_ASSIGN | ATL_OP_SIDE_EFFECT };

/* False for nodes that assign, and for nodes that use their result.  (Variables have a side effect, too.) */
static int is_looked_at(const atl_node *node, const char *left_out)
{
    unsigned flags = atl_op_of(node)->flags;
    if (flags & NOT_LOOKED_AT && !(flags & ATL_OP_VARIABLE))
        return 0;
    for (int i = 0; i < atl_input_count(node); i++)
        if (left_out[atl_index_of(atl_input_of(node, i))])
            return 0;
    return 1;
}

/* The float nodes on which `of` depends, in order of creation.  Null: out of memory. */
static atl_node **list_nodes(atl_node *of, int64_t *count_out)
{
    const atl_graph *graph = atl_graph_of(of);
    int64_t count = atl_graph_node_count(graph);
    char *needed = atl_allocate((size_t)count, 1), *left_out = atl_allocate((size_t)count, 1);
    atl_node **list = atl_allocate((size_t)count, sizeof *list);
    *count_out = 0;
    if (needed && left_out && list) {
        needed[atl_index_of(of)] = 1;
        for (int64_t n = count - 1; n >= 0; n--)
            for (int i = 0; needed[n] && i < atl_input_count(atl_graph_node(graph, n)); i++)
                needed[atl_index_of(atl_input_of(atl_graph_node(graph, n), i))] = 1;
        for (int64_t n = 0; n < count; n++) {
            atl_node *node = atl_graph_node(graph, n);
            left_out[n] = (char)!is_looked_at(node, left_out);
            if (needed[n] && !left_out[n] && atl_dtype_of(node) == ATL_FLOAT32)
                list[(*count_out)++] = node;
        }
    } else {
        atl_release(list);
        list = NULL;
    }
    atl_release(needed);
    atl_release(left_out);
    return list;
}

static int is_finite(const atl_tensor *value)
{
    const float *x = atl_floats(value);
    int64_t count = atl_tensor_count(value);
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

atl_status atl_find_non_finite(atl_node *of, const atl_feed *feeds, const atl_node **node_out)
{
    int64_t count;
    if (node_out)
        *node_out = NULL;
    if (!of || !node_out)
        return atl_null_argument("atl_find_non_finite", of ? "node_out is" : "the node is");
    atl_node **list = list_nodes(of, &count);
    if (!list)
        return atl_out_of_memory();
    if (!count) {
        atl_release(list);
        return ATL_OK;
    }
    atl_program *program = atl_compile(atl_graph_of(of), {count, list}, .disabled_passes = ~(unsigned)ATL_PASS_ARENA);
    atl_status status = program ? atl_run(program, feeds) : atl_error_status();
    for (int64_t i = 0; !status && !*node_out && i < count; i++)
        if (!is_finite(atl_value(program, list[i])))
            *node_out = list[i];
    atl_program_free(program);
    atl_release(list);
    return status;
}
