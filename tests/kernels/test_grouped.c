/* Convolutions in small groups, and their gradients by the image, against loops in double. */
#include "isas.h"

static void check(const atl_kernel_table *k, atl_conv_sizes d, int64_t group)
{
    const int64_t count = d.batch * d.result_height * d.result_width * d.channels;
    float *image = random_floats(d.batch * d.height * d.width * d.channels), *bias = random_floats(d.channels);
    float *filter = random_floats(d.filter_height * d.filter_width * group * d.channels);
    float *y = random_floats(count), *again = random_floats(count);
    const atl_epilogue end = {.bias = bias, .relu = 1};
    d.workers = 1;
    k->grouped_convolve(&d, group, image, filter, &end, y);
    for (int64_t i = 0; i < count; i++) {
        double sum = exact_convolution(&d, group, i, image, filter) + (double)bias[i % d.channels];
        cr_assert_float_eq((double)y[i], sum > 0 ? sum : 0, 1e-4, "groups of %d, %lldx%lld, number %lld: %g, not %g",
                           (int)group, (long long)d.filter_height, (long long)d.filter_width, (long long)i,
                           (double)y[i], sum);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(y[count + i]), "written behind the result");
    d.workers = 3;
    k->grouped_convolve(&d, group, image, filter, &end, again);
    cr_assert_eq(memcmp(y, again, (size_t)count * sizeof *y), 0, "other bits with three workers");
    free(image), free(bias), free(filter), free(y), free(again);
}

static int64_t results(int64_t pixels, int64_t size, int64_t stride, int64_t dilation)
{
    return (pixels + 2 * (size / 2) - (size - 1) * dilation - 1) / stride + 1;
}

static atl_conv_sizes sizes(const atl_kernel_table *k, int64_t size, int64_t stride, int64_t dilation)
{
    return (atl_conv_sizes){.batch = 2,
                            .height = 9,
                            .width = 16,
                            .channels = 2 * k->vector,
                            .result_channels = 2 * k->vector,
                            .result_height = results(9, size, stride, dilation),
                            .result_width = results(16, size, stride, dilation),
                            .filter_height = size,
                            .filter_width = size,
                            .stride_y = stride,
                            .stride_x = stride,
                            .pad_top = size / 2,
                            .pad_left = size / 2,
                            .dilation_y = dilation,
                            .dilation_x = dilation};
}

ISA_TEST(grouped, windows_strides_and_dilations)
{
    for (int64_t group = 2; group <= k->vector; group *= 2)
        for (int64_t size = 1; size <= 5; size += 2)
            for (int64_t stride = 1; stride <= 2; stride++)
                for (int64_t dilation = 1; dilation <= 2; dilation++)
                    check(k, sizes(k, size, stride, dilation), group);
}

/* What a turned filter gives to a pixel is what the pixel gave to the results: the sums of dy y and of x dx agree. */
ISA_TEST(grouped, turned_filters)
{
    for (int64_t group = 2; group <= k->vector; group *= 2) {
        atl_conv_sizes d = sizes(k, 3, 1, 1);
        d.workers = 1;
        const int64_t count = d.batch * d.height * d.width * d.channels, floats = 9 * group * d.channels;
        float *x = random_floats(count), *dy = random_floats(count), *y = random_floats(count),
              *dx = random_floats(count), *filter = random_floats(floats), *turned = random_floats(floats);
        const atl_epilogue none = {.bias = NULL};
        k->grouped_turn(&d, group, filter, turned);
        k->grouped_convolve(&d, group, x, filter, &none, y);
        k->grouped_convolve(&d, group, dy, turned, &none, dx);
        double forward = 0, backward = 0;
        for (int64_t i = 0; i < count; i++)
            forward += (double)dy[i] * (double)y[i], backward += (double)x[i] * (double)dx[i];
        cr_expect_float_eq(forward, backward, 1e-3, "groups of %d: %g and %g", (int)group, forward, backward);
        free(x), free(dy), free(y), free(dx), free(filter), free(turned);
    }
}
