/* Convolutions as sums of 1x1 convolutions, with strides, dilations and any padding, against loops in double. */
#include "convolutions.h"

static float *packed_filter(const atl_kernel_table *k, const atl_conv_sizes *d, const float *filter)
{
    const atl_pointwise p = {.in = d->channels, .out = d->result_channels};
    const int64_t taps = d->filter_height * d->filter_width, floats = p.in * p.out;
    float *packed = random_floats(taps * floats);
    for (int64_t t = 0; t < taps; t++)
        k->pointwise_pack(&p, filter + t * floats, 0, packed + t * floats);
    return packed;
}

static void check(const atl_kernel_table *k, atl_conv_sizes d)
{
    const int64_t count = count_of_results(&d);
    float *image = random_floats(count_of_image(&d)), *bias = random_floats(d.result_channels);
    float *filter = random_floats(count_of_filter(&d));
    float *packed = packed_filter(k, &d, filter), *residual = random_floats(count);
    float *y = random_floats(count), *again = random_floats(count);
    const atl_epilogue end = {.bias = bias, .residual = residual, .relu = 1};
    d.workers = 1;
    k->tap_sums_convolve(&d, image, packed, &end, y);
    for (int64_t i = 0; i < count; i++) {
        double sum = exact_convolution(&d, d.channels, i, image, filter) + (double)bias[i % d.result_channels] +
                     (double)residual[i];
        cr_assert_float_eq((double)y[i], sum > 0 ? sum : 0, 1e-4, "%lldx%lld, number %lld: %g, not %g",
                           (long long)d.height, (long long)d.width, (long long)i, (double)y[i], sum);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(y[count + i]), "written behind the result");
    d.workers = 3;
    k->tap_sums_convolve(&d, image, packed, &end, again);
    cr_assert_eq(memcmp(y, again, (size_t)count * sizeof *y), 0, "other bits with three workers");
    free(image), free(bias), free(filter), free(packed), free(residual), free(y), free(again);
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
