/* The filter gradient of a depthwise convolution against loops in double. */
#include "kernels/depthwise.h"

#include "isas.h"

static double tap_in_double(const atl_depthwise *d, const float *image, const float *dy, int64_t ty, int64_t tx,
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

static void check(const atl_kernel_table *k, atl_depthwise d)
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
                check(k, (atl_depthwise){.batch = 2,
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
