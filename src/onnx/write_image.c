/* Writers of convolutions, pools and local normalization.  ONNX has the channels second: a value is turned there, and
 * back; the turned one is kept, so that what follows takes it as it is. */
#include <string.h>

#include "onnx/write.h"
#include "ops/attributes.h"
#include "ops/conv.h"
#include "ops/pool.h"

enum { FLOAT = 1, INT64 = 7 };

static const int to_second[] = {0, 3, 1, 2}, to_last[] = {0, 2, 3, 1};

/* The input in the order [n, c, h, w]. */
static const char *second(onnx_writer *w, const atl_node *x, const char *name)
{
    int64_t index = atl_index_of(x);
    if (index < w->nodes_known && w->written[index])
        return w->written[index];
    const char *turned = onnx_write_transpose(w, name, 4, to_second);
    if (index < w->nodes_known)
        w->written[index] = turned;
    return turned;
}

/* The result, which is in that order. */
static const char *result(onnx_writer *w, const atl_node *y, const char *turned)
{
    if (turned && atl_index_of(y) < w->nodes_known)
        w->written[atl_index_of(y)] = turned;
    return onnx_write_transpose(w, turned, 4, to_last);
}

typedef struct slide {
    int64_t size[2], stride[2], dilation[2], pads[4]; /* top, left, bottom, right, as ONNX has them */
    int64_t spare[2];                                 /* of the picture, which no window reaches */
} slide;

/* How the window moves over the picture; 0 with the reason. */
static int read_slide(onnx_writer *w, const window_options *options, const atl_node *image, int64_t height,
                      int64_t width, slide *s)
{
    int64_t sizes[] = {height, width};
    for (int d = 0; d < 2; d++) {
        int64_t input = atl_shape_of(image).size[1 + d];
        if (input == ATL_ANY)
            return onnx_cannot_write(w, "the size of '%s' is unknown", atl_name_of(image)) != NULL;
        atl_window window = atl_window_of(options, d, input, (int32_t)sizes[d]);
        s->size[d] = sizes[d];
        s->stride[d] = window.stride;
        s->dilation[d] = window.dilation;
        s->pads[d] = window.pad_before;
        s->pads[2 + d] = window.pad_after > 0 ? window.pad_after : 0;
        s->spare[d] = window.pad_after < 0 ? -window.pad_after : 0;
    }
    return 1;
}

#define SLIDE_ATTRIBUTES(s)                                                                                            \
    {"kernel_shape", 2, (s).size}, {"strides", 2, (s).stride}, {"dilations", 2, (s).dilation}, { "pads", 4, (s).pads }
#define POOL_ATTRIBUTES(s)                                                                                             \
    {"kernel_shape", 2, (s).size}, {"strides", 2, (s).stride}, { "pads", 4, (s).pads }

static const char *filter_as_oihw(onnx_writer *w, const char *filter)
{
    return onnx_write_transpose(w, filter, 4, (const int[]){3, 2, 0, 1});
}

static const char *conv2d(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const conv_options *of = atl_attributes_of(y);
    atl_node *image = atl_input_of(y, 0);
    atl_shape f = atl_shape_of(atl_input_of(y, 1));
    slide s;
    if (!read_slide(w, &of->window, image, f.size[0], f.size[1], &s))
        return NULL;
    return result(w, y,
                  ONNX_EMIT(w, "Conv", ONNX_ATTRIBUTES(SLIDE_ATTRIBUTES(s), {"group", .integer = of->groups}),
                            second(w, image, in[0]), filter_as_oihw(w, in[1])));
}

