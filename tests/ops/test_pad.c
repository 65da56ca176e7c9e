/* pad. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(pad, .init = set_up, .fini = tear_down);

Test(pad, before_and_after)
{
    EXPECT_VALUES(atl_pad(counting(g, ATL_SHAPE(2, 2)), .before = {1}, .after = {0, 2}, .value = 9), ATL_SHAPE(3, 4), 9,
                  9, 9, 9, 0, 1, 9, 9, 2, 3, 9, 9);
}

Test(pad, integers_are_padded_with_integers)
{
    EXPECT_VALUES(atl_pad(INTS(g, ATL_SHAPE(2), 1, 2), .after = {1}, .value = -3), ATL_SHAPE(3), 1, 2, -3);
}

Test(pad, the_gradient_is_what_lies_between)
{
    atl_node *x = counting(g, ATL_SHAPE(1, 2)), *y = atl_pad(x, .before = {1, 1}, .after = {0, 1});
    EXPECT_VALUES(atl_gradient(atl_mul(y, counting(g, ATL_SHAPE(2, 4))), x), ATL_SHAPE(1, 2), 5, 6);
}

Test(pad, unknown_sizes_stay_unknown)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_pad(x, .before = {1, 1}), ATL_SHAPE(ATL_ANY, 4));
    expect_shape(atl_gradient(atl_square(atl_pad(x, .before = {1, 1}, .after = {2})), x), ATL_SHAPE(ATL_ANY, 3));
}

Test(pad, negative_padding_is_refused)
{
    EXPECT_REFUSED(g, atl_pad(counting(g, ATL_SHAPE(2, 2)), .after = {0, -1}), "dimension 1", "-1", "atl_slice");
}

Test(pad, the_gradient_where_there_is_nothing_to_pad)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    atl_node *dx = atl_gradient(atl_sum(atl_square(atl_pad(x, .before = {2, 0}, .after = {1, 0}))), x);
    atl_program *program = atl_compile(g, ATL_NODES(dx));
    for (int64_t n = 2; n >= 0; n--) {
        atl_tensor *value = random_tensor(ATL_SHAPE(n, 3), -1, 1);
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        cr_expect(atl_shape_equal(atl_tensor_shape(atl_value(program, dx)), ATL_SHAPE(n, 3)));
        atl_tensor_free(value);
    }
    atl_program_free(program);
}
