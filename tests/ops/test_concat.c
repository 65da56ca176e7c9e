/* concat, and its gradient. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(concat, .init = set_up, .fini = tear_down);

Test(concat, along_each_axis)
{
    atl_node *a = FLOATS(g, ATL_SHAPE(2, 2), 1, 2, 3, 4), *b = FLOATS(g, ATL_SHAPE(1, 2), 5, 6),
             *c = FLOATS(g, ATL_SHAPE(2, 1), 7, 8);
    EXPECT_VALUES(atl_concat(0, a, b), ATL_SHAPE(3, 2), 1, 2, 3, 4, 5, 6);
    EXPECT_VALUES(atl_concat(-1, c, a), ATL_SHAPE(2, 3), 7, 1, 2, 8, 3, 4);
    EXPECT_VALUES(atl_concat(1, a), ATL_SHAPE(2, 2), 1, 2, 3, 4);
}

Test(concat, each_input_gets_its_part_of_the_gradient)
{
    atl_node *a = FLOATS(g, ATL_SHAPE(2, 1), 1, 2), *b = FLOATS(g, ATL_SHAPE(2, 2), 3, 4, 5, 6),
             *y = atl_concat(1, a, b);
    atl_node *cost = atl_mul(y, counting(g, ATL_SHAPE(2, 3)));
    EXPECT_VALUES(atl_gradient(cost, a), ATL_SHAPE(2, 1), 0, 3);
    EXPECT_VALUES(atl_gradient(cost, b), ATL_SHAPE(2, 2), 1, 2, 4, 5);
}

Test(concat, unknown_sizes_flow)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)),
             *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(4, ATL_ANY));
    expect_shape(atl_concat(1, a, b), ATL_SHAPE(4, ATL_ANY));
    expect_shape(atl_concat(0, a, a), ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_concat(1, a, a), ATL_SHAPE(ATL_ANY, 6));
}

Test(concat, parts_of_unknown_size_have_gradients)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2)),
             *b = atl_input(g, "b", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2));
    atl_node *slope = atl_gradient(atl_square(atl_concat(0, a, b)), b), *curve = atl_gradient(slope, b);
    atl_program *program = atl_compile(g, ATL_NODES(slope, curve));
    cr_assert(program, "%s", atl_error());
    for (int n = 1; n < 4; n++) {
        atl_tensor *first = random_tensor(ATL_SHAPE(n, 2), -1, 1), *second = random_tensor(ATL_SHAPE(3, 2), -1, 1);
        cr_assert_eq(atl_run(program, ATL_FEEDS({a, first}, {b, second})), ATL_OK, "%s", atl_error());
        for (int i = 0; i < 6; i++) {
            cr_assert_float_eq(element_of(atl_value(program, slope), i), 2 * element_of(second, i), 1e-6);
            cr_assert_eq(element_of(atl_value(program, curve), i), 2);
        }
        atl_tensor_free(first);
        atl_tensor_free(second);
    }
    atl_program_free(program);
}

Test(concat, names_what_does_not_fit)
{
    atl_node *a = atl_input(g, "left", ATL_FLOAT32, ATL_SHAPE(2, 3)),
             *b = atl_input(g, "right", ATL_FLOAT32, ATL_SHAPE(4, 5));
    EXPECT_REFUSED(g, atl_concat(1, a, b), "concat", "'left'", "[2, 3]", "'right'", "[4, 5]", "axis 1");
}

Test(concat, sizes_that_overflow)
{
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, ATL_SHAPE((int64_t)1 << 60));
    EXPECT_REFUSED(g, atl_concat(0, a, a, a, a, a, a, a, a), "2^6");
}
