/* Depthwise convolution and its gradients against loops in double. */
#include "kernels/depthwise.h"

#include "cost/cost.h"
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

/* One long sum would lose digits: 80,000 times the float 0.1, one after the other, is 7e-4 off. */
ISA_TEST(depthwise, rounding_of_long_sums)
{
    const atl_conv_sizes d = {.batch = 8,
                              .height = 100,
                              .width = 100,
                              .result_height = 100,
                              .result_width = 100,
                              .channels = k->vector,
                              .filter_height = 5,
                              .filter_width = 5,
                              .stride_y = 1,
                              .stride_x = 1,
                              .pad_top = 2,
                              .pad_left = 2,
                              .workers = 1};
    const int64_t count = d.batch * d.height * d.width * d.channels, middle = 12 * d.channels;
    float *image = random_floats(count), *dy = random_floats(count), *dw = random_floats(25 * d.channels);
    for (int64_t i = 0; i < count; i++)
        image[i] = 1, dy[i] = 0.1f;
    k->depthwise_filter_gradient(&d, image, dy, dw);
    const double exact = 80000 * (double)0.1f;
    cr_expect_float_eq((double)dw[middle], exact, 1e-5 * exact, "%g, not %g", (double)dw[middle], exact);
    free(image), free(dy), free(dw);
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

/* ---- strips: results so wide, and so many channels, that there are several --------------------------------------- */

static atl_conv_sizes wide_sizes(const atl_kernel_table *k, int64_t size, int64_t stride, int64_t width, int flipped)
{
    return (atl_conv_sizes){.batch = 2,
                            .height = 6,
                            .width = width,
                            .result_height = (6 + stride - 1) / stride,
                            .result_width = (width + stride - 1) / stride,
                            .channels = 128 + 3 * k->vector,
                            .filter_height = size,
                            .filter_width = size,
                            .stride_y = stride,
                            .stride_x = stride,
                            .dilation_y = 1,
                            .dilation_x = 1,
                            .pad_top = size / 2,
                            .pad_left = width % 2 ? size / 2 : (size - 1) / 2 - (stride - 1),
                            .flipped = flipped,
                            .workers = 1};
}

static int64_t results_of(const atl_conv_sizes *d)
{
    return d->batch * d->result_height * d->result_width * d->channels;
}

/* A filter with one more column, of 0, is as wide as no strip takes: results of finite numbers have the same bits. */
static void check_bits(const atl_kernel_table *k, atl_conv_sizes d)
{
    const int64_t results = results_of(&d), row = d.filter_width * d.channels;
    float *image = random_floats(d.batch * d.height * d.width * d.channels);
    float *filter = random_floats(d.filter_height * row);
    float *wider = calloc((size_t)(d.filter_height * (row + d.channels)), sizeof *wider);
    float *y = random_floats(results), *by_strips = random_floats(results);
    const atl_epilogue none = {0};
    for (int64_t i = 0; i < d.filter_height; i++) /* a turned filter has its last column first */
        memcpy(wider + i * (row + d.channels) + (d.flipped ? d.channels : 0), filter + i * row,
               (size_t)row * sizeof *filter);
    k->depthwise_convolve(&d, image, filter, &none, by_strips);
    d.filter_width++;
    k->depthwise_convolve(&d, image, wider, &none, y);
    cr_expect_eq(memcmp(y, by_strips, (size_t)results * sizeof *y), 0, "other bits: %lld wide, stride %lld",
                 (long long)d.width, (long long)d.stride_x);
    d.filter_width--;
    for (d.workers = 2; d.workers <= 8; d.workers += 3) { /* which may cut rows */
        memset(y, 0, (size_t)results * sizeof *y);
        k->depthwise_convolve(&d, image, filter, &none, y);
        cr_expect_eq(memcmp(y, by_strips, (size_t)results * sizeof *y), 0, "other bits with %d workers", d.workers);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(by_strips[results + i]));
    free(image), free(filter), free(wider), free(y), free(by_strips);
}

ISA_TEST(depthwise, strips_sum_in_the_order_of_other_loops)
{
    for (int64_t size = 3; size <= 5; size += 2)
        for (int64_t stride = 1; stride <= 2; stride++)
            for (int64_t width = 3; width <= 40; width += 1 + width / 8)
                check_bits(k, wide_sizes(k, size, stride, width, width % 3 == 0));
}

/* Two images are ATL_FAR_FLOATS, of which a gradient fetches what it will write; each of them alone is less. */
static void check_far(const atl_kernel_table *k, int64_t stride)
{
    atl_conv_sizes d = wide_sizes(k, 3, stride, 80, 0);
    d.height = ATL_FAR_FLOATS / 2 / d.width / d.channels + 1;
    d.result_height = (d.height + stride - 1) / stride;
    const int64_t results = results_of(&d), pixels = d.batch * d.height * d.width * d.channels;
    cr_assert(pixels >= ATL_FAR_FLOATS && pixels / 2 < ATL_FAR_FLOATS);
    float *image = random_floats(pixels), *filter = random_floats(9 * d.channels), *by = random_floats(pixels);
    float *dy = random_floats(results), *y[2] = {random_floats(results), random_floats(results)};
    float *dx[2] = {random_floats(pixels), random_floats(pixels)};
    for (int alone = 0; alone < 2; alone++) {
        d.batch = alone ? 1 : 2;
        for (int64_t n = 0; n <= alone; n++) {
            const int64_t in = n * pixels / 2, out = n * results / 2;
            k->depthwise_convolve(&d, image + in, filter, &(atl_epilogue){.relu_grad = by + out}, y[alone] + out);
            k->depthwise_image_gradient(&d, dy + out, filter, &(atl_epilogue){.relu_grad = by + in}, dx[alone] + in);
        }
    }
    cr_expect_eq(memcmp(y[0], y[1], (size_t)results * sizeof *y[0]), 0, "stride %lld", (long long)stride);
    cr_expect_eq(memcmp(dx[0], dx[1], (size_t)pixels * sizeof *dx[0]), 0, "gradient, stride %lld", (long long)stride);
    float *all[] = {image, filter, by, dy, y[0], y[1], dx[0], dx[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

ISA_TEST(depthwise, far_images_have_the_bits_of_near_ones)
{
    check_far(k, 1);
    check_far(k, 2);
}

/* What is outside of the image is not multiplied, not even by infinity, and rare operations are applied in order. */
static void check_special(const atl_kernel_table *k, atl_conv_sizes d)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.f, 1e-40f};
    const int64_t results = results_of(&d), pixels = d.batch * d.height * d.width * d.channels;
    const int64_t elements = d.filter_height * d.filter_width * d.channels;
    float *image = random_floats(pixels), *filter = random_floats(elements), *residual = random_floats(results);
    float *y = random_floats(results);
    uint8_t *mask = malloc((size_t)results / 8), *positive = calloc((size_t)results / 8, 1);
    for (int64_t i = 0; i < pixels; i += 611)
        image[i] = special[i / 611 % 5];
    for (int64_t i = 0; i < elements; i += 37)
        filter[i] = special[i / 37 % 5];
    for (int64_t i = 0; i < results / 8; i++)
        mask[i] = (uint8_t)(i * 37 + i / 5);
    const atl_epilogue end = {.residual = residual, .relu = 1, .highest = 0.5f, .mask = mask, .positive = positive};
    k->depthwise_convolve(&d, image, filter, &end, y);
    for (int64_t i = 0; i < results; i++) {
        double exact = result_in_double(&d, image, filter, i) + (double)residual[i];
        exact = exact <= 0 ? 0 : exact > 0.5 ? 0.5 : exact;
        exact = mask[i / 8] >> i % 8 & 1 ? exact : 0;
        if (isnan(exact))
            cr_assert(isnan(y[i]), "result %lld is %g", (long long)i, (double)y[i]);
        else
            cr_assert_float_eq((double)y[i], exact, 1e-5, "result %lld is %g", (long long)i, (double)y[i]);
        cr_assert_eq(positive[i / 8] >> i % 8 & 1, y[i] > 0 && y[i] < 0.5f, "bit %lld", (long long)i);
    }
    free(image), free(filter), free(residual), free(y), free(mask), free(positive);
}

ISA_TEST(depthwise, strips_of_special_values)
{
    for (int64_t size = 3; size <= 5; size += 2)
        for (int64_t stride = 1; stride <= 2; stride++)
            for (int64_t width = 5; width <= 38; width += 11)
                check_special(k, wide_sizes(k, size, stride, width, width == 16));
}

/* Gradients of pixels that share a filter, with a mask, are those without one where its bits are set. */
ISA_TEST(depthwise, gradients_of_pixels_by_mask)
{
    for (int64_t size = 3; size <= 5; size += 2)
        for (int64_t width = 5; width <= 38; width += 11) {
            const atl_conv_sizes d = wide_sizes(k, size, 2, width, 0);
            const int64_t pixels = d.batch * d.height * d.width * d.channels, results = results_of(&d);
            float *dy = random_floats(results), *filter = random_floats(size * size * d.channels);
            float *dx = random_floats(pixels), *masked = random_floats(pixels);
            uint8_t *mask = malloc((size_t)pixels / 8);
            for (int64_t i = 0; i < pixels / 8; i++)
                mask[i] = (uint8_t)(i * 37 + i / 5);
            for (int64_t i = 0; i < results; i += 311)
                dy[i] = i % 2 ? NAN : INFINITY;
            k->depthwise_image_gradient(&d, dy, filter, &(atl_epilogue){0}, dx);
            k->depthwise_image_gradient(&d, dy, filter, &(atl_epilogue){.mask = mask}, masked);
            for (int64_t i = 0; i < pixels; i++) {
                const float expected = mask[i / 8] >> i % 8 & 1 ? dx[i] : 0;
                cr_assert(memcmp(&masked[i], &expected, sizeof expected) == 0, "pixel %lld", (long long)i);
            }
            free(dy), free(filter), free(dx), free(masked), free(mask);
        }
}

/* A filter with one more column, of 0, has no pairs of pixels: gradients of finite numbers have the same bits.  With
 * special values they are what they are in double. */
static void check_pairs(const atl_kernel_table *k, atl_conv_sizes d, int special)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, -0.f, 1e-40f};
    const int64_t results = results_of(&d), pixels = d.batch * d.height * d.width * d.channels;
    const int64_t row = d.filter_width * d.channels;
    float *dy = random_floats(results), *filter = random_floats(d.filter_height * row);
    float *wider = calloc((size_t)(d.filter_height * (row + d.channels)), sizeof *wider);
    float *bias = random_floats(d.channels), *residual = random_floats(pixels);
    float *dx = random_floats(pixels), *by_pixel = random_floats(pixels);
    uint8_t *mask = malloc((size_t)pixels / 8),
            *bits[2] = {calloc((size_t)pixels / 8, 1), calloc((size_t)pixels / 8, 1)};
    double *exact = calloc((size_t)pixels, sizeof *exact);
    for (int64_t i = 0; i < d.filter_height; i++)
        memcpy(wider + i * (row + d.channels), filter + i * row, (size_t)row * sizeof *filter);
    for (int64_t i = 0; i < pixels / 8; i++)
        mask[i] = (uint8_t)(i * 37 + i / 5);
    for (int64_t i = 0; i < results && special; i += 311)
        dy[i] = values[i / 311 % 5];
    atl_epilogue end = {.bias = bias, .residual = residual, .relu = 1, .highest = 0.5f, .mask = mask};
    end.positive = bits[0];
    k->depthwise_image_gradient(&d, dy, filter, &end, dx);
    give_to_pixels(&d, dy, filter, exact);
    for (int64_t i = 0; i < pixels && special; i++) {
        double x = exact[i] + (double)bias[i % d.channels] + (double)residual[i];
        x = x <= 0 ? 0 : x > 0.5 ? 0.5 : x;
        x = mask[i / 8] >> i % 8 & 1 ? x : 0;
        cr_assert(isnan(x) ? isnan(dx[i]) : fabs((double)dx[i] - x) < 1e-5, "pixel %lld: %g, %g", (long long)i,
                  (double)dx[i], x);
        cr_assert_eq(bits[0][i / 8] >> i % 8 & 1, dx[i] > 0 && dx[i] < 0.5f, "bit %lld", (long long)i);
    }
    d.filter_width++;
    end.positive = bits[1];
    k->depthwise_image_gradient(&d, dy, wider, &end, by_pixel);
    cr_expect(special || memcmp(dx, by_pixel, (size_t)pixels * sizeof *dx) == 0, "other bits: %lld wide, size %lld",
              (long long)d.width, (long long)d.filter_height);
    cr_expect(special || memcmp(bits[0], bits[1], (size_t)pixels / 8) == 0, "another mask: %lld wide",
              (long long)d.width);
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(dx[pixels + i]));
    float *all[] = {dy, filter, wider, bias, residual, dx, by_pixel};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(mask), free(bits[0]), free(bits[1]), free(exact);
}

ISA_TEST(depthwise, pairs_of_pixels)
{
    for (int64_t size = 3; size <= 5; size += 2)
        for (int64_t width = 1; width <= 40; width += 1 + width / 8)
            for (int64_t padding = 0; padding < size; padding++) {
                atl_conv_sizes d = wide_sizes(k, size, 2, width, 0);
                d.pad_left = d.pad_top = padding;
                check_pairs(k, d, 0);
                check_pairs(k, d, 1);
            }
}
