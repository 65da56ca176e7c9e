/* One traversal from the ys finds the nodes on a path to an x, inputs before users.  Nothing recurses over the depth of
 * a graph. */
#include "autodiff/reverse.h"
#include "graph/memory.h"

atl_visit *atl_visit_of(const atl_reverse_pass *p, const atl_node *node)
{
    int64_t mark = node->mark;
    return mark && mark <= p->count && p->visits[mark - 1].node == node ? &p->visits[mark - 1] : NULL;
}

int64_t atl_enter_visit(atl_reverse_pass *p, atl_node *node)
{
    atl_visit *known = atl_visit_of(p, node);
    if (known)
        return known - p->visits;
    if (p->count >= INT32_MAX || !ATL_GROW(p->visits, p->count, p->capacity))
        return -1;
    p->visits[p->count] = (atl_visit){.node = node, .user = -1, .towards = -1, .outer = node->mark};
    node->mark = (int32_t)++p->count;
    return p->count - 1;
}

void atl_finish_pass(atl_reverse_pass *p)
{
    for (int64_t i = p->count - 1; i >= 0; i--)
        p->visits[i].node->mark = p->visits[i].outer;
    atl_release(p->visits);
    atl_release(p->order);
    atl_release(p->stack);
}

int atl_is_differentiable_edge(const atl_node *node, int i)
{
    return node->dtype == ATL_FLOAT32 && node->inputs[i]->dtype == ATL_FLOAT32 && !atl_is_shape_input(node->op, i) &&
           !(node->op->flags & ATL_OP_STOPS_GRADIENT);
}

int atl_reaches_x(const atl_reverse_pass *p, const atl_node *node, int i)
{
    const atl_visit *input = atl_visit_of(p, node->inputs[i]);
    return atl_is_differentiable_edge(node, i) && input && input->reaches;
}

int atl_pass_ends_at(const atl_reverse_pass *p, const atl_visit *v)
{
    return v->is_stop || (p->local && v->is_x) || v->node->index < p->lowest;
}

static int push(atl_reverse_pass *p, int64_t index)
{
    if (!ATL_GROW(p->stack, p->depth, p->stack_capacity))
        return 0;
    p->stack[p->depth++] = index;
    return 1;
}

/* After all inputs have been visited: moves the visit from the stack to the order. */
static int close_visit(atl_reverse_pass *p)
{
    int64_t at = p->stack[--p->depth];
    atl_visit *v = &p->visits[at];
    v->walked = 1;
    v->reaches = v->is_x || v->towards >= 0;
    if (v->reaches && p->depth)
        p->visits[p->stack[p->depth - 1]].towards = at;
    if (!ATL_GROW(p->order, p->order_count, p->order_capacity))
        return 0;
    p->order[p->order_count++] = at;
    return 1;
}

int atl_walk_from(atl_reverse_pass *p, atl_node *y)
{
    int64_t root = atl_enter_visit(p, y);
    if (root < 0)
        return 0;
    if (p->visits[root].walked)
        return 1;
    if (!push(p, root))
        return 0;
    while (p->depth) {
        int64_t at = p->stack[p->depth - 1];
        atl_node *node = p->visits[at].node;
        int i = p->visits[at].next_input++;
        if (i >= node->input_count || atl_pass_ends_at(p, &p->visits[at])) {
            if (!close_visit(p))
                return 0;
            continue;
        }
        if (!atl_is_differentiable_edge(node, i) || node->inputs[i]->index < p->lowest)
            continue;
        int64_t input = atl_enter_visit(p, node->inputs[i]);
        if (input < 0)
            return 0;
        if (p->visits[input].user < 0)
            p->visits[input].user = at;
        if (!p->visits[input].walked) {
            if (!push(p, input))
                return 0;
        } else if (p->visits[input].reaches)
            p->visits[at].towards = input;
    }
    return 1;
}
