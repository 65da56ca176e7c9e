#include "support.h"

enum { COUNT = 37 }; /* no multiple of a vector's length */

static atl_tensor *pixels_of(float value)
{
    atl_tensor *pixels = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(COUNT));
    for (int i = 0; i < COUNT; i++)
        atl_floats(pixels)[i] = value;
    return pixels;
}

Test(descend, is_normalised_by_default)
{
    atl_tensor *pixels = pixels_of(100), *gradient = random_tensor(ATL_SHAPE(COUNT), -1e-6f, 1e-6f);
    atl_descent_effect effect;
    cr_assert(atl_descend(pixels, gradient, .rate = 4, .lowest = 0, .highest = 255, .effect_out = &effect) == ATL_OK);
    double squares = 0, along = 0, gradients = 0;
    for (int i = 0; i < COUNT; i++) {
        double step = 100 - element_of(pixels, i), g = element_of(gradient, i);
        squares += step * step;
        gradients += g * g;
        along += step * g;
    }
    cr_assert(fabs(sqrt(squares / COUNT) - 4) < 1e-4, "%g", sqrt(squares / COUNT));
    cr_assert(along / sqrt(squares * gradients) > 1 - 1e-6); /* downhill */
    cr_assert(effect.largest > 4 && effect.moved == COUNT);
    atl_tensor_free(pixels);
    atl_tensor_free(gradient);
}

Test(descend, raw_and_sign_follow_their_formulas)
{
    atl_tensor *raw = pixels_of(10), *sign = pixels_of(10), *gradient = random_tensor(ATL_SHAPE(COUNT), -1, 1);
    atl_floats(gradient)[5] = 0;
    cr_assert(atl_descend(raw, gradient, .rate = 0.5f, .method = ATL_DESCENT_RAW) == ATL_OK);
    cr_assert(atl_descend(sign, gradient, .rate = 0.5f, .method = ATL_DESCENT_SIGN) == ATL_OK);
    for (int i = 0; i < COUNT; i++) {
        float g = atl_floats(gradient)[i];
        cr_assert_float_eq(atl_floats(raw)[i], 10 - 0.5f * g, 1e-6);
        cr_assert_float_eq(atl_floats(sign)[i], i == 5 ? 10 : g > 0 ? 9.5f : 10.5f, 1e-6);
    }
    atl_tensor_free(raw);
    atl_tensor_free(sign);
    atl_tensor_free(gradient);
}

/* Algorithm 1 of Kingma & Ba in double, over a few steps. */
Test(descend, adam_follows_the_paper)
{
    atl_tensor *pixels = pixels_of(0), *moments[2] = {pixels_of(0), pixels_of(0)};
    double x[COUNT] = {0}, m[COUNT] = {0}, v[COUNT] = {0};
    for (int step = 0; step < 5; step++) {
        atl_tensor *gradient = random_tensor(ATL_SHAPE(COUNT), -1, 1);
        cr_assert(atl_descend(pixels, gradient, .rate = 2, .method = ATL_DESCENT_ADAM,
                              .moments = {moments[0], moments[1]}, .iteration = step) == ATL_OK);
        for (int i = 0; i < COUNT; i++) {
            double g = element_of(gradient, i);
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.999 * v[i] + 0.001 * g * g;
            x[i] -= 2 * (m[i] / (1 - pow(0.9, step + 1))) / sqrt(v[i] / (1 - pow(0.999, step + 1)));
            cr_assert_float_eq(element_of(pixels, i), x[i], 1e-3 * (1 + fabs(x[i])), "step %d: %g, not %g", step,
                               element_of(pixels, i), x[i]);
        }
        atl_tensor_free(gradient);
    }
    atl_tensor_free(pixels);
    atl_tensor_free(moments[0]);
    atl_tensor_free(moments[1]);
}

Test(descend, stays_within_bounds_and_counts_what_moved)
{
    atl_tensor *pixels = pixels_of(254), *gradient = pixels_of(-1);
    atl_descent_effect effect;
    atl_floats(gradient)[0] = 0;
    cr_assert(atl_descend(pixels, gradient, .rate = 3, .lowest = 0, .highest = 255, .method = ATL_DESCENT_SIGN,
                          .effect_out = &effect) == ATL_OK);
    cr_assert_eq(atl_floats(pixels)[0], 254);
    cr_assert_eq(atl_floats(pixels)[COUNT - 1], 255);
    cr_assert_eq(effect.moved, COUNT - 1);
    cr_assert_eq(effect.largest, 3);
    cr_assert(atl_descend(pixels, gradient, .rate = 1e-6f, .method = ATL_DESCENT_SIGN, .effect_out = &effect) ==
              ATL_OK);
    cr_assert_eq(effect.moved, 0, "1e-6 moved %lld pixels at 255", (long long)effect.moved);
    atl_tensor_free(pixels);
    atl_tensor_free(gradient);
}

Test(descend, a_zero_slope_moves_nothing)
{
    atl_tensor *pixels = pixels_of(7), *gradient = pixels_of(0), *moments[2] = {pixels_of(0), pixels_of(0)};
    for (int method = ATL_DESCENT_DEFAULT; method <= ATL_DESCENT_RAW; method++) {
        atl_descent_effect effect;
        int adam = method == ATL_DESCENT_ADAM;
        cr_assert(atl_descend(pixels, gradient, .rate = 1, .method = (atl_descent)method,
                              .moments = {adam ? moments[0] : NULL, adam ? moments[1] : NULL},
                              .effect_out = &effect) == ATL_OK);
        cr_assert_eq(effect.moved, 0);
        cr_assert_eq(effect.largest, 0);
    }
    atl_tensor_free(pixels);
    atl_tensor_free(gradient);
    atl_tensor_free(moments[0]);
    atl_tensor_free(moments[1]);
}

Test(descend, mistakes_are_told)
{
    atl_tensor *pixels = pixels_of(0), *other = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(3, 4));
    cr_assert(atl_descend(pixels, NULL, .rate = 1) == ATL_INVALID);
    cr_assert_mentions(atl_error(), "null");
    cr_assert(atl_descend(NULL, pixels, .rate = 1) == ATL_INVALID);
    cr_assert(atl_descend(pixels, other, .rate = 1) == ATL_INVALID);
    cr_assert_mentions(atl_error(), "[3, 4]");
    cr_assert_mentions(atl_error(), "[37]");
    cr_assert(atl_descend(pixels, pixels, .rate = 1, .method = ATL_DESCENT_ADAM) == ATL_INVALID);
    cr_assert_mentions(atl_error(), ".moments");
    atl_tensor_free(pixels);
    atl_tensor_free(other);
}

/* The factor for such a gradient exceeds the range of float, but the resulting change does not. */
Test(descend, along_denormal_gradients)
{
    float x[] = {100, 100, 100}, dx[] = {1e-40f, 0, -2e-40f};
    atl_tensor *pixels = atl_tensor_of_floats(ATL_SHAPE(3), x), *gradient = atl_tensor_of_floats(ATL_SHAPE(3), dx);
    cr_assert_eq(atl_descend(pixels, gradient, .rate = 1, .lowest = 0, .highest = 255), ATL_OK);
    const double rms = sqrt(5.0 / 3) * 1e-40;
    for (int i = 0; i < 3; i++)
        cr_expect_float_eq((double)atl_floats(pixels)[i], 100 - (double)dx[i] / rms, 1e-3);
    atl_tensor_free(pixels);
    atl_tensor_free(gradient);
}
