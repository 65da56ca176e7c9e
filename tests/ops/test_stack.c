/* stack, unstack, split. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(stack, .init = set_up, .fini = tear_down);

Test(stack, along_a_new_axis)
{
    atl_node *a = FLOATS(g, ATL_SHAPE(2), 1, 2), *b = FLOATS(g, ATL_SHAPE(2), 3, 4);
    EXPECT_VALUES(atl_stack(0, a, b), ATL_SHAPE(2, 2), 1, 2, 3, 4);
    EXPECT_VALUES(atl_stack(-1, a, b, a), ATL_SHAPE(2, 3), 1, 3, 1, 2, 4, 2);
}

Test(stack, unequal_shapes)
{
    EXPECT_REFUSED(g, atl_stack(0, counting(g, ATL_SHAPE(2)), counting(g, ATL_SHAPE(3))), "[1, 2]", "[1, 3]");
}

Test(stack, null_passes_quietly)
{
    atl_node *parts[2] = {counting(g, ATL_SCALAR), NULL};
    cr_assert_null(atl_stack_with(0, (atl_nodes){2, parts}));
    cr_assert_eq(atl_unstack(NULL, 0, 2, parts), ATL_INVALID);
    cr_assert_null(parts[0]);
    cr_assert_str_empty(atl_graph_error(g));
}

Test(stack, unstack_is_the_converse)
{
    atl_node *part[2];
    cr_assert_eq(atl_unstack(counting(g, ATL_SHAPE(3, 2)), 1, 2, part), ATL_OK);
    EXPECT_VALUES(part[0], ATL_SHAPE(3), 0, 2, 4);
    EXPECT_VALUES(part[1], ATL_SHAPE(3), 1, 3, 5);
}

Test(stack, unstack_wants_the_right_number)
{
    atl_node *part[3] = {0};
    cr_assert_eq(atl_unstack(counting(g, ATL_SHAPE(3, 2)), 1, 3, part), ATL_INVALID);
    EXPECT_REFUSED(g, part[0], "unstack", "dimension 1", "3 layers");
}

Test(stack, split_into_sizes)
{
    atl_node *part[3];
    cr_assert_eq(atl_split(counting(g, ATL_SHAPE(6)), 0, 3, (const int64_t[]){1, -1, 2}, part), ATL_OK, "%s",
                 atl_error());
    EXPECT_VALUES(part[0], ATL_SHAPE(1), 0);
    EXPECT_VALUES(part[1], ATL_SHAPE(3), 1, 2, 3);
    EXPECT_VALUES(part[2], ATL_SHAPE(2), 4, 5);
    cr_assert_eq(atl_split(counting(g, ATL_SHAPE(1, 4)), -1, 2, NULL, part), ATL_OK);
    EXPECT_VALUES(part[1], ATL_SHAPE(1, 2), 2, 3);
    cr_assert_eq(atl_split(counting(g, ATL_SHAPE(3)), 0, 2, (const int64_t[]){1, 2}, part), ATL_OK);
    EXPECT_VALUES(part[1], ATL_SHAPE(2), 1, 2);
}

Test(stack, split_of_an_unknown_size)
{
    atl_node *part[3], *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2));
    cr_assert_eq(atl_split(x, 0, 3, (const int64_t[]){1, -1, 2}, part), ATL_OK, "%s", atl_error());
    expect_shape(part[0], ATL_SHAPE(1, 2));
    expect_shape(part[1], ATL_SHAPE(ATL_ANY, 2));
    expect_shape(part[2], ATL_SHAPE(2, 2));
}

Test(stack, split_into_what_does_not_add_up)
{
    static const struct {
        int count;
        int64_t size[3];
        const char *says;
    } row[] = {{2, {1, 2}, "3 elements in all"},
               {2, {3, 3}, "6 elements in all"},
               {2, {-1, 5}, "5 elements in all"},
               {2, {INT64_MAX, INT64_MAX}, "elements in all"},
               {3, {-1, -1, 1}, "part 1"},
               {2, {0, 5}, "part 0"},
               {2, {-2, 5}, "part 0"},
               {0, {0}, "1 or more"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        atl_graph *graph = atl_graph_new();
        atl_node *part[3] = {0};
        cr_expect_eq(atl_split(counting(graph, ATL_SHAPE(5)), 0, row[i].count, row[i].size, part), ATL_INVALID);
        EXPECT_REFUSED(graph, part[0], "split", row[i].says);
        atl_graph_free(graph);
    }
}

Test(stack, split_into_equal_parts_must_divide)
{
    atl_node *part[2] = {0};
    cr_assert_eq(atl_split(counting(g, ATL_SHAPE(5)), 0, 2, NULL, part), ATL_INVALID);
    EXPECT_REFUSED(g, part[0], "2 equal parts");
}

Test(stack, split_into_equal_parts_needs_a_known_size)
{
    atl_node *part[2] = {0}, *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4));
    cr_assert_eq(atl_split(x, 0, 2, NULL, part), ATL_INVALID);
    EXPECT_REFUSED(g, part[0], "dimension 0 of 'x', [?, 4], must be known for equal parts");
}