/* dy, filter, picture: the transposed convolution; pixels that no window reaches are 0. */
static const char *input_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const conv_options *of = atl_attributes_of(y);
    atl_shape f = atl_shape_of(atl_input_of(y, 1));
    slide s;
    if (!read_slide(w, &of->window, y, f.size[0], f.size[1], &s))
        return NULL;
    for (int d = 0; d < 2; d++) { /* a stride beyond the window leaves pixels over, even with SAME */
        int64_t steps = (atl_shape_of(atl_input_of(y, 0)).size[1 + d] - 1) * s.stride[d];
        int64_t reached = steps + (s.size[d] - 1) * s.dilation[d] + 1 - s.pads[d] - s.pads[2 + d];
        s.spare[d] = atl_shape_of(y).size[1 + d] - reached;
    }
    const char *x = ONNX_EMIT(w, "ConvTranspose",
                              ONNX_ATTRIBUTES(SLIDE_ATTRIBUTES(s), {"output_padding", 2, s.spare},
                                              {"group", .integer = of->groups}),
                              second(w, atl_input_of(y, 0), in[0]), filter_as_oihw(w, in[1]));
    return result(w, y, x);
}

/* One group: x [n, c, h, w] and dy [n, o, oh, ow] with the batch as channels, strides as dilation. */
static const char *filter_grad_of(onnx_writer *w, const char *x, const char *dy, const slide *s)
{
    static const int swap[] = {1, 0, 2, 3};
    slide turned = *s;
    memcpy(turned.stride, s->dilation, sizeof turned.stride);
    memcpy(turned.dilation, s->stride, sizeof turned.dilation);
    x = onnx_write_transpose(w, x, 4, swap);
    dy = onnx_write_transpose(w, dy, 4, swap);
    const char *z = ONNX_EMIT(w, "Conv",
                              ONNX_ATTRIBUTES({"strides", 2, turned.stride}, {"dilations", 2, turned.dilation},
                                              {"pads", 4, turned.pads}),
                              x, dy);
    z = onnx_write_slice(w, onnx_write_slice(w, z, 2, 0, s->size[0], 1), 3, 0, s->size[1], 1); /* [c, o, fh, fw] */
    return onnx_write_transpose(w, z, 4, (const int[]){2, 3, 0, 1});
}

static const char *filter_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    enum { MOST_GROUPS = 4096 };
    const conv_options *of = atl_attributes_of(y);
    atl_node *image = atl_input_of(y, 0), *dy = atl_input_of(y, 1);
    atl_shape f = atl_shape_of(y);
    const char *part[MOST_GROUPS];
    slide s;
    if (of->groups > MOST_GROUPS || !read_slide(w, &of->window, image, f.size[0], f.size[1], &s))
        return onnx_cannot_write(w, "a convolution of more than %d groups", MOST_GROUPS);
    const char *x = second(w, image, in[0]), *d = second(w, dy, in[1]);
    int64_t inputs = f.size[2], outputs = f.size[3] / of->groups;
    for (int g = 0; g < of->groups; g++)
        part[g] = of->groups == 1 ? filter_grad_of(w, x, d, &s)
                                  : filter_grad_of(w, onnx_write_slice(w, x, 1, g * inputs, (g + 1) * inputs, 1),
                                                   onnx_write_slice(w, d, 1, g * outputs, (g + 1) * outputs, 1), &s);
    return of->groups == 1
               ? part[0]
               : onnx_emit_two(w, "Concat", of->groups, part, ONNX_ATTRIBUTES({"axis", .integer = 3}), NULL);
}

/* ---- pools ------------------------------------------------------------------------------------------------------- */

static int read_pool(onnx_writer *w, const atl_node *y, const atl_node *image, slide *s)
{
    const pool_options *of = atl_attributes_of(y);
    atl_shape shape = atl_shape_of(image);
    if (!pool_is_global(of))
        return read_slide(w, &of->slide, image, of->window[0], of->window[1], s);
    if (shape.size[1] == ATL_ANY || shape.size[2] == ATL_ANY)
        return onnx_cannot_write(w, "the size of '%s' is unknown", atl_name_of(image)) != NULL;
    *s = (slide){.size = {shape.size[1], shape.size[2]}, .stride = {1, 1}, .dilation = {1, 1}};
    return 1;
}

