/* Minutes: 3 */
#include "models/golden.h"

enum { SIDE = 224 };

static trained_net load_squeezenet(void) { return load_net("squeezenet", "squeezenet/squeezenet_v1_1.npz", 1); }

/* The golden gradient is with respect to "bgr". */
static void check(unsigned without)
{
    check_trained_network("squeezenet", "squeezenet/squeezenet_v1_1.npz", "goldens/squeezenet_v1_1.npz", "bgr",
                          without);
}

Test(squeezenet, golden_values_and_gradient) { check(0); }
Test(squeezenet, golden_values_and_gradient_exactly) { check(ATL_PASS_WINOGRAD); }

/* The step that fooling needs: one image, its gradient down to raw pixels, and no filter gradients. */
Test(squeezenet, the_image_gradient_needs_no_filter_gradient)
{
    trained_net net = load_squeezenet();
    atl_node *slope = atl_gradient(atl_sum(atl_softmax_cross_entropy(net.logits, .label = 130)), net.image);
    atl_program *program = compiled(net.graph, ATL_NODES(net.logits, slope), 0);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, SIDE, SIDE, 3), 0, 255);
    cr_assert(atl_run(program, ATL_FEED(net.image, pixels)) == ATL_OK, "%s", atl_error());
    assert_no_reference_steps(program);
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert(atl_program_step(program, i, &info) == ATL_OK);
        cr_expect(!strstr(info.op, "filter_grad"), "step %lld is %s of %s", (long long)i, info.op, info.node);
    }
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_graph_free(net.graph);
}

Test(squeezenet, seven_of_ten_photographs)
{
    static const struct {
        const char *file;
        int class;
    } photo[] = {{"photos/imagenet_00_243.jpg", 243}, {"photos/imagenet_01_559.jpg", 559},
                 {"photos/imagenet_02_438.jpg", 438}, {"photos/imagenet_03_990.jpg", 990},
                 {"photos/imagenet_04_949.jpg", 949}, {"photos/imagenet_05_853.jpg", 853},
                 {"photos/imagenet_06_609.jpg", 609}, {"photos/imagenet_07_609.jpg", 609},
                 {"photos/imagenet_08_915.jpg", 915}, {"photos/imagenet_09_455.jpg", 455}};
    trained_net net = load_squeezenet();
    atl_node *top = atl_argmax(net.logits, -1);
    atl_program *program = compiled(net.graph, ATL_NODES(top), 0);
    int right = 0;
    for (int i = 0; i < 10; i++) {
        atl_tensor *picture = atl_read_image(data_file(photo[i].file));
        cr_assert(picture, "%s", atl_error());
        atl_tensor *fitted = atl_fit_image(picture, 256, SIDE, SIDE);
        cr_assert(fitted, "%s", atl_error());
        atl_tensor *pixels = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3), atl_floats(fitted));
        cr_assert(atl_run(program, ATL_FEED(net.image, pixels)) == ATL_OK, "%s", atl_error());
        int seen = atl_ints(atl_value(program, top))[0];
        fprintf(stderr, "%s is seen as %d\n", photo[i].file, seen);
        right += seen == photo[i].class;
        atl_tensor_free(pixels);
        atl_tensor_free(fitted);
        atl_tensor_free(picture);
    }
    cr_assert(right >= 7, "%d of 10 photographs are seen right", right);
    atl_program_free(program);
    atl_graph_free(net.graph);
}

/* The file with float16 weights, of IR version 3, whose initializers are inputs, too: the same net and a softmax. */
Test(squeezenet, the_float16_file_is_the_same_network)
{
    trained_net net = load_squeezenet();
    atl_node *centred = atl_sub(net.image, ATL_CONSTANT(net.image, 123, 117, 104)); /* it takes B, G, R in planes */
    atl_node *planes = atl_transpose(atl_reverse(centred, 3), .order = {0, 3, 1, 2});
    atl_onnx *file = atl_onnx_load(net.graph, data_file("squeezenet/squeezenet_v1_1_fp16.onnx"),
                                   .bindings = ATL_ONNX_BINDINGS({"data_0", planes}));
    cr_assert(file, "%s", atl_error());
    atl_node *here = atl_softmax(net.logits);
    atl_node *there = atl_reshape(atl_onnx_output(file, "softmaxout_1"), ATL_SHAPE(1, 1000));
    atl_node *top = atl_sum(atl_log(atl_reduce_max(here, ATL_AXES(1)))),
             *top_there = atl_sum(atl_log(atl_reduce_max(there, ATL_AXES(1))));
    atl_node *slope = atl_gradient(top, net.image), *slope_there = atl_gradient(top_there, net.image);
    atl_program *program = compiled(net.graph, ATL_NODES(here, there, slope, slope_there), ATL_PASS_WINOGRAD);
    atl_tensor *picture = atl_read_image(data_file("photos/imagenet_04_949.jpg"));
    atl_tensor *fitted = picture ? atl_fit_image(picture, 256, SIDE, SIDE) : NULL;
    cr_assert(fitted, "%s", atl_error());
    atl_tensor *pixels = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3), atl_floats(fitted));
    cr_assert(atl_run(program, ATL_FEED(net.image, pixels)) == ATL_OK, "%s", atl_error());
    double values = relative_l2(atl_value(program, there), atl_value(program, here)),
           slopes = relative_l2(atl_value(program, slope_there), atl_value(program, slope));
    fprintf(stderr, "probabilities %.2g, gradient %.2g\n", values, slopes);
    cr_expect_leq(values, 1e-5);
    cr_expect_leq(slopes, 1e-5);
    atl_tensor_free(pixels);
    atl_tensor_free(fitted);
    atl_tensor_free(picture);
    atl_program_free(program);
    atl_onnx_free(file);
    atl_graph_free(net.graph);
}
