/* Algebra: each op says in its descriptor what it simplifies to. */
#include "atled/program.h"
#include "program/rewrite.h"

static atl_node *simplified(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    atl_node *node = atl_apply_in(r->to, old->op, old->attributes, old->input_count, inputs);
    if (!node)
        return NULL;
    node->storage = old->storage;
    for (int rounds = 0; rounds < 8 && node->op->simplify; rounds++) {
        atl_node *simpler = node->op->simplify(node);
        if (!simpler)
            break;
        node = simpler;
    }
    return node;
}

const atl_pass atl_simplify_pass = {.flag = ATL_PASS_SIMPLIFY, .rule = simplified, .merges = 1};
