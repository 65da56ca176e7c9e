/* Convolutions as sums of products, with strides, dilations and any padding, and their gradients by the image, against
 * loops in double. */
#include "convolutions.h"

/* Number `at` of the gradient by the image: the image of `d` is the gradient of a convolution's result, and the filter
 * is [filter_height, filter_width, result_channels, channels]. */
static double exact_gradient(const atl_conv_sizes *d, int64_t at, const float *image, const float *filter)
{
    const int64_t o = at % d->result_channels, pixel = at / d->result_channels, ox = pixel % d->result_width;
    const int64_t oy = pixel / d->result_width % d->result_height, n = pixel / d->result_width / d->result_height;
    const int64_t top = (d->filter_height - 1) * d->dilation_y - d->pad_top,
                  left = (d->filter_width - 1) * d->dilation_x - d->pad_left; /* of the convolution */
    double sum = 0;
    for (int64_t t = 0; t < d->filter_height * d->filter_width; t++) {
        const int64_t y = oy + top - t / d->filter_width * d->dilation_y,
                      x = ox + left - t % d->filter_width * d->dilation_x;
        if (y < 0 || x < 0 || y % d->stride_y || x % d->stride_x || y / d->stride_y >= d->height ||
            x / d->stride_x >= d->width)
            continue;
        for (int64_t k = 0; k < d->channels; k++)
            sum += (double)image[((n * d->height + y / d->stride_y) * d->width + x / d->stride_x) * d->channels + k] *
                   (double)filter[(t * d->result_channels + o) * d->channels + k];
    }
    return sum;
}

static float *convolved(const atl_kernel_table *k, const atl_conv_sizes *d, const float *image, const float *filter,
                        const atl_epilogue *end)
{
    const int64_t floats = count_of_filter(d);
    float *packed = random_floats(floats), *y = random_floats(count_of_results(d));
    k->tap_sums_pack(d, filter, packed);
    k->tap_sums_convolve(d, image, packed, end, y);
    for (int i = 0; i < MARGIN; i++) {
        cr_assert(isnan(packed[floats + i]), "written behind the filter");
        cr_assert(isnan(y[count_of_results(d) + i]), "written behind the result");
    }
    free(packed);
    return y;
}

static void check(const atl_kernel_table *k, atl_conv_sizes d)
{
    const int64_t count = count_of_results(&d);
    float *image = random_floats(count_of_image(&d)), *bias = random_floats(d.result_channels);
    float *filter = random_floats(count_of_filter(&d)), *residual = random_floats(count);
    const atl_epilogue end = {.bias = bias, .residual = residual, .relu = 1};
    d.workers = 1;
    float *y = convolved(k, &d, image, filter, &end);
    for (int64_t i = 0; i < count; i++) {
        double sum =
            (d.flipped ? exact_gradient(&d, i, image, filter) : exact_convolution(&d, d.channels, i, image, filter)) +
            (double)bias[i % d.result_channels] + (double)residual[i];
        cr_assert_float_eq((double)y[i], sum > 0 ? sum : 0, 1e-6 * (double)(90 + d.channels),
                           "%lldx%lld%s, stride %lld, number %lld: %g, not %g", (long long)d.height, (long long)d.width,
                           d.flipped ? ", gradient" : "", (long long)d.stride_y, (long long)i, (double)y[i], sum);
    }
    for (d.workers = 2; d.workers <= 5; d.workers++) {
        float *again = convolved(k, &d, image, filter, &end);
        cr_assert_eq(memcmp(y, again, (size_t)count * sizeof *y), 0, "other bits with %d workers", d.workers);
        free(again);
    }
    free(image), free(bias), free(filter), free(residual), free(y);
}

static atl_conv_sizes sizes(int64_t height, int64_t width, int64_t size, int64_t stride, int64_t dilation, int64_t pad)
{
    const int64_t extent = (size - 1) * dilation + 1;
    atl_conv_sizes d = square(7, 48, size, stride, pad, height);
    d.batch = 2, d.width = width;
    d.result_height = results(height, extent, stride, pad), d.result_width = results(width, extent, stride, pad);
    d.dilation_y = d.dilation_x = dilation;
    return d;
}

/* The gradient of such a convolution by its image. */
static atl_conv_sizes turned(atl_conv_sizes d)
{
    atl_conv_sizes t = d;
    t.height = d.result_height, t.width = d.result_width, t.channels = d.result_channels;
    t.result_height = d.height, t.result_width = d.width, t.result_channels = d.channels;
    t.pad_top = (d.filter_height - 1) * d.dilation_y - d.pad_top;
    t.pad_left = (d.filter_width - 1) * d.dilation_x - d.pad_left;
    t.flipped = 1;
    return t;
}

