/* Importers of convolutions: one, two and three dimensions, and their transposes.  They run with the channels last. */
#include <math.h>
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"
#include "onnx/window.h"

enum { MOST_DEPTH = 256 }; /* of a filter of three dimensions, which is as many filters of two */

/* x [n, h, w, c], filter [out, in / groups, h, w] */
static atl_node *conv2d(atl_node *x, atl_node *filter, onnx_window w, int64_t groups)
{
    if (!onnx_pads_fit(&w))
        x = onnx_pad_window(x, &w, 0);
    int pad[4] = {(int)w.before[0], (int)w.after[0], (int)w.before[1], (int)w.after[1]};
    int is_padded = pad[0] || pad[1] || pad[2] || pad[3];
    return atl_conv2d(x, atl_transpose(filter, .order = {2, 3, 1, 0}), .groups = (int)groups,
                      .stride = {(int)w.stride[0], (int)w.stride[1]},
                      .dilation = {(int)w.dilation[0], (int)w.dilation[1]},
                      .padding = is_padded ? ATL_EXPLICIT : ATL_VALID, .pad = {pad[0], pad[1], pad[2], pad[3]});
}

/* The same window with a dimension of 1 before it. */
static onnx_window with_height(const onnx_window *w)
{
    onnx_window wide = {.dims = 2,
                        .input = {1, w->input[0]},
                        .size = {1, w->size[0]},
                        .stride = {1, w->stride[0]},
                        .dilation = {1, w->dilation[0]},
                        .before = {0, w->before[0]},
                        .after = {0, w->after[0]},
                        .extra = {0, w->extra[0]}};
    return wide;
}

/* The window without its first dimension. */
static onnx_window without_depth(const onnx_window *w)
{
    onnx_window flat = *w;
    flat.dims = 2;
    for (int d = 0; d < 2; d++) {
        flat.input[d] = w->input[d + 1], flat.size[d] = w->size[d + 1], flat.stride[d] = w->stride[d + 1];
        flat.dilation[d] = w->dilation[d + 1], flat.before[d] = w->before[d + 1], flat.after[d] = w->after[d + 1];
    }
    return flat;
}

/* x [n, d, h, w, c], filter [out, in / groups, d, h, w]: a sum over the filter's slices of two dimensions. */
static atl_node *conv3d(atl_node *x, atl_node *filter, onnx_window w, int64_t groups)
{
    onnx_window depth = w, flat = without_depth(&w);
    memset(depth.before + 1, 0, 2 * sizeof *depth.before);
    memset(depth.after + 1, 0, 2 * sizeof *depth.after);
    x = onnx_pad_window(x, &depth, 0);
    int64_t places = onnx_places(&depth, 0);
    atl_node *sum = NULL;
    for (int64_t t = 0; t < w.size[0]; t++) {
        atl_slice_args cut = {.x = x, .begin = {0, t * w.dilation[0]}, .stride = {1, w.stride[0]}};
        cut.end[1] = cut.begin[1] + (places - 1) * w.stride[0] + 1;
        atl_node *part = atl_slice_with(&cut);
        atl_shape s = atl_shape_of(part);
        part = atl_reshape(part, ATL_SHAPE(ATL_ANY, s.size[2], s.size[3], s.size[4]));
        atl_node *slice = atl_squeeze(atl_slice(filter, .begin = {0, 0, t}, .end = {0, 0, t + 1}), 2);
        part = conv2d(part, slice, flat, groups);
        s = atl_shape_of(part);
        part = atl_reshape(part, ATL_SHAPE(ATL_ANY, places, s.size[1], s.size[2], s.size[3]));
        sum = sum ? atl_add(sum, part) : part;
    }
    return sum;
}

