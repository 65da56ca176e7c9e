/* Our own direct convolution: which convolutions and gradients by the image it computes, and that they agree with the
 * reference. */
#include "battery.h"
#include "kernels/kernels.h"
#include "onednn/onednn.h"
#include "support.h"

/* The sizes of a convolution; 0: 1, or as high as wide. */
typedef struct sizes {
    int64_t pixels, in, out;
    int size, height, stride, dilation;
} sizes;

static atl_node *convolved(atl_node *x, sizes s)
{
    const int height = s.height ? s.height : s.size;
    atl_node *w = atl_variable(atl_graph_of(x), "w", ATL_SHAPE(height, s.size, s.in, s.out), atl_he());
    return atl_conv2d(x, w, .padding = ATL_SAME, .dilation = {s.dilation, s.dilation}, .stride = {s.stride, s.stride});
}

/* With bias, residual and relu. */
static void check(sizes s, int forward, int gradient)
{
    char text[1000];
    const int64_t results = s.stride > 1 ? (s.pixels + s.stride - 1) / s.stride : s.pixels;
    const atl_shape image = ATL_SHAPE(2, s.pixels, s.pixels, s.in), result = ATL_SHAPE(2, results, results, s.out);
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, image), *y = convolved(x, s);
    atl_node *residual = atl_input(g, "residual", ATL_FLOAT32, result);
    y = atl_add(y, atl_variable(g, "bias", ATL_SHAPE(s.out), atl_uniform(-1, 1)));
    y = atl_relu(atl_add(y, residual));
    atl_node *dx = atl_gradient(atl_sum(atl_square(y)), x);
    atl_tensor *pixels = random_tensor(image, -1, 1), *added = random_tensor(result, -1, 1);
    cr_assert(floats_agree(2, (atl_node *[]){y, dx}, ATL_FEEDS({x, pixels}, {residual, added}), text, sizeof text),
              "%s", text);
    atl_program *program = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(program, NULL, "tap sums"), forward + gradient);
    cr_expect_eq(steps_by(program, "conv2d_fused", "tap sums"), forward, "%dx%d, stride %d, dilation %d", s.size,
                 s.size, s.stride, s.dilation);
    cr_expect_eq(steps_by(program, "conv2d_input_grad", "tap sums"), gradient, "%dx%d, stride %d, dilation %d", s.size,
                 s.size, s.stride, s.dilation);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(added);
    atl_graph_free(g);
}

/* Forward, without bias. */
static int onednn_copies_windows(sizes s)
{
    const int64_t pad = s.size / 2 * s.dilation;
    const atl_window window = {
        .size = s.size, .stride = 1, .dilation = s.dilation, .pad_before = pad, .pad_after = pad};
    return onednn_convolution_copies_windows(&(onednn_convolution){.pass = ONEDNN_FORWARD,
                                                                   .image = ATL_SHAPE(2, s.pixels, s.pixels, s.in),
                                                                   .filter = ATL_SHAPE(s.size, s.size, s.in, s.out),
                                                                   .result = ATL_SHAPE(2, s.pixels, s.pixels, s.out),
                                                                   .vertical = window,
                                                                   .horizontal = window,
                                                                   .groups = 1,
                                                                   .bias_input = ONEDNN_NO_INPUT,
                                                                   .residual_input = ONEDNN_NO_INPUT});
}

/* Most elements of such windows lie beside the image.  With AVX-512 oneDNN has a kernel that leaves them out, forward
 * from 3.x on also with AVX2. */
Test(conv_tap_sums, wide_dilations)
{
    const sizes s = {14, 64, 32, 3, .dilation = 12};
    check(s, atl_kernels->vector < 16 && onednn_copies_windows(s), atl_kernels->vector < 16);
}

/* Without Winograd's method, which has no strides and no windows of one row. */
Test(conv_tap_sums, strides_and_windows_that_are_not_square)
{
    check((sizes){8, 256, 128, 3, .stride = 2}, 1, 1);
    check((sizes){17, 256, 64, 7, .height = 1}, 1, 1);
    check((sizes){17, 128, 256, 1, .height = 7}, 1, 1);
}

/* Winograd's method, few terms, results that do not fill vectors, and single pixels. */
Test(conv_tap_sums, what_other_kernels_compute_faster)
{
    check((sizes){28, 64, 64, 3}, 0, 0);
    check((sizes){15, 1, 32, 3, .dilation = 4}, 0, 0);
    check((sizes){15, 27, 33, 3, .stride = 2}, 0, 0);
    check((sizes){15, 64, 64, 1, .stride = 2}, 0, 0);
}

/* Packing the filter in each run would cost more than it saves. */
Test(conv_tap_sums, a_filter_that_the_program_trains_is_not_packed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 14, 15, 64));
    atl_node *y = convolved(x, (sizes){14, 64, 32, 3, .dilation = 12});
    atl_node *w = atl_find(g, "w");
    atl_program *program = atl_compile(g, ATL_NODES(y, atl_assign(w, atl_scale(w, 0.5f))));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(program, NULL, "tap sums"), 0);
    atl_program_free(program);
    atl_graph_free(g);
}
