/* Convolutions of images with few channels, against loops in double. */
#include "convolutions.h"
#include "post_ops.h"

/* What the epilogue makes of a sum. */
static double ended(const atl_epilogue *end, double sum, int64_t at, int64_t channel)
{
    sum += (double)end->bias[channel] + (double)end->residual[at];
    return sum <= 0 ? 0 : sum > (double)end->highest ? (double)end->highest : sum;
}

/* With a post-op the results and the mask are the same, and most ranges of a single worker are long. */
static void check_post_op(const atl_kernel_table *k, atl_conv_sizes f, const float *image, const float *filter,
                          atl_epilogue end, const float *expected)
{
    const int64_t count = count_of_results(&f);
    const uint8_t *mask = end.positive;
    for (f.workers = 1; f.workers <= (k->vector < 8 ? 1 : 2); f.workers++) { /* threads must not share a byte */
        post_op_check c = new_post_op_check(expected, count);
        end.post_op = (atl_post_op){see_results, &c};
        end.positive = calloc((size_t)count / 8 + 1, 1);
        k->few_channels_convolve(&f, image, filter, &end, c.result);
        cr_assert_eq(memcmp(mask, end.positive, (size_t)count / 8), 0, "another mask");
        free(end.positive);
        const int64_t ranges = finish_post_op_check(&c, &f);
        cr_assert(ranges <= f.workers + count / 8192, "%lld ranges", (long long)ranges);
    }
}

/* Some numbers of the image and of the filter are special. */
static void check(const atl_kernel_table *k, atl_conv_sizes f, int special)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, -0.f, 1e-40f};
    const int64_t count = count_of_results(&f), pixels = count_of_image(&f), elements = count_of_filter(&f);
    float *image = random_floats(pixels), *filter = random_floats(elements), *bias = random_floats(f.result_channels);
    float *residual = random_floats(count), *y = random_floats(count), *again = random_floats(count);
    uint8_t *bits[2] = {calloc((size_t)count / 8 + 1, 1), calloc((size_t)count / 8 + 1, 1)};
    for (int64_t i = 0; i < pixels && special; i += 101)
        image[i] = values[i / 101 % 5];
    for (int64_t i = 0; i < elements && special; i += 37)
        filter[i] = values[i / 37 % 5];
    atl_epilogue end = {.bias = bias, .residual = residual, .relu = 1, .highest = 0.5f, .positive = bits[0]};
    k->few_channels_convolve(&f, image, filter, &end, y);
    for (int64_t i = 0; i < count; i++) {
        const double exact = ended(&end, exact_convolution(&f, f.channels, i, image, filter), i, i % f.result_channels);
        cr_assert(isnan(exact) ? isnan(y[i]) : fabs((double)y[i] - exact) < 2e-4,
                  "%lldx%lld, stride %lld, %lldx%lldx%lld, number %lld: %g, not %g", (long long)f.filter_height,
                  (long long)f.filter_width, (long long)f.stride_x, (long long)f.height, (long long)f.width,
                  (long long)f.channels, (long long)i, (double)y[i], exact);
        cr_assert_eq(bits[0][i / 8] >> i % 8 & 1, y[i] > 0 && y[i] < 0.5f, "bit %lld", (long long)i);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(y[count + i]), "written behind the result");
    check_post_op(k, f, image, filter, end, y);
    f.workers = 3;
    end.positive = k->vector < 8 ? NULL : bits[1]; /* threads must not share a byte */
    k->few_channels_convolve(&f, image, filter, &end, again);
    cr_assert_eq(memcmp(y, again, (size_t)count * sizeof *y), 0, "other bits with three workers");
    cr_assert(k->vector < 8 || memcmp(bits[0], bits[1], (size_t)count / 8) == 0, "another mask with three workers");
    float *all[] = {image, filter, bias, residual, y, again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(bits[0]), free(bits[1]);
}

ISA_TEST(few_channels_convolve, windows_strides_and_edges)
{
    for (int64_t channels = 1; channels <= ATL_FEW_CHANNELS; channels++)
        for (int64_t size = 1; size <= 7; size += 1 + size / 3)
            for (int64_t stride = 1; stride <= 3; stride++)
                for (int64_t pixels = 1; pixels <= 45; pixels += 1 + pixels / 2) {
                    atl_conv_sizes f =
                        square(channels, (1 + pixels % 5) * k->vector, size, stride, pixels % size, pixels);
                    f.batch = 1 + pixels % 2;
                    if (f.result_width > 0)
                        check(k, f, (int)(pixels + stride) % 2);
                }
}

/* Height and width differ in everything, and windows reach over the end of the image, or are all behind it. */
ISA_TEST(few_channels_convolve, rectangles)
{
    for (int64_t out = 16; out <= 80; out += 16)
        for (int64_t stride = 1; stride <= 3; stride++) {
            atl_conv_sizes f = square(3, out, 5, stride, 2, 37);
            f.height = 11, f.filter_height = 2, f.stride_y = 4 - stride, f.pad_top = 0;
            f.result_height = results(f.height, f.filter_height, f.stride_y, 0) + stride;
            f.result_width += 2 * stride - 3;
            check(k, f, 0);
        }
}

/* Rows whose results are shorter and longer than a range. */
ISA_TEST(few_channels_convolve, many_results)
{
    for (int64_t width = 40; width <= 240; width += 100) {
        atl_conv_sizes f = square(3, 64, 3, 1, 1, width);
        f.height = f.result_height = 9;
        check(k, f, 0);
    }
}
