/* Resizing images, composed of other ops.  Pixels are squares, and the outer edges of both images coincide: the centre
 * of pixel i of the result is at (i + 1/2) * input / output of the image. */
#include <math.h>
#include <string.h>

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

/* ---- which pixels, and how much of each: made when they are needed, not when the graph is built ------------------ */

typedef enum points_kind { NEAREST, BELOW, ABOVE, WEIGHT } points_kind;

typedef struct points_attributes {
    int64_t input, output; /* pixels */
    int32_t kind, rank;    /* of the result, whose other sizes are 1 */
} points_attributes;

/* The centre of pixel i of the result, in pixels of the image, relative to the centre of its first pixel. */
static double centre(int64_t i, int64_t input, int64_t output)
{
    return ((double)i + 0.5) * (double)input / (double)output - 0.5;
}

static double point_at(const points_attributes *p, int64_t i)
{
    double at = fmax(centre(i, p->input, p->output), 0), below = floor(at);
    switch ((points_kind)p->kind) {
    case NEAREST:
        return (double)((2 * i + 1) * p->input / (2 * p->output));
    case BELOW:
        return below;
    case ABOVE:
        return below + 1 < (double)p->input ? below + 1 : below;
    default:
        return at - below;
    }
}

/* resize_points(x): of each of `output` pixels, the index of the one of `input` pixels that it is made of, or the
 * one's weight. */
static bool infer_points(atl_node *y)
{
    const points_attributes *p = y->attributes;
    atl_shape shape = {.rank = p->rank, .size = {p->output, 1, 1}};
    return atl_set_type(y, p->kind == WEIGHT ? ATL_FLOAT32 : ATL_INT32, shape);
}

static void points_reference(const atl_node *y, const double *const *x, double *result)
{
    const points_attributes *p = y->attributes;
    (void)x;
    for (int64_t i = 0; i < p->output; i++)
        result[i] = y->dtype == ATL_INT32 ? point_at(p, i) : (double)(float)point_at(p, i); /* the very same floats */
}

static void points_kernel(const atl_node *y, const void *const *x, void *result)
{
    const points_attributes *p = y->attributes;
    (void)x;
    for (int64_t i = 0; i < p->output; i++)
        if (y->dtype == ATL_INT32)
            ((int32_t *)result)[i] = (int32_t)point_at(p, i);
        else
            ((float *)result)[i] = (float)point_at(p, i);
}

static atl_node *points(atl_node *image, int d, int64_t output, points_kind kind);
static atl_node *sample_index(atl_node *x) { return atl_mul(x, atl_cast(points(x, 0, 5, ABOVE), ATL_FLOAT32)); }
static atl_node *sample_weight(atl_node *x) { return atl_mul(x, points(x, 1, 5, WEIGHT)); }

static const atl_op points_op = {
    .name = "resize_points",
    .arity = 1,
    .attributes = sizeof(points_attributes),
    .shape_inputs = 1,
    .infer = infer_points,
    .reference = points_reference,
    .kernel = points_kernel,
    .samples = (const atl_sample[]){{"indices", .unary = sample_index, .input = {{1, {5}}}, .inputs = 1},
                                    {"weights", .unary = sample_weight, .input = {{4, {2, 5, 3, 2}}}, .inputs = 1},
                                    {0}}};
ATL_BUILTIN(points_op);

/* For dimension d of the image; weights go with it by broadcasting. */
static atl_node *points(atl_node *image, int d, int64_t output, points_kind kind)
{
    points_attributes p;
    memset(&p, 0, sizeof p);
    p = (points_attributes){image ? image->shape->size[d] : 1, output, kind, kind == WEIGHT ? d == 1 ? 3 : 2 : 1};
    return ATL_APPLY(&points_op, &p, image);
}

static atl_node *nearest_along(atl_node *image, int64_t output, int d)
{
    return atl_gather(image, points(image, d, output, NEAREST), d);
}

/* y = below + (above - below) * weight */
static atl_node *linear_along(atl_node *image, int64_t output, int d)
{
    atl_node *low = atl_gather(image, points(image, d, output, BELOW), d),
             *high = atl_gather(image, points(image, d, output, ABOVE), d);
    return atl_add(low, atl_mul(atl_sub(high, low), points(image, d, output, WEIGHT)));
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
