/* The gradient by the image of a convolution whose windows lie side by side, as the patches of a vision transformer: a
 * product of the result's gradient and the filter, and a transpose.  oneDNN's kernels compute as many channels as a
 * vector has, where such an image has three; the product has nothing to fill up.  (Forward they are as fast.) */
#include "cost/cost.h"
#include "ops/conv.h"

/* True if the windows cover the whole image, each pixel once. */
static int are_patches(const conv_geometry *g)
{
    const atl_window *window[2] = {&g->vertical, &g->horizontal};
    for (int i = 0; i < 2; i++)
        if (window[i]->stride != window[i]->size || window[i]->dilation != 1 || window[i]->pad_before ||
            window[i]->pad_after || g->image.size[1 + i] != window[i]->size * g->result.size[1 + i])
            return 0;
    return g->groups == 1;
}

/* Few channels, and many patches of many numbers. */
static int is_worth(const conv_geometry *g)
{
    enum { LEAST_SIDE = 4, FULL_CHANNELS = 8 }; /* sides of a window; channels that fill a vector of AVX2 */
    int64_t patches = g->result.size[0] * g->result.size[1] * g->result.size[2];
    return g->image.size[3] < FULL_CHANNELS && g->vertical.size >= LEAST_SIDE && g->horizontal.size >= LEAST_SIDE &&
           patches >= atl_costs_in_use()->lasting_rows;
}

atl_node *atl_input_grad_of_patches(atl_node *dx)
{
    atl_node *dy = dx->inputs[0], *filter = dx->inputs[1];
    const conv_geometry g = atl_conv_geometry_of(dx, dx, filter, dy);
    const int64_t *size = g.result.size, high = g.vertical.size, wide = g.horizontal.size, channels = g.image.size[3];
    if (!are_patches(&g) || !is_worth(&g))
        return NULL;
    atl_node *matrix = atl_reshape(filter, ATL_SHAPE(high * wide * channels, size[3]));
    atl_node *patches = atl_matmul(dy, matrix, .transpose_b = 1);
    patches = atl_reshape(patches, ATL_SHAPE(size[0], size[1], size[2], high, wide, channels));
    return atl_reshape(atl_transpose(patches, .order = {0, 1, 3, 2, 4, 5}), g.image);
}
