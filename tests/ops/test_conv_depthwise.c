/* Gradients of depthwise filters in programs: our own loops where oneDNN's are slower; they agree with the
 * reference. */
#include "ops/conv_depthwise.h"

#include "support.h"

static void check(int64_t size, int64_t stride, int64_t channels, int by_own_loops)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 13, 11, channels));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(size, size, 1, channels), atl_he());
    atl_node *y = atl_conv2d(x, w, .stride = {(int)stride, (int)stride}, .groups = (int)channels);
    atl_node *dw = atl_gradient(atl_sum(atl_square(y)), w);
    atl_program *program = atl_compile(g, ATL_NODES(y, dw));
    cr_assert(program, "%s", atl_graph_error(g));
    atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
    assert_like_references(program, ATL_NODES(y, dw), ATL_FEED(x, image), 1e-5);
    cr_expect_eq(steps_by(program, "conv2d_filter_grad", "depthwise"), by_own_loops, "%lldx%lld", (long long)size,
                 (long long)size);
    atl_tensor_free(image);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(conv_depthwise, wide_filters_by_our_own_loops)
{
    for (int64_t stride = 1; stride <= 2; stride++) {
        check(5, stride, 32, 1);
        check(7, stride, 48, 1);
        check(3, stride, 32, 0);
        check(5, stride, 30, 0); /* channels that fill no vectors */
    }
}

/* The gradient by the image of a dilated window is a convolution, as that of others; oneDNN has no kernel for it. */
Test(conv_depthwise, dilated_windows)
{
    for (int size = 3; size <= 5; size += 2) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 13, 11, 32));
        atl_node *w = atl_variable(g, "w", ATL_SHAPE(size, size, 1, 32), atl_he());
        atl_node *y = atl_conv2d(x, w, .dilation = {2, 3}, .groups = 32);
        atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
        atl_program *program = atl_compile(g, ATL_NODES(y, dx));
        cr_assert(program, "%s", atl_graph_error(g));
        atl_tensor *image = random_tensor(atl_shape_of(x), -1, 1);
        assert_like_references(program, ATL_NODES(y, dx), ATL_FEED(x, image), 1e-5);
        cr_expect_eq(steps_by(program, "conv2d_input_grad", "depthwise"), 1, "%dx%d", size, size);
        atl_tensor_free(image);
        atl_program_free(program);
        atl_graph_free(g);
    }
}
