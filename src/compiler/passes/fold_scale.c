/* Folds a factor per channel into the preceding filter: conv(x, w) * s = conv(x, w * s).  For batch norm at inference s
 * depends on variables only, and so does w * s, which is then prepacked. */
#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"

/* The factor of old that is a channel vector and depends on variables only, and applies to the other factor; -1 if
 * there is none. */
static int scale_of(const atl_rewrite *r, const atl_node *product)
{
    if (!(product->op->flags & ATL_OP_PRODUCT) || product->input_count != 2)
        return -1;
    for (int i = 0; i < 2; i++) {
        const atl_node *scale = product->inputs[i], *y = product->inputs[1 - i];
        if (r->prepack[scale->index] && !r->prepack[y->index] && atl_is_channel_vector(scale, y) &&
            atl_shape_equal(*product->shape, *y->shape))
            return i;
    }
    return -1;
}

static atl_node *scaled(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    if (!r->needed[old->index])
        return NULL;
    int i = scale_of(r, old);
    if (i >= 0 && atl_hooks_of(inputs[1 - i])->scaled && r->uses[old->inputs[1 - i]->index] == 1)
        return atl_hooks_of(inputs[1 - i])->scaled(inputs[1 - i], atl_as_channel_vector(r, old->inputs[i]));
    if (!atl_hooks_of(old)->with_scaled_input || r->prepack[old->index])
        return NULL;
    const atl_node *product = old->inputs[0];
    i = r->uses[product->index] == 1 ? scale_of(r, product) : -1;
    if (i < 0)
        return NULL;
    atl_node *y = atl_apply_in(r->to, old->op, old->attributes, old->input_count, inputs);
    return y ? atl_hooks_of(y)->with_scaled_input(y, r->of[product->inputs[1 - i]->index],
                                                  atl_as_channel_vector(r, product->inputs[i]))
             : NULL;
}

static int is_candidate(const atl_node *node)
{
    return atl_hooks_of(node)->scaled || atl_hooks_of(node)->with_scaled_input;
}

const atl_pass atl_fold_scale_pass = {.is_candidate = is_candidate, .rule = scaled, .needs_use_counts = 1, .merges = 1};