static int check_groups(onnx_op *op, int64_t groups, int64_t channels, int64_t filters)
{
    if (groups < 1 || groups > (1 << 24) || (channels != ATL_ANY && channels % groups) || filters % groups)
        return onnx_reject(op, "%lld group%s of %lld channel%s and %lld filter%s", (long long)groups,
                           atl_plural(groups), (long long)channels, atl_plural(channels), (long long)filters,
                           atl_plural(filters));
    return 1;
}

/* x with the channels last by a filter as the file has it. */
static atl_node *convolve(onnx_op *op, atl_node *x, atl_node *filter)
{
    atl_shape shape = atl_shape_of(filter);
    int64_t groups = onnx_attr_int(op, "group", 1);
    onnx_window w;
    if (shape.rank != onnx_rank(op, 0)) {
        onnx_reject(op, "its filter has %d dimension%s, its input %d", shape.rank, atl_plural(shape.rank),
                    onnx_rank(op, 0));
        return NULL;
    }
    if (!onnx_read_window(op, shape.size + 2, ONNX_PLAIN_WINDOW, &w) ||
        !check_groups(op, groups, onnx_shape(op, 0).size[1], shape.size[0]))
        return NULL;
    if (w.dims == 1)
        return atl_squeeze(conv2d(atl_expand_dims(x, 1), atl_expand_dims(filter, 2), with_height(&w), groups), 1);
    if (w.dims == 2)
        return conv2d(x, filter, w, groups);
    if (w.size[0] > MOST_DEPTH) {
        onnx_reject(op, "a filter of %lld slices; at most %d are read", (long long)w.size[0], MOST_DEPTH);
        return NULL;
    }
    for (int d = 0; d < 3; d++)
        if (w.input[d] == ATL_ANY) {
            onnx_reject(op, "a convolution of three dimensions needs to know them");
            return NULL;
        }
    return conv3d(x, filter, w, groups);
}

static atl_node *with_bias(onnx_op *op, atl_node *y, int64_t input)
{
    atl_node *bias = onnx_has(op, input) ? onnx_float(op, input) : NULL;
    return bias ? atl_bias_add(y, bias) : y;
}

static int import_conv(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0), *filter = x ? onnx_float(op, 1) : NULL;
    if (!filter)
        return 0;
    atl_node *y = convolve(op, x, filter);
    return !*op->why && onnx_give_in(op, 0, with_bias(op, y, 2), ONNX_CHANNELS_LAST);
}

/* Number i of the activation's parameters. */
static float parameter(onnx_op *op, int64_t i, double otherwise)
{
    const onnx_attribute *a = onnx_attribute_of(op, "activation_params", ONNX_ATTRIBUTE_FLOATS);
    return a && i < a->count ? a->numbers[i] : (float)otherwise;
}

/* onnxruntime's convolution with a sum and an activation behind it. */
static int import_fused_conv(onnx_op *op)
{
    const char *activation = onnx_attr_text(op, "activation", "");
    atl_node *x = onnx_channels_last(op, 0), *filter = x ? onnx_float(op, 1) : NULL,
             *other = filter && onnx_has(op, 3) ? onnx_channels_last(op, 3) : NULL,
             *y = filter && !*op->why ? convolve(op, x, filter) : NULL;
    if (!y || *op->why)
        return 0;
    y = with_bias(op, y, 2);
    y = other ? atl_add(y, other) : y;
    if (strcmp(activation, "Relu") == 0)
        y = atl_relu(y);
    else if (strcmp(activation, "Sigmoid") == 0)
        y = atl_sigmoid(y);
    else if (strcmp(activation, "Tanh") == 0)
        y = atl_tanh(y);
    else if (strcmp(activation, "LeakyRelu") == 0)
        y = atl_leaky_relu(y, parameter(op, 0, 0.01));
    else if (strcmp(activation, "Clip") == 0)
        y = onnx_clipped(y, parameter(op, 0, NAN), parameter(op, 1, NAN));
    else if (strcmp(activation, "HardSigmoid") == 0)
        y = onnx_hard_sigmoid(y, parameter(op, 0, 0.2), parameter(op, 1, 0.5));
    else if (*activation)
        return onnx_reject(op, "its activation %.100s is not read", activation);
    return onnx_give_in(op, 0, y, ONNX_CHANNELS_LAST);
}

