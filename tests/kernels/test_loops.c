/* Loops over plain arrays (conversions, rows, sums, pooling, masks, pixels) against loops in double, over lengths
 * that are no multiple of a vector. */
#include "isas.h"

#define LENGTHS(n) for (int64_t n = 0; n < 140; n += n < 36 ? 1 : 13)

static void expect_floats(const char *what, int64_t n, const float *got, const double *expected)
{
    for (int64_t i = 0; i < n; i++)
        cr_expect((isnan(got[i]) && isnan(expected[i])) || fabs((double)got[i] - expected[i]) <= 1e-5,
                  "%s: number %lld of %lld is %g, not %g", what, (long long)i, (long long)n, (double)got[i],
                  expected[i]);
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(got[n + i]), "%s writes beyond its %lld results", what, (long long)n);
}

enum { MOST = 140 };

ISA_TEST(loops, conversions)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 3e9f, -3e9f, 2147483520.0f, -0.5f, 0.99f, -7.9f};
    static const int32_t expected[] = {0, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 2147483520, 0, 0, -7};
    LENGTHS(n)
    {
        float x[MOST] = {0};
        int32_t y[MOST + 1];
        unsigned char bytes[MOST] = {0};
        double same[MOST];
        for (int64_t i = 0; i < n; i++)
            x[i] = special[i % 9], bytes[i] = (unsigned char)(i * 7);
        y[n] = 12345;
        k->floats_to_ints(n, x, y);
        for (int64_t i = 0; i < n; i++)
            cr_expect_eq(y[i], expected[i % 9], "%g becomes %d", (double)x[i], y[i]);
        cr_assert_eq(y[n], 12345);
        float *z = random_floats(n);
        k->ints_to_floats(n, y, z);
        for (int64_t i = 0; i < n; i++)
            same[i] = (double)(float)y[i];
        expect_floats("ints_to_floats", n, z, same);
        k->floats_of_bytes(bytes, n, z);
        for (int64_t i = 0; i < n; i++)
            same[i] = bytes[i];
        expect_floats("floats_of_bytes", n, z, same);
        free(z);
    }
}

ISA_TEST(loops, rows)
{
    LENGTHS(n)
    {
        float *x = random_floats(n), *dy = random_floats(n), *y = random_floats(n);
        double expected[MOST] = {0}, sum = 0, most = -INFINITY, dot = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += (double)x[i], dot += (double)x[i] * (double)dy[i], most = fmax(most, (double)x[i]);
            expected[i] = exp((double)x[i] - 0.25);
        }
        cr_expect(fabs((double)k->sum_of(x, n) - sum) < 1e-5);
        cr_expect_eq((double)k->largest_of(x, n), most);
        k->exp_below(x, 0.25f, n, y);
        expect_floats("exp_below", n, y, expected);
        for (int64_t i = 0; i < n; i++)
            expected[i] = (double)x[i] * ((double)dy[i] - dot);
        k->softmax_grad_row(n, dy, x, y);
        expect_floats("softmax_grad_row", n, y, expected);
        free(x), free(dy), free(y);
    }
}

/* Runs of one to three columns, of which the last may be shorter, are added to totals, and cleared. */
static void expect_flushed(const atl_kernel_table *k, int64_t n, const float *a)
{
    enum { COLUMNS = 3 };
    for (int columns = 1; columns <= COLUMNS; columns++) {
        float sum[MOST];
        double total[COLUMNS] = {1, 2, 3}, expected[COLUMNS] = {1, 2, 3};
        memcpy(sum, a, (size_t)n * sizeof *sum);
        for (int64_t i = 0; i < n; i++)
            expected[i % columns] += (double)a[i];
        k->flush_sums(sum, total, columns, n);
        for (int c = 0; c < COLUMNS; c++)
            cr_assert_float_eq(total[c], expected[c], 1e-9, "column %d of %d, %d numbers", c, columns, (int)n);
        for (int64_t i = 0; i < n; i++)
            cr_assert_eq(sum[i], 0);
    }
}