static const char *average(onnx_writer *w, const atl_node *y, const char *const *in)
{
    slide s;
    atl_node *image = atl_input_of(y, 0);
    return read_pool(w, y, image, &s)
               ? result(w, y, ONNX_EMIT(w, "AveragePool", ONNX_ATTRIBUTES(POOL_ATTRIBUTES(s)), second(w, image, in[0])))
               : NULL;
}

/* How many pixels of the picture each window holds, as 1 / count [1, 1, oh, ow]. */
static const char *reciprocal_counts(onnx_writer *w, const atl_node *image, const atl_node *dy, const slide *s)
{
    atl_shape shape = atl_shape_of(dy), picture = atl_shape_of(image);
    int64_t count = shape.size[1] * shape.size[2];
    float *value = onnx_allocate(&w->arena, (size_t)count, sizeof *value);
    for (int64_t i = 0; value && i < count; i++) {
        int64_t place[] = {i / shape.size[2], i % shape.size[2]}, inside = 1;
        for (int d = 0; d < 2; d++) {
            int64_t begin = place[d] * s->stride[d] - s->pads[d], end = begin + s->size[d];
            begin = begin < 0 ? 0 : begin;
            end = end > picture.size[1 + d] ? picture.size[1 + d] : end;
            inside *= end > begin ? end - begin : 0;
        }
        value[i] = inside ? 1.0f / (float)inside : 0;
    }
    return value ? onnx_write_floats(w, ATL_SHAPE(1, 1, shape.size[1], shape.size[2]), value)
                 : onnx_cannot_write(w, "out of memory");
}

/* dy, picture: each pixel gets its share of every window that holds it. */
static const char *average_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    slide s;
    atl_node *dy = atl_input_of(y, 0), *image = atl_input_of(y, 1);
    int64_t channels = atl_shape_of(y).size[3];
    if (!read_pool(w, y, image, &s) || channels == ATL_ANY)
        return onnx_cannot_write(w, "the number of channels is unknown");
    float *ones = onnx_allocate(&w->arena, (size_t)(channels * s.size[0] * s.size[1]), sizeof *ones);
    if (!ones)
        return onnx_cannot_write(w, "out of memory");
    for (int64_t i = 0; i < channels * s.size[0] * s.size[1]; i++)
        ones[i] = 1;
    const char *share = ONNX_EMIT(w, "Mul", NULL, second(w, dy, in[0]), reciprocal_counts(w, image, dy, &s));
    const char *filter = onnx_write_floats(w, ATL_SHAPE(channels, 1, s.size[0], s.size[1]), ones);
    return result(w, y,
                  ONNX_EMIT(w, "ConvTranspose",
                            ONNX_ATTRIBUTES(SLIDE_ATTRIBUTES(s), {"output_padding", 2, s.spare},
                                            {"group", .integer = channels}),
                            share, filter));
}

static const char *maximum(onnx_writer *w, const atl_node *y, const char *const *in)
{
    slide s;
    atl_node *image = atl_input_of(y, 0);
    return read_pool(w, y, image, &s)
               ? result(w, y, ONNX_EMIT(w, "MaxPool", ONNX_ATTRIBUTES(POOL_ATTRIBUTES(s)), second(w, image, in[0])))
               : NULL;
}

static const char *flat(onnx_writer *w, const char *x)
{
    int64_t all[] = {-1};
    return onnx_write_reshape(w, x, 1, all);
}

/* Where the maxima are, counted over the whole batch. */
static const char *places_of_maxima(onnx_writer *w, const slide *s, const char *x)
{
    const char *places = NULL, *const inputs[] = {x};
    return onnx_emit_two(w, "MaxPool", 1, inputs, ONNX_ATTRIBUTES(POOL_ATTRIBUTES(*s)), &places) ? places : NULL;
}

