/* Winograd's algorithm against loops in double, in all sizes with remainders: tiles, blocks of tiles, channels,
 * workers. */
#include "isas.h"

/* Adds the product of every pair of a pixel and a filter element to the result, or to the filter gradient. */
static void convolve_in_double(const atl_winograd *w, const float *image, const double *filter, const double *y,
                               double *result, double *dw)
{
    for (int64_t n = 0; n < w->batch; n++)
        for (int64_t q = 0; q < w->result_height * w->result_width; q++)
            for (int t = 0; t < w->kernel_size * w->kernel_size; t++) {
                int64_t down = w->dilation_y ? w->dilation_y : 1, across = w->dilation_x ? w->dilation_x : 1;
                int64_t iy = q / w->result_width - w->pad_top + t / w->kernel_size * down;
                int64_t ix = q % w->result_width - w->pad_left + t % w->kernel_size * across;
                if (iy < 0 || iy >= w->height || ix < 0 || ix >= w->width)
                    continue;
                const float *x = image + ((n * w->height + iy) * w->width + ix) * w->in;
                int64_t to = (n * w->result_height * w->result_width + q) * w->out;
                for (int64_t i = 0; i < w->in; i++)
                    for (int64_t o = 0; o < w->out; o++)
                        if (dw)
                            dw[(t * w->in + i) * w->out + o] += (double)x[i] * y[to + o];
                        else
                            result[to + o] += (double)x[i] * filter[(t * w->in + i) * w->out + o];
            }
}

