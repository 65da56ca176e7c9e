/* reshape, reshape_like, flatten, expand_dims, squeeze, and the explanation of a shape. */
#include "values.h"

#include "ops/ops.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(reshape, .init = set_up, .fini = tear_down);

static atl_node *input(atl_shape shape) { return atl_input(g, "x", ATL_FLOAT32, shape); }

Test(reshape, elements_stay_in_order)
{
    EXPECT_VALUES(atl_reshape(counting(g, ATL_SHAPE(2, 3)), ATL_SHAPE(3, -1)), ATL_SHAPE(3, 2), 0, 1, 2, 3, 4, 5);
}

Test(reshape, unknown_sizes_flow)
{
    atl_node *x = input(ATL_SHAPE(ATL_ANY, 4, 4));
    expect_shape(atl_reshape(x, ATL_SHAPE(-1, 16)), ATL_SHAPE(ATL_ANY, 16));
    expect_shape(atl_reshape(x, ATL_SHAPE(3, 16)), ATL_SHAPE(3, 16));
    expect_shape(atl_flatten(x), ATL_SHAPE(ATL_ANY, 16));
    expect_shape(atl_expand_dims(x, -1), ATL_SHAPE(ATL_ANY, 4, 4, 1));
    expect_shape(atl_squeeze(x, 0), ATL_SHAPE(4, 4));
    expect_shape(atl_flatten(atl_input(g, "z", ATL_FLOAT32, ATL_SHAPE(2, ATL_ANY, 3))), ATL_SHAPE(2, ATL_ANY));
}

Test(reshape, what_is_left_is_known_when_the_program_runs)
{
    atl_node *x = input(ATL_SHAPE(ATL_ANY, 3)), *y = atl_reshape(x, ATL_SHAPE(2, -1));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    for (int n = 2; n <= 6; n += 2) {
        atl_tensor *value = random_tensor(ATL_SHAPE(n, 3), -1, 1);
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        cr_assert(atl_shape_equal(atl_tensor_shape(atl_value(program, y)), ATL_SHAPE(2, n * 3 / 2)));
        atl_tensor_free(value);
    }
    atl_tensor *odd = random_tensor(ATL_SHAPE(5, 3), -1, 1);
    cr_assert_neq(atl_run(program, ATL_FEED(x, odd)), ATL_OK);
    cr_assert_mentions(atl_error(), "the first size, 2, is not the batch, 5");
    atl_tensor_free(odd);
    atl_program_free(program);
}

Test(reshape, a_known_part_must_divide)
{
    EXPECT_REFUSED(g, atl_reshape(input(ATL_SHAPE(ATL_ANY, 4, 4)), ATL_SHAPE(3, 17)), "51 elements",
                   "a multiple of 16");
}

Test(reshape, one_is_singular)
{
    EXPECT_REFUSED(g, atl_reshape(input(ATL_SHAPE(1)), ATL_SHAPE(3)), "1 element is not 3");
}

Test(reshape, says_which_size_disagrees)
{
    EXPECT_REFUSED(g, atl_reshape(input(ATL_SHAPE(5, 26, 252, 63)), ATL_SHAPE(44, -1)), "'x'", "[5, 26, 252, 63]",
                   "[44, ?]", "a multiple of 44", "the first size, 44, is not the batch, 5");
}

Test(reshape, says_that_the_rest_disagrees)
{
    EXPECT_REFUSED(g, atl_reshape(input(ATL_SHAPE(5, 4, 4)), ATL_SHAPE(5, 17)), "the rest are 16 and 17");
}

Test(reshape, one_size_only_can_be_left)
{
    EXPECT_REFUSED(g, atl_reshape(input(ATL_SHAPE(4)), ATL_SHAPE(-1, -1)), "dimensions 0 and 1");
}

Test(reshape, empty_arrays_keep_their_shape)
{
    expect_shape(atl_reshape(input(ATL_SHAPE(0, 3)), ATL_SHAPE(3, -1)), ATL_SHAPE(3, 0));
    expect_shape(atl_flatten(atl_input(g, "z", ATL_FLOAT32, ATL_SHAPE(0, 1ll << 40))), ATL_SHAPE(0, 1ll << 40));
}

Test(reshape, a_product_that_overflows_is_refused_before_it_is_flattened)
{
    EXPECT_REFUSED(g, atl_flatten(input(ATL_SHAPE(ATL_ANY, 1ll << 40, 1ll << 40))), "2^60");
    EXPECT_REFUSED(g, input(ATL_SHAPE(0, 1ll << 40, 1ll << 40)), "2^60");
}

Test(reshape, squeeze_takes_ones_only)
{
    EXPECT_REFUSED(g, atl_squeeze(input(ATL_SHAPE(1, 3)), -1), "dimension 1", "[1, 3]", "is 3");
}

Test(reshape, ones_are_put_in_where_wanted)
{
    atl_node *x = input(ATL_SHAPE(2, 3));
    expect_shape(atl_insert_dims(x, 0), ATL_SHAPE(2, 3));
    expect_shape(atl_insert_dims(x, 1 | 4), ATL_SHAPE(1, 2, 1, 3));
    expect_shape(atl_insert_dims(x, 4 | 8), ATL_SHAPE(2, 3, 1, 1));
}

Test(reshape, chains_come_down_to_nothing)
{
    atl_node *x = input(ATL_SHAPE(2, 3, 4)), *y = atl_reshape(atl_flatten(atl_expand_dims(x, 0)), ATL_SHAPE(2, 3, 4));
    atl_node *z = atl_relu(y);
    atl_program *program = atl_compile(g, ATL_NODES(z));
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 3, 4), 1, 2);
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_program_step_count(program), 1);
    cr_assert_eq(largest_difference(atl_value(program, z), value), 0);
    atl_tensor_free(value);
    atl_program_free(program);
}

Test(explain_shape, names_the_reshape_that_lost_the_batch)
{
    char text[600];
    g = atl_graph_new();
    atl_node *x = input(ATL_SHAPE(5, 26, 252, 64));
    atl_enter(g, "local3");
    atl_node *y = atl_reshape(x, ATL_SHAPE(40, -1));
    atl_leave(g);
    cr_assert_str_eq(atl_explain_shape(y, text, sizeof text),
                     "[40, 52416] comes from local3/reshape ([5, 26, 252, 64] -> [40, -1]): "
                     "the first size, 40, is not the batch, 5.");
    cr_assert_mentions(atl_explain_shape(atl_relu(atl_expand_dims(y, 1)), text, sizeof text),
                       "comes from local3/reshape");
    cr_assert_str_eq(atl_explain_shape(x, text, sizeof text), "");
    cr_assert_str_eq(atl_explain_shape(atl_flatten(x), text, sizeof text), "");
    cr_assert_str_eq(atl_explain_shape(atl_add(y, y), text, sizeof text), "");
    cr_assert_str_eq(atl_explain_shape(NULL, text, sizeof text), "");
    atl_graph_free(g);
}
