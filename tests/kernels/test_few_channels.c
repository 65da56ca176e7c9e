/* The gradient by the image of convolutions with few channels, against loops in double. */
#include "convolutions.h"

/* Adds to dx what one pixel of dy gives by one element of the filter. */
static void give_to_pixel(const atl_conv_sizes *f, const float *dy, const float *filter, double *dx)
{
    for (int64_t c = 0; c < f->channels; c++)
        for (int64_t o = 0; o < f->result_channels; o++)
            dx[c] += (double)dy[o] * (double)filter[c * f->result_channels + o];
}

static double *gradient_in_double(const atl_conv_sizes *f, const float *dy, const float *filter)
{
    double *dx = calloc((size_t)count_of_image(f) + 1, sizeof *dx);
    for (int64_t q = 0; q < f->batch * f->result_height * f->result_width; q++)
        for (int64_t t = 0; t < f->filter_height * f->filter_width; t++) {
            int64_t ox = q % f->result_width, oy = q / f->result_width % f->result_height,
                    n = q / f->result_width / f->result_height;
            int64_t y = oy * f->stride_y - f->pad_top + t / f->filter_width;
            int64_t x = ox * f->stride_x - f->pad_left + t % f->filter_width;
            if (y >= 0 && y < f->height && x >= 0 && x < f->width)
                give_to_pixel(f, dy + q * f->result_channels, filter + t * f->channels * f->result_channels,
                              dx + ((n * f->height + y) * f->width + x) * f->channels);
        }
    return dx;
}

static void gradient(const atl_kernel_table *k, const atl_conv_sizes *f, const float *dy, const float *filter,
                     float *dx)
{
    float *scratch = random_floats(k->few_channels_image_scratch(f));
    k->few_channels_image_gradient(f, dy, filter, scratch, dx);
    free(scratch);
}

/* Some numbers of dy and of the filter are special. */
static void check_with(const atl_kernel_table *k, atl_conv_sizes f, int special)
{
    static const float values[] = {INFINITY, NAN, -0.f, -INFINITY, 1e-40f};
    const int64_t count = count_of_image(&f);
    float *dy = random_floats(count_of_results(&f)), *filter = random_floats(count_of_filter(&f));
    float *dx = random_floats(count), *again = random_floats(count);
    for (int64_t i = 0; i < count_of_results(&f) && special; i += 4001)
        dy[i] = values[i / 4001 % 5];
    for (int64_t i = 0; i < count_of_filter(&f) && special; i += 97)
        filter[i] = values[i / 97 % 5];
    double *exact = gradient_in_double(&f, dy, filter);
    gradient(k, &f, dy, filter, dx);
    for (int64_t i = 0; i < count; i++)
        cr_assert(isnan(exact[i]) ? isnan(dx[i]) : (double)dx[i] == exact[i] || fabs((double)dx[i] - exact[i]) < 2e-4,
                  "%lldx%lld, strides %lld and %lld, %lldx%lldx%lld, number %lld: %g, not %g",
                  (long long)f.filter_height, (long long)f.filter_width, (long long)f.stride_y, (long long)f.stride_x,
                  (long long)f.height, (long long)f.width, (long long)f.channels, (long long)i, (double)dx[i],
                  exact[i]);
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(dx[count + i]), "written behind the image");
    f.workers = 3;
    gradient(k, &f, dy, filter, again);
    cr_assert_eq(memcmp(dx, again, (size_t)count * sizeof *dx), 0, "other bits with three workers");
    free(dy), free(filter), free(dx), free(again), free(exact);
}

static void check(const atl_kernel_table *k, atl_conv_sizes f) { check_with(k, f, 0); }

ISA_TEST(few_channels, windows_strides_and_edges) { check_windows(k, 61, check); }

/* Few numbers add up to each pixel of wide images, which go by planes: edges of all kinds, and special values, which
 * must not reach pixels that are not read with them. */
ISA_TEST(few_channels, planes)
{
    for (int64_t size = 2; size <= 5; size++)
        for (int64_t stride = 2; stride <= 3; stride++)
            for (int64_t pixels = 64; pixels <= 131; pixels += 5) {
                atl_conv_sizes f = square(3, (1 + pixels % 2) * k->vector, size, stride, pixels % size, pixels);
                f.height = 17;
                f.result_height = results(f.height, size, stride, f.pad_top) - (pixels % 3 == 0);
                f.result_width -= pixels % 4 == 0 ? 3 : 0;
                f.batch = 2;
                check(k, f);
                check_with(k, f, 1);
            }
}

/* Results of 32 and 64 channels have loops of their own. */
ISA_TEST(few_channels, rectangles) { check_rectangles(k, check); }

ISA_TEST(few_channels, pixels_that_no_window_reads) { check_unread_pixels(k, check); }

/* Each image has the same bits wherever it is in the batch. */
ISA_TEST(few_channels, places_in_the_batch)
{
    atl_conv_sizes f = square(3, 2 * k->vector, 3, 1, 1, 29);
    f.batch = 3;
    int64_t results_of_one = count_of_results(&f) / 3, image = count_of_image(&f) / 3;
    float *dy = random_floats(3 * results_of_one), *filter = random_floats(count_of_filter(&f));
    float *dx = random_floats(3 * image);
    for (int n = 1; n < 3; n++)
        memcpy(dy + n * results_of_one, dy, (size_t)results_of_one * sizeof *dy);
    f.workers = 2;
    gradient(k, &f, dy, filter, dx);
    for (int n = 1; n < 3; n++)
        cr_assert_eq(memcmp(dx, dx + n * image, (size_t)image * sizeof *dx), 0);
    free(dy), free(filter), free(dx);
}

/* Elements of the filter that lie beside the image are left out, not multiplied by zero; what is infinite or NaN goes
 * where it is read, and nowhere else. */
ISA_TEST(few_channels, special_values)
{
    const atl_conv_sizes f = square(2, k->vector, 3, 1, 1, 17);
    float *dy = random_floats(count_of_results(&f)), *filter = random_floats(count_of_filter(&f));
    float *dx = random_floats(count_of_image(&f));
    for (int64_t i = 0; i < f.channels * f.result_channels; i++)
        filter[i] = INFINITY; /* the first element: no window of the result reads row or column 16 by it */
    dy[(5 * f.result_width + 6) * f.result_channels + 1] = NAN;
    gradient(k, &f, dy, filter, dx);
    for (int64_t y = 0; y < f.height; y++)
        for (int64_t x = 0; x < f.width; x++)
            for (int64_t c = 0; c < f.channels; c++) {
                float got = dx[(y * f.width + x) * f.channels + c];
                int reads_nan = y >= 4 && y <= 6 && x >= 5 && x <= 7;
                if (reads_nan)
                    cr_expect(isnan(got), "pixel %lld, %lld is %g", (long long)y, (long long)x, (double)got);
                else if (y == f.height - 1 || x == f.width - 1)
                    cr_expect(isfinite(got), "pixel %lld, %lld is %g", (long long)y, (long long)x, (double)got);
            }
    free(dy), free(filter), free(dx);
}
