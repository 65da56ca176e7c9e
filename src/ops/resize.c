/* Images of another size, made of other ops.  Pixels are squares, and the corners of both images coincide: the centre of pixel i
 * of the result lies at (i + 1/2) * input / output of the image. */
#include "graph/memory.h"
#include "ops/image.h"

static int check(const atl_node *image, const atl_resize_args *args, const char *builder)
{
    if (image->dtype != ATL_FLOAT32 || image->shape->rank != 4)
        return atl_builder_error(image->graph, builder,
                                 "the image, '%s', is %s %s, but must be float32 with four dimensions",
                                 atl_name_of(image), atl_dtype_name(image->dtype), SHAPE_OF(image)) != NULL;
    if (args->height < 1 || args->width < 1)
        return atl_builder_error(image->graph, builder,
                                 "the new size %dx%d must be 1 or more in both directions: give .height and .width",
                                 args->height, args->width) != NULL;
    for (int d = 1; d < 3; d++)
        if (image->shape->size[d] < 1)
            return atl_builder_error(image->graph, builder,
                                     "the image, '%s', is %s: its height and width must be known, and not 0",
                                     atl_name_of(image), SHAPE_OF(image)) != NULL;
    return 1;
}

/* The pixels of dimension d, which the caller names by int32 numbers; takes the list over. */
static atl_node *pixels(atl_node *image, int32_t *index, int64_t count, int d)
{
    atl_tensor *tensor = index ? atl_tensor_of_ints(ATL_SHAPE(count), index) : NULL;
    atl_node *indices = tensor ? atl_constant(image->graph, tensor) : atl_graph_out_of_memory(image->graph);
    atl_tensor_free(tensor);
    atl_release(index);
    return atl_gather(image, indices, d);
}

/* Where the centre of pixel i of the result lies, in pixels of the image, counted from the centre of its first. */
static double centre(int64_t i, int64_t input, int64_t output)
{
    return ((double)i + 0.5) * (double)input / (double)output - 0.5;
}

static atl_node *nearest_along(atl_node *image, int64_t output, int d)
{
    int64_t input = image->shape->size[d];
    int32_t *index = atl_allocate((size_t)output, sizeof *index);
    for (int64_t i = 0; index && i < output; i++)
        index[i] = (int32_t)((2 * i + 1) * input / (2 * output));
    return pixels(image, index, output, d);
}

/* y = below + (above - below) * weight */
static atl_node *linear_along(atl_node *image, int64_t output, int d)
{
    int64_t input = image->shape->size[d];
    int32_t *below = atl_allocate((size_t)output, sizeof *below), *above = atl_allocate((size_t)output, sizeof *above);
    atl_tensor *weight = atl_tensor_new(ATL_FLOAT32, d == 1 ? ATL_SHAPE(output, 1, 1) : ATL_SHAPE(output, 1));
    for (int64_t i = 0; below && above && weight && i < output; i++) {
        double at = fmax(centre(i, input, output), 0);
        below[i] = (int32_t)at;
        above[i] = below[i] + 1 < input ? below[i] + 1 : below[i];
        atl_floats(weight)[i] = (float)(at - below[i]);
    }
    atl_node *low = pixels(image, below, output, d), *high = pixels(image, above, output, d);
    atl_node *factor = weight ? atl_constant(image->graph, weight) : NULL;
    atl_tensor_free(weight);
    return atl_add(low, atl_mul(atl_sub(high, low), factor));
}

static atl_node *resize(const atl_resize_args *args, atl_node *along(atl_node *image, int64_t output, int d),
                        const char *builder)
{
    atl_node *image = atl_image_to_nhwc(args->image, args->layout, builder);
    if (!image || !check(image, args, builder))
        return NULL;
    atl_enter(image->graph, builder);
    atl_node *y = along(image, args->height, 1);
    y = y ? along(y, args->width, 2) : NULL;
    atl_leave(image->graph);
    return atl_image_from_nhwc(y, args->layout);
}

atl_node *atl_resize_nearest_with(const atl_resize_args *args)
{
    if (!args)
        return atl_null_argument("atl_resize_nearest", "the options are"), NULL;
    return resize(args, nearest_along, "resize_nearest");
}
atl_node *atl_resize_bilinear_with(const atl_resize_args *args)
{
    if (!args)
        return atl_null_argument("atl_resize_bilinear", "the options are"), NULL;
    return resize(args, linear_along, "resize_bilinear");
}

#define RESIZE_SAMPLES(kind)                                                                                           \
    static atl_node *kind##_larger(atl_node *x) { return atl_resize_##kind(x, .height = 7, .width = 5); }              \
    static atl_node *kind##_smaller(atl_node *x) { return atl_resize_##kind(x, .height = 2, .width = 3); }             \
    static atl_node *kind##_nchw(atl_node *x)                                                                          \
    {                                                                                                                  \
        return atl_resize_##kind(x, .height = 4, .width = 2, .layout = ATL_NCHW);                                      \
    }                                                                                                                  \
    static atl_node *kind##_nothing(atl_node *x) { return atl_resize_##kind(x, .height = 4); }                         \
    static const atl_op resize_##kind##_composed = {                                                                   \
        .name = "resize_" #kind,                                                                                       \
        .samples =                                                                                                     \
            (const atl_sample[]){{"larger", .unary = kind##_larger, .input = {{4, {2, 3, 4, 2}}}, .inputs = 1},        \
                                 {"smaller", .unary = kind##_smaller, .input = {{4, {2, 5, 4, 2}}}, .inputs = 1},      \
                                 {"NCHW", .unary = kind##_nchw, .input = {{4, {2, 2, 3, 5}}}, .inputs = 1},            \
                                 {"no width", .unary = kind##_nothing, .input = {{4, {1, 3, 3, 1}}}, .inputs = 1,      \
                                  .error = "4x0"},                                                                     \
                                 {"three dimensions", .unary = kind##_larger, .input = {{3, {3, 3, 1}}}, .inputs = 1,  \
                                  .error = "four dimensions"},                                                         \
                                 {0}}};                                                                                \
    ATL_COMPOSED(resize_##kind##_composed)

RESIZE_SAMPLES(nearest);
RESIZE_SAMPLES(bilinear);
