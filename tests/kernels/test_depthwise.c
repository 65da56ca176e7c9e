/* Depthwise convolution and its gradients against loops in double. */
#include "kernels/depthwise.h"

#include "isas.h"

static double tap_in_double(const atl_conv_sizes *d, const float *image, const float *dy, int64_t ty, int64_t tx,
                            int64_t c)
{
    double sum = 0;
    for (int64_t n = 0; n < d->batch; n++)
        for (int64_t oy = 0; oy < d->result_height; oy++)
            for (int64_t ox = 0; ox < d->result_width; ox++) {
                int64_t y = oy * d->stride_y - d->pad_top + ty, x = ox * d->stride_x - d->pad_left + tx;
                if (y >= 0 && y < d->height && x >= 0 && x < d->width)
                    sum += (double)image[((n * d->height + y) * d->width + x) * d->channels + c] *
                           (double)dy[((n * d->result_height + oy) * d->result_width + ox) * d->channels + c];
            }
    return sum;
}

static void check(const atl_kernel_table *k, atl_conv_sizes d)
{
    float *image = random_floats(d.batch * d.height * d.width * d.channels);
    float *dy = random_floats(d.batch * d.result_height * d.result_width * d.channels);
    int64_t count = d.filter_height * d.filter_width * d.channels;
    float *dw = random_floats(count), *again = random_floats(count);
    k->depthwise_filter_gradient(&d, image, dy, dw);
    for (int64_t i = 0; i < count; i++) {
        int64_t tap = i / d.channels;
        double exact = tap_in_double(&d, image, dy, tap / d.filter_width, tap % d.filter_width, i % d.channels);
        cr_assert_float_eq((double)dw[i], exact, 1e-4, "%lldx%lld, stride %lld, of %lldx%lld, number %lld: %g, not %g",
                           (long long)d.filter_height, (long long)d.filter_width, (long long)d.stride_x,
                           (long long)d.height, (long long)d.width, (long long)i, (double)dw[i], exact);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(dw[count + i]));
    d.workers = 3;
    k->depthwise_filter_gradient(&d, image, dy, again);
    cr_expect_eq(memcmp(dw, again, (size_t)count * sizeof *dw), 0, "other bits with three workers");
    free(image), free(dy), free(dw), free(again);
}

ISA_TEST(depthwise, filters_strides_and_edges)
{
    for (int64_t size = 1; size <= ATL_MAX_DEPTHWISE; size++)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t pixels = 1; pixels <= 13; pixels += 3) {
                int64_t height = pixels + 1, result = (pixels + stride - 1) / stride,
                        results = (height + stride - 1) / stride;
                check(k, (atl_conv_sizes){.batch = 2,
                                          .height = height,
                                          .width = pixels,
                                          .result_height = results,
                                          .result_width = result,
                                          .channels = (1 + pixels % 3) * k->vector,
                                          .filter_height = 1 + (size + 1) % ATL_MAX_DEPTHWISE,
                                          .filter_width = size,
                                          .stride_y = stride,
                                          .stride_x = stride,
                                          .pad_top = size / 2,
                                          .pad_left = (size - 1) / 2,
                                          .workers = 1});
            }
}

/* Element `to` of the result in double. */
static double result_in_double(const atl_conv_sizes *d, const float *image, const float *filter, int64_t to)
{
    int64_t c = to % d->channels, ox = to / d->channels % d->result_width, row = to / d->channels / d->result_width;
    int64_t n = row / d->result_height, oy = row % d->result_height, taps = d->filter_height * d->filter_width;
    double sum = 0;
    for (int64_t t = 0; t < taps; t++) {
        int64_t y = oy * d->stride_y - d->pad_top + t / d->filter_width * d->dilation_y;
        int64_t x = ox * d->stride_x - d->pad_left + t % d->filter_width * d->dilation_x;
        int64_t element = d->flipped ? taps - 1 - t : t;
        if (y >= 0 && y < d->height && x >= 0 && x < d->width)
            sum += (double)image[((n * d->height + y) * d->width + x) * d->channels + c] *
                   (double)filter[element * d->channels + c];
    }
    return sum;
}

