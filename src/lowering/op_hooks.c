/* Properties of a node that follow from its op's hooks. */
#include "lowering/op_hooks.h"

#include <math.h>

#include "graph/tensor.h"

const atl_op_hooks *atl_hooks_of(const atl_node *node)
{
    static const atl_op_hooks none = {0};
    return node->op->hooks ? node->op->hooks : &none;
}

int atl_reads_input(const atl_node *node, int i)
{
    return !atl_is_shape_input(node->op, i) || (i < 32 && (atl_hooks_of(node)->workspace_inputs >> i) & 1);
}

unsigned atl_all_by_image(const atl_node *y)
{
    (void)y;
    return ~0u;
}

unsigned atl_first_by_image(const atl_node *y)
{
    (void)y;
    return 1;
}

unsigned atl_rows_by_image(const atl_node *y) { return y->shape->rank > 1 ? ~0u : 0; }

static int has_images(const atl_node *node, int64_t images)
{
    return node->shape->rank > 0 && node->shape->size[0] == images;
}

/* An element-wise op broadcasts an input of another rank, or with one image, to all images. */
int atl_reads_by_image(const atl_node *node, int i, int64_t images)
{
    const atl_node *input = node->inputs[i];
    if (!atl_hooks_of(node)->by_image)
        return has_images(input, images) && input->shape->rank == node->shape->rank;
    return (atl_hooks_of(node)->by_image(node) >> (i < 31 ? i : 31)) & 1;
}

int atl_works_by_image(const atl_node *node, int64_t images)
{
    int reads = 0;
    if (!has_images(node, images) || (!atl_is_elementwise(node->op) && !atl_hooks_of(node)->by_image) ||
        node->op->flags & (ATL_OP_RANDOM | ATL_OP_SIDE_EFFECT))
        return 0;
    for (int i = 0; i < node->input_count; i++) {
        int by_image = atl_reads_by_image(node, i, images);
        reads += by_image && atl_reads_input(node, i);
        if (by_image && !has_images(node->inputs[i], images))
            return 0;
    }
    return reads > 0;
}

int atl_is_uniform(const atl_node *node, float *value_out)
{
    enum { LOOKED_AT = 64 };
    while (node->op->flags & (ATL_OP_ALIAS | ATL_OP_BROADCAST) && !(node->op->flags & ATL_OP_SIDE_EFFECT))
        node = node->inputs[0]; /* the same elements */
    if (atl_hooks_of(node)->uniform)
        return atl_hooks_of(node)->uniform(node, value_out);
    const atl_tensor *value = node->op->flags & ATL_OP_CONSTANT && node->storage ? node->storage->value : NULL;
    if (!value || value->dtype != ATL_FLOAT32 || value->count < 1 || value->count > LOOKED_AT)
        return 0;
    const float *x = value->data;
    for (int64_t i = 1; i < value->count; i++)
        if (x[i] != x[0] || signbit(x[i]) != signbit(x[0])) /* 1 / 0 and 1 / -0 differ */
            return 0;
    *value_out = x[0];
    return 1;
}

float atl_relu_limit(const atl_node *y)
{
    if (y->op->flags & ATL_OP_RELU)
        return INFINITY;
    return atl_hooks_of(y)->relu_limit ? atl_hooks_of(y)->relu_limit(y) : 0;
}

float atl_relu_grad_limit(const atl_node *y)
{
    if (y->op->flags & ATL_OP_RELU_GRAD)
        return INFINITY;
    return atl_hooks_of(y)->relu_grad_limit ? atl_hooks_of(y)->relu_grad_limit(y) : 0;
}
