/* Helpers for ops on images. */
#include "ops/image.h"

int atl_require_image(atl_node *y, int i)
{
    if (!atl_require_float(y, i, "the image"))
        return 0;
    if (y->inputs[i]->shape->rank != 4)
        return atl_fail(y, "the image, '%s', is %s, but must have four dimensions: [batch, height, width, channels]",
                        atl_name_of(y->inputs[i]), SHAPE_OF(y->inputs[i]));
    return 1;
}

atl_node *atl_image_to_nhwc(atl_node *image, atl_layout layout, const char *builder)
{
    if (!image || layout == ATL_NHWC)
        return image;
    if (layout != ATL_NCHW)
        return atl_builder_error(image->graph, builder, "layout %d is neither ATL_NHWC nor ATL_NCHW", (int)layout);
    if (image->shape->rank != 4)
        return atl_builder_error(
            image->graph, builder,
            "the image, '%s', is %s, but must have four dimensions: [batch, channels, height, width]",
            atl_name_of(image), SHAPE_OF(image));
    return atl_transpose(image, .order = {0, 2, 3, 1});
}

atl_node *atl_image_from_nhwc(atl_node *image, atl_layout layout)
{
    return image && layout == ATL_NCHW ? atl_transpose(image, .order = {0, 3, 1, 2}) : image;
}
