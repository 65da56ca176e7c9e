/* A convolution of an image whose channels are reversed, as networks for BGR make of RGB, is one by a filter with the
 * channels reversed: the filter is smaller, and is prepared once if it lasts.  So it is for both gradients. */
#include "ops/attributes.h"
#include "ops/conv.h"
#include "ops/ops.h"

/* True if `reverse` reverses dimension 3, of several elements, and no other of several. */
static int reverses_channels(const atl_node *reverse)
{
    const reverse_attributes *attributes = reverse->attributes;
    unsigned axes = 0;
    for (int i = 0; i < attributes->count; i++) {
        const int axis = attributes->axis[i] < 0 ? attributes->axis[i] + reverse->shape->rank : attributes->axis[i];
        axes |= (unsigned)(reverse->shape->size[axis] > 1) << axis;
    }
    return axes == 1u << 3;
}

/* In groups the channels of the image and those of a filter are in different orders. */
static int is_worth_it(const conv_geometry *g)
{
    return g->groups == 1 && atl_shape_count(g->filter) < atl_shape_count(g->image);
}

atl_node *atl_conv_of_reverse(atl_node *y, const atl_node *reverse)
{
    const int of_filter = y->input_count == 3; /* image, dy, like the filter */
    const conv_geometry g = of_filter ? atl_conv_geometry_of(y, reverse, y, y->inputs[1])
                                      : atl_conv_geometry_of(y, reverse, y->inputs[1], y);
    if (reverse != y->inputs[0] || !reverses_channels(reverse) || !is_worth_it(&g))
        return NULL;
    atl_node *inputs[3] = {reverse->inputs[0], of_filter ? y->inputs[1] : atl_reverse(y->inputs[1], 2),
                           of_filter ? y->inputs[2] : NULL};
    atl_node *made = atl_apply_with(y->op, y->attributes, (atl_nodes){y->input_count, inputs});
    return of_filter ? atl_reverse(made, 2) : made;
}

atl_node *atl_reverse_of_input_grad(atl_node *y, const atl_node *dx)
{
    const conv_geometry g = atl_conv_geometry_of(dx, dx, dx->inputs[1], dx->inputs[0]);
    if (!atl_is_read_once(dx) || !reverses_channels(y) || !is_worth_it(&g))
        return NULL;
    atl_node *inputs[3] = {dx->inputs[0], atl_reverse(dx->inputs[1], 2), dx->inputs[2]};
    return atl_apply_with(dx->op, dx->attributes, (atl_nodes){3, inputs});
}