/* int8 times int8: exact in float32 as long as sums stay below 2^24; not converted to int32, so that a gradient passes.
 */
static int import_conv_integer(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0), *filter = x ? onnx_float(op, 1) : NULL;
    atl_node *x_zero = filter && onnx_has(op, 2) ? onnx_float(op, 2) : NULL,
             *w_zero = filter && onnx_has(op, 3) ? onnx_float(op, 3) : NULL;
    if (!filter || *op->why)
        return 0;
    if (w_zero && atl_shape_of(w_zero).rank == 1)
        w_zero = atl_reshape(w_zero, ATL_SHAPE(ATL_ANY, 1, 1, 1));
    atl_node *y = convolve(op, x_zero ? atl_sub(x, atl_reshape(x_zero, ATL_SCALAR)) : x,
                           w_zero ? atl_sub(filter, w_zero) : filter);
    if (*op->why || !onnx_give_in(op, 0, y, ONNX_CHANNELS_LAST))
        return 0;
    if (op->output[0])
        op->output[0]->type = ONNX_INT32;
    return 1;
}

/* One number as a scalar; of several, one for each filter, as they are: [filters]. */
static atl_node *for_each_filter(onnx_op *op, int64_t i)
{
    atl_node *x = onnx_float(op, i);
    return x && atl_shape_count(atl_shape_of(x)) == 1 ? atl_reshape(x, ATL_SCALAR) : x;
}

/* x, its scale and zero point, the filter, its scales and zero points, the result's, bias: exact as long as sums stay
 * below 2^24. */
static int import_quantized_conv(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0), *filter = x ? onnx_float(op, 3) : NULL, *of[8] = {NULL};
    for (int i = 1; filter && i < 8; i++) {
        of[i] = i != 3 ? for_each_filter(op, i) : NULL;
        if (*op->why)
            return 0;
        if (i != 3 && i != 4 && i != 5 && atl_shape_of(of[i]).rank)
            return onnx_reject(op, "its input %d must be one number", i);
    }
    if (!filter || *op->why)
        return 0;
    atl_node *zero = atl_shape_of(of[5]).rank ? atl_reshape(of[5], ATL_SHAPE(ATL_ANY, 1, 1, 1)) : of[5];
    atl_node *y = convolve(op, atl_sub(x, of[2]), atl_sub(filter, zero));
    if (*op->why)
        return 0;
    y = atl_mul(with_bias(op, y, 8), atl_div(atl_mul(of[1], of[4]), of[6]));
    if (!onnx_give_in(op, 0, onnx_quantized_to(op, y, of[7], onnx_type_of(op, 7)), ONNX_CHANNELS_LAST))
        return 0;
    if (op->output[0])
        op->output[0]->type = onnx_type_of(op, 7);
    return 1;
}

/* ---- transposed -------------------------------------------------------------------------------------------------- */

/* Cuts `before` from the beginning, and makes it `size` long, with zeros beyond what there is. */
static atl_node *fitted(atl_node *x, int axis, int64_t before, int64_t size)
{
    atl_slice_args cut = {.x = x};
    atl_pad_args pad = {0};
    int64_t there = atl_shape_of(x).size[axis], end = before + size < there ? before + size : there;
    if (before == 0 && size == there)
        return x;
    cut.begin[axis] = before;
    cut.end[axis] = end;
    pad.x = atl_slice_with(&cut);
    pad.after[axis] = size - (end - before);
    return pad.after[axis] > 0 ? atl_pad_with(&pad) : pad.x;
}

typedef struct transposed_window {
    onnx_window w;
    int64_t output[ONNX_MOST_SPATIAL];
} transposed_window;