ISA_TEST(tap_sums, dilations_strides_and_paddings)
{
    for (int64_t dilation = 1; dilation <= 5; dilation += 2)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t pad = 0; pad <= 6; pad += 3)
                check(k, sizes(13, 17, 3, stride, dilation, pad));
    check(k, sizes(3, 4, 3, 1, 9, 9)); /* all but the middle of a window lies beside the image */
}

/* Rows longer than a block, and of one dimension. */
ISA_TEST(tap_sums, long_rows)
{
    atl_conv_sizes d = sizes(1, 603, 1, 1, 1, 0);
    d.filter_width = 5, d.dilation_x = 8, d.pad_left = 16;
    check(k, d);
    d.stride_x = 2, d.result_width = 302;
    check(k, d);
}

/* Also strides that leave pixels without a gradient, and pixels left over behind the last window. */
ISA_TEST(tap_sums, gradients_by_the_image)
{
    for (int64_t dilation = 1; dilation <= 3; dilation++)
        for (int64_t stride = 1; stride <= 5; stride++)
            for (int64_t pad = 0; pad <= 2; pad++) {
                atl_conv_sizes d = sizes(13, 18, 3, stride, dilation, pad);
                d.channels = 16, d.result_channels = 21;
                check(k, turned(d));
            }
}

/* Panels of different widths, parts of a matrix, tiles of every number of rows, blocks of several images. */
ISA_TEST(tap_sums, all_sizes)
{
    static const int64_t channels[] = {16, 32, 64, 80, 112, 208};
    for (int n = 0; n < 6; n++) {
        atl_conv_sizes d = sizes(3 + n, 5 + 2 * n, 3, 1 + n % 2, 1, 1);
        d.batch = 1 + 2 * (n % 3), d.channels = 300 - n, d.result_channels = channels[n];
        check(k, d);
        d.channels = channels[n], d.result_channels = 139 + n;
        check(k, turned(d));
    }
    for (int64_t width = 1; width <= 20; width++) {
        atl_conv_sizes d = sizes(2, width, 3, 1, 1, 1);
        d.channels = 33;
        check(k, d);
    }
}

/* Windows that are not square, as 1x7. */
ISA_TEST(tap_sums, rows_and_columns_of_a_window)
{
    atl_conv_sizes d = sizes(17, 17, 1, 1, 1, 0);
    d.filter_width = 7, d.pad_left = 3;
    check(k, d);
    d = sizes(17, 17, 1, 1, 1, 0);
    d.filter_height = 7, d.pad_top = 3;
    check(k, d);
}

/* NaN and infinity reach exactly those results whose windows have them: elements beside the image are no products with
 * 0, and a relu's gradient keeps what NaN does not forbid. */
ISA_TEST(tap_sums, special_values_and_masks)
{
    atl_conv_sizes d = sizes(7, 7, 3, 1, 1, 1);
    d.workers = 1;
    const int64_t count = count_of_results(&d), pixels = d.batch * d.height * d.width * d.channels;
    float *image = random_floats(pixels), *by = random_floats(count);
    float *filter = random_floats(9 * d.channels * d.result_channels);
    uint8_t *mask = calloc(1, (size_t)count / 8 + 2), *made = calloc(1, (size_t)count / 8 + 2);
    image[10 * d.channels + 3] = NAN, image[30 * d.channels] = INFINITY, image[80 * d.channels] = -INFINITY;
    filter[0] = INFINITY; /* of the element at the upper left */
    by[5] = NAN, by[6] = 0, by[7] = -0.0f, by[9] = 7;
    for (int64_t i = 0; i < count; i++)
        mask[i / 8] |= (uint8_t)((by[i] > 0 && by[i] < 6) << i % 8);
    float *plain = convolved(k, &d, image, filter, &(atl_epilogue){0});
    float *y = convolved(k, &d, image, filter, &(atl_epilogue){.relu_grad = by, .highest = 6});
    float *masked = convolved(k, &d, image, filter, &(atl_epilogue){.mask = mask});
    if (k->vector > 4)
        free(convolved(k, &d, image, filter, &(atl_epilogue){.relu_grad = by, .highest = 6, .positive = made}));
    for (int64_t i = 0; i < count; i++) {
        const double exact = exact_convolution(&d, d.channels, i, image, filter);
        const float wanted = by[i] > 0 && by[i] < 6 ? plain[i] : 0;
        cr_assert(isnan(exact) ? isnan(plain[i]) : isinf(exact) ? (double)plain[i] == exact : !isnan(plain[i]));
        cr_assert(memcmp(&y[i], &wanted, sizeof wanted) == 0 || (isnan(y[i]) && isnan(wanted)), "%lld", (long long)i);
        cr_assert(memcmp(&masked[i], &y[i], sizeof wanted) == 0 || (isnan(y[i]) && isnan(masked[i])));
        cr_assert(k->vector == 4 || (made[i / 8] >> i % 8 & 1) == (y[i] > 0 && y[i] < 6));
    }
    free(image), free(by), free(filter), free(mask), free(made), free(plain), free(y), free(masked);
}
