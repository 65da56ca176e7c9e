/* Relu-gradient epilogue: the gradient of a convolution or an LRN adds a second gradient and applies the relu's
 * gradient before its result leaves the registers.  For 3x3 and 5x5 convolutions only our own Winograd kernels can do
 * that, so the pass applies it only where they are certain to be used.  A relu's gradient that only sums and
 * element-wise ops read stays: it joins the pass over memory that sums (fuse.c), which reads the relu's image in order,
 * and not tile by tile.  So it is in front of a batch norm that is trained, unless the pass fuse is disabled.
 *
 * The gradient of a 1x1 convolution then multiplies by factors for each channel, those of a batch norm, and adds one
 * more gradient, which may be a range of channels of an array.  So the gradients of a dense block's concats are
 * summed. */
#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "graph/memory.h"

/* Of a relu's gradient: how often sums over its elements read it, and how often these and element-wise ops. */
typedef struct readers {
    int32_t sums, joining;
} readers;

static void count_reader(readers *counts, const atl_node *node, const atl_node *relu_grad)
{
    atl_sum_form form;
    int sums = !atl_is_elementwise(node->op) && atl_hooks_of(node)->as_sum && atl_hooks_of(node)->as_sum(node, &form);
    counts->sums += sums;
    counts->joining += sums || (atl_is_elementwise(node->op) && atl_shape_equal(*node->shape, *relu_grad->shape));
}

static int count_readers(atl_rewrite *r)
{
    readers *counts = r->context = atl_allocate((size_t)r->from->count, sizeof *counts);
    for (int64_t n = 0; counts && n < r->from->count; n++) {
        const atl_node *node = r->from->nodes[n];
        for (int i = 0; r->needed[n] && i < node->input_count; i++)
            if (atl_relu_grad_limit(node->inputs[i]) > 0 && atl_reads_input(node, i))
                count_reader(&counts[node->inputs[i]->index], node, node->inputs[i]);
    }
    return counts != NULL;
}

static int joins_sums(const atl_rewrite *r, const atl_node *old)
{
    const readers *counts = (const readers *)r->context + old->index;
    return r->fuses && counts->sums > 0 && counts->joining == r->uses[old->index];
}

static void release_counts(atl_rewrite *r) { atl_release(r->context); }

static int takes_relu_grad(const atl_rewrite *r, const atl_node *y, const atl_node *old)
{
    return atl_hooks_of(y)->with_relu_grad && r->uses[y->index] == 1 && atl_shape_equal(*y->shape, *old->shape);
}

static atl_node *relu_grad_of_sum(atl_rewrite *r, const atl_node *old, const atl_node *sum, atl_node *by)
{
    for (int i = 0; i < 2; i++) {
        const atl_node *y = sum->inputs[i], *other = sum->inputs[1 - i];
        atl_node *made = NULL;
        if (takes_relu_grad(r, y, old) && atl_shape_equal(*other->shape, *old->shape))
            made = atl_hooks_of(y)->with_relu_grad(r->of[y->index], r->of[other->index], by, atl_relu_grad_limit(old),
                                                   r->winograd);
        if (made)
            return made;
    }
    return NULL;
}

/* A product with a factor for each channel, or a sum, of what such a convolution has made. */
static atl_node *scaled_sum(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    int is_sum = (old->op->flags & ATL_OP_SUM) != 0;
    if (!r->needed[old->index] || old->input_count != 2 || !(is_sum || old->op->flags & ATL_OP_PRODUCT))
        return NULL;
    for (int i = 0; i < 2; i++) {
        const atl_node *y = old->inputs[i], *other = old->inputs[1 - i];
        if (!atl_hooks_of(inputs[i])->scaled_sum || r->uses[y->index] != 1 || !atl_shape_equal(*y->shape, *old->shape))
            continue;
        atl_node *made = NULL;
        if (is_sum && atl_shape_equal(*other->shape, *old->shape))
            made = atl_hooks_of(inputs[i])->scaled_sum(inputs[i], NULL, inputs[1 - i]);
        else if (!is_sum && atl_is_channel_vector(other, old))
            made = atl_hooks_of(inputs[i])->scaled_sum(inputs[i], atl_as_channel_vector(r, other), NULL);
        if (made)
            return made;
    }
    return NULL;
}

static atl_node *relu_gradient(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    float limit = atl_relu_grad_limit(old);
    const atl_node *x = limit > 0 ? old->inputs[0] : NULL;
    if (!x)
        return scaled_sum(r, old, inputs);
    if (!r->needed[old->index] || joins_sums(r, old) || !atl_shape_equal(*old->inputs[1]->shape, *old->shape))
        return NULL;
    if (takes_relu_grad(r, x, old))
        return atl_hooks_of(x)->with_relu_grad(inputs[0], NULL, inputs[1], limit, r->winograd);
    if (x->op->flags & ATL_OP_SUM && x->input_count == 2 && r->uses[x->index] == 1)
        return relu_grad_of_sum(r, old, x, inputs[1]);
    return NULL;
}

static int is_candidate(const atl_node *node) { return atl_hooks_of(node)->with_relu_grad != NULL; }

const atl_pass atl_relu_grad_pass = {.is_candidate = is_candidate,
                                     .rule = relu_gradient,
                                     .begin = count_readers,
                                     .end = release_counts,
                                     .needs_use_counts = 1,
                                     .merges = 1};
