/* Convolutions for which oneDNN has no vector kernel, and their gradients: a sum of 1x1 convolutions; they agree with
 * the reference. */
#include "battery.h"
#include "kernels/kernels.h"
#include "support.h"

static atl_node *convolved(atl_node *x, int64_t in, int64_t out, int size, int dilation)
{
    atl_node *w = atl_variable(atl_graph_of(x), "w", ATL_SHAPE(size, size, in, out), atl_he());
    return atl_conv2d(x, w, .padding = ATL_SAME, .dilation = {dilation, dilation});
}

/* With bias, residual and relu. */
static void check(int64_t in, int64_t out, int size, int dilation, int forward, int gradient)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    const atl_shape image = ATL_SHAPE(2, 14, 15, in);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *y = convolved(x, in, out, size, dilation);
    atl_node *residual = atl_input(g, "residual", ATL_FLOAT32, ATL_SHAPE(2, 14, 15, out));
    y = atl_add(y, atl_variable(g, "bias", ATL_SHAPE(out), atl_uniform(-1, 1)));
    y = atl_relu(atl_add(y, residual));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *pixels = random_tensor(image, -1, 1), *added = random_tensor(ATL_SHAPE(2, 14, 15, out), -1, 1);
    cr_assert(floats_agree(2, (atl_node *[]){y, dx}, ATL_FEEDS({x, pixels}, {residual, added}), text, sizeof text),
              "%s", text);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(program, "conv2d_fused", "tap sums"), forward, "%dx%d, dilation %d", size, size, dilation);
    cr_expect_eq(steps_by(program, "conv2d_input_grad", "tap sums"), gradient, "%dx%d, dilation %d", size, size,
                 dilation);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(added);
    atl_graph_free(g);
}

/* Padding of 12 pixels: of all levels only AVX-512 has a kernel of oneDNN for it. */
Test(conv_tap_sums, wide_dilations)
{
    int is_narrow = atl_kernels->vector < 16;
    check(64, 32, 3, 12, is_narrow, is_narrow);
}

Test(conv_tap_sums, what_onednn_has_kernels_for_is_left_to_it)
{
    check(64, 32, 3, 2, 0, 0);
    check(1, 32, 3, 4, 0, 0); /* few terms */
}

/* Packing the filter in each run would cost more than it saves. */
Test(conv_tap_sums, a_filter_that_the_program_trains_is_not_packed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 14, 15, 64)), *y = convolved(x, 64, 32, 3, 12);
    atl_node *w = atl_find(g, "w");
    atl_program *program = atl_compile(g, ATL_NODES(y, atl_assign(w, atl_scale(w, 0.5f))));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(program, NULL, "tap sums"), 0);
    atl_program_free(program);
    atl_graph_free(g);
}
