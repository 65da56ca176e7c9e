/* The roughness of an image, and a blur: composed of other ops. */
#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/option.h"
#include "ops/image.h"

enum { MOST_TAPS = 4095 };

/* Returns 1, or 0 with the error recorded for `builder`. */
static int check_image(const atl_node *image, const char *builder)
{
    if (image->dtype == ATL_FLOAT32 && image->shape->rank == 4)
        return 1;
    atl_builder_error(image->graph, builder, "the image, '%s', is %s %s, but must be float32 with four dimensions",
                      atl_name_of(image), atl_dtype_name(image->dtype), SHAPE_OF(image));
    return 0;
}

/* Sum of |x - its neighbour below (dimension 1) or to the right (2)|, for each image; null if it is one pixel wide. */
static atl_node *variation_along(atl_node *image, int dimension)
{
    if (image->shape->size[dimension] == 1)
        return NULL;
    atl_slice_args after = {.x = image}, before = {.x = image};
    after.begin[dimension] = 1;
    before.end[dimension] = -1;
    /* A size that is unknown now may be 1 in a run: then there is no difference to sum. */
    atl_node *difference = atl_sub(atl_slice_or_nothing(&after), atl_slice_or_nothing(&before));
    return atl_reduce_sum(atl_abs(difference), ATL_AXES(1, 2, 3));
}

/* Rudin, Osher & Fatemi 1992, in the form that is the sum of both directions */
atl_node *atl_total_variation(atl_node *image)
{
    if (!image || !check_image(image, "total_variation"))
        return NULL;
    if (image->shape->size[1] == 1 && image->shape->size[2] == 1)
        return atl_builder_error(image->graph, "total_variation",
                                 "the image, '%s', is %s: a single pixel has no neighbours", atl_name_of(image),
                                 SHAPE_OF(image));
    atl_enter(image->graph, "total_variation");
    atl_node *down = variation_along(image, 1), *right = variation_along(image, 2);
    atl_node *sum = down && right ? atl_add(down, right) : down ? down : right;
    atl_leave(image->graph);
    return sum;
}

static const atl_op total_variation_composed = {
    .name = "total_variation",
    .samples =
        (const atl_sample[]){{"images", .unary = atl_total_variation, .input = {{4, {2, 3, 4, 3}, -9, 9}}, .inputs = 1},
                             {"three dimensions", .unary = atl_total_variation, .input = {{3, {3, 4, 3}}}, .inputs = 1,
                              .error = "four dimensions"},
                             {0}}};
ATL_COMPOSED(total_variation_composed);

/* The weights of a Gaussian filter, which sum to 1, as a vector [2 radius + 1]. */
static atl_node *gaussian(const atl_node *in_graph_of, float deviation, int radius)
{
    float *tap = atl_allocate((size_t)(2 * radius + 1), sizeof *tap);
    double sum = 0;
    if (!tap)
        return atl_graph_out_of_memory(in_graph_of->graph);
    for (int i = -radius; i <= radius; i++)
        sum += exp(-0.5 * i * i / ((double)deviation * (double)deviation));
    for (int i = -radius; i <= radius; i++)
        tap[i + radius] = (float)(exp(-0.5 * i * i / ((double)deviation * (double)deviation)) / sum);
    atl_node *vector = atl_vector(in_graph_of, 2 * radius + 1, tap);
    atl_release(tap);
    return vector;
}

/* Blurs each channel, vertically and horizontally, with zeros outside the image. */
static atl_node *blurred(atl_node *image, atl_node *taps, int64_t channels)
{
    int64_t n = atl_shape_of(taps).size[0];
    atl_node *down = atl_broadcast_to(atl_reshape(taps, ATL_SHAPE(n, 1, 1, 1)), ATL_SHAPE(n, 1, 1, channels));
    atl_node *across = atl_broadcast_to(atl_reshape(taps, ATL_SHAPE(1, n, 1, 1)), ATL_SHAPE(1, n, 1, channels));
    return atl_conv2d(atl_conv2d(image, down, .groups = (int)channels), across, .groups = (int)channels);
}

