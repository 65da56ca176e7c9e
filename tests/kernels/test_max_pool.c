/* Max-pooling and its gradient against plain loops, with ties and NaN. */
#include "kernels/max_pool.h"

#include "isas.h"

/* The element of the window that is its maximum: the first NaN, else the first of the largest. */
static int64_t maximum_of(const atl_max_pool *p, int64_t n, int64_t o, int64_t q, int64_t c, float *largest_out)
{
    int64_t best = -1;
    for (int64_t k = 0; k < p->v.size * p->h.size; k++) {
        int64_t i = o * p->v.stride - p->v.pad + k / p->h.size, j = q * p->h.stride - p->h.pad + k % p->h.size;
        if (i < 0 || i >= p->v.input || j < 0 || j >= p->h.input)
            continue;
        float x = p->x[((n * p->v.input + i) * p->h.input + j) * p->channels + c];
        if (best < 0 || x > *largest_out || (isnan(x) && !isnan(*largest_out))) {
            best = k;
            *largest_out = x;
        }
    }
    return best;
}

static void check_forward(const atl_max_pool *p, float *expected_dx)
{
    int64_t results = p->batch * p->v.output * p->h.output * p->channels;
    for (int64_t to = 0; to < results; to++) {
        int64_t c = to % p->channels, q = to / p->channels % p->h.output, row = to / p->channels / p->h.output;
        int64_t n = row / p->v.output, o = row % p->v.output;
        float largest = 0;
        int64_t k = maximum_of(p, n, o, q, c, &largest);
        cr_assert(memcmp(&p->y[to], &largest, sizeof largest) == 0 || (isnan(p->y[to]) && isnan(largest)),
                  "result %lld is %g, not %g", (long long)to, (double)p->y[to], (double)largest);
        cr_assert_eq(p->positions[to], k, "position %lld is %d, not %lld", (long long)to, p->positions[to],
                     (long long)k);
        int64_t i = o * p->v.stride - p->v.pad + k / p->h.size, j = q * p->h.stride - p->h.pad + k % p->h.size;
        expected_dx[((n * p->v.input + i) * p->h.input + j) * p->channels + c] += p->dy[to];
    }
    cr_assert_eq(p->positions[results], 0xAA, "written beyond the positions");
}

static void check_image(const atl_kernel_table *k, atl_max_pool p, float *x)
{
    int64_t pixels = p.batch * p.v.input * p.h.input * p.channels;
    int64_t results = p.batch * p.v.output * p.h.output * p.channels;
    float *y = random_floats(results), *dy = random_floats(results);
    float *dx = random_floats(pixels), *expected = calloc((size_t)pixels, sizeof *expected);
    uint8_t *positions = malloc((size_t)results + MARGIN);
    memset(positions, 0xAA, (size_t)results + MARGIN);
    p.x = x, p.y = y, p.positions = positions, p.dy = dy, p.maximum_at = positions, p.dx = dx;
    k->max_pool_rows(&p, 0, p.batch * p.v.output);
    check_forward(&p, expected);
    k->max_pool_gradient_rows(&p, 0, p.batch * p.v.input);
    for (int64_t i = 0; i < pixels; i++)
        cr_assert_float_eq((double)dx[i], (double)expected[i], 1e-5, "gradient %lld is %g, not %g", (long long)i,
                           (double)dx[i], (double)expected[i]);
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(y[results + i]) && isnan(dx[pixels + i]));
    float *again = random_floats(results);
    p.y = again, p.positions = NULL;
    for (int64_t row = 0; row < p.batch * p.v.output; row++)
        k->max_pool_rows(&p, row, row + 1);
    cr_expect_eq(memcmp(y, again, (size_t)results * sizeof *y), 0, "other bits without positions, row by row");
    free(y), free(dy), free(dx), free(expected), free(positions), free(again);
}

static void check(const atl_kernel_table *k, atl_max_pool p)
{
    const int64_t pixels = p.batch * p.v.input * p.h.input * p.channels;
    float *x = random_floats(pixels);
    for (int64_t i = 0; i < pixels; i++) /* ties, and a NaN here and there */
        x[i] = i % 53 == 7 ? NAN : floorf(4 * x[i]);
    check_image(k, p, x);
    free(x);
}

/* Windows that overlap, that touch, that leave gaps, and that reach beyond the image on either side. */
ISA_TEST(max_pool, windows_strides_and_edges)
{
    for (int64_t size = 1; size <= 5; size++)
        for (int64_t stride = 1; stride <= size + 1; stride++)
            for (int64_t pad = 0; pad < size; pad++)
                for (int64_t pixels = size; pixels <= size + 6; pixels += 3) {
                    int64_t output = (pixels + pad - size) / stride + 1, beyond = output + (pad > 0);
                    int reaches = (beyond - 1) * stride - pad < pixels;
                    atl_pool_direction v = {pixels, output, size, stride, pad};
                    atl_pool_direction h = {pixels + 2, reaches ? beyond : output, size, stride, pad};
                    check(k, (atl_max_pool){.batch = 2, .channels = (1 + size % 3) * k->vector, .v = v, .h = h});
                }
}

/* Of zeros of either sign the first counts; windows with and without NaN stand side by side. */
ISA_TEST(max_pool, special_values)
{
    const float values[] = {0.0f, -0.0f, -INFINITY, 1e-40f, -1e-40f, INFINITY, NAN};
    for (int64_t size = 2; size <= 3; size++)
        for (int kinds = 1; kinds <= 7; kinds++) {
            atl_pool_direction d = {14, 1 + (14 - size) / 2, size, 2, 0};
            atl_max_pool p = {.batch = 1, .channels = 2 * k->vector, .v = d, .h = d};
            const int64_t pixels = p.v.input * p.h.input * p.channels;
            float *x = random_floats(pixels);
            for (int64_t i = 0; i < pixels; i++) {
                const int kind = (int)(fabsf(x[i]) * 1e4f) % 20;
                x[i] = values[kinds == 7 ? kind % 6 : kind % kinds];
                if (kinds == 7 && kind == 19 && i % 5 == 0)
                    x[i] = NAN;
            }
            check_image(k, p, x);
            free(x);
        }
}

/* An image so large that its rows are asked for before they are read. */
ISA_TEST(max_pool, large_image)
{
    for (int64_t size = 2; size <= 3; size++) {
        atl_pool_direction d = {112, 1 + (112 - size) / 2, size, 2, 0};
        check(k, (atl_max_pool){.batch = 2, .channels = 64, .v = d, .h = d});
    }
}

ISA_TEST(max_pool, the_widest_window)
{
    atl_pool_direction d = {19, 4, 16, 1, 0};
    check(k, (atl_max_pool){.batch = 1, .channels = k->vector, .v = d, .h = d});
}
