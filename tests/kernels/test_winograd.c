/* Winograd's method against loops in double, in all sizes that leave something over: tiles, blocks of tiles, channels, workers. */
#include "kernels/kernels.h"

#include <math.h>

#include "support.h"

/* Adds to the result, or to the filter, what every pair of a pixel and a tap is worth. */
static void convolve_in_double(const atl_winograd *w, const float *image, const double *filter, const double *y,
                               double *result, double *dw)
{
    for (int64_t n = 0; n < w->batch; n++)
        for (int64_t q = 0; q < w->result_height * w->result_width; q++)
            for (int t = 0; t < w->taps * w->taps; t++) {
                int64_t iy = q / w->result_width - w->pad_top + t / w->taps;
                int64_t ix = q % w->result_width - w->pad_left + t % w->taps;
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

/* The filter as the gradient by the image wants it: turned, inputs and outputs swapped. */
static float *transposed(const atl_winograd *w, const float *filter)
{
    int64_t taps = w->taps * w->taps;
    float *to = malloc((size_t)(taps * w->in * w->out) * sizeof *to);
    for (int64_t t = 0; t < taps; t++)
        for (int64_t i = 0; i < w->in; i++)
            for (int64_t o = 0; o < w->out; o++)
                to[((taps - 1 - t) * w->out + o) * w->in + i] = filter[(t * w->in + i) * w->out + o];
    return to;
}

static void check(const atl_winograd *w)
{
    int64_t pixels = w->batch * w->height * w->width, results = w->batch * w->result_height * w->result_width;
    int64_t filters = (int64_t)w->taps * w->taps * w->in * w->out;
    float *image = random_floats(pixels * w->in), *filter = random_floats(filters);
    float *bias = random_floats(w->out), *residual = random_floats(results * w->out);
    float *relu_grad = random_floats(results * w->out), *back = transposed(w, filter);
    float *transformed = random_floats(atl_winograd_filter_floats(w)), *dw = random_floats(filters);
    float *scratch = random_floats(atl_winograd_scratch_floats(w) + atl_winograd_gradient_scratch_floats(w));
    float *y = random_floats(results * w->out), *again = random_floats(results * w->out);
    double *weights = doubles_of(filter, filters), *expected = doubles_of(NULL, results * w->out);
    double *expected_dw = doubles_of(NULL, filters), *dy = doubles_of(relu_grad, results * w->out);

    convolve_in_double(w, image, weights, NULL, expected, NULL);
    atl_winograd_transform_filter(w, filter, 0, transformed);
    atl_winograd_convolve(w, image, transformed, &(atl_epilogue){0}, scratch, y);
    expect_near(y, expected, results * w->out, "convolution");
    atl_winograd_transform_filter(w, back, 1, transformed);
    atl_winograd_convolve(w, image, transformed, &(atl_epilogue){0}, scratch, again);
    cr_expect_eq(memcmp(y, again, (size_t)(results * w->out) * sizeof *y), 0, "of a turned filter");

    for (int64_t k = 0; k < results * w->out; k++) {
        double sum = expected[k] + (double)bias[k % w->out] + (double)residual[k];
        expected[k] = relu_grad[k] > 0 && sum > 0 ? sum : 0;
    }
    const atl_epilogue end = {.bias = bias, .residual = residual, .relu = 1, .relu_grad = relu_grad};
    atl_winograd_convolve(w, image, transformed, &end, scratch, y);
    expect_near(y, expected, results * w->out, "bias, residual, relu, gate");

    convolve_in_double(w, image, NULL, dy, NULL, expected_dw);
    atl_winograd_filter_gradient(w, image, relu_grad, scratch, dw);
    expect_near(dw, expected_dw, filters, "gradient by the filter");

    float *all[] = {image, filter, bias, residual, relu_grad, back, transformed, dw, scratch, y, again};
    double *more[] = {weights, expected, expected_dw, dy};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        free(more[i]);
}

Test(winograd, same_padding)
{
    for (int taps = 3; taps <= 5; taps += 2)
        for (int workers = 1; workers <= 3; workers++)
            for (int64_t size = 1; size <= 13; size += 4)
                check(&(atl_winograd){.batch = 2,
                                      .height = size,
                                      .width = size + 2,
                                      .result_height = size,
                                      .result_width = size + 2,
                                      .in = 32,
                                      .out = 16,
                                      .pad_top = taps / 2,
                                      .pad_left = taps / 2,
                                      .taps = taps,
                                      .workers = workers});
}

Test(winograd, no_padding_and_uneven_padding)
{
    for (int taps = 3; taps <= 5; taps += 2) {
        check(&(atl_winograd){.batch = 3,
                              .height = 9,
                              .width = 11,
                              .result_height = 10 - taps,
                              .result_width = 12 - taps,
                              .in = 16,
                              .out = 16,
                              .taps = taps,
                              .workers = 2});
        check(&(atl_winograd){.batch = 1,
                              .height = 6,
                              .width = 5,
                              .result_height = 7,
                              .result_width = 4,
                              .in = 16,
                              .out = 32,
                              .pad_top = taps - 1,
                              .pad_left = 1,
                              .taps = taps,
                              .workers = 2});
    }
}

/* Channels that are multiplied 16, 32, 48 and 64 at a time, by all workers together where there are few tiles. */
Test(winograd, channels)
{
    static const int64_t channels[][2] = {{16, 48}, {48, 64}, {64, 192}, {80, 16}, {16, 128}, {128, 96}};
    for (int i = 0; i < 6; i++)
        for (int workers = 1; workers <= 2; workers++)
            check(&(atl_winograd){.batch = 1,
                                  .height = 10,
                                  .width = 10,
                                  .result_height = 10,
                                  .result_width = 10,
                                  .in = channels[i][0],
                                  .out = channels[i][1],
                                  .pad_top = 1,
                                  .pad_left = 1,
                                  .taps = 3,
                                  .workers = workers});
}