/* The sum of all that results give to the pixels. */
static void give_to_pixels(const atl_conv_sizes *d, const float *dy, const float *filter, double *dx)
{
    int64_t results = d->batch * d->result_height * d->result_width * d->channels;
    for (int64_t to = 0; to < results; to++)
        for (int64_t t = 0; t < d->filter_height * d->filter_width; t++) {
            int64_t c = to % d->channels, ox = to / d->channels % d->result_width;
            int64_t row = to / d->channels / d->result_width, n = row / d->result_height, oy = row % d->result_height;
            int64_t y = oy * d->stride_y - d->pad_top + t / d->filter_width;
            int64_t x = ox * d->stride_x - d->pad_left + t % d->filter_width;
            if (y >= 0 && y < d->height && x >= 0 && x < d->width)
                dx[((n * d->height + y) * d->width + x) * d->channels + c] +=
                    (double)dy[to] * (double)filter[t * d->channels + c];
        }
}

static double ended(const atl_epilogue *end, double sum, int64_t at, int64_t channel)
{
    sum += end->bias ? (double)end->bias[channel] : 0;
    sum = sum <= 0 ? 0 : sum > (double)end->highest ? (double)end->highest : sum;
    return end->relu_grad[at] > 0 && end->relu_grad[at] < end->highest ? sum : 0;
}

static void check_with_epilogue(const atl_kernel_table *k, atl_conv_sizes d)
{
    int64_t pixels = d.batch * d.height * d.width * d.channels;
    int64_t results = d.batch * d.result_height * d.result_width * d.channels;
    float *image = random_floats(pixels), *dy = random_floats(results), *bias = random_floats(d.channels);
    float *filter = random_floats(d.filter_height * d.filter_width * d.channels), *by = random_floats(pixels + results);
    float *y = random_floats(results), *dx = random_floats(pixels), *again = random_floats(pixels + results);
    double *exact = calloc((size_t)pixels, sizeof *exact);
    const atl_epilogue end = {.bias = bias, .relu = 1, .highest = 0.4f, .relu_grad = by};
    k->depthwise_convolve(&d, image, filter, &end, y);
    for (int64_t i = 0; i < results; i++)
        cr_assert_float_eq((double)y[i], ended(&end, result_in_double(&d, image, filter, i), i, i % d.channels), 1e-5,
                           "result %lld is %g", (long long)i, (double)y[i]);
    d.workers = 3;
    k->depthwise_convolve(&d, image, filter, &end, again);
    cr_expect_eq(memcmp(y, again, (size_t)results * sizeof *y), 0, "other bits with three workers");
    k->depthwise_image_gradient(&d, dy, filter, &end, dx);
    give_to_pixels(&d, dy, filter, exact);
    int has_gradient = !d.flipped && d.dilation_y == 1 && d.dilation_x == 1;
    for (int64_t i = 0; i < pixels && has_gradient; i++)
        cr_assert_float_eq((double)dx[i], ended(&end, exact[i], i, i % d.channels), 1e-5, "gradient %lld is %g",
                           (long long)i, (double)dx[i]);
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(y[results + i]) && isnan(dx[pixels + i]));
    free(image), free(dy), free(bias), free(filter), free(by), free(y), free(dx), free(again), free(exact);
}

ISA_TEST(depthwise, results_and_gradients_of_pixels)
{
    for (int64_t size = 1; size <= ATL_MAX_DEPTHWISE; size++)
        for (int64_t stride = 1; stride <= 3; stride++)
            for (int64_t pixels = 1; pixels <= 13; pixels += 3) {
                int64_t height = pixels + 1;
                check_with_epilogue(k, (atl_conv_sizes){.batch = 2,
                                                        .height = height,
                                                        .width = pixels,
                                                        .result_height = (height + stride - 1) / stride,
                                                        .result_width = (pixels + stride - 1) / stride,
                                                        .channels = (1 + pixels % 3) * k->vector,
                                                        .filter_height = 1 + (size + 1) % ATL_MAX_DEPTHWISE,
                                                        .filter_width = size,
                                                        .stride_y = stride,
                                                        .stride_x = stride,
                                                        .dilation_y = 1 + size % 2 * (pixels % 2),
                                                        .dilation_x = 1 + pixels % 2 * (stride % 2),
                                                        .pad_top = size % 3 % (1 + (size + 1) % ATL_MAX_DEPTHWISE),
                                                        .pad_left = (size - 1) / 2,
                                                        .flipped = pixels == 7,
                                                        .workers = 1});
            }
}
