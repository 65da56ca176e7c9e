/* Layouts: large 3x3 convolutions use Winograd's algorithm, small ones do not, and the result is the same. */
#include "nets.h"

static atl_node *three_layers(atl_graph *g, atl_node *image)
{
    atl_node *h = image;
    for (int i = 0; i < 3; i++) {
        atl_node *filter = atl_variable(g, ATL_NAME("w%d", i), ATL_SHAPE(3, 3, atl_shape_of(h).size[3], 64), atl_he());
        h = atl_softplus(atl_conv2d(h, filter)); /* no kink, where rounding would decide */
    }
    return atl_avg_pool2d(h, .window = {2, 2});
}

Test(layout, winograd_agrees_with_direct_and_can_be_forbidden)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 112, 112, 3));
    atl_node *y = three_layers(g, image), *dx = atl_gradient(y, image);
    atl_program *direct = atl_compile(g, ATL_NODES(y, dx), .disabled_passes = ATL_PASS_WINOGRAD);
    atl_program *winograd = atl_compile(g, ATL_NODES(y, dx));
    cr_assert(direct && winograd, "%s", atl_graph_error(g));
    cr_assert_eq(steps_by(direct, NULL, "wino"), 0);
    cr_assert_geq(steps_by(winograd, NULL, "wino"), 3);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, 112, 112, 3), -1, 1);
    cr_assert_eq(atl_run(direct, ATL_FEED(image, pixels)), ATL_OK);
    cr_assert_eq(atl_run(winograd, ATL_FEED(image, pixels)), ATL_OK);
    cr_assert_close(atl_value(winograd, y), atl_value(direct, y), 5e-6);
    cr_assert_close(atl_value(winograd, dx), atl_value(direct, dx), 1e-5);
    atl_tensor_free(pixels);
    atl_program_free(direct);
    atl_program_free(winograd);
    atl_graph_free(g);
}

Test(layout, small_images_stay_in_nhwc)
{
    small_net net = small_net_new(1, 8);
    atl_program *program = atl_compile(net.graph, ATL_NODES(net.by_image));
    /* None uses oneDNN's Winograd kernels, which need blocked layouts; ours, "winograd:...", work in NHWC. */
    cr_assert_eq(steps_by(program, NULL, "wino"), steps_by(program, NULL, "winograd:"));
    atl_program_free(program);
    atl_graph_free(net.graph);
}
