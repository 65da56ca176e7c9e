/* Convolutions in groups and their gradients by the image in programs: our own loops; they agree with the
 * reference. */
#include "battery.h"
#include "kernels/kernels.h"
#include "support.h"

/* With bias and relu. */
static void check(int64_t channels, int groups, int stride, int forward, int gradient)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    const atl_shape image = ATL_SHAPE(2, 9, 16, channels);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image);
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 3, channels / groups, channels), atl_he());
    atl_node *bias = atl_variable(g, "bias", ATL_SHAPE(channels), atl_uniform(-1, 1));
    atl_node *y = atl_relu(atl_add(atl_conv2d(x, w, .stride = {stride, stride}, .groups = groups), bias));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *pixels = random_tensor(image, -1, 1);
    cr_assert(floats_agree(2, (atl_node *[]){y, dx}, ATL_FEED(x, pixels), text, sizeof text), "%s", text);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(program, "conv2d_fused", "grouped"), forward, "%d groups, stride %d", groups, stride);
    cr_expect_eq(steps_by(program, "conv2d_input_grad", "grouped"), gradient, "%d groups, stride %d", groups, stride);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_graph_free(g);
}

Test(conv_grouped, by_our_own_loops)
{
    int wide = atl_kernels->vector > 4; /* narrower vectors have no instruction that permutes lanes */
    check(64, 16, 1, 1, 1);
    check(64, 16, 2, 1, 0);
    check(64, 32, 1, wide, wide);
    check(72, 9, 1, 1, 1); /* the last vector may overlap the one before */
    check(48, 3, 1, 1, atl_kernels->vector != 8);
}

Test(conv_grouped, others_are_left_to_onednn)
{
    check(256, 2, 1, 0, 0); /* 128 channels a group */
    check(72, 24, 1, 0, 0); /* groups of three */
    check(16, 1, 2, 0, 0);  /* no groups, though a vector holds all channels */
    check(20, 5, 1, 0, 0);  /* channels that fill no bytes of a mask */
}
