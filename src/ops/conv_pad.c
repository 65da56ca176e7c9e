/* Zeros around the image of a convolution become its padding: no step copies the image, and the gradient by the image
 * needs no slice.  Networks that were exported from TensorFlow have such pads before strided convolutions. */
#include "ops/attributes.h"
#include "ops/conv.h"

static int64_t span_of(const atl_window *w) { return (w->size - 1) * w->dilation + 1; }

/* Options with that many pixels more on each side, if the window allows them. */
static int pad_more(conv_options *options, const conv_geometry *g, const int64_t *before, const int64_t *after)
{
    const atl_window *window[2] = {&g->vertical, &g->horizontal};
    options->window.padding = ATL_EXPLICIT;
    for (int i = 0; i < 2; i++) {
        int64_t first = window[i]->pad_before + before[i], last = window[i]->pad_after + after[i];
        last = last > 0 ? last : 0; /* negative: pixels that no window reaches */
        if (first >= span_of(window[i]) || last >= span_of(window[i]))
            return 0;
        options->window.pad[2 * i] = (int32_t)first;
        options->window.pad[2 * i + 1] = (int32_t)last;
    }
    return 1;
}

/* The image inside of a pad that adds zeros on the four sides only; null for another pad. */
static atl_node *image_inside(const atl_node *pad)
{
    const pad_attributes *p = pad->attributes;
    int adds_zeros = p->value >= 0 && p->value <= 0 && atl_shape_count(*pad->inputs[0]->shape) > 0;
    return adds_zeros && !p->before[0] && !p->after[0] && !p->before[3] && !p->after[3] ? pad->inputs[0] : NULL;
}

/* As y with more padding, on those inputs; null if the window does not allow it. */
static atl_node *padded_more(const atl_node *y, const conv_geometry *g, const pad_attributes *pad, atl_shape shape,
                             atl_node *const *inputs)
{
    conv_options options;
    memcpy(&options, y->attributes, sizeof options);
    if (!pad_more(&options, g, pad->before + 1, pad->after + 1))
        return NULL;
    atl_node *made = atl_apply_with(y->op, &options, (atl_nodes){y->input_count, inputs});
    return made && atl_shape_equal(*made->shape, shape) ? made : NULL;
}

atl_node *atl_conv_of_pad(atl_node *y, const atl_node *pad)
{
    int of_filter = y->input_count == 3; /* image, dy, like the filter */
    conv_geometry g =
        of_filter ? atl_conv_geometry_of(y, pad, y, y->inputs[1]) : atl_conv_geometry_of(y, pad, y->inputs[1], y);
    atl_node *inputs[3] = {image_inside(pad), y->inputs[1], of_filter ? y->inputs[2] : NULL};
    return pad == y->inputs[0] && inputs[0] ? padded_more(y, &g, pad->attributes, *y->shape, inputs) : NULL;
}

atl_node *atl_input_grad_inside_pad(const atl_node *dx, const atl_node *pad)
{
    conv_geometry g = atl_conv_geometry_of(dx, dx, dx->inputs[1], dx->inputs[0]);
    atl_node *inputs[3] = {dx->inputs[0], dx->inputs[1], image_inside(pad)};
    return inputs[2] ? padded_more(dx, &g, pad->attributes, *inputs[2]->shape, inputs) : NULL;
}
