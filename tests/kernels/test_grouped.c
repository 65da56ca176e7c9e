/* Convolutions in groups, and their gradients by the image, against loops in double. */
#include "isas.h"

static void check(const atl_kernel_table *k, atl_conv_sizes d, int64_t group)
{
    const int64_t count = d.batch * d.result_height * d.result_width * d.channels;
    float *image = random_floats(d.batch * d.height * d.width * d.channels), *bias = random_floats(d.channels);
    float *filter = random_floats(d.filter_height * d.filter_width * group * d.channels);
    float *y = random_floats(count), *again = random_floats(count);
    float *packed = random_floats(k->grouped_floats(&d, group));
    const atl_epilogue end = {.bias = bias, .relu = 1};
    d.workers = 1;
    k->grouped_pack(&d, group, 0, filter, packed);
    k->grouped_convolve(&d, group, image, packed, &end, y);
    for (int64_t i = 0; i < count; i++) {
        double sum = exact_convolution(&d, group, i, image, filter) + (double)bias[i % d.channels];
        cr_assert_float_eq((double)y[i], sum > 0 ? sum : 0, 1e-4, "groups of %d, %lldx%lld, number %lld: %g, not %g",
                           (int)group, (long long)d.filter_height, (long long)d.filter_width, (long long)i,
                           (double)y[i], sum);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(y[count + i]), "written behind the result");
    d.workers = 3;
    k->grouped_convolve(&d, group, image, packed, &end, again);
    cr_assert_eq(memcmp(y, again, (size_t)count * sizeof *y), 0, "other bits with three workers");
    free(image), free(bias), free(filter), free(packed), free(y), free(again);
}

static int64_t results(int64_t pixels, int64_t size, int64_t stride, int64_t dilation)
{
    return (pixels + 2 * (size / 2) - (size - 1) * dilation - 1) / stride + 1;
}

static atl_conv_sizes sizes(int64_t channels, int64_t width, int64_t size, int64_t stride, int64_t dilation)
{
    return (atl_conv_sizes){.batch = 2,
                            .height = 9,
                            .width = width,
                            .channels = channels,
                            .result_channels = channels,
                            .result_height = results(9, size, stride, dilation),
                            .result_width = results(width, size, stride, dilation),
                            .filter_height = size,
                            .filter_width = size,
                            .stride_y = stride,
                            .stride_x = stride,
                            .pad_top = size / 2,
                            .pad_left = size / 2,
                            .dilation_y = dilation,
                            .dilation_x = dilation};
}

/* Groups in a vector, of whole vectors, and of one and a half; the last vector may overlap. */
ISA_TEST(grouped, windows_strides_and_dilations)
{
    const int64_t groups[] = {2, 4, 8, 16, 24, 32};
    for (int i = 0; i < 6; i++)
        for (int64_t size = 1; size <= 5; size += 2)
            for (int64_t stride = 1; stride <= 2; stride++)
                for (int64_t dilation = 1; dilation <= 2; dilation++)
                    check(k, sizes(groups[i] * (48 / groups[i]), 16, size, stride, dilation), groups[i]);
}

ISA_TEST(grouped, every_width)
{
    for (int64_t width = 1; width <= 32; width++)
        for (int64_t stride = 1; stride <= 2; stride++) {
            check(k, sizes(24, width, 3, stride, 1), 4);
            check(k, sizes(48, width, 3, stride, 1), 24);
        }
}

/* Windows that begin far outside of the image, or end there. */
ISA_TEST(grouped, wide_paddings)
{
    for (int64_t pad = 0; pad <= 4; pad++)
        for (int64_t stride = 1; stride <= 3; stride++) {
            atl_conv_sizes d = sizes(32, 10, 3, stride, 1);
            d.pad_top = d.pad_left = pad;
            d.result_height = d.result_width = 12 / stride;
            check(k, d, 4);
            check(k, d, 16);
        }
}

/* More filters than the first-level cache keeps, and rows that three threads do not share evenly. */
ISA_TEST(grouped, parts_of_the_filter)
{
    check(k, sizes(256, 7, 3, 1, 1), 32);
    check(k, sizes(256, 7, 3, 2, 1), 8);
}

/* A number that no finite filter element turns into a finite one is in those results alone whose windows have it; a
 * filter that is not finite makes no results of windows that read nothing there. */
ISA_TEST(grouped, special_values)
{
    const float special[] = {NAN, INFINITY, -INFINITY, -0.f, 1e-40f};
    for (int n = 0; n < 10; n++) {
        atl_conv_sizes d = sizes(32, 11, 3, 1, 1);
        const int64_t group = n < 5 ? 4 : 16, count = d.batch * d.height * d.width * d.channels;
        float *image = random_floats(count), *filter = random_floats(9 * group * d.channels), *y = random_floats(count);
        float *packed = random_floats(k->grouped_floats(&d, group));
        const atl_epilogue none = {.bias = NULL};
        d.workers = 1;
        image[(4 * d.width + 5) * d.channels + 7] = special[n % 5];
        filter[3] = special[n % 5]; /* of the first element, which reads nothing for the first row and column */
        k->grouped_pack(&d, group, 0, filter, packed);
        k->grouped_convolve(&d, group, image, packed, &none, y);
        for (int64_t i = 0; i < count; i++) {
            const double exact = exact_convolution(&d, group, i, image, filter);
            const int same = isnan(exact)   ? isnan(y[i])
                             : isinf(exact) ? (double)y[i] == exact
                                            : fabs((double)y[i] - exact) < 1e-4;
            cr_assert(same, "%g, number %lld: %g, not %g", (double)special[n % 5], (long long)i, (double)y[i], exact);
        }
        free(image), free(filter), free(y), free(packed);
    }
}

/* What a turned filter gives to a pixel is what the pixel gave to the results: the sums of dy y and of x dx agree. */
ISA_TEST(grouped, turned_filters)
{
    const int64_t groups[] = {2, 4, 8, 16, 24, 32};
    for (int g = 0; g < 6; g++) {
        const int64_t group = groups[g];
        atl_conv_sizes d = sizes(group * (64 / group), 16, 3, 1, 1);
        d.workers = 1;
        const int64_t count = d.batch * d.height * d.width * d.channels, floats = 9 * group * d.channels;
        float *x = random_floats(count), *dy = random_floats(count), *y = random_floats(count),
              *dx = random_floats(count), *filter = random_floats(floats),
              *packed = random_floats(k->grouped_floats(&d, group));
        const atl_epilogue none = {.bias = NULL};
        k->grouped_pack(&d, group, 0, filter, packed);
        k->grouped_convolve(&d, group, x, packed, &none, y);
        k->grouped_pack(&d, group, 1, filter, packed);
        k->grouped_convolve(&d, group, dy, packed, &none, dx);
        double forward = 0, backward = 0;
        for (int64_t i = 0; i < count; i++)
            forward += (double)dy[i] * (double)y[i], backward += (double)x[i] * (double)dx[i];
        cr_expect_float_eq(forward, backward, 1e-3, "groups of %d: %g and %g", (int)group, forward, backward);
        free(x), free(dy), free(y), free(dx), free(filter), free(packed);
    }
}