/* Sizes and padding: https://onnx.ai/onnx/operators/onnx__ConvTranspose.html */
static int read_transposed(onnx_op *op, const int64_t *size, transposed_window *t)
{
    int64_t more[ONNX_MOST_SPATIAL], shape[ONNX_MOST_SPATIAL + 2];
    onnx_window *w = &t->w;
    const char *automatic = onnx_attr_text(op, "auto_pad", "NOTSET");
    if (!onnx_read_window(op, size, ONNX_TRANSPOSED_WINDOW, w))
        return 0;
    int given = onnx_attr_ints(op, "output_shape", w->dims + 2, shape);
    if (*op->why || !onnx_read_list(op, "output_padding", w->dims, 0, 0, more))
        return 0;
    if (given && given != w->dims && given != w->dims + 2)
        return onnx_reject(op, "its attribute 'output_shape' should have %d number%s", w->dims, atl_plural(w->dims));
    for (int d = 0; d < w->dims; d++) {
        if (w->input[d] == ATL_ANY || w->stride[d] > 4096 || more[d] > 4096)
            return onnx_reject(op, "its output size cannot be known: fix the size of the picture");
        int64_t full = (w->input[d] - 1) * w->stride[d] + onnx_span(w, d) + more[d];
        int is_same = strncmp(automatic, "SAME", 4) == 0, upper = strcmp(automatic, "SAME_UPPER") == 0;
        if (given || is_same) {
            t->output[d] = given ? shape[given - w->dims + d] : w->input[d] * w->stride[d];
            int64_t total = full - t->output[d] > 0 ? full - t->output[d] : 0;
            w->before[d] = upper ? total / 2 : total - total / 2;
            w->after[d] = total - w->before[d];
        } else
            t->output[d] = full - w->before[d] - w->after[d];
        if (t->output[d] < 1 || t->output[d] > (1 << 24))
            return onnx_reject(op, "its output would have a size of %lld", (long long)t->output[d]);
    }
    return 1;
}

/* The padding of the convolution that leads back from the output; 0 if a part of the output lies beyond it. */
static int padding_of(const transposed_window *t, int pad[4])
{
    const onnx_window *w = &t->w;
    for (int d = 0; d < w->dims; d++) {
        int64_t span = onnx_span(w, d), after = (w->input[d] - 1) * w->stride[d] + span - t->output[d] - w->before[d];
        int at = 2 * (d + 2 - w->dims);
        if (w->before[d] < 0 || w->before[d] >= span || after < 0 || after >= span)
            return 0;
        pad[at] = (int)w->before[d];
        pad[at + 1] = (int)after;
    }
    return 1;
}

/* x [n, h, w, in], filter [in, out / groups, h, w] */
static atl_node *transposed2d(atl_node *x, atl_node *filter, const transposed_window *t, int64_t groups)
{
    const onnx_window *w = &t->w;
    int two = w->dims == 2, h = 0, v = two ? 1 : 0, pad[4] = {0}, fits = padding_of(t, pad);
    atl_node *y =
        atl_conv2d_transpose(x, atl_transpose(filter, .order = {2, 3, 1, 0}),
                             .padding = fits ? ATL_EXPLICIT : ATL_VALID,
                             .pad = {fits ? pad[0] : 0, fits ? pad[1] : 0, fits ? pad[2] : 0, fits ? pad[3] : 0},
                             .stride = {two ? (int)w->stride[h] : 1, (int)w->stride[v]},
                             .dilation = {two ? (int)w->dilation[h] : 1, (int)w->dilation[v]}, .groups = (int)groups);
    for (int d = 0; y && !fits && d < w->dims; d++)
        y = fitted(y, (two ? 1 : 2) + d, w->before[d], t->output[d]);
    return y;
}

/* x [n, d, h, w, in], filter [in, out / groups, d, h, w]: for each slice of the filter a convolution of all planes; its
 * planes lie a stride apart, and the slices a dilation. */
