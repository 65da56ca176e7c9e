/* Minutes: 3 */
#include "models/golden.h"

enum { SIDE = 224 };

typedef struct squeezenet {
    atl_graph *graph;
    atl_node *image, *logits;
} squeezenet;

static squeezenet load_squeezenet(int64_t batch)
{
    const char *path = data_file("squeezenet/squeezenet_v1_1.npz");
    squeezenet net = {.graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, SIDE, SIDE, 3));
    net.logits = atl_squeezenet(net.image);
    cr_assert(net.logits, "%s", atl_graph_error(net.graph));
    cr_assert(atl_model_load(atl_model_find("squeezenet"), net.graph, path) == ATL_OK, "%s", atl_error());
    return net;
}

static void check_golden(int exactly)
{
    atl_npz *npz = open_golden("goldens/squeezenet_v1_1.npz");
    squeezenet net = load_squeezenet(3);
    atl_node *top = atl_input(net.graph, "top", ATL_INT32, ATL_SHAPE(3));
    atl_node *input = atl_find(net.graph, "bgr"); /* what the golden gradient is with respect to */
    atl_node *slope = atl_gradient(atl_sum(atl_pick(net.logits, top)), input);
    atl_program *program = compiled(net.graph, ATL_NODES(net.logits, input, slope), exactly);
    atl_tensor *pixels = golden_floats(npz, "pixels"), *classes = golden_value(npz, "top");
    cr_assert(atl_run(program, ATL_FEEDS({net.image, pixels}, {top, classes})) == ATL_OK, "%s", atl_error());
    assert_golden(program, input, npz, "input");
    assert_golden(program, net.logits, npz, "logits");
    assert_golden(program, slope, npz, "grad/input");
    assert_no_reference_steps(program);
    atl_program_free(program);
    atl_tensor_free(pixels);
    atl_tensor_free(classes);
    atl_npz_close(npz);
    atl_graph_free(net.graph);
}

Test(squeezenet, golden_values_and_gradient) { check_golden(0); }
Test(squeezenet, golden_values_and_gradient_exactly) { check_golden(1); }

/* The step that fooling takes: one picture, all the way to raw pixels, and nothing of the filters' gradients. */
Test(squeezenet, the_image_gradient_needs_no_filter_gradient)
{
    squeezenet net = load_squeezenet(1);
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
    squeezenet net = load_squeezenet(1);
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
