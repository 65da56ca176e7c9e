/* Shapes. */
#include "support.h"

Test(shape, counts_elements)
{
    cr_assert_eq(atl_shape_count(ATL_SCALAR), 1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(2, 3, 4)), 24);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(2, 0, 4)), 0);
}

Test(shape, unknown_or_negative_sizes_have_no_count)
{
    cr_assert_eq(atl_shape_count(ATL_SHAPE(ATL_ANY, 3)), -1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(0, ATL_ANY)), -1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(3, -7)), -1);
}

Test(shape, overflow_has_no_count)
{
    cr_assert_eq(atl_shape_count(ATL_SHAPE(INT64_MAX, 2)), -1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1ll << 32, 1ll << 32)), -1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1ll << 32, 1ll << 30)), 1ll << 62);
    /* A zero size makes the product zero, however large the others are. */
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1ll << 62, 1ll << 62, 0)), 0);
}

Test(shape, bad_ranks_have_no_count)
{
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1, 1, 1, 1, 1, 1, 1, 1)), 1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1, 1, 1, 1, 1, 1, 1, 1, 1)), -1);
    cr_assert_eq(atl_shape_count(atl_shape_from(-1, NULL)), -1);
}

Test(shape, equality)
{
    cr_assert(atl_shape_equal(ATL_SHAPE(2, 3), ATL_SHAPE(2, 3)));
    cr_assert(!atl_shape_equal(ATL_SHAPE(2, 3), ATL_SHAPE(3, 2)));
    cr_assert(!atl_shape_equal(ATL_SHAPE(2, 3), ATL_SHAPE(2, 3, 1)));
    cr_assert(atl_shape_equal(ATL_SHAPE(ATL_ANY), ATL_SHAPE(ATL_ANY)));
    cr_assert(!atl_shape_equal(ATL_SHAPE(ATL_ANY), ATL_SHAPE(1)));
    cr_assert(atl_shape_equal(ATL_SCALAR, ATL_SCALAR));
}

Test(shape, text)
{
    char text[64];
    cr_assert_str_eq(atl_shape_text(ATL_SCALAR, text, sizeof text), "[]");
    cr_assert_str_eq(atl_shape_text(ATL_SHAPE(5, 26, ATL_ANY, 64), text, sizeof text), "[5, 26, ?, 64]");
}

Test(shape, text_never_overruns)
{
    for (size_t size = 0; size < 20; size++) {
        char text[32];
        memset(text, 'x', sizeof text);
        atl_shape_text(ATL_SHAPE(5, 26, ATL_ANY, 64), text, size);
        for (size_t i = size; i < sizeof text; i++)
            cr_assert_eq(text[i], 'x', "size %zu: byte %zu was written", size, i);
        if (size)
            cr_assert(strlen(text) < size);
    }
}
