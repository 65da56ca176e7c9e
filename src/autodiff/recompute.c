/* Recompute marks.  A gradient rule gets a forward node y and reads its value or its inputs' values.  If these are
 * marked, the rule gets a copy of y on copies of the marked nodes, down to the nearest unmarked ones.  Copies that the
 * rule does not use are never computed.  The copies are created when the reverse pass arrives, so they are computed
 * then, and live briefly. */
#include "autodiff/recompute.h"

#include "atled/gradient.h"
#include "graph/graph.h"
#include "graph/memory.h"

atl_node *atl_recompute(atl_node *node)
{
    if (node)
        node->recompute = 1;
    return node;
}

static int has_marked_input(const atl_node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i]->recompute)
            return 1;
    return 0;
}

static atl_node *shown_for(atl_node *input) { return input->recompute && input->again ? input->again : input; }

static atl_node *copy_over_copies(atl_node *node)
{
    atl_node **inputs = atl_allocate((size_t)node->input_count, sizeof *inputs);
    if (!inputs)
        return atl_graph_out_of_memory(node->graph);
    for (int i = 0; i < node->input_count; i++)
        inputs[i] = shown_for(node->inputs[i]);
    atl_node *copy = atl_apply_with(node->op, node->attributes, (atl_nodes){node->input_count, inputs});
    atl_release(inputs);
    if (copy)
        copy->distinct = 1;
    return copy;
}

static int is_source(const atl_node *node) { return node->input_count == 0 || node->op->flags & ATL_OP_SIDE_EFFECT; }

/* Copies the marked nodes below `top` that have no copy yet, inputs before users, without recursion. */
static int copy_marked_below(atl_node *top)
{
    atl_node **stack = NULL;
    int64_t depth = 0, capacity = 0;
    int ok = ATL_GROW(stack, depth, capacity);
    if (ok)
        stack[depth++] = top;
    while (ok && depth) {
        atl_node *node = stack[depth - 1];
        int waits = 0;
        for (int i = 0; ok && i < node->input_count; i++) {
            atl_node *input = node->inputs[i];
            if (!input->recompute || input->again || is_source(input))
                continue;
            waits = 1;
            ok = ATL_GROW(stack, depth, capacity);
            if (ok)
                stack[depth++] = input;
        }
        if (waits)
            continue;
        depth--;
        if (node != top && !node->again)
            ok = (node->again = copy_over_copies(node)) != NULL;
    }
    atl_release(stack);
    if (!ok)
        atl_graph_out_of_memory(top->graph);
    return ok;
}

atl_node *atl_recomputed(atl_node *y)
{
    if (is_source(y) || y->distinct || (!y->recompute && !has_marked_input(y)))
        return y;
    if (!copy_marked_below(y))
        return NULL;
    if (!y->again)
        y->again = copy_over_copies(y);
    return y->again;
}
