/* Sizes of changes on the command line. */
#include "tools/eps.c"

#include "said_error.h"

static void assert_eps(const char *text, atl_norm norm, int64_t over, int64_t under)
{
    atl_fraction eps;
    cr_assert_eq(read_eps("try", text, norm, &eps), 0, "%s: %s", text, said);
    cr_assert(eps.over == over && eps.under == under, "%s is %lld/%lld", text, (long long)eps.over,
              (long long)eps.under);
}

static void assert_mistake(const char *text, atl_norm norm, const char *mentions)
{
    atl_fraction eps;
    cr_assert_eq(read_eps("try", text, norm, &eps), EXIT_USAGE, "%s", text);
    cr_assert(strstr(said, mentions), "%s: %s", text, said);
}

Test(eps, numbers_fractions_and_grey_levels)
{
    assert_eps("8/255", ATL_NORM_LINF, 8, 255);
    assert_eps("8g", ATL_NORM_LINF, 8, 255);
    assert_eps("0.5g", ATL_NORM_LINF, 1, 510);
    assert_eps("0.031", ATL_NORM_LINF, 31, 1000);
    assert_eps(".5", ATL_NORM_L2, 1, 2);
    assert_eps("0", ATL_NORM_LINF, 0, 1);
    assert_eps("1", ATL_NORM_LINF, 1, 1);
    assert_eps("3.0", ATL_NORM_L2, 3, 1);
    assert_eps("20", ATL_NORM_L0, 20, 1);
    assert_eps("1e-3", ATL_NORM_LINF, 1, 1000);
    assert_eps("2.5E+1", ATL_NORM_L2, 25, 1);
}

Test(eps, mistakes)
{
    assert_mistake("-1", ATL_NORM_LINF, "negative");
    assert_mistake("8", ATL_NORM_LINF, "8/255");
    assert_mistake("256/255", ATL_NORM_LINF, "whole range of a pixel, which is 1");
    cr_assert(!strstr(said, "did you mean"), "%s", said);
    assert_mistake("nan", ATL_NORM_LINF, "no size");
    assert_mistake("", ATL_NORM_LINF, "no size");
    assert_mistake("1/0", ATL_NORM_LINF, "no size");
    assert_mistake("8/255x", ATL_NORM_LINF, "no size");
    assert_mistake("1e400", ATL_NORM_L2, "no size");
    assert_mistake("1e-10", ATL_NORM_L2, "no size");
    assert_mistake("0.5e-9", ATL_NORM_L2, "no size");
    assert_mistake("1e", ATL_NORM_L2, "no size");
    assert_mistake("1e-", ATL_NORM_L2, "no size");
    assert_mistake("0.5", ATL_NORM_L0, "whole number");
}

Test(eps, comparison_is_exact)
{
    const float a[2] = {0, 0}, b[2] = {3, 4}, half[1] = {0.5f};
    exact_size size;
    cr_assert(measure_exactly(2, a, b, &size));
    cr_assert(size.largest == 4 && size.sum == 7 && size.sum_of_squares == 25 && size.elements == 2);
    cr_assert(is_within_eps(&size, ATL_NORM_L2, (atl_fraction){5, 255}));
    cr_assert(!is_within_eps(&size, ATL_NORM_L2, (atl_fraction){19607843, 1000000000}));
    cr_assert(is_within_eps(&size, ATL_NORM_LINF, (atl_fraction){4, 255}));
    cr_assert(!is_within_eps(&size, ATL_NORM_LINF, (atl_fraction){3, 255}));
    cr_assert(is_within_eps(&size, ATL_NORM_L1, (atl_fraction){7, 255}) &&
              !is_within_eps(&size, ATL_NORM_L1, (atl_fraction){6, 255}));
    cr_assert(!is_within_eps(&size, ATL_NORM_L0, (atl_fraction){1, 1}));
    cr_assert(!measure_exactly(1, a, half, &size));
}
