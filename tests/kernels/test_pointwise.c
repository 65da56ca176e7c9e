/* 1x1 convolutions with a pixel stride larger than the channels, against loops in double. */
#include "post_ops.h"

/* With a post-op the results and the mask are the same, where pixels do not lie apart; the number of ranges. */
static int64_t check_post_op(const atl_kernel_table *k, atl_pointwise p, const float *image, const float *packed,
                             atl_epilogue end, const float *expected)
{
    const uint8_t *mask = end.positive;
    const int64_t count = p.pixels * p.out;
    const atl_conv_sizes sizes = {.height = p.pixels, .width = p.in, .workers = p.workers}; /* for messages */
    post_op_check c = new_post_op_check(expected, count);
    end.post_op = (atl_post_op){see_results, &c};
    end.positive = mask ? calloc((size_t)count / 8 + 64, 1) : NULL;
    k->pointwise_convolve(&p, image, packed, &end, c.result);
    cr_assert(!mask || memcmp(mask, end.positive, (size_t)count / 8) == 0, "another mask");
    free(end.positive);
    return finish_post_op_check(&c, &sizes);
}

static void check(const atl_kernel_table *k, const atl_pointwise *p, int transposed)
{
    float *image = random_floats(p->pixels * p->in_pixel_stride), *filter = random_floats(p->in * p->out);
    float *bias = random_floats(p->out), *residual = random_floats(p->pixels * p->out);
    const int64_t addend_stride = p->out + 16 * transposed;
    float *scale = random_floats(p->out), *addend = random_floats(p->pixels * addend_stride);
    float *factor = random_floats(p->pixels * p->out);
    float *relu_grad = random_floats(p->pixels * p->out), *packed = random_floats(p->in * p->out);
    float *result = random_floats(p->pixels * p->out_pixel_stride),
          *before = random_floats(p->pixels * p->out_pixel_stride);
    memcpy(before, result, (size_t)(p->pixels * p->out_pixel_stride) * sizeof *before);
    k->pointwise_pack(p, filter, transposed, packed);
    const atl_epilogue end = {.bias = bias,
                              .residual = residual,
                              .relu = 1,
                              .highest = 0.6f,
                              .relu_grad = relu_grad,
                              .scale = scale,
                              .addend = addend,
                              .addend_pixel_stride = addend_stride,
                              .factor = factor};
    k->pointwise_convolve(p, image, packed, &end, result);
    for (int64_t q = 0; q < p->pixels; q++)
        for (int64_t o = 0; o < p->out_pixel_stride; o++) {
            float got = result[q * p->out_pixel_stride + o];
            if (o >= p->out) {
                cr_assert_eq(got, before[q * p->out_pixel_stride + o], "written between the pixels");
                continue;
            }
            double sum = (double)bias[o] + (double)residual[q * p->out + o];
            for (int64_t i = 0; i < p->in; i++)
                sum += (double)image[q * p->in_pixel_stride + i] *
                       (double)filter[transposed ? o * p->in + i : i * p->out + o];
            float by = relu_grad[q * p->out + o];
            sum = sum > (double)end.highest ? (double)end.highest : sum;
            sum = by > 0 && by < end.highest && sum > 0 ? sum : 0;
            sum = sum * (double)scale[o] + (double)addend[q * addend_stride + o];
            sum *= (double)factor[q * p->out + o];
            cr_assert_float_eq((double)got, sum, 1e-5 + 3e-8 * (double)p->in, "pixel %lld, output %lld", (long long)q,
                               (long long)o);
        }
    atl_pointwise dense = *p;
    dense.out_pixel_stride = p->out;
    k->pointwise_convolve(&dense, image, packed, &end, result);
    for (dense.workers = 1; dense.workers <= 3; dense.workers++)
        check_post_op(k, dense, image, packed, end, result);
    float *all[] = {image, filter, bias, residual, relu_grad, scale, addend, factor, packed, result, before};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

ISA_TEST(pointwise, channels_rows_workers)
{
    static const int64_t outs[] = {1, 2, 3, 4, 5, 8};
    for (int i = 0; i < 6; i++)
        for (int workers = 1; workers <= 3; workers++)
            for (int64_t pixels = 1; pixels <= 37; pixels += 9)
                check(k,
                      &(atl_pointwise){.pixels = pixels,
                                       .in = 5 + 11 * i,
                                       .out = outs[i] * k->vector,
                                       .in_pixel_stride = 70,
                                       .out_pixel_stride = outs[i] * k->vector + 16 * (i % 2),
                                       .workers = workers},
                      i % 2);
}

/* Filters that the first-level cache does not hold, more pixels than a block has, and sums of every length. */
ISA_TEST(pointwise, large_filters)
{
    static const int64_t outs[] = {3, 4, 5, 6, 7, 8};
    for (int i = 0; i < 6; i++)
        for (int64_t pixels = 1; pixels <= 251; pixels += 50)
            check(k,
                  &(atl_pointwise){.pixels = pixels,
                                   .in = 700 + 5 * i,
                                   .out = outs[i] * k->vector,
                                   .in_pixel_stride = 730,
                                   .out_pixel_stride = outs[i] * k->vector + 16 * (i % 2),
                                   .workers = 1 + i % 3},
                  i % 2);
}

/* So many outputs that blocks have the fewest pixels. */
ISA_TEST(pointwise, wide_results)
{
    for (int i = 0; i < 3; i++)
        for (int64_t pixels = 23; pixels <= 103; pixels += 20)
            check(k,
                  &(atl_pointwise){.pixels = pixels,
                                   .in = 50 + i,
                                   .out = (65 + i) * k->vector,
                                   .in_pixel_stride = 60,
                                   .out_pixel_stride = (66 + i) * k->vector,
                                   .workers = 1 + i},
                  i % 2);
}

/* Numbers of vectors that no one kind of panel divides; with few pixels and many terms threads share the panels. */
ISA_TEST(pointwise, panels_of_two_widths)
{
    for (int64_t vectors = 1; vectors <= 23; vectors++)
        for (int workers = 1; workers <= 3; workers++) {
            const int64_t out = vectors * k->vector, in = workers == 2 ? 1 + 70000 / out : 300;
            check(k,
                  &(atl_pointwise){.pixels = workers == 2 ? 13 : 49,
                                   .in = in,
                                   .out = out,
                                   .in_pixel_stride = in,
                                   .out_pixel_stride = out + k->vector,
                                   .workers = workers},
                  vectors % 2);
        }
}

/* relu(NaN) is NaN, whichever operand it comes from. */
ISA_TEST(pointwise, relu_keeps_not_a_number)
{
    const atl_pointwise p = {
        .pixels = 37, .in = 16, .out = 32, .in_pixel_stride = 16, .out_pixel_stride = 32, .workers = 1};
    float *image = random_floats(p.pixels * p.in), *packed = random_floats(p.in * p.out);
    float *bias = random_floats(p.out), *result = random_floats(p.pixels * p.out);
    image[3 * p.in] = NAN;
    bias[5] = NAN;
    const atl_epilogue end = {.bias = bias, .relu = 1};
    k->pointwise_convolve(&p, image, packed, &end, result);
    for (int64_t i = 0; i < p.pixels * p.out; i++)
        cr_assert_eq(isnan(result[i]) != 0, i / p.out == 3 || i % p.out == 5, "element %lld: %g", (long long)i,
                     (double)result[i]);
    free(image);
    free(packed);
    free(bias);
    free(result);
}

/* ---- few outputs, and few terms ---------------------------------------------------------------------------------- */

/* Numbers of outputs that are not all multiples of a vector, sums of an even and of an odd length. */
ISA_TEST(pointwise, few_outputs)
{
    static const int64_t outs[] = {8, 16, 24, 40, 48, 96, 144, 192};
    for (int i = 0; i < 8; i++)
        for (int64_t pixels = 1; pixels <= 43 && atl_pointwise_has(outs[i], k->vector); pixels += pixels < 4 ? 1 : 7)
            for (int64_t in = 0; in <= 40; in += in < 3 ? 1 : 18)
                check(k,
                      &(atl_pointwise){.pixels = pixels,
                                       .in = in,
                                       .out = outs[i],
                                       .in_pixel_stride = in + 3 * (pixels % 2),
                                       .out_pixel_stride = outs[i] + 8 * (pixels % 3),
                                       .workers = 1 + pixels % 3},
                      i % 2);
}

/* min(max(sum, 0), 6) or, for a gradient, the sum where y is above 0 and below 6, one by one; NaN stays NaN. */
static float expected(const atl_epilogue *end, float sum, float y)
{
    if (!end->relu)
        return y > 0 && y < end->highest ? sum : 0;
    return sum <= 0 ? 0 : sum > end->highest ? end->highest : sum;
}

/* Sums of one term, 1, and so the numbers of the filter: every special value at every place of a vector, with its
 * mask's bit, and with the gradient by an array or by bits. */
ISA_TEST(pointwise, special_values)
{
    static const float special[] = {NAN, -NAN, INFINITY, -INFINITY, 0, -0.0f, 1e-42f, -1e-42f, 6, 5.9999995f, 7, -1, 3};
    static const int64_t outs[] = {16, 24, 32, 40, 96, 144};
    for (int n = 0; n < 6 * 13 && k->vector >= 8; n++) {
        const int64_t out = outs[n / 13], pixels = 13, count = pixels * out;
        const atl_pointwise p = {
            .pixels = pixels, .in = 1, .out = out, .in_pixel_stride = 1, .out_pixel_stride = out, .workers = 1};
        if (!atl_pointwise_has(out, k->vector))
            continue;
        float *image = random_floats(pixels), *filter = random_floats(out), *packed = random_floats(out);
        float *result = random_floats(count), *y = random_floats(count);
        uint8_t *bits = calloc(1, (size_t)count / 8 + 64);
        for (int64_t q = 0; q < pixels; q++)
            image[q] = 1;
        for (int64_t o = 0; o < out; o++)
            filter[o] = special[(o + n) % 13];
        for (int64_t i = 0; i < count; i++)
            y[i] = special[(i + i / 13 + n) % 13];
        k->pointwise_pack(&p, filter, 0, packed);
        const atl_epilogue ends[] = {{.relu = 1, .highest = 6, .positive = bits},
                                     {.relu_grad = y, .highest = 6},
                                     {.mask = bits, .highest = 6}};
        for (int e = 0; e < 3; e++) {
            if (e == 2)
                for (int64_t i = 0; i < count; i++)
                    bits[i / 8] = (uint8_t)((i % 8 ? bits[i / 8] : 0) | (y[i] > 0 && y[i] < 6) << i % 8);
            k->pointwise_convolve(&p, image, packed, &ends[e], result);
            for (int64_t i = 0; i < count; i++) {
                const float want = expected(&ends[e], filter[i % out], e ? y[i] : 0);
                cr_assert(isnan(want) ? isnan(result[i]) : result[i] == want, "end %d, %lld of %lld: %g, not %g", e,
                          (long long)i, (long long)out, (double)result[i], (double)want);
                if (e == 0)
                    cr_assert_eq(bits[i / 8] >> i % 8 & 1, want > 0 && want < 6, "bit %lld", (long long)i);
            }
            check_post_op(k, p, image, packed, ends[e], result);
        }
        float *all[] = {image, filter, packed, result, y};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            free(all[i]);
        free(bits);
    }
}

/* Tiles of other pixels, but each sum in its own order. */
ISA_TEST(pointwise, workers_change_no_bit)
{
    atl_pointwise p = {.pixels = 197, .in = 192, .out = 7 * k->vector, .in_pixel_stride = 192, .workers = 1};
    p.out_pixel_stride = p.out;
    float *image = random_floats(p.pixels * p.in), *packed = random_floats(p.in * p.out);
    float *result[2] = {random_floats(p.pixels * p.out), random_floats(p.pixels * p.out)};
    k->pointwise_convolve(&p, image, packed, &(atl_epilogue){0}, result[0]);
    for (p.workers = 2; p.workers <= 5; p.workers++) {
        k->pointwise_convolve(&p, image, packed, &(atl_epilogue){0}, result[1]);
        for (int64_t i = 0; i < p.pixels * p.out; i++)
            cr_assert_eq(result[0][i], result[1][i], "element %lld, %d workers", (long long)i, p.workers);
    }
    free(image);
    free(packed);
    free(result[0]);
    free(result[1]);
}

/* Ranges are long, but for the last ones; threads share the pixels, or the panels: then a range is of one pixel. */
ISA_TEST(pointwise, ranges_of_post_ops)
{
    static const int64_t sizes[][3] = {{9000, 16, 24},  {3001, 24, 40},  {5000, 8, 16},   {1500, 20, 64},
                                       {400, 192, 384}, {300, 100, 320}, {101, 64, 1600}, {100, 1000, 640},
                                       {97, 100, 4000}, {3, 700, 1008},  {1, 1000, 2000}, {26, 400, 6000}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        atl_pointwise p = {.pixels = sizes[i][0],
                           .in = sizes[i][1],
                           .out = sizes[i][2],
                           .in_pixel_stride = sizes[i][1]};
        p.out_pixel_stride = p.out;
        if (!atl_pointwise_has(p.out, k->vector))
            continue;
        const int64_t count = p.pixels * p.out;
        float *image = random_floats(p.pixels * p.in), *packed = random_floats(p.in * p.out);
        float *result = random_floats(count);
        const atl_epilogue end = {.bias = packed};
        p.workers = 1;
        k->pointwise_convolve(&p, image, packed, &end, result);
        for (p.workers = 1; p.workers <= 2; p.workers++) {
            const int64_t ranges = check_post_op(k, p, image, packed, end, result);
            cr_assert(ranges <= 2 * p.workers + count / 300, "%lld ranges of %lld numbers", (long long)ranges,
                      (long long)count);
        }
        free(image), free(packed), free(result);
    }
}