static void expect_near(const float *got, const double *expected, int64_t count, const char *what)
{
    double error = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        error += ((double)got[i] - expected[i]) * ((double)got[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    cr_expect_lt(sqrt(error), 1e-5 * sqrt(norm), "%s: %g relative", what, sqrt(error / norm));
}

static double *doubles_of(const float *x, int64_t count)
{
    double *copy = calloc((size_t)count, sizeof *copy);
    cr_assert(copy);
    for (int64_t i = 0; x && i < count; i++)
        copy[i] = (double)x[i];
    return copy;
}

/* The filter for the image gradient: flipped, with inputs and outputs swapped. */
static float *transposed(const atl_winograd *w, const float *filter)
{
    int64_t kernel_size = w->kernel_size * w->kernel_size;
    float *to = malloc((size_t)(kernel_size * w->in * w->out) * sizeof *to);
    for (int64_t t = 0; t < kernel_size; t++)
        for (int64_t i = 0; i < w->in; i++)
            for (int64_t o = 0; o < w->out; o++)
                to[((kernel_size - 1 - t) * w->out + o) * w->in + i] = filter[(t * w->in + i) * w->out + o];
    return to;
}

static uint8_t *mask_of(const atl_kernel_table *k, const float *x, int64_t count)
{
    int64_t blocks = (count + ATL_MASK_BLOCK - 1) / ATL_MASK_BLOCK;
    uint8_t *mask = malloc((size_t)blocks * ATL_MASK_BLOCK / 8);
    k->mask_blocks(&(atl_mask_job){.x = x, .mask = mask, .count = count}, 0, blocks);
    return mask;
}

static void expect_mask(const uint8_t *mask, const float *y, float highest, int64_t count)
{
    for (int64_t i = 0; i < count && mask; i++)
        cr_assert_eq(mask[i / 8] >> i % 8 & 1, y[i] > 0 && y[i] < highest, "bit of element %lld", (long long)i);
}

/* Channel counts are in vectors. */
static void check(const atl_kernel_table *k, atl_winograd sizes)
{
    const atl_winograd *w = &sizes;
    sizes.in *= k->vector;
    sizes.out *= k->vector;
    sizes.cache_bytes = 100 << 10;
    sizes.shared_bytes = 100 << 10;
    int64_t pixels = w->batch * w->height * w->width, results = w->batch * w->result_height * w->result_width;
    int64_t filters = (int64_t)w->kernel_size * w->kernel_size * w->in * w->out;
    float *image = random_floats(pixels * w->in), *filter = random_floats(filters);
    float *bias = random_floats(w->out), *residual = random_floats(results * w->out);
    float *relu_grad = random_floats(results * w->out), *back = transposed(w, filter);
    float *transformed = random_floats(k->winograd_filter_floats(w)), *dw = random_floats(filters);
    float *scratch = random_floats(k->winograd_scratch_floats(w) + k->winograd_gradient_scratch_floats(w));
    float *large = random_floats(k->winograd_large_scratch_floats(w));
    float *y = random_floats(results * w->out), *again = random_floats(results * w->out);
    double *weights = doubles_of(filter, filters), *expected = doubles_of(NULL, results * w->out);
    double *expected_dw = doubles_of(NULL, filters), *dy = doubles_of(relu_grad, results * w->out);

    convolve_in_double(w, image, weights, NULL, expected, NULL);
    k->winograd_transform_filter(w, filter, 0, transformed);
    k->winograd_convolve(w, image, transformed, &(atl_epilogue){0}, scratch, y);
    expect_near(y, expected, results * w->out, "convolution");
    k->winograd_transform_filter(w, back, 1, transformed);
    k->winograd_convolve(w, image, transformed, &(atl_epilogue){0}, scratch, again);
    cr_expect_eq(memcmp(y, again, (size_t)(results * w->out) * sizeof *y), 0, "of a transposed filter");
    k->winograd_convolve_large(w, image, filter, 0, &(atl_epilogue){0}, large, y);
    expect_near(y, expected, results * w->out, "convolution, large");
    k->winograd_convolve_large(w, image, back, 1, &(atl_epilogue){0}, large, again);
    cr_expect_eq(memcmp(y, again, (size_t)(results * w->out) * sizeof *y), 0, "of a transposed filter, large");

    for (int64_t n = 0; n < results * w->out; n++) {
        double sum = expected[n] + (double)bias[n % w->out] + (double)residual[n];
        expected[n] = relu_grad[n] > 0 && sum > 0 ? sum : 0;
    }
    atl_epilogue end = {.bias = bias, .residual = residual, .relu = 1, .relu_grad = relu_grad};
    k->winograd_convolve(w, image, transformed, &end, scratch, y);
    expect_near(y, expected, results * w->out, "bias, residual, relu and its gradient");
    end.relu_grad = NULL;
    end.mask = mask_of(k, relu_grad, results * w->out);
    k->winograd_convolve(w, image, transformed, &end, scratch, again);
    cr_expect_eq(memcmp(y, again, (size_t)(results * w->out) * sizeof *y), 0, "by a mask");
    end.positive = k->vector >= 8 ? calloc((size_t)(results * w->out), 1) : NULL;
    k->winograd_convolve_large(w, image, filter, 0, &end, large, y);
    expect_near(y, expected, results * w->out, "by a mask, large");
    expect_mask(end.positive, y, INFINITY, results * w->out);
    end.highest = 0.5f;
    k->winograd_convolve_large(w, image, filter, 0, &end, large, again);
    for (int64_t n = 0; n < results * w->out; n++)
        cr_assert_eq(again[n], fminf(y[n], 0.5f));
    expect_mask(end.positive, again, 0.5f, results * w->out);
    k->winograd_convolve(w, image, transformed, &end, scratch, again);
    expect_mask(end.positive, again, 0.5f, results * w->out);
    free((void *)end.mask), free(end.positive);

    convolve_in_double(w, image, NULL, dy, NULL, expected_dw);
    k->winograd_filter_gradient(w, image, relu_grad, scratch, dw);
    expect_near(dw, expected_dw, filters, "gradient by the filter");

    float *all[] = {image, filter, bias, residual, relu_grad, back, transformed, dw, scratch, large, y, again};
    double *more[] = {weights, expected, expected_dw, dy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        free(more[i]);
}

ISA_TEST(winograd, same_padding)
{
    for (int kernel_size = 3; kernel_size <= 5; kernel_size += 2)
        for (int workers = 1; workers <= 3; workers++)
            for (int64_t size = 1; size <= 13; size += 4)
                check(k, (atl_winograd){.batch = 2,
                                        .height = size,
                                        .width = size + 2,
                                        .result_height = size,
                                        .result_width = size + 2,
                                        .in = 2,
                                        .out = 1,
                                        .pad_top = kernel_size / 2,
                                        .pad_left = kernel_size / 2,
                                        .kernel_size = kernel_size,
                                        .workers = workers});
}

ISA_TEST(winograd, no_padding_and_uneven_padding)
{
    for (int kernel_size = 3; kernel_size <= 5; kernel_size += 2) {
        check(k, (atl_winograd){.batch = 3,
                                .height = 9,
                                .width = 11,
                                .result_height = 10 - kernel_size,
                                .result_width = 12 - kernel_size,
                                .in = 1,
                                .out = 1,
                                .kernel_size = kernel_size,
                                .workers = 2});
        check(k, (atl_winograd){.batch = 1,
                                .height = 6,
                                .width = 5,
                                .result_height = 7,
                                .result_width = 4,
                                .in = 1,
                                .out = 2,
                                .pad_top = kernel_size - 1,
                                .pad_left = 1,
                                .kernel_size = kernel_size,
                                .workers = 2});
    }
}

/* Rows of more tiles than a block has. */
ISA_TEST(winograd, long_rows)
{
    for (int workers = 1; workers <= 2; workers++)
        for (int64_t width = 63; width <= 66; width++)
            check(k, (atl_winograd){.batch = 1,
                                    .height = 7,
                                    .width = width,
                                    .result_height = 7,
                                    .result_width = width,
                                    .in = 1,
                                    .out = 64 / k->vector,
                                    .pad_top = 1,
                                    .pad_left = 1,
                                    .kernel_size = 3,
                                    .workers = workers});
}

/* Tiles of two results at one edge, at the other, and at both; no others. */
ISA_TEST(winograd, short_tiles)
{
    static const int64_t sizes[][2] = {{14, 14}, {6, 8}, {8, 5}, {9, 10}, {2, 12}, {16, 1}, {2, 2}, {1, 1}, {14, 15}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int workers = 1; workers <= 2; workers++)
            check(k, (atl_winograd){.batch = 3,
                                    .height = sizes[i][0],
                                    .width = sizes[i][1],
                                    .result_height = sizes[i][0],
                                    .result_width = sizes[i][1],
                                    .in = 2,
                                    .out = 4,
                                    .pad_top = 1,
                                    .pad_left = 1,
                                    .kernel_size = 3,
                                    .workers = workers});
}

/* Dilated windows: every remainder of the results by the dilation, dilations that leave a result or none to some of the
 * interleaved images, and paddings that are none, a part of the window's reach, and all of it. */
ISA_TEST(winograd, dilated)
{
    static const int64_t dilations[][2] = {{2, 2}, {3, 3}, {4, 4}, {2, 3}, {1, 4}, {3, 1}, {9, 12}};
    for (size_t i = 0; i < sizeof dilations / sizeof *dilations; i++)
        for (int kernel_size = 3; kernel_size <= 5; kernel_size += 2)
            for (int64_t rest = 0; rest < 4; rest++) {
                const int64_t down = dilations[i][0], across = dilations[i][1];
                const int64_t reach_down = (kernel_size - 1) * down, reach_across = (kernel_size - 1) * across;
                const int64_t height = reach_down + 3 + rest, width = reach_across + 6 - rest;
                const int64_t pad_top = rest * reach_down / 3, pad_left = reach_across / (rest + 1);
                check(k, (atl_winograd){.batch = 2,
                                        .height = height,
                                        .width = width,
                                        .result_height = height + 2 * pad_top - reach_down,
                                        .result_width = width + pad_left - reach_across + rest,
                                        .in = 1 + rest % 2,
                                        .out = 1,
                                        .pad_top = pad_top,
                                        .pad_left = pad_left,
                                        .dilation_y = down,
                                        .dilation_x = across,
                                        .kernel_size = kernel_size,
                                        .workers = 1 + rest % 3});
            }
}

/* Channels that are multiplied one, two, three and four vectors at a time; by all workers together if there are few
 * tiles. */
ISA_TEST(winograd, channels)
{
    static const int64_t channels[][2] = {{1, 3}, {3, 4}, {4, 12}, {5, 1}, {1, 8}, {8, 6}, {3, 5}, {9, 16}};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int workers = 1; workers <= 2; workers++)
            check(k, (atl_winograd){.batch = 1,
                                    .height = 10,
                                    .width = 10,
                                    .result_height = 10,
                                    .result_width = 10,
                                    .in = channels[i][0],
                                    .out = channels[i][1],
                                    .pad_top = 1,
                                    .pad_left = 1,
                                    .kernel_size = 3,
                                    .workers = workers});
}

/* The sizes of caches choose blocks of tiles and slices of inputs, not the order of sums. */
ISA_TEST(winograd, large_has_the_same_bits_with_all_caches)
{
    static const int64_t caches[][2] = {{100 << 10, 100 << 10}, {1 << 20, 8 << 20}, {10 << 10, 8 << 20}};
    atl_winograd w = {.batch = 1,
                      .height = 41,
                      .width = 38,
                      .result_height = 41,
                      .result_width = 38,
                      .in = 6 * k->vector,
                      .out = 4 * k->vector,
                      .pad_top = 1,
                      .pad_left = 1,
                      .kernel_size = 3,
                      .workers = 1};
    const int64_t results = w.height * w.width * w.out;
    float *image = random_floats(w.height * w.width * w.in), *filter = random_floats(9 * w.in * w.out);
    float *y[2] = {random_floats(results), random_floats(results)};
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        w.cache_bytes = caches[i][0];
        w.shared_bytes = caches[i][1];
        float *scratch = random_floats(k->winograd_large_scratch_floats(&w));
        k->winograd_convolve_large(&w, image, filter, 0, &(atl_epilogue){0}, scratch, y[i > 0]);
        cr_expect(i == 0 || memcmp(y[0], y[1], (size_t)results * sizeof **y) == 0, "caches %zu", i);
        free(scratch);
    }
    float *all[] = {image, filter, y[0], y[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* A small cache: many blocks of tiles, and pixels are fetched ahead.  A large one: neither.  `in_pixel_stride` is what
 * lies between a pixel's channels and the next pixel. */
static void expect_same_bits_with_all_caches(const atl_kernel_table *k, atl_winograd w)
{
    const int64_t channels = w.in, stride = channels + w.in_pixel_stride, wide = w.in_pixel_stride > 0;
    const int64_t pixels = w.batch * w.height * w.width, results = w.batch * w.result_height * w.result_width;
    const int64_t filters = (int64_t)w.kernel_size * w.kernel_size * channels * w.out;
    float *image = random_floats(pixels * stride), *filter = random_floats(filters);
    float *residual = random_floats(results * w.out), *dense = random_floats(pixels * channels);
    float *made[2], *dw[2];
    image[stride] = NAN, image[pixels * stride / 2] = INFINITY, dense[1] = -INFINITY, residual[0] = -0.0f;
    w.in_pixel_stride = w.out_pixel_stride = 0;
    for (int i = 0; i < 2; i++) {
        w.cache_bytes = i ? 2 << 20 : 20 << 10;
        float *scratch = random_floats(k->winograd_scratch_floats(&w) + k->winograd_gradient_scratch_floats(&w));
        float *transformed = random_floats(k->winograd_filter_floats(&w));
        made[i] = calloc((size_t)(results * (w.out + stride)), sizeof *made[i]);
        dw[i] = random_floats(filters);
        k->winograd_transform_filter(&w, filter, 0, transformed);
        w.in_pixel_stride = wide ? stride : 0, w.out_pixel_stride = wide ? w.out + stride : 0;
        k->winograd_convolve(&w, image, transformed, &(atl_epilogue){.residual = residual, .relu_grad = residual},
                             scratch, made[i]);
        w.in_pixel_stride = w.out_pixel_stride = 0;
        k->winograd_filter_gradient(&w, dense, residual, scratch, dw[i]);
        free(scratch), free(transformed);
    }
    cr_expect_eq(memcmp(made[0], made[1], (size_t)(results * (w.out + stride)) * sizeof *made[0]), 0, "convolution");
    cr_expect_eq(memcmp(dw[0], dw[1], (size_t)filters * sizeof *dw[0]), 0, "gradient by the filter");
    float *all[] = {image, filter, residual, dense, made[0], made[1], dw[0], dw[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

ISA_TEST(winograd, same_bits_with_all_caches)
{
    for (int kernel_size = 3; kernel_size <= 5; kernel_size += 2)
        for (int pad = 0; pad < kernel_size; pad++)
            for (int64_t size = 13; size <= 16; size++)
                for (int64_t dilation = 1; dilation <= 3; dilation++)
                    expect_same_bits_with_all_caches(
                        k, (atl_winograd){.batch = 3,
                                          .height = size,
                                          .width = size + 2,
                                          .result_height = size + (2 * pad - kernel_size + 1) * dilation,
                                          .result_width = size + 2 + (1 + pad - kernel_size) * dilation,
                                          .in = (1 + size % 2) * k->vector,
                                          .out = (1 + size % 3) * k->vector,
                                          .in_pixel_stride = size / 2 % 2 * 8,
                                          .pad_top = pad * dilation,
                                          .pad_left = pad * dilation,
                                          .dilation_y = dilation,
                                          .dilation_x = dilation,
                                          .kernel_size = kernel_size,
                                          .workers = 1 + pad % 2});
}
