/* Images with a pixel stride: parts of a concat, computed directly into its result (layout/concat_elimination.h). */
#include "compiler/lower/lower_state.h"

#include "onednn/onednn.h"

/* The value of the node being lowered: a range of channels of an NHWC image that exists or will exist. */
static atl_value_id part_of(atl_lowering *l, atl_value_id image, int64_t channels, int64_t first)
{
    const atl_node *node = l->node;
    atl_value_id value =
        image < 0 ? image : atl_new_value(l, node, atl_plain_bytes(node), l->plan->values[image].space);
    if (value < 0)
        return value;
    atl_plan_value *part = &l->plan->values[value];
    part->shares = image;
    part->within = first * (int64_t)sizeof(float);
    part->pixel_stride = channels;
    part->layout = atl_layout_strided(*node->shape, channels);
    if (!part->layout)
        return atl_fail_lowering(l);
    return l->value[node->index] = value;
}

static const atl_sub_buffer *part_in(const atl_lowering *l, const atl_node *node)
{
    return l->sub_buffers && l->sub_buffers[node->index].joined ? &l->sub_buffers[node->index] : NULL;
}

int atl_compiler_output_is_strided(const atl_lowering *l) { return part_in(l, l->node) != NULL; }

atl_value_id atl_compiler_output_strided(atl_lowering *l, int64_t *pixel_stride_out)
{
    const atl_sub_buffer *part = part_in(l, l->node);
    *pixel_stride_out = part ? part->joined->shape->size[3] : l->node->shape->size[3];
    if (!part)
        return atl_compiler_output(l);
    atl_value_id *joined = &l->value[part->joined->index];
    if (*joined < 0)
        *joined = atl_new_value(l, part->joined, atl_plain_bytes(part->joined), ATL_IN_ARENA);
    return part_of(l, *joined, *pixel_stride_out, part->first);
}

int atl_compiler_input_is_strided(const atl_lowering *l, int i)
{
    atl_value_id value = l->value[l->node->inputs[i]->index];
    return value >= 0 && l->plan->values[value].pixel_stride > 0;
}

atl_value_id atl_compiler_input_strided(atl_lowering *l, int i, int64_t *pixel_stride_out)
{
    const atl_node *input = l->node->inputs[i];
    atl_value_id value = l->value[input->index];
    if (!atl_compiler_input_is_strided(l, i)) {
        *pixel_stride_out = input->shape->size[3];
        return atl_compiler_input(l, i);
    }
    *pixel_stride_out = l->plan->values[value].pixel_stride;
    return value;
}

int atl_compiler_is_in_place(const atl_lowering *l, int i)
{
    atl_value_id value = l->value[l->node->inputs[i]->index];
    int64_t first = 0;
    for (int k = 0; k < i; k++)
        first += l->node->inputs[k]->shape->size[3];
    const atl_plan_value *part = value < 0 ? NULL : &l->plan->values[value];
    return part && part->pixel_stride && part->shares == l->value[l->node->index] &&
           part->within == first * (int64_t)sizeof(float);
}

int atl_compiler_part_in_place(atl_lowering *l, int64_t first)
{
    atl_value_id image = l->sub_buffers && !l->now_once ? atl_compiler_input(l, 0) : -1;
    if (image < 0 || l->plan->values[image].space != ATL_IN_ARENA)
        return l->failed ? 0 : -1;
    return part_of(l, image, l->node->inputs[0]->shape->size[3], first) >= 0;
}
