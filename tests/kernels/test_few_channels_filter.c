/* The gradient by the filter of convolutions with few channels, against loops in double. */
#include "convolutions.h"

/* Adds to dw what one pixel of dy gives to element t of the filter, unless it lies beside the image. */
static void give_to_element(const atl_conv_sizes *f, int64_t pixel, int64_t t, const float *image, const float *dy,
                            double *dw)
{
    const int64_t ox = pixel % f->result_width, oy = pixel / f->result_width % f->result_height;
    const int64_t n = pixel / f->result_width / f->result_height;
    const int64_t y = oy * f->stride_y - f->pad_top + t / f->filter_width;
    const int64_t x = ox * f->stride_x - f->pad_left + t % f->filter_width;
    for (int64_t c = 0; c < f->channels && y >= 0 && y < f->height && x >= 0 && x < f->width; c++)
        for (int64_t o = 0; o < f->result_channels; o++)
            dw[(t * f->channels + c) * f->result_channels + o] +=
                (double)image[((n * f->height + y) * f->width + x) * f->channels + c] *
                (double)dy[pixel * f->result_channels + o];
}

static double *gradient_in_double(const atl_conv_sizes *f, const float *image, const float *dy)
{
    double *dw = calloc((size_t)count_of_filter(f) + 1, sizeof *dw);
    for (int64_t pixel = 0; pixel < f->batch * f->result_height * f->result_width; pixel++)
        for (int64_t t = 0; t < f->filter_height * f->filter_width; t++)
            give_to_element(f, pixel, t, image, dy, dw);
    return dw;
}

static void assert_gradient(const atl_conv_sizes *f, const float *dw, const double *exact)
{
    const double bound = 1e-6 * (1 + (double)(f->batch * f->result_height * f->result_width));
    for (int64_t i = 0; i < count_of_filter(f); i++)
        cr_assert(fabs((double)dw[i] - exact[i]) <= bound || (isnan(dw[i]) && isnan(exact[i])) ||
                      (double)dw[i] == exact[i],
                  "%lldx%lld, strides %lld and %lld, %lldx%lldx%lld to %lld, %d workers, number %lld: %g, not %g",
                  (long long)f->filter_height, (long long)f->filter_width, (long long)f->stride_y,
                  (long long)f->stride_x, (long long)f->height, (long long)f->width, (long long)f->channels,
                  (long long)f->result_channels, f->workers, (long long)i, (double)dw[i], exact[i]);
}

/* With one worker and with some, each twice. */
static void check_arrays(const atl_kernel_table *k, atl_conv_sizes f, const float *image, const float *dy)
{
    const int64_t count = count_of_filter(&f);
    double *exact = gradient_in_double(&f, image, dy);
    for (f.workers = 1; f.workers <= 3; f.workers++) {
        float *dw = random_floats(count), *again = random_floats(count);
        const int64_t floats = k->few_channels_filter_scratch(&f);
        float *scratch = random_floats(floats);
        k->few_channels_filter_gradient(&f, image, dy, scratch, dw);
        assert_gradient(&f, dw, exact);
        for (int i = 0; i < MARGIN; i++)
            cr_assert(isnan(dw[count + i]) && isnan(scratch[floats + i]), "written behind the filter");
        k->few_channels_filter_gradient(&f, image, dy, scratch, again);
        cr_assert_eq(memcmp(dw, again, (size_t)count * sizeof *dw), 0, "other bits with the same workers");
        free(dw), free(again), free(scratch);
    }
    free(exact);
}

static void check(const atl_kernel_table *k, atl_conv_sizes f)
{
    float *image = random_floats(count_of_image(&f)), *dy = random_floats(count_of_results(&f));
    check_arrays(k, f, image, dy);
    free(image), free(dy);
}

ISA_TEST(few_channels_filter, windows_strides_and_edges) { check_windows(k, 40, check); }

/* From one vector of results to some groups of four, and rows of results that are longer than a block. */
ISA_TEST(few_channels_filter, results_of_all_widths)
{
    for (int64_t vectors = 1; vectors <= 11; vectors++)
        check(k, square(3, vectors * k->vector, 3, 1, 1, 9));
    atl_conv_sizes f = square(3, 4 * k->vector, 5, 1, 2, 5);
    for (f.width = 90; f.width < 1000; f.width *= 3) {
        f.result_width = f.width;
        check(k, f);
    }
}

ISA_TEST(few_channels_filter, rectangles) { check_rectangles(k, check); }

ISA_TEST(few_channels_filter, pixels_that_no_window_reads) { check_unread_pixels(k, check); }

/* No images: no terms. */
ISA_TEST(few_channels_filter, no_results)
{
    atl_conv_sizes f = square(3, k->vector, 3, 1, 1, 8);
    f.batch = 0;
    check(k, f);
}

/* Elements of the filter that lie beside the image are left out, not multiplied by zero. */
ISA_TEST(few_channels_filter, special_values)
{
    const float values[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e-40f, 3e38f};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++)
        for (int64_t pixel = 0; pixel < 17 * 17; pixel += 16) { /* corners, edges, and pixels inside */
            const atl_conv_sizes f = square(2, 2 * k->vector, 3, 1, 1, 17);
            float *image = random_floats(count_of_image(&f)), *dy = random_floats(count_of_results(&f));
            for (int64_t i = 0; i < count_of_image(&f); i++)
                image[i] = image[i] > 0 ? 1 : -0.5f;
            for (int64_t i = 0; i < count_of_results(&f); i++)
                dy[i] = fabsf(values[v]) < 1 ? values[v] : 0.25f;
            dy[pixel * f.result_channels + pixel % f.result_channels] = values[v];
            check_arrays(k, f, image, dy);
            free(image), free(dy);
        }
}