/* x - mean, over the root of the variance; and its gradient, times that root, so that it is about 1. */
static void normalize_in_double(int64_t n, const float *x, const float *dy, double *y, double *dx)
{
    double mean = 0, variance = 0, middle = 0, product = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n, middle += (double)dy[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++) {
        y[i] = ((double)x[i] - mean) / sqrt(variance + 1e-6);
        product += ((double)dy[i] - middle) * y[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        dx[i] = (double)dy[i] - middle - y[i] * product;
    dx[n] = sqrt(variance + 1e-6);
}

/* Rows about 0, far from it, and with a first number that is far from the others; alone, and with an epilogue, over
 * operands. */
ISA_TEST(loops, normalized_rows)
{
    static const float offsets[] = {0, 1e4f, 0}, firsts[] = {0, 0, -3e6f};
    LENGTHS(n)
    for (int c = 0; n > 0 && c < 3; c++) {
        float *x = random_floats(n), *dy = random_floats(n), *y = random_floats(n), *dx = random_floats(n);
        float *scale = random_floats(n), *shift = random_floats(n), *addend = random_floats(n);
        double expected[MOST], slopes[MOST + 1];
        for (int64_t i = 0; i < n; i++)
            x[i] += offsets[c] + (i ? 0 : firsts[c]);
        normalize_in_double(n, x, dy, expected, slopes);
        k->normalize_row(n, 1e-6f, x, NULL, NULL, NULL, y);
        k->normalize_grad_row(n, 1e-6f, dy, x, NULL, dx);
        expect_floats("normalize_row", n, y, expected);
        for (int64_t i = 0; i < n; i++)
            dx[i] = (float)((double)dx[i] * slopes[n]);
        expect_floats("normalize_grad_row", n, dx, slopes);
        for (int64_t i = 0; i < n; i++) {
            dx[i] = addend[i];
            slopes[i] = slopes[i] / slopes[n] + (double)addend[i];
            expected[i] = expected[i] * (double)scale[i] + (double)shift[i] + (double)addend[i];
        }
        k->normalize_grad_row(n, 1e-6f, dy, x, dx, dx);
        k->normalize_row(n, 1e-6f, x, scale, shift, addend, x);
        expect_floats("normalize_grad_row with an epilogue", n, dx, slopes);
        expect_floats("normalize_row with an epilogue", n, x, expected);
        free(x), free(dy), free(y), free(dx), free(scale), free(shift), free(addend);
    }
}

ISA_TEST(loops, one_number_again_and_again)
{
    LENGTHS(n)
    {
        float to[MOST + 1];
        to[n] = 7;
        k->fill_with(to, 0.25f, n);
        for (int64_t i = 0; i < n; i++)
            cr_assert_eq(to[i], 0.25f);
        cr_assert_eq(to[n], 7);
    }
}

ISA_TEST(loops, each_number_again_and_again)
{
    for (int64_t run = 1; run < 40; run += run < 20 ? 1 : 9)
        for (int64_t count = 0; count < 6; count++)
            for (int64_t stride = 0; stride < 3; stride++) {
                float from[12] = {1, -0.0f, NAN, 1e-40f, INFINITY, 2, 3, 4, 5, 6, 7, 8};
                float *to = malloc((size_t)(count * run + 1) * sizeof *to);
                to[count * run] = 12345;
                k->repeat_each(to, from, stride, count, run);
                for (int64_t i = 0; i < count * run; i++)
                    cr_assert_eq(memcmp(&to[i], &from[i / run * stride], sizeof *to), 0, "number %lld, runs of %lld",
                                 (long long)i, (long long)run);
                cr_assert_eq(to[count * run], 12345);
                free(to);
            }
}

/* The same bits as row after row. */
ISA_TEST(loops, rows_are_added)
{
    LENGTHS(n)
    for (int64_t rows = 0; rows < 5; rows++) {
        float *a = random_floats(5 * (n + 3)), *sum = random_floats(n), *expected = random_floats(n);
        memcpy(sum, expected, (size_t)n * sizeof *sum);
        if (n)
            a[n - 1] = NAN, sum[0] = expected[0] = -0.0f;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < n; i++)
                expected[i] += a[r * (n + 3) + i];
        k->add_rows_to_sums(sum, a, rows, n + 3, n);
        for (int64_t i = 0; i < n; i++)
            cr_assert(sum[i] == expected[i] || (isnan(sum[i]) && isnan(expected[i])), "%lld of %lld", (long long)i,
                      (long long)n);
        free(a), free(sum), free(expected);
    }
}

/* Of runs side by side, and of columns. */
ISA_TEST(loops, sums_of_runs)
{
    enum { RUNS = 3 };
    for (int64_t n = 0; n < 40; n++)
        for (int64_t columns = 1; columns < 4; columns++)
            for (int is_product = 0; is_product < 2; is_product++) {
                float *a = random_floats(RUNS * n * columns), *b = random_floats(RUNS * n * columns);
                float result[RUNS * 4 + MARGIN];
                double expected[RUNS * 4] = {0};
                for (int i = 0; i < RUNS * 4 + MARGIN; i++)
                    result[i] = NAN;
                if (n)
                    a[n * columns] = NAN; /* the first column's of the second run */
                for (int64_t i = 0; i < RUNS * n * columns; i++)
                    expected[i / (n * columns) * columns + i % columns] +=
                        0.5 * (double)a[i] * (is_product ? (double)b[i] : 1);
                k->sum_runs(a, is_product ? b : NULL, RUNS, n, columns, 0.5, result);
                expect_floats("sum_runs", RUNS * columns, result, expected);
                free(a), free(b);
            }
}

ISA_TEST(loops, sums)
{
    LENGTHS(n)
    {
        float *a = random_floats(n), *b = random_floats(n), *sum = random_floats(n), *square = random_floats(n);
        double expected[MOST], squares[MOST];
        for (int64_t i = 0; i < n; i++)
            expected[i] = (double)sum[i] + (double)a[i];
        k->add_to_sums(sum, a, n);
        expect_floats("add_to_sums", n, sum, expected);
        for (int64_t i = 0; i < n; i++)
            expected[i] += (double)a[i] * (double)b[i];
        k->add_products_to_sums(sum, a, b, n);
        expect_floats("add_products_to_sums", n, sum, expected);
        for (int64_t i = 0; i < n; i++) {
            double d = (double)a[i] - (double)b[i];
            expected[i] += d, squares[i] = (double)square[i] + d * d;
        }
        k->add_deviations(sum, square, a, b, n);
        expect_floats("add_deviations", n, sum, expected);
        expect_floats("add_deviations, squares", n, square, squares);
        expect_flushed(k, n, a);
        free(a), free(b), free(sum), free(square);
    }
}

static int is_largest(float x, double largest) { return (double)x == largest || (isnan(x) && isnan(largest)); }

ISA_TEST(loops, pooling)
{
    LENGTHS(n)
    {
        float *x = random_floats(n), *best = random_floats(n), *g = random_floats(n), *picked = random_floats(n);
        double largest[MOST], expected[MOST];
        for (int64_t i = 0; i < n; i++) {
            largest[i] = fmax((double)x[i], (double)best[i]);
            expected[i] = x[i] > best[i] ? (double)g[i] : (double)picked[i];
        }
        if (n > 3)
            x[3] = NAN, largest[3] = NAN, expected[3] = (double)g[3];
        float *again = random_floats(n), waiting[MOST];
        memcpy(again, best, (size_t)n * sizeof *again);
        k->keep_larger(n, x, again);
        expect_floats("keep_larger", n, again, largest);
        k->pick_where_larger(n, x, g, best, picked);
        expect_floats("pick_where_larger", n, picked, expected);
        expect_floats("pick_where_larger, largest", n, best, largest);
        for (int64_t i = 0; i < n; i++) {
            waiting[i] = (float)(i % 3 > 0);
            expected[i] = (double)picked[i] + (is_largest(x[i], largest[i]) && i % 3 > 0 ? (double)g[i] : 0);
        }
        k->add_where_largest(n, x, best, g, waiting, picked);
        expect_floats("add_where_largest", n, picked, expected);
        for (int64_t i = 0; i < n; i++) {
            cr_expect_eq((double)waiting[i], i % 3 > 0 && !is_largest(x[i], largest[i]) ? 1 : 0);
            expected[i] += 0.25 * (double)x[i];
        }
        k->add_scaled(n, 0.25f, x, picked);
        expect_floats("add_scaled", n, picked, expected);
        free(x), free(best), free(g), free(picked), free(again);
    }
}

ISA_TEST(loops, masks)
{
    static const int64_t counts[] = {0, 1, 15, 16, 17, 511, 512, 513, 1000, 1551};
    for (int c = 0; c < 10; c++) {
        int64_t n = counts[c], blocks = (n + ATL_MASK_BLOCK - 1) / ATL_MASK_BLOCK;
        float *x = random_floats(n), *g = random_floats(n), *y = random_floats(n);
        uint8_t *mask = calloc((size_t)blocks * ATL_MASK_BLOCK / 8 + 1, 1);
        double *expected = calloc((size_t)n + 1, sizeof *expected);
        for (int64_t i = 0; i < n; i += 5)
            x[i] = i % 2 ? NAN : 0;
        k->mask_blocks(&(atl_mask_job){.x = x, .mask = mask, .count = n, .highest = 0.5f}, 0, blocks);
        for (int64_t i = 0; i < n; i++)
            cr_expect_eq(mask[i / 8] >> i % 8 & 1, x[i] > 0 && x[i] < 0.5f, "element %lld of %lld, with a limit",
                         (long long)i, (long long)n);
        k->mask_blocks(&(atl_mask_job){.x = x, .mask = mask, .count = n}, 0, blocks);
        for (int64_t i = 0; i < n; i++) {
            cr_expect_eq(mask[i / 8] >> i % 8 & 1, x[i] > 0, "element %lld of %lld", (long long)i, (long long)n);
            expected[i] = x[i] > 0 ? (double)g[i] : 0;
        }
        cr_assert_eq(mask[blocks * ATL_MASK_BLOCK / 8], 0);
        k->relu_grad_by_mask_blocks(&(atl_mask_job){.x = g, .by = mask, .result = y, .count = n}, 0, blocks);
        expect_floats("relu_grad_by_mask_blocks", n, y, expected);
        free(x), free(g), free(y), free(mask), free(expected);
    }
}

/* Pixels after a step, in double. */
static void expect_step(const char *what, int64_t n, const atl_descent_job *d, const float *before, const double *step)
{
    double largest = 0, expected[MOST], seen = 0;
    int64_t moved = 0, count = 0;
    for (int64_t i = 0; i < n; i++) {
        expected[i] = fmin(fmax((double)before[i] - step[i], -0.5), 0.5);
        largest = fmax(largest, fabs(step[i]));
        moved += (float)expected[i] != before[i];
    }
    expect_floats(what, n, d->pixels, expected);
    for (int i = 0; i < ATL_DESCENT_PARTS; i++)
        seen = fmax(seen, (double)d->largest[i]), count += d->moved[i];
    cr_expect_float_eq(seen, largest, 1e-5, "%s", what);
    cr_expect_eq(count, moved, "%s: %lld pixels moved, not %lld", what, (long long)count, (long long)moved);
}

ISA_TEST(loops, steps_downhill)
{
    LENGTHS(n)
    {
        float *x = random_floats(n), *g = random_floats(n), *m = random_floats(n), *v = random_floats(n);
        float before[MOST];
        double step[MOST];
        atl_descent_job job = {.pixels = x,
                               .mean = m,
                               .square = v,
                               .gradient = g,
                               .factor = 0.25f,
                               .lowest = -0.5f,
                               .highest = 0.5f,
                               .mean_left = 0.875f,
                               .square_left = 0.96875f};
        atl_descent_job d = job;
        memcpy(before, x, (size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++)
            step[i] = 0.25 * (double)g[i];
        k->descend_gradient(&d, n);
        expect_step("descend_gradient", n, &d, before, step);
        d = job;
        memcpy(before, x, (size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++)
            step[i] = g[i] > 0 ? 0.25 : g[i] < 0 ? -0.25 : 0;
        k->descend_sign(&d, n);
        expect_step("descend_sign", n, &d, before, step);
        d = job;
        memcpy(before, x, (size_t)n * sizeof *x);
        for (int64_t i = 0; i < n; i++) {
            v[i] = fabsf(v[i]) + 0.125f;
            double mean = 0.875 * (double)m[i] + 0.125 * (double)g[i],
                   square = 0.96875 * (double)v[i] + 0.03125 * (double)g[i] * (double)g[i];
            step[i] = 0.25 * mean / sqrt(square);
        }
        k->descend_moments(&d, n);
        expect_step("descend_moments", n, &d, before, step);
        free(x), free(g), free(m), free(v);
    }
}

ISA_TEST(loops, pixels)
{
    LENGTHS(n)
    {
        float *x = random_floats(n), *y = random_floats(n);
        double expected[MOST], largest = 0;
        for (int64_t i = 0; i < n; i++) {
            x[i] *= 400;
            largest = fmax(largest, fabs((double)x[i]));
        }
        cr_expect_eq((double)k->largest_magnitude(n, x), largest);
        if (n > 0)
            x[n / 2] = NAN;
        cr_expect(n == 0 || isnan(k->largest_magnitude(n, x)));
        for (int64_t i = 0; i < n; i++)
            expected[i] = isnan(x[i]) ? 0 : fmin(fmax((double)x[i], 0), 255);
        k->clamp_pixels(n, x);
        expect_floats("clamp_pixels", n, x, expected);
        for (int64_t i = 0; i < n; i++)
            expected[i] = floor((double)(x[i] + 0.5f));
        k->round_pixels(n, x, y);
        expect_floats("round_pixels", n, y, expected);
        free(x), free(y);
    }
}

/* Weights that no normal float holds are 0, where a softmax's mask subtracts 100 from scores as well. */
ISA_TEST(loops, exponentials_are_normal_or_zero)
{
    LENGTHS(n)
    {
        float *x = random_floats(n), *y = random_floats(n);
        for (int64_t i = 0; i < n; i++)
            x[i] = i % 3 ? -100 * fabsf(x[i]) : -80 - 30 * fabsf(x[i]);
        x[n / 2] = NAN;
        k->exp_below(x, 0, n, y);
        for (int64_t i = 0; i < n; i++) {
            double expected = x[i] < -87 ? 0 : exp((double)x[i]);
            cr_expect(i == n / 2 ? isnan(y[i]) : fabs((double)y[i] - expected) <= 1e-6 * expected, "e^%g is %g",
                      (double)x[i], (double)y[i]);
        }
        free(x), free(y);
    }
}