/* dy, picture, pooled: dy goes to the maxima. */
static const char *maximum_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    slide s;
    atl_node *dy = atl_input_of(y, 0), *image = atl_input_of(y, 1);
    if (!read_pool(w, y, image, &s))
        return NULL;
    const char *x = second(w, image, in[1]), *shape = ONNX_EMIT(w, "Shape", NULL, x);
    const char *zeros = ONNX_EMIT(w, "Expand", NULL, onnx_write_float(w, 0),
                                  onnx_write_cast(w, flat(w, ONNX_EMIT(w, "Size", NULL, x)), INT64));
    const char *z =
        ONNX_EMIT(w, "ScatterElements", ONNX_ATTRIBUTES({"axis", .integer = 0}, {"reduction", .text = "add"}), zeros,
                  flat(w, places_of_maxima(w, &s, x)), flat(w, second(w, dy, in[0])));
    return result(w, y, ONNX_EMIT(w, "Reshape", NULL, z, shape));
}

/* v, picture, pooled: the elements of v where the picture has its maxima. */
static const char *maximum_gather(onnx_writer *w, const atl_node *y, const char *const *in)
{
    slide s;
    atl_node *v = atl_input_of(y, 0), *image = atl_input_of(y, 1);
    if (!read_pool(w, y, image, &s))
        return NULL;
    const char *places = places_of_maxima(w, &s, second(w, image, in[1]));
    const char *z = ONNX_EMIT(w, "GatherElements", ONNX_ATTRIBUTES({"axis", .integer = 0}),
                              flat(w, second(w, v, in[0])), flat(w, places));
    return result(w, y, ONNX_EMIT(w, "Reshape", NULL, z, ONNX_EMIT(w, "Shape", NULL, places)));
}

/* ---- local response normalization -------------------------------------------------------------------------------- */

static const char *lrn(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const lrn_options *of = atl_attributes_of(y);
    int64_t size = 2 * (int64_t)of->radius + 1;
    return result(w, y,
                  ONNX_EMIT(w, "LRN",
                            ONNX_ATTRIBUTES({"size", .integer = size},
                                            {"alpha", .is_float = 1, .number = of->alpha * (float)size},
                                            {"beta", .is_float = 1, .number = of->beta},
                                            {"bias", .is_float = 1, .number = of->bias}),
                            second(w, atl_input_of(y, 0), in[0])));
}

/* Sums over neighbouring channels: a product with a band of ones. */
static const char *channel_window_sum(onnx_writer *w, const atl_node *y, const char *const *in)
{
    enum { MOST_CHANNELS = 4096 };
    int32_t radius;
    int64_t channels = atl_shape_of(y).size[atl_shape_of(y).rank - 1];
    memcpy(&radius, atl_attributes_of(y), sizeof radius);
    if (channels == ATL_ANY || channels > MOST_CHANNELS)
        return onnx_cannot_write(w, "sums over the neighbours of %lld channels", (long long)channels);
    float *band = onnx_allocate(&w->arena, (size_t)(channels * channels), sizeof *band);
    for (int64_t i = 0; band && i < channels * channels; i++)
        band[i] = i / channels - i % channels <= radius && i % channels - i / channels <= radius;
    return band ? ONNX_EMIT(w, "MatMul", NULL, in[0], onnx_write_floats(w, ATL_SHAPE(channels, channels), band))
                : onnx_cannot_write(w, "out of memory");
}

const onnx_write_entry onnx_written_images[] = {{"avg_pool2d", average},
                                                {"avg_pool2d_grad", average_grad},
                                                {"channel_window_sum", channel_window_sum},
                                                {"conv2d", conv2d},
                                                {"conv2d_filter_grad", filter_grad},
                                                {"conv2d_input_grad", input_grad},
                                                {"lrn", lrn},
                                                {"max_pool2d", maximum},
                                                {"max_pool2d_gather", maximum_gather},
                                                {"max_pool2d_grad", maximum_grad},
                                                {0}};