static atl_node *transposed3d(atl_node *x, atl_node *filter, const transposed_window *t, int64_t groups)
{
    const onnx_window *w = &t->w;
    transposed_window plane = {.w = {.dims = 2}};
    atl_node *sum = NULL;
    int64_t depth = w->input[0], out = atl_shape_of(filter).size[1] * groups, size = out;
    for (int d = 0; d < 2; d++) {
        plane.w.input[d] = w->input[d + 1];
        plane.w.size[d] = w->size[d + 1];
        plane.w.stride[d] = w->stride[d + 1];
        plane.w.dilation[d] = w->dilation[d + 1];
        plane.w.before[d] = w->before[d + 1];
        plane.w.after[d] = w->after[d + 1];
        plane.output[d] = t->output[d + 1];
        size *= t->output[d + 1];
    }
    x = atl_reshape(x, ATL_SHAPE(ATL_ANY, w->input[1], w->input[2], atl_shape_of(x).size[4]));
    for (int64_t k = 0; k < w->size[0]; k++) {
        atl_slice_args cut = {.x = filter};
        cut.begin[2] = k;
        cut.end[2] = k + 1;
        atl_node *y = transposed2d(x, atl_squeeze(atl_slice_with(&cut), 2), &plane, groups);
        y = atl_reshape(y, ATL_SHAPE(ATL_ANY, depth, 1, size));
        if (w->stride[0] > 1)
            y = atl_pad(y, .after = {0, 0, w->stride[0] - 1});
        y = atl_reshape(y, ATL_SHAPE(ATL_ANY, depth * w->stride[0], size));
        int64_t before = k * w->dilation[0], after = (w->size[0] - 1 - k) * w->dilation[0];
        y = before || after ? atl_pad(y, .before = {0, before}, .after = {0, after}) : y;
        sum = sum ? atl_add(sum, y) : y;
    }
    sum = fitted(sum, 1, w->before[0], t->output[0]);
    return atl_reshape(sum, ATL_SHAPE(ATL_ANY, t->output[0], t->output[1], t->output[2], out));
}

static int import_conv_transpose(onnx_op *op)
{
    atl_node *x = onnx_channels_last(op, 0), *filter = x ? onnx_float(op, 1) : NULL;
    int64_t groups = onnx_attr_int(op, "group", 1);
    transposed_window t;
    if (!filter)
        return 0;
    atl_shape shape = atl_shape_of(filter);
    if (shape.rank != onnx_rank(op, 0) || shape.rank > 5)
        return onnx_reject(op, "its filter has %d dimension%s, its input %d; three to five are read", shape.rank,
                           atl_plural(shape.rank), onnx_rank(op, 0));
    if (shape.rank == 5 && shape.size[2] > MOST_DEPTH)
        return onnx_reject(op, "a filter of %lld slices; at most %d are read", (long long)shape.size[2], MOST_DEPTH);
    if (!check_groups(op, groups, onnx_shape(op, 0).size[1], shape.size[0]) || !read_transposed(op, shape.size + 2, &t))
        return 0;
    if (t.w.dims == 1) {
        x = atl_expand_dims(x, 1);
        filter = atl_expand_dims(filter, 2);
    }
    atl_node *y = t.w.dims == 3 ? transposed3d(x, filter, &t, groups) : transposed2d(x, filter, &t, groups);
    if (t.w.dims == 1)
        y = atl_squeeze(y, 1);
    return onnx_give_in(op, 0, with_bias(op, y, 2), ONNX_CHANNELS_LAST);
}

/* ---- columns to a picture ---------------------------------------------------------------------------------------- */

/* A filter for each element of a window: [window..., 1, elements], with a single 1. */
static atl_node *single_elements(onnx_op *op, const int64_t *window, int dims, int64_t elements)
{
    float *value = onnx_room(op, elements * elements, sizeof *value);
    for (int64_t i = 0; value && i < elements; i++)
        value[i * elements + i] = 1;
    atl_node *flat = value ? onnx_vector(op, elements * elements, value) : NULL;
    return flat ? atl_reshape(flat, ATL_SHAPE(dims > 1 ? window[0] : 1, window[dims - 1], 1, elements)) : NULL;
}

