/* The gradients of convolutions with few channels in programs: our own loops where oneDNN's are slower; they agree with
 * the reference. */
#include "ops/conv_few_channels.h"

#include "support.h"

typedef struct sizes {
    int64_t side, channels, out;
    int window, stride, dilation, groups;
} sizes;

static void check(sizes s, int by_own_loops)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, s.side, s.side + 3, s.channels));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(s.window, s.window, s.channels / s.groups, s.out), atl_he());
    atl_node *y =
        atl_conv2d(x, w, .stride = {s.stride, s.stride}, .dilation = {s.dilation, s.dilation}, .groups = s.groups);
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
    assert_like_references(program, ATL_NODES(y, dx), ATL_FEED(x, image), 1e-5);
    cr_expect_eq(steps_by(program, "conv2d_input_grad", "few channels"), by_own_loops,
                 "%dx%d, stride %d, %lld to %lld channels", s.window, s.window, s.stride, (long long)s.channels,
                 (long long)s.out);
    atl_tensor_free(image);
    atl_program_free(program);
    atl_graph_free(g);
}

/* VGG16's, ResNet's, MobileNet's, MNIST's. */
Test(conv_few_channels, first_layers_by_our_own_loops)
{
    check((sizes){33, 3, 64, 3, 1, 1, 1}, 1);
    check((sizes){33, 3, 64, 7, 2, 1, 1}, 1);
    check((sizes){33, 3, 32, 3, 2, 1, 1}, 1);
    check((sizes){28, 1, 32, 5, 1, 1, 1}, 1);
    check((sizes){20, 2, 16, 5, 1, 1, 1}, 1);
}

Test(conv_few_channels, what_they_cannot_do_is_left_to_onednn)
{
    check((sizes){20, 5, 32, 3, 1, 1, 1}, 0); /* channels */
    check((sizes){20, 3, 30, 3, 1, 1, 1}, 0); /* results that fill no vectors */
    check((sizes){20, 3, 32, 3, 1, 2, 1}, 0); /* dilation */
    check((sizes){20, 2, 32, 3, 1, 1, 2}, 0); /* groups */
}

static void check_filter(sizes s, int by_own_loops)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, s.side, s.side + 3, s.channels));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(s.window, s.window, s.channels / s.groups, s.out), atl_he());
    atl_node *y =
        atl_conv2d(x, w, .stride = {s.stride, s.stride}, .dilation = {s.dilation, s.dilation}, .groups = s.groups);
    atl_node *dw = atl_gradient(atl_sum(atl_square(y)), w);
    atl_program *program = atl_compile(g, ATL_NODES(dw), .disabled_passes = ATL_PASS_WINOGRAD);
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
    assert_like_references(program, ATL_NODES(dw), ATL_FEED(x, image), 1e-5);
    cr_expect_eq(steps_by(program, "conv2d_filter_grad", "few channels"), by_own_loops,
                 "%dx%d, stride %d, %lld to %lld channels", s.window, s.window, s.stride, (long long)s.channels,
                 (long long)s.out);
    atl_tensor_free(image);
    atl_program_free(program);
    atl_graph_free(g);
}

/* VGG16's, ResNet's, that of CIFAR-10. */
Test(conv_few_channels, filters_of_first_layers_by_our_own_loops)
{
    check_filter((sizes){33, 3, 64, 3, 1, 1, 1}, 1);
    check_filter((sizes){33, 3, 64, 7, 2, 1, 1}, 1);
    check_filter((sizes){24, 3, 64, 5, 1, 1, 1}, 1);
    check_filter((sizes){24, 4, 48, 5, 1, 1, 1}, 1);
}

Test(conv_few_channels, filters_that_are_left_to_onednn)
{
    check_filter((sizes){20, 5, 64, 3, 1, 1, 1}, 0); /* channels */
    check_filter((sizes){20, 3, 62, 3, 1, 1, 1}, 0); /* results that fill no vectors */
    check_filter((sizes){20, 3, 64, 3, 1, 2, 1}, 0); /* dilation */
    check_filter((sizes){20, 2, 64, 3, 1, 1, 2}, 0); /* groups */
    check_filter((sizes){20, 3, 64, 1, 1, 1, 1}, 0); /* little work */
}
