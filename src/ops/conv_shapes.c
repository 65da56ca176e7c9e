/* Convolutions: checks shapes, and computes how the window slides. */
#include "common/plural.h"
#include "ops/conv.h"

static int is_any_or(int64_t size, int64_t expected)
{
    return size == ATL_ANY || expected == ATL_ANY || size == expected;
}

static int check_image(atl_node *y, const atl_node *image, const char *what)
{
    if (image->dtype != ATL_FLOAT32)
        return atl_fail(y, "%s, '%s', is %s but must be float32: use atl_cast(x, ATL_FLOAT32)", what,
                        atl_name_of(image), atl_dtype_name(image->dtype));
    if (image->shape->rank != 4)
        return atl_fail(y, "%s, '%s', is %s; it must be [batch, height, width, channels]", what, atl_name_of(image),
                        SHAPE_OF(image));
    return 1;
}

static int check_filter(atl_node *y, const conv_options *options, const atl_node *filter)
{
    const int64_t *size = filter->shape->size;
    if (filter->dtype != ATL_FLOAT32)
        return atl_fail(y, "the filter, '%s', is %s but must be float32: use atl_cast(x, ATL_FLOAT32)",
                        atl_name_of(filter), atl_dtype_name(filter->dtype));
    if (filter->shape->rank != 4)
        return atl_fail(y, "the filter, '%s', is %s; it must be [height, width, in, out]", atl_name_of(filter),
                        SHAPE_OF(filter));
    for (int i = 0; i < 4; i++)
        if (size[i] == 0)
            return atl_fail(y,
                            "the filter %s ('%s') is empty; every size of [height, width, in, out] must be 1 or more",
                            SHAPE_OF(filter), atl_name_of(filter));
    if (options->groups < 1)
        return atl_fail(y, "groups is %d; it must be 1 or more", options->groups);
    if (size[3] != ATL_ANY && size[3] % options->groups)
        return atl_fail(y, "the %lld output%s of the filter %s ('%s') cannot be split into %d groups",
                        (long long)size[3], atl_plural(size[3]), SHAPE_OF(filter), atl_name_of(filter),
                        options->groups);
    return 1;
}

static int check_channels(atl_node *y, const conv_options *options, const atl_node *image, const atl_node *filter)
{
    int64_t channels = image->shape->size[3], in = filter->shape->size[2];
    const char *image_text = SHAPE_OF(image), *filter_text = SHAPE_OF(filter);
    if (channels == ATL_ANY || in == ATL_ANY)
        return 1;
    if (options->groups == 1 && channels != in)
        return atl_fail(y,
                        "the image %s ('%s') has %lld channel%s but the filter %s ('%s') takes %lld (an image is "
                        "[batch, height, width, "
                        "channels], a filter [height, width, in, out])",
                        image_text, atl_name_of(image), (long long)channels, atl_plural(channels), filter_text,
                        atl_name_of(filter), (long long)in);
    if (channels % options->groups || channels / options->groups != in)
        return atl_fail(y,
                        "the image %s ('%s') has %lld channel%s but the filter %s ('%s') takes %d groups of %lld (a "
                        "filter is [height, "
                        "width, in / groups, out])",
                        image_text, atl_name_of(image), (long long)channels, atl_plural(channels), filter_text,
                        atl_name_of(filter), options->groups, (long long)in);
    return 1;
}

/* The shape of conv2d(image, filter); returns 0 with the error recorded on y. */
static bool infer_result(atl_node *y, const atl_node *image, const atl_node *filter, atl_shape *result)
{
    const conv_options *options = y->attributes;
    if (!check_image(y, image, "the image") || !check_filter(y, options, filter) ||
        !atl_check_window_options(y, &options->window) || !check_channels(y, options, image, filter))
        return 0;
    *result = *image->shape;
    result->size[3] = filter->shape->size[3];
    for (int i = 0; i < 2; i++)
        if (!atl_slide_window(y, &options->window, i, image->shape->size[1 + i], filter->shape->size[i],
                              &result->size[1 + i], NULL))
            return 0;
    return 1;
}

bool atl_infer_conv2d(atl_node *y)
{
    atl_shape result;
    return infer_result(y, y->inputs[0], y->inputs[1], &result) && atl_set_type(y, ATL_FLOAT32, result);
}

/* Checks that dy has the shape of conv2d(image, filter). */
static int check_result_gradient(atl_node *y, const atl_node *dy, const atl_node *image, const atl_node *filter)
{
    atl_shape result;
    if (!check_image(y, dy, "the gradient of the result") || !infer_result(y, image, filter, &result))
        return 0;
    for (int i = 0; i < 4; i++)
        if (!is_any_or(dy->shape->size[i], result.size[i]))
            return atl_fail(y, "the gradient of the result, '%s', is %s, but the image %s and the filter %s give %s",
                            atl_name_of(dy), SHAPE_OF(dy), SHAPE_OF(image), SHAPE_OF(filter), SHAPE_TEXT(result));
    return 1;
}

bool atl_infer_input_grad(atl_node *y) /* dy, filter, like the image */
{
    return check_result_gradient(y, y->inputs[0], y->inputs[2], y->inputs[1]) &&
           atl_set_type(y, ATL_FLOAT32, *y->inputs[2]->shape);
}

bool atl_infer_filter_grad(atl_node *y) /* image, dy, like the filter */
{
    return check_result_gradient(y, y->inputs[1], y->inputs[0], y->inputs[2]) &&
           atl_set_type(y, ATL_FLOAT32, *y->inputs[2]->shape);
}

conv_geometry atl_conv_geometry_of(const atl_node *y, const atl_node *image, const atl_node *filter,
                                   const atl_node *result)
{
    const conv_options *options = y->attributes;
    return (
        conv_geometry){.image = *image->shape,
                       .filter = *filter->shape,
                       .result = *result->shape,
                       .vertical = atl_window_of(&options->window, 0, image->shape->size[1], filter->shape->size[0]),
                       .horizontal = atl_window_of(&options->window, 1, image->shape->size[2], filter->shape->size[1]),
                       .groups = options->groups};
}

void atl_describe_conv(const atl_node *y, const atl_node *filter, char *text, size_t size)
{
    const conv_options *options = y->attributes;
    size_t at = atl_describe_window(&options->window, filter->shape->size[0], filter->shape->size[1], text, size);
    if (options->groups != 1 && at < size)
        snprintf(text + at, size - at, ", %d groups", options->groups);
}
