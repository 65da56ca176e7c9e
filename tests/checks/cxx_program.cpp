/* What a C++17 program writes: lists, feeds, names and options in calls, as in C. */
#include <cstdio>

#include <atled/atled.h>

static int failures;

static void check(bool right, const char *what)
{
    if (!right) {
        std::printf("%s: %s\n", what, atl_error());
        failures++;
    }
}

static atl_node *network(atl_node *image)
{
    atl_node *h = atl_conv_layer(.image = image, .name = ATL_NAME("conv%d", 1), .channels = 4, .window = {3, 3},
                                 .stride = {2, 2}, ATL_PAD(1), .activation = atl_relu);
    h = atl_max_pool2d(.image = h, .window = {2, 2});
    return atl_dense_layer(atl_flatten(h), "classes", 3);
}

int main()
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(2, 8, 8, 3));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(2));
    int64_t before = atl_graph_node_count(g);
    atl_node *both = atl_concat(3, atl_relu(image), image);
    check(both && atl_graph_node_count(g) == before + 2, "each argument is evaluated once");
    check(atl_reduce_sum(.x = image, ATL_AXES(1, 2), .keep = true) && atl_transpose(image) &&
              atl_tile(image, 1, 2, 1, 1) && atl_reverse(image, 1, 2) && atl_stack(0, image, image) &&
              atl_group(image, both) && atl_add(image, ATL_CONSTANT(image, 1, 2, 3)) &&
              atl_slice(.x = image, .begin = {0, 1}),
          "builders");
    atl_node *scores = network(image);
    atl_node *loss = atl_mean(atl_softmax_cross_entropy(.logits = scores, .labels = labels));
    atl_node *slope = nullptr;
    check(atl_gradients(ATL_NODES(loss), ATL_NODES(image), &slope) == ATL_OK, "gradients");
    atl_node *step = atl_minimize(loss, atl_adam(.rate = 1e-3, .beta1 = ATL_ZERO));
    atl_program *program = atl_compile(g, ATL_NODES(loss, slope, step));
    check(program != nullptr, "compile");
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(2, 8, 8, 3), 0, 1, 1);
    atl_tensor *classes = atl_tensor_new(ATL_INT32, ATL_SHAPE(2));
    check(atl_run(program, ATL_FEEDS({image, pixels}, {labels, classes})) == ATL_OK, "run");
    check(atl_scalar_of(program, loss) > 0, "loss");
    const float *value = atl_floats(atl_value(program, slope)); /* of a const tensor */
    float *pixel = atl_floats(pixels);
    check(value && pixel && atl_ints(classes) && !atl_doubles(pixels), "elements");
    check(atl_variables(g).count > 0 && *atl_graph_error(g) == 0, "variables");
    atl_onnx *none = atl_onnx_load(.graph = g, .path = "no such file", .sizes = ATL_ONNX_SIZES({"h", 1}));
    check(none == nullptr && *atl_error() && *atl_graph_error(g), "a failure has a message");
    atl_tensor_free(classes);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(g);
    return failures != 0;
}
