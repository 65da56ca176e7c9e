/* slice, and its gradient. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(slice, .init = set_up, .fini = tear_down);

Test(slice, as_numpy_does)
{
    atl_node *x = counting(g, ATL_SHAPE(3, 4));
    EXPECT_VALUES(atl_slice(x, .begin = {1}, .end = {2}), ATL_SHAPE(1, 4), 4, 5, 6, 7);
    EXPECT_VALUES(atl_slice(x, .begin = {0, -2}), ATL_SHAPE(3, 2), 2, 3, 6, 7, 10, 11);
    EXPECT_VALUES(atl_slice(x, .begin = {0, 1}, .end = {-1, -1}, .stride = {2}), ATL_SHAPE(1, 2), 1, 2);
    EXPECT_VALUES(atl_slice(x, .stride = {2, 3}), ATL_SHAPE(2, 2), 0, 3, 8, 11);
}

Test(slice, the_gradient_is_zero_elsewhere)
{
    atl_node *x = counting(g, ATL_SHAPE(2, 4));
    EXPECT_VALUES(atl_gradient(atl_square(atl_slice(x, .begin = {0, 1}, .stride = {1, 2})), x), ATL_SHAPE(2, 4), 0, 2,
                  0, 6, 0, 10, 0, 14);
}

Test(slice, unknown_sizes_flow)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_slice(x), ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_slice(x, .begin = {2}), ATL_SHAPE(ATL_ANY, 3));
    expect_shape(atl_slice(x, .begin = {2}, .end = {7}, .stride = {2}), ATL_SHAPE(3, 3));
    expect_shape(atl_slice(x, .begin = {-4}), ATL_SHAPE(4, 3));
    expect_shape(atl_slice(x, .begin = {-4}, .end = {-1}), ATL_SHAPE(3, 3));
    expect_shape(atl_slice(x, .begin = {1}, .end = {-1}), ATL_SHAPE(ATL_ANY, 3));
}

Test(slice, a_range_to_the_end_is_told_as_it_was_written)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(5));
    EXPECT_REFUSED(g, atl_slice(x, .begin = {7}), "slice: 7: is out of range for dimension 0 of 'x', [5]");
}

Test(slice, what_is_out_of_range_is_seen_when_the_size_is_known)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY)), *y = atl_slice(x, .begin = {2}, .end = {7});
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *value = random_tensor(ATL_SHAPE(5), -1, 1);
    cr_assert_neq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
    cr_assert_mentions(atl_error(), "2:7 is out of range for dimension 0 of 'x', [5]");
    atl_tensor_free(value);
    atl_program_free(program);
}

Test(slice, ends_of_any_size_do_not_overflow)
{
    static const int64_t end[] = {INT64_MAX, INT64_MIN, INT64_MAX / 2, INT64_MIN / 2, INT64_MIN + 1};
    for (size_t i = 0; i < sizeof end / sizeof *end; i++)
        for (int known = 0; known < 2; known++) {
            atl_graph *graph = atl_graph_new();
            atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(known ? 5 : ATL_ANY));
            EXPECT_REFUSED(graph, atl_slice(x, .begin = {end[i]}), "out of range");
            atl_graph_free(graph);
            graph = atl_graph_new();
            x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(known ? 5 : ATL_ANY));
            EXPECT_REFUSED(graph, atl_slice(x, .end = {end[i]}), "out of range");
            atl_graph_free(graph);
        }
}

Test(slice, an_empty_result_is_refused)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(5, 3));
    EXPECT_REFUSED(g, atl_slice(x, .begin = {3}, .end = {2}), "3:2 takes nothing of dimension 0 of 'x', [5, 3]");
}

Test(slice, the_whole_costs_nothing)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(5, 3)),
             *y = atl_relu(atl_slice(x, .begin = {0}, .end = {5}));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program, "%s", atl_error());
    cr_assert_eq(atl_program_step_count(program), 1);
    atl_program_free(program);
}

/* A stride larger than the dimension takes one element, however large it is, alone and after another slice. */
Test(slice, huge_strides)
{
    atl_graph *graph = atl_graph_new();
    atl_node *of = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(5, 7));
    atl_node *y = atl_slice(of, .stride = {(int64_t)1 << 40, INT64_MAX});
    atl_node *z = atl_neg(atl_slice(y, .stride = {(int64_t)1 << 40, INT64_MAX}));
    atl_tensor *value = random_tensor(ATL_SHAPE(5, 7), 1, 2);
    for (int pass = 0; pass < 2; pass++) {
        atl_program *program = atl_compile(graph, ATL_NODES(z, y), .disabled_passes = pass ? ATL_PASS_SIMPLIFY : 0);
        cr_assert(program, "%s", atl_graph_error(graph));
        cr_assert_eq(atl_run(program, ATL_FEED(of, value)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_floats(atl_value(program, z))[0], -atl_floats(value)[0]);
        cr_assert(atl_shape_equal(atl_tensor_shape(atl_value(program, y)), ATL_SHAPE(1, 1)));
        atl_program_free(program);
    }
    atl_tensor_free(value);
    atl_graph_free(graph);
}