/* x [n, channels * elements of a window, places]: each place's window is added to the picture.  That is a transposed
 * convolution of [n * channels, height, width of the places, elements] with a filter for each element. */
static int import_col2im(onnx_op *op)
{
    int64_t picture[2], window[2];
    atl_node *x = onnx_float(op, 0);
    atl_shape shape = onnx_shape(op, 0);
    int dims = x ? onnx_whole(op, 1, 2, picture) : -1;
    if (dims < 1 || onnx_whole(op, 2, 2, window) != dims || shape.rank != 3 || shape.size[1] == ATL_ANY)
        return *op->why ? 0 : onnx_reject(op, "it takes [batch, channels * window, places], in one or two dimensions");
    int64_t list[3][4], elements = 1; /* strides, dilations, pads */
    if (!onnx_read_list(op, "strides", dims, 1, 1, list[0]) || !onnx_read_list(op, "dilations", dims, 1, 1, list[1]) ||
        !onnx_read_list(op, "pads", 2 * dims, 0, 0, list[2]))
        return 0;
    int step[2] = {1, 1}, apart[2] = {1, 1};
    int64_t places[2] = {1, 1}, size[2] = {1, 1}, before[2] = {0};
    for (int d = 0; d < dims; d++) {
        int at = 2 - dims + d;
        int64_t stride = list[0][d], dilation = list[1][d], span = (window[d] - 1) * dilation + 1;
        int64_t whole = picture[d] + list[2][d] + list[2][dims + d];
        if (window[d] < 1 || window[d] > 64 || stride > 4096 || dilation > 4096 || picture[d] < 1 ||
            picture[d] > 1 << 16 || whole < span || list[2][d] >= span || list[2][dims + d] >= span)
            return onnx_reject(op, "dimension %d: a window of %lld in a picture of %lld, by %lld", d,
                               (long long)window[d], (long long)picture[d], (long long)stride);
        elements *= window[d];
        places[at] = (whole - span) / stride + 1;
        size[at] = picture[d];
        step[at] = (int)stride;
        apart[at] = (int)dilation;
        before[at] = list[2][d];
    }
    if (shape.size[1] % elements || places[0] * places[1] != shape.size[2])
        return onnx_reject(op, "its input has the sizes %lld and %lld, for windows of %lld element%s at %lld places",
                           (long long)shape.size[1], (long long)shape.size[2], (long long)elements,
                           atl_plural(elements), (long long)(places[0] * places[1]));
    int64_t channels = shape.size[1] / elements;
    x = atl_transpose(atl_reshape(x, ATL_SHAPE(ATL_ANY, elements, places[0], places[1])), .order = {0, 2, 3, 1});
    atl_node *filter = single_elements(op, window, dims, elements);
    atl_node *y = filter ? atl_conv2d_transpose(x, filter, .padding = ATL_VALID, .stride = {step[0], step[1]},
                                                .dilation = {apart[0], apart[1]})
                         : NULL;
    for (int d = 0; y && d < 2; d++)
        y = fitted(y, 1 + d, before[d], size[d]);
    atl_shape to = dims == 2 ? ATL_SHAPE(ATL_ANY, channels, size[0], size[1]) : ATL_SHAPE(ATL_ANY, channels, size[1]);
    return y && onnx_give(op, 0, atl_reshape(y, to));
}

const onnx_entry onnx_convolutions[] = {{"Col2Im", 18, import_col2im},
                                        {"Conv", 1, import_conv},
                                        {"ConvInteger", 10, import_conv_integer},
                                        {"QLinearConv", 10, import_quantized_conv},
                                        {"ConvTranspose", 1, import_conv_transpose},
                                        {"FusedConv", 1, import_fused_conv, ONNX_OF_MICROSOFT "FusedConv"},
                                        {0}};
