/* Local response normalisation, in vectors and in blocks, against loops in double. */
#include "kernels/lrn.h"

#include "isas.h"

static double scale_at(const atl_normalization *of, const float *x, int64_t c)
{
    double sum = 0;
    for (int64_t i = c - of->radius; i <= c + of->radius; i++)
        sum += i >= 0 && i < of->channels ? (double)x[i] * (double)x[i] : 0;
    return (double)of->bias + (double)of->alpha * sum;
}

/* Channel c of a pixel, or of its gradient. */
static double expected_at(const atl_normalization *of, const float *dy, const float *x, int64_t c)
{
    double power = pow(scale_at(of, x, c), -(double)of->beta), sum = 0;
    if (!dy)
        return (double)x[c] * power;
    for (int64_t i = c - of->radius; i <= c + of->radius; i++)
        if (i >= 0 && i < of->channels)
            sum += (double)dy[i] * (double)x[i] * pow(scale_at(of, x, i), -(double)of->beta - 1);
    double whole = (double)dy[c] * power - 2 * (double)of->alpha * (double)of->beta * (double)x[c] * sum;
    return of->relu_grad && !(x[c] > 0) ? 0 : whole;
}

static void check(const atl_kernel_table *k, atl_normalization of, int backward)
{
    float *x = random_floats(of.pixels * of.channels), *dy = random_floats(of.pixels * of.channels),
          *result = random_floats(of.pixels * of.channels);
    of.x = x, of.dy = backward ? dy : NULL, of.result = result;
    int in_vectors = k->lrn_fits_vectors(&of);
    if (in_vectors)
        k->lrn_vectors(&of, 0, of.pixels);
    else
        for (int64_t at = 0; at < of.pixels * of.channels; at += of.channels)
            for (int64_t c = 0; c < of.channels; c += ATL_LRN_BLOCK) {
                int64_t last = c + ATL_LRN_BLOCK < of.channels ? c + ATL_LRN_BLOCK : of.channels;
                if (backward)
                    k->lrn_grad_block(&of, dy + at, x + at, c, last, result + at);
                else
                    k->lrn_block(&of, x + at, c, last, result + at);
            }
    of.relu_grad &= in_vectors;
    for (int64_t i = 0; i < of.pixels * of.channels; i++) {
        int64_t start = i / of.channels * of.channels;
        double expected = expected_at(&of, backward ? dy + start : NULL, x + start, i - start);
        cr_assert_float_eq((double)result[i], expected, 2e-6, "%s of %lld channels, radius %lld, beta %g: %g, not %g",
                           in_vectors ? "vectors" : "blocks", (long long)of.channels, (long long)of.radius,
                           (double)of.beta, (double)result[i], expected);
    }
    for (int i = 0; i < MARGIN; i++)
        cr_assert(isnan(result[of.pixels * of.channels + i]));
    free(x), free(dy), free(result);
}

ISA_TEST(lrn, channels_radii_and_exponents)
{
    static const float betas[] = {0.5f, 0.75f, 1, 1.3f};
    static const int64_t odd[] = {1, 5, 13, 70, 1030};
    for (int64_t vectors = 1; vectors <= 9; vectors++)
        for (int64_t radius = 1; radius <= 9; radius++)
            for (int b = 0; b < 4; b++)
                for (int backward = 0; backward < 2; backward++)
                    check(k,
                          (atl_normalization){.pixels = 3,
                                              .channels = vectors * k->vector,
                                              .radius = radius,
                                              .bias = 1,
                                              .alpha = 0.5f,
                                              .beta = betas[b],
                                              .relu_grad = (int)(radius % 2)},
                          backward);
    for (int i = 0; i < 5; i++)
        for (int64_t radius = 0; radius <= 256; radius = radius * 4 + 4)
            for (int backward = 0; backward < 2; backward++)
                check(k,
                      (atl_normalization){.pixels = 2,
                                          .channels = odd[i],
                                          .radius = radius,
                                          .bias = 2,
                                          .alpha = 0.1f,
                                          .beta = betas[i % 4]},
                      backward);
}

/* Channels that fit in a vector use the vector kernel. */
ISA_TEST(lrn, fits_vectors)
{
    atl_normalization of = {.pixels = 1, .channels = 64, .radius = 2, .bias = 1, .alpha = 1, .beta = 0.75f};
    cr_expect(k->lrn_fits_vectors(&of));
    of.channels = 66;
    cr_expect_not(k->lrn_fits_vectors(&of));
    of.channels = 64, of.radius = 9;
    cr_expect_not(k->lrn_fits_vectors(&of));
    of.radius = 2, of.beta = 0.9f;
    cr_expect_not(k->lrn_fits_vectors(&of));
}
