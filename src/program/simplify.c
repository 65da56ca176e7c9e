/* Algebra: each op says in its descriptor what it simplifies to. And element-wise ops broadcast by themselves: nothing needs to be
 * repeated for them beforehand. */
#include "atled/program.h"
#include "program/rewrite.h"

enum { MOST_INPUTS = 8 };

static int broadcast_to(int count, atl_node *const *inputs, atl_shape wanted)
{
    atl_shape shape = {0};
    for (int i = 0; i < count; i++)
        if (!atl_broadcast_shapes(shape, inputs[i]->shape, &shape))
            return 0;
    return atl_shape_equal(shape, wanted);
}

/* The element-wise node on what its inputs were before they were repeated; itself if there is no such input. */
static atl_node *without_repeating(atl_node *node)
{
    atl_node *inputs[MOST_INPUTS];
    int changed = 0, count = node->input_count;
    if (!atl_is_elementwise(node->op) || count > MOST_INPUTS)
        return node;
    for (int i = 0; i < count; i++)
        inputs[i] = node->inputs[i];
    for (int i = 0; i < count; i++) {
        atl_node *repeated = inputs[i];
        if (!(repeated->op->flags & ATL_OP_BROADCAST))
            continue;
        inputs[i] = repeated->inputs[0];
        if (broadcast_to(count, inputs, node->shape))
            changed = 1;
        else
            inputs[i] = repeated; /* it gives the result its shape */
    }
    return changed ? atl_apply_with(node->op, node->attributes, count, inputs) : node;
}

static atl_node *simplified(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    atl_node *node = atl_apply_in(r->to, old->op, old->attributes, old->input_count, inputs);
    if (!node)
        return NULL;
    node->storage = old->storage;
    node = without_repeating(node);
    for (int rounds = 0; node && rounds < 8 && node->op->simplify; rounds++) {
        atl_node *simpler = node->op->simplify(node);
        if (!simpler)
            break;
        node = simpler;
    }
    return node;
}

const atl_pass atl_simplify_pass = {.flag = ATL_PASS_SIMPLIFY, .rule = simplified, .merges = 1};
