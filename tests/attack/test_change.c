/* The size of a change, the nearest one within a bound, and rounding to levels. */
#include "support.h"

#include "attack/attempt.h"

enum { COUNT = 300 };

static void random_pair(float *original, float *pixels, float reach)
{
    atl_tensor *a = random_tensor(ATL_SHAPE(COUNT), 0, 255), *b = random_tensor(ATL_SHAPE(COUNT), -reach, reach);
    for (int i = 0; i < COUNT; i++) {
        original[i] = floorf(atl_floats(a)[i]);
        pixels[i] = original[i] + atl_floats(b)[i];
    }
    atl_tensor_free(a);
    atl_tensor_free(b);
}

Test(change, size_is_the_norm_of_the_difference)
{
    const float a[4] = {10, 20, 30, 40}, b[4] = {13, 16, 30, 40};
    cr_assert_eq(atl_change_size(ATL_NORM_LINF, 4, a, b), 4);
    cr_assert_eq(atl_change_size(ATL_NORM_L2, 4, a, b), 5);
    cr_assert_eq(atl_change_size(ATL_NORM_L1, 4, a, b), 7);
    cr_assert_eq(atl_change_size(ATL_NORM_L0, 4, a, b), 2);
}

Test(change, projection_is_within_eps_and_the_range_and_keeps_what_is_within)
{
    static const double eps[] = {2, 30, 200, 20};
    float original[COUNT], pixels[COUNT], again[COUNT];
    for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L0; norm++) {
        random_pair(original, pixels, 20);
        atl_project_change((atl_norm)norm, eps[norm], COUNT, original, pixels);
        double size = atl_change_size((atl_norm)norm, COUNT, original, pixels);
        cr_assert(size <= eps[norm] * (1 + 1e-6) && size >= eps[norm] * 0.5, "%s: %g of %g", atl_norm_name(norm), size,
                  eps[norm]);
        for (int i = 0; i < COUNT; i++)
            cr_assert(pixels[i] >= 0 && pixels[i] <= 255);
        memcpy(again, pixels, sizeof again);
        atl_project_change((atl_norm)norm, eps[norm], COUNT, original, again);
        for (int i = 0; i < COUNT; i++)
            cr_assert(fabsf(again[i] - pixels[i]) < 1e-4f);
    }
}

/* The nearest point of an L1 ball: no random point within it is nearer. */
Test(change, projection_in_l1_is_the_nearest_one)
{
    float original[COUNT], far[COUNT], near[COUNT], other[COUNT];
    for (int i = 0; i < COUNT; i++)
        original[i] = 128;
    random_pair(other, far, 20);
    for (int i = 0; i < COUNT; i++)
        near[i] = far[i] = 128 + far[i] - other[i];
    atl_project_change(ATL_NORM_L1, 500, COUNT, original, near);
    double best = atl_change_size(ATL_NORM_L2, COUNT, far, near);
    for (uint64_t seed = 0; seed < 200; seed++) {
        atl_tensor *noise = atl_uniform_tensor(ATL_SHAPE(COUNT), -1, 1, test_seed() + seed);
        for (int i = 0; i < COUNT; i++)
            other[i] = near[i] + atl_floats(noise)[i];
        atl_tensor_free(noise);
        double size = atl_change_size(ATL_NORM_L1, COUNT, original, other);
        for (int i = 0; i < COUNT && size > 500; i++)
            other[i] = original[i] + (float)(500 / size) * (other[i] - original[i]);
        cr_assert(atl_change_size(ATL_NORM_L2, COUNT, far, other) >= best - 1e-3);
    }
}

Test(change, rounded_change_is_whole_and_within_eps_as_written)
{
    static const double eps[] = {2.7, 20.5, 99.5, INFINITY};
    float original[COUNT], pixels[COUNT], rounded[COUNT];
    for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L0; norm++)
        for (double above = 0; above < 1; above += 0.25) {
            random_pair(original, pixels, 3);
            atl_project_change((atl_norm)norm, eps[norm], COUNT, original, pixels);
            cr_assert(atl_round_change((atl_norm)norm, eps[norm], above, COUNT, original, pixels, rounded));
            cr_assert(atl_change_size((atl_norm)norm, COUNT, original, rounded) <= eps[norm]);
            for (int i = 0; i < COUNT; i++)
                cr_assert(rounded[i] == floorf(rounded[i]) && fabsf(rounded[i] - pixels[i]) <= 2.5f);
        }
}

Test(change, rounds_away_from_zero_above_the_fraction)
{
    const float original[4] = {100, 100, 100, 0}, pixels[4] = {100.3f, 99.6f, 102, 0};
    float rounded[4];
    cr_assert(atl_round_change(ATL_NORM_L2, INFINITY, 0.25, 4, original, pixels, rounded));
    cr_assert(rounded[0] == 101 && rounded[1] == 99 && rounded[2] == 102 && rounded[3] == 0);
    cr_assert(atl_round_change(ATL_NORM_L2, INFINITY, 0.35, 4, original, pixels, rounded));
    cr_assert(rounded[0] == 100 && rounded[1] == 99 && rounded[2] == 102);
}