static int check_blur(const atl_gaussian_blur_args *args, const atl_node *image, int radius)
{
    int64_t channels = image->shape->size[3];
    if (!check_image(image, "gaussian_blur"))
        return 0;
    if (!(args->deviation > 0) || isinf(args->deviation))
        return atl_builder_error(image->graph, "gaussian_blur", "the deviation is %g pixels; it must be positive",
                                 (double)args->deviation) != NULL;
    if (radius < 0 || 2 * (int64_t)radius + 1 > MOST_TAPS)
        return atl_builder_error(image->graph, "gaussian_blur", "the radius is %d pixels; it must be 0..%d", radius,
                                 MOST_TAPS / 2) != NULL;
    if (channels < 1 || channels > INT32_MAX)
        return atl_builder_error(image->graph, "gaussian_blur",
                                 "the image, '%s', is %s: the number of channels must be known", atl_name_of(image),
                                 SHAPE_OF(image)) != NULL;
    return 1;
}

/* The weights of pixels beyond the border are distributed over the pixels inside, so a constant image stays
 * constant. */
atl_node *atl_gaussian_blur_with(const atl_gaussian_blur_args *args)
{
    if (!args)
        return atl_null_argument("atl_gaussian_blur", "the options are"), NULL;
    atl_node *image = atl_image_to_nhwc(args->image, args->layout, "gaussian_blur");
    float reach = ceilf(3 * args->deviation);
    int radius = (int)atl_option(args->radius, reach >= 0 && reach < MOST_TAPS ? reach : MOST_TAPS);
    if (!image || !check_blur(args, image, radius))
        return NULL;
    atl_enter(image->graph, "gaussian_blur");
    atl_node *taps = gaussian(image, args->deviation, radius);
    atl_node *within = atl_fill(atl_reduce_sum(image, ATL_AXES(0, 3), .keep = 1), 1); /* [1, h, w, 1] */
    atl_node *y = taps ? atl_div(blurred(image, taps, image->shape->size[3]), blurred(within, taps, 1)) : NULL;
    atl_leave(image->graph);
    return atl_image_from_nhwc(y, args->layout);
}

static atl_node *sample_blur(atl_node *x) { return atl_gaussian_blur(x, .deviation = 0.8f); }
static atl_node *sample_blur_nchw(atl_node *x)
{
    return atl_gaussian_blur(x, .deviation = 0.8f, .radius = 1, .layout = ATL_NCHW);
}
static atl_node *sample_no_deviation(atl_node *x) { return atl_gaussian_blur(x); }
static atl_node *sample_negative_deviation(atl_node *x) { return atl_gaussian_blur(x, .deviation = -1e30f); }
static atl_node *sample_no_radius(atl_node *x) { return atl_gaussian_blur(x, .deviation = 1, .radius = -1); }

static const atl_op gaussian_blur_composed = {
    .name = "gaussian_blur",
    .samples = (const atl_sample[]){
        {"three channels", .unary = sample_blur, .input = {{4, {2, 5, 4, 3}}}, .inputs = 1},
        {"NCHW", .unary = sample_blur_nchw, .input = {{4, {2, 2, 3, 4}}}, .inputs = 1},
        {"no deviation", .unary = sample_no_deviation, .input = {{4, {1, 4, 4, 1}}}, .inputs = 1, .error = "deviation"},
        {"negative deviation", .unary = sample_negative_deviation, .input = {{4, {1, 4, 4, 1}}}, .inputs = 1,
         .error = "deviation"},
        {"negative radius", .unary = sample_no_radius, .input = {{4, {1, 4, 4, 1}}}, .inputs = 1, .error = "radius"},
        {"three dimensions", .unary = sample_blur, .input = {{3, {4, 4, 1}}}, .inputs = 1, .error = "four dimensions"},
        {0}}};
ATL_COMPOSED(gaussian_blur_composed);
