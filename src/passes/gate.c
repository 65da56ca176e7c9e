/* The gate of a relu's gradient, and the sum of two gradients before it, are made by the gradient of a convolution or an LRN before its
 * result leaves the registers.  Of convolutions only by our own Winograd kernels, and where it is certain that they are used. */
#include "atled/program.h"
#include "passes/rewrite.h"

static int can_be_gated(const atl_rewrite *r, const atl_node *y, const atl_node *old)
{
    return y->op->gated && r->uses[y->index] == 1 && atl_shape_equal(*y->shape, *old->shape);
}

static atl_node *gated_sum(atl_rewrite *r, const atl_node *old, const atl_node *sum, atl_node *by)
{
    for (int i = 0; i < 2; i++) {
        const atl_node *y = sum->inputs[i], *other = sum->inputs[1 - i];
        atl_node *made = NULL;
        if (can_be_gated(r, y, old) && atl_shape_equal(*other->shape, *old->shape))
            made = y->op->gated(r->of[y->index], r->of[other->index], by, r->winograd);
        if (made)
            return made;
    }
    return NULL;
}

static atl_node *gated(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const atl_node *x = old->op->flags & ATL_OP_GATE ? old->inputs[0] : NULL;
    if (!x || !r->needed[old->index] || !atl_shape_equal(*old->inputs[1]->shape, *old->shape))
        return NULL;
    if (can_be_gated(r, x, old))
        return x->op->gated(inputs[0], NULL, inputs[1], r->winograd);
    if (x->op->flags & ATL_OP_SUM && x->input_count == 2 && r->uses[x->index] == 1)
        return gated_sum(r, old, x, inputs[1]);
    return NULL;
}

static int concerns(const atl_node *node) { return node->op->gated != NULL; }

const atl_pass atl_gate_pass = {
    .flag = ATL_PASS_GATE, .concerns = concerns, .rule = gated, .looks_around = 1, .merges = 1};
