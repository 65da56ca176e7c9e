/* Depthwise, transposed and one-dimensional convolutions: shapes, and equal forms. */
#include "battery.h"

static void expect_equal(atl_graph *g, atl_node *a, atl_node *b, const atl_feed *feeds)
{
    cr_assert(a && b, "%s", atl_graph_error(g));
    atl_program *program = atl_compile(g, ATL_NODES(a, b));
    cr_assert(program && !atl_run(program, feeds), "%s", atl_graph_error(g));
    cr_assert_close(atl_value(program, a), atl_value(program, b), 1e-6);
    atl_program_free(program);
}

/* <conv2d(x), v> = <x, conv2d_transpose(v)> for every x and v. */
static void expect_adjoint(atl_padding padding, atl_shape image, atl_shape filter, int stride, const int *pad)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *w = atl_input(g, "w", ATL_FLOAT32, filter);
    atl_node *y =
        atl_conv2d(x, w, .stride = {stride, stride}, .padding = padding, .pad = {pad[0], pad[1], pad[2], pad[3]});
    atl_node *v = atl_input(g, "v", ATL_FLOAT32, atl_shape_of(y));
    atl_node *back = atl_conv2d_transpose(v, w, .stride = {stride, stride}, .padding = padding,
                                          .pad = {pad[0], pad[1], pad[2], pad[3]});
    cr_assert(back, "%s", atl_graph_error(g));
    cr_assert(atl_shape_equal(atl_shape_of(back), image));
    atl_tensor *a = random_tensor(image, -1, 1), *b = random_tensor(filter, -1, 1),
               *c = random_tensor(atl_shape_of(y), -1, 1);
    expect_equal(g, atl_sum(atl_mul(y, v)), atl_sum(atl_mul(x, back)), ATL_FEEDS({x, a}, {w, b}, {v, c}));
    atl_tensor_free(a);
    atl_tensor_free(b);
    atl_tensor_free(c);
    atl_graph_free(g);
}

Test(conv_forms, the_transposed_is_the_adjoint)
{
    const int none[4] = {0}, pad[4] = {1, 1, 0, 2};
    expect_adjoint(ATL_SAME, ATL_SHAPE(2, 8, 6, 5), ATL_SHAPE(3, 3, 5, 7), 2, none);
    expect_adjoint(ATL_SAME, ATL_SHAPE(2, 4, 3, 2), ATL_SHAPE(2, 4, 2, 3), 1, none);
    expect_adjoint(ATL_VALID, ATL_SHAPE(1, 9, 11, 4), ATL_SHAPE(5, 3, 4, 6), 2, none);
    expect_adjoint(ATL_VALID, ATL_SHAPE(1, 10, 6, 4), ATL_SHAPE(2, 2, 4, 6), 4, none);
    expect_adjoint(ATL_EXPLICIT, ATL_SHAPE(1, 9, 9, 4), ATL_SHAPE(3, 3, 4, 6), 2, pad);
}

Test(conv_forms, shapes_of_the_transposed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 5, ATL_ANY, 4)),
             *w = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(3, 3, 2, 4));
    atl_node *same = atl_conv2d_transpose(x, w, .stride = {2, 2}),
             *valid = atl_conv2d_transpose(x, w, .padding = ATL_VALID);
    cr_assert(same && valid, "%s", atl_graph_error(g));
    cr_expect(atl_shape_equal(atl_shape_of(same), ATL_SHAPE(ATL_ANY, 10, ATL_ANY, 2)));
    cr_expect(atl_shape_equal(atl_shape_of(valid), ATL_SHAPE(ATL_ANY, 7, ATL_ANY, 2)));
    atl_tensor *image = random_tensor(ATL_SHAPE(2, 5, 3, 4), -1, 1), *filter = random_tensor(atl_shape_of(w), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(same));
    cr_assert(program && !atl_run(program, ATL_FEEDS({x, image}, {w, filter})), "%s", atl_graph_error(g));
    cr_expect(atl_shape_equal(atl_tensor_shape(atl_value(program, same)), ATL_SHAPE(2, 10, 6, 2)));
    atl_step_info step;
    for (int64_t i = 0; i < atl_program_step_count(program); i++)
        cr_expect(!atl_program_step(program, i, &step) && (strstr(step.op, "conv2d") || strstr(step.op, "input")),
                  "%s is computed, but gives its shape only", step.node);
    atl_program_free(program);
    atl_tensor_free(image);
    atl_tensor_free(filter);
    atl_graph_free(g);
}

/* Each channel of a depthwise convolution is a convolution of that channel. */
Test(conv_forms, depthwise_is_channel_by_channel)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 9, 8, 5)),
             *w = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(3, 3, 5, 2));
    atl_node *y = atl_depthwise_conv2d(x, w, .stride = {2, 1}), *part[5];
    for (int c = 0; c < 5; c++)
        part[c] = atl_conv2d(atl_slice(x, .begin = {0, 0, 0, c}, .end = {0, 0, 0, c < 4 ? c + 1 : 0}),
                             atl_slice(w, .begin = {0, 0, c}, .end = {0, 0, c < 4 ? c + 1 : 0}), .stride = {2, 1});
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1), *filter = random_tensor(atl_shape_of(w), -1, 1);
    expect_equal(g, y, atl_concat_with(3, (atl_nodes){5, part}), ATL_FEEDS({x, image}, {w, filter}));
    atl_tensor_free(image);
    atl_tensor_free(filter);
    atl_graph_free(g);
}

Test(conv_forms, along_one_dimension)
{
    const float signal[] = {1, 2, 3, 4}, filter[] = {1, 10};
    const double sums[] = {21, 32, 43};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 4, 1)),
             *w = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(2, 1, 1));
    atl_node *y = atl_conv1d(x, w, .padding = ATL_VALID), *most = atl_max_pool1d(x, .window = 2),
             *mean = atl_avg_pool1d(x);
    atl_program *program = atl_compile(g, ATL_NODES(y, most, mean));
    atl_tensor *a = atl_tensor_of_floats(ATL_SHAPE(1, 4, 1), signal),
               *b = atl_tensor_of_floats(ATL_SHAPE(2, 1, 1), filter);
    cr_assert(program && !atl_run(program, ATL_FEEDS({x, a}, {w, b})), "%s", atl_graph_error(g));
    for (int i = 0; i < 3; i++)
        cr_expect_float_eq(element_of(atl_value(program, y), i), sums[i], 1e-5);
    cr_expect_eq(element_of(atl_value(program, most), 0), 2);
    cr_expect_eq(element_of(atl_value(program, most), 1), 4);
    cr_expect_float_eq(atl_scalar_of(program, mean), 2.5, 1e-6);
    cr_expect(atl_shape_equal(atl_shape_of(mean), ATL_SHAPE(1, 1, 1)));
    atl_program_free(program);
    atl_tensor_free(a);
    atl_tensor_free(b);
    atl_graph_free(g);
}
