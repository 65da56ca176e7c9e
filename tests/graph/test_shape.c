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
    /* A zero size does not hide a product that no stride can hold. */
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1ll << 62, 1ll << 62, 0)), -1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(0, 1ll << 62, 1ll << 62)), -1);
    cr_assert_eq(atl_shape_count(ATL_SHAPE(1ll << 40, 0, 1ll << 20)), 0);
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

/* There are no sizes to compare: their values do not matter. */
Test(shape, a_bad_rank_equals_nothing)
{
    atl_shape nine = ATL_SHAPE(1, 2, 3, 4, 5, 6, 7, 8, 9), huge = {.rank = 1 << 30}, negative = {.rank = -1};
    cr_assert(!atl_shape_equal(nine, nine));
    cr_assert(!atl_shape_equal(huge, huge));
    cr_assert(!atl_shape_equal(negative, negative));
    cr_assert_eq(atl_shape_from(2, NULL).rank, -1);
    cr_assert_eq(atl_shape_from(0, NULL).rank, 0);
    atl_graph *g = atl_graph_new();
    for (int i = 0; i < 2; i++) /* the second is compared with the first */
        cr_assert_null(atl_input(g, ATL_NAME("x%d", i), ATL_FLOAT32, huge));
    cr_assert_mentions(atl_graph_error(g), "the limit is 8");
    atl_graph_free(g);
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
