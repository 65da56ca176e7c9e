/* Factors for each channel go into the filter before: conv(x, w) * s = conv(x, w * s).  With batch norm at inference s depends on
 * variables only, and so does w * s, which is then computed once. */
#include "atled/program.h"
#include "program/rewrite.h"

/* A vector along the last dimension of `of`. */
static int is_channel_vector(const atl_node *node, const atl_node *of)
{
    int64_t channels = of->shape.rank ? of->shape.size[of->shape.rank - 1] : 1;
    return of->shape.rank > 1 && atl_shape_count(node->shape) == channels && node->shape.rank >= 1 &&
           node->shape.size[node->shape.rank - 1] == channels && node->shape.rank <= of->shape.rank;
}

static atl_node *scaled(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    if (!(old->op->flags & ATL_OP_PRODUCT) || old->input_count != 2 || !r->needed[old->index])
        return NULL;
    for (int i = 0; i < 2; i++) {
        const atl_node *y = old->inputs[i], *scale = old->inputs[1 - i];
        if (!inputs[i]->op->scaled || r->uses[y->index] != 1 || r->once[y->index] || !r->once[scale->index] ||
            !is_channel_vector(scale, y))
            continue;
        atl_node *vector = atl_reshape(inputs[1 - i], ATL_SHAPE(atl_shape_count(scale->shape)));
        return inputs[i]->op->scaled(inputs[i], vector);
    }
    return NULL;
}

const atl_pass atl_scale_pass = {.flag = ATL_PASS_SCALE, .rule = scaled, .merges = 1};
