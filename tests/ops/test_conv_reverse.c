/* Channels that are reversed before a convolution, as from RGB to BGR: its filter is reversed instead. */
#include "passes.h"

typedef struct reversed {
    int axis, groups;
    int64_t side;
    int reads_reversed; /* something else reads the reversed image, too */
} reversed;

/* Value and both gradients are those of the reference, and so many steps reverse something. */
static void check(reversed r, int64_t steps)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, r.side, r.side, 4));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 3, 4 / r.groups, 8), atl_he());
    atl_node *turned = atl_reverse(x, r.axis), *y = atl_conv2d(turned, w, .stride = {2, 2}, .groups = r.groups);
    atl_node *loss = atl_sum(atl_square(y)), *both[2];
    if (r.reads_reversed)
        loss = atl_add(loss, atl_sum(atl_mul(atl_square(turned), turned)));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(loss), .by = ATL_NODES(x, w), .result_out = both), ATL_OK, "%s",
                 atl_error());
    atl_program *program = atl_compile(g, ATL_NODES(y, loss, both[0], both[1]));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
    assert_like_references(program, ATL_NODES(y, loss, both[0], both[1]), ATL_FEED(x, image), 1e-5);
    cr_expect_eq(steps_by(program, "reverse", "kernel"), steps, "%lld steps, axis %d, %d groups, %lld pixels",
                 (long long)steps_by(program, "reverse", "kernel"), r.axis, r.groups, (long long)r.side);
    atl_tensor_free(image);
    atl_program_free(program);
    atl_graph_free(g);
}

/* What is left reverses the gradient by the filter: the filter itself is prepared. */
Test(conv_reverse, channels_of_the_filter_are_reversed) { check((reversed){.axis = 3, .groups = 1, .side = 17}, 1); }
Test(conv_reverse, an_axis_from_the_end) { check((reversed){.axis = -1, .groups = 1, .side = 17}, 1); }

Test(conv_reverse, another_reader_of_the_reversed_image)
{
    check((reversed){.axis = 3, .groups = 1, .side = 17, .reads_reversed = 1}, 3);
}

Test(conv_reverse, stays_where_the_filter_cannot_be_reversed)
{
    check((reversed){.axis = 2, .groups = 1, .side = 17}, 2); /* columns */
    check((reversed){.axis = 3, .groups = 2, .side = 17}, 2); /* channels in groups */
    check((reversed){.axis = 3, .groups = 1, .side = 3}, 2);  /* an image smaller than the filter */
}

static int64_t reversing_steps(unsigned disabled)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 9, 9, 3));
    atl_node *y = atl_conv2d(atl_reverse(x, 3), atl_variable(g, "w", ATL_SHAPE(3, 3, 3, 8), atl_he()));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx), .disabled_passes = disabled);
    cr_assert(program, "%s", atl_graph_error(g));
    const int64_t steps = steps_by(program, "reverse", "kernel");
    atl_program_free(program);
    atl_graph_free(g);
    return steps;
}

Test(conv_reverse, is_a_part_of_simplify)
{
    cr_expect_eq(reversing_steps(0), 0);
    cr_expect_eq(reversing_steps(ATL_PASS_SIMPLIFY), 2);
}
