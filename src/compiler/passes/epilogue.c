/* Epilogue fusion: the convolution or matrix product adds bias and residual and applies relu before its result leaves
 * the registers.  A product with a weight that lasts also multiplies by a vector or by an array of its own shape, a
 * slope.  A gradient that only a step of gradient descent reads becomes that step. */
#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "ops/attributes.h"

static int is_vector_for(const atl_node *bias, const atl_node *y)
{
    int64_t channels = y->shape->rank ? y->shape->size[y->shape->rank - 1] : 1;
    return y->shape->rank > 1 && atl_shape_count(*bias->shape) == channels &&
           (bias->shape->rank == 0 || bias->shape->size[bias->shape->rank - 1] == channels) &&
           bias->shape->rank <= y->shape->rank;
}

static atl_node *absorbed_sum(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    /* Takes the later input first: in a residual block that is the convolution just computed. */
    int later = old->inputs[1]->index > old->inputs[0]->index;
    for (int k = 0; k < 2; k++) {
        int i = k ? 1 - later : later;
        const atl_node *y = old->inputs[i], *other = old->inputs[1 - i];
        if (y == other || r->uses[y->index] != 1 || !atl_hooks_of(inputs[i])->with_epilogue ||
            !atl_shape_equal(*y->shape, *old->shape))
            continue;
        atl_node *made = NULL;
        if (is_vector_for(other, y) && !atl_shape_equal(*other->shape, *y->shape))
            made = atl_hooks_of(inputs[i])->with_epilogue(
                inputs[i], atl_reshape(inputs[1 - i], ATL_SHAPE(atl_shape_count(*other->shape))), NULL, 0);
        else if (atl_shape_equal(*other->shape, *y->shape))
            made = atl_hooks_of(inputs[i])->with_epilogue(inputs[i], NULL, inputs[1 - i], 0);
        if (made)
            return made;
    }
    return NULL;
}

/* base + factor * y or base - factor * y, where the product `step` is input 1. */
static atl_node *absorbed_update(atl_rewrite *r, const atl_node *old, atl_node *base, int sign)
{
    const atl_node *step = old->inputs[1];
    if (!(step->op->flags & ATL_OP_PRODUCT) || step->input_count != 2 || r->uses[step->index] != 1 ||
        !atl_shape_equal(*old->inputs[0]->shape, *step->shape))
        return NULL;
    for (int i = 0; i < 2; i++) {
        const atl_node *y = step->inputs[i], *factor = step->inputs[1 - i];
        atl_node *made = r->of[y->index];
        if (r->uses[y->index] == 1 && atl_shape_count(*factor->shape) == 1 && atl_hooks_of(made)->as_update &&
            atl_shape_equal(*y->shape, *step->shape))
            return atl_hooks_of(made)->as_update(made, base, r->of[factor->index], sign);
    }
    return NULL;
}

/* y * scale, a vector along the last dimension, or y * factor of y's shape. */
static atl_node *absorbed_factor(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    for (int i = 0; i < 2; i++) {
        const atl_node *y = old->inputs[i], *other = old->inputs[1 - i];
        int is_full = atl_shape_equal(*other->shape, *old->shape);
        if (y == other || r->uses[y->index] != 1 || !atl_hooks_of(inputs[i])->multiplied ||
            !atl_shape_equal(*y->shape, *old->shape) || !(is_full || atl_is_channel_vector(other, y)))
            continue;
        atl_node *scale = is_full ? NULL : atl_as_channel_vector(r, other);
        atl_node *made = atl_hooks_of(inputs[i])->multiplied(inputs[i], scale, is_full ? inputs[1 - i] : NULL);
        if (made)
            return made;
    }
    return NULL;
}

/* A product with a weight, which from here on knows that it has one. */
static atl_node *with_weight(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    if (!r->packs_weights || r->prepack[old->index] || !r->prepack[old->inputs[1]->index])
        return NULL;
    atl_node *y = atl_rebuilt(r, old, inputs);
    return y ? atl_hooks_of(y)->with_weight(y) : NULL;
}

static atl_node *absorbed(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    if (!r->needed[old->index])
        return NULL;
    if (atl_hooks_of(old)->with_weight)
        return with_weight(r, old, inputs);
    if (old->op->flags & ATL_OP_PRODUCT && old->input_count == 2)
        return absorbed_factor(r, old, inputs);
    if (old->input_count == 2 && old->op == atl_op_named("sub"))
        return absorbed_update(r, old, inputs[0], -1);
    if (old->op->flags & ATL_OP_SUM && old->input_count == 2) {
        atl_node *sum = absorbed_sum(r, old, inputs);
        return sum ? sum : absorbed_update(r, old, inputs[0], 1);
    }
    float limit = atl_relu_limit(old);
    if (limit > 0 && r->uses[old->inputs[0]->index] == 1 && atl_hooks_of(inputs[0])->with_epilogue)
        return atl_hooks_of(inputs[0])->with_epilogue(inputs[0], NULL, NULL, limit);
    return NULL;
}

static int is_candidate(const atl_node *node) { return atl_hooks_of(node)->with_epilogue != NULL; }

const atl_pass atl_epilogue_pass = {.is_candidate = is_candidate, .rule = absorbed, .needs_use_counts = 1, .merges = 1};
