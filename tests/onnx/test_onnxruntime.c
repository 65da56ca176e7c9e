/* Minutes: 5.  Models that are written, gradients included, give in onnxruntime what they give here.  Skipped where no
 * Python with onnxruntime is found: $ATLED_PYTHON, or python3. */
#include "nets.h"
#include "python.h"

/* in.npz has the inputs by name; out.npz gets the outputs, numbered as output_0, output_1, ... */
static const char program_text[] =
    "import sys, numpy, onnxruntime\n"
    "options = onnxruntime.SessionOptions()\n"
    "options.log_severity_level = 3\n"
    "session = onnxruntime.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])\n"
    "feeds = dict(numpy.load(sys.argv[2]))\n"
    "values = session.run(None, {i.name: feeds[i.name] for i in session.get_inputs()})\n"
    "numpy.savez(sys.argv[2], **{'output_%d' % i: v for i, v in enumerate(values)})\n";

/* The values of the nodes for these feeds, by atled and by onnxruntime: no further apart than the bound. */
static void compare(atl_graph *graph, atl_nodes outputs, const atl_feed *feeds, double bound)
{
    const char *model = scratch_file("model.onnx"), *values = scratch_file("values.npz"),
               *said = scratch_file("said.txt");
    atl_npz_entry entry[8];
    int count = 0;
    for (; feeds[count].node; count++)
        entry[count] = (atl_npz_entry){atl_name_of(feeds[count].node), feeds[count].value};
    cr_assert(!atl_write_npz(values, count, entry) && !atl_onnx_write(model, outputs), "%s", atl_error());
    int code = run_python(program_text, model, values, said);
    char text[2000] = "";
    FILE *file = fopen(said, "rb");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    cr_assert(code == 0, "onnxruntime: %d: %.*s", code, (int)size, text);
    atl_program *program = atl_compile(graph, outputs, .disabled_passes = ATL_PASS_WINOGRAD);
    cr_assert(program && !atl_run(program, feeds), "%s", atl_error());
    for (int64_t i = 0; i < outputs.count; i++) {
        char name[32];
        snprintf(name, sizeof name, "output_%d", (int)i);
        atl_tensor *other = npz_array(values, name);
        cr_assert_close(atl_value(program, outputs.node[i]), other, bound);
        atl_tensor_free(other);
    }
    atl_program_free(program);
}

/* Logits, loss, and the gradients of the loss by the image and by a weight. */
static void compare_network(const char *name, const char *weights, atl_shape shape, int classes, double bound)
{
    need_onnxruntime();
    const atl_model *model = atl_model_find(name);
    atl_graph *g = atl_graph_new();
    atl_shape open = shape;
    open.size[0] = ATL_ANY;
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, open),
             *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *logits = model->build(&(atl_model_args){.image = image});
    cr_assert(!atl_model_load(model, g, weights), "%s", atl_error());
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(logits, labels)), *by[3];
    atl_nodes variables = atl_variables(g);
    cr_assert(!atl_gradients(ATL_NODES(loss), ATL_NODES(image, variables.node[0], variables.node[variables.count - 1]),
                             by),
              "%s", atl_graph_error(g));
    atl_tensor *pixels = random_tensor(shape, 0, 255), *truth = random_ints(ATL_SHAPE(shape.size[0]), 0, classes);
    compare(g, ATL_NODES(logits, loss, by[0], by[1], by[2]), ATL_FEEDS({image, pixels}, {labels, truth}), bound);
    atl_tensor_free(pixels);
    atl_tensor_free(truth);
    atl_graph_free(g);
}

Test(onnxruntime, lenet)
{
    compare_network("lenet", source_file("models/digits.npz"), ATL_SHAPE(3, 28, 28, 3), 10, 1e-5);
}
Test(onnxruntime, cifar10)
{
    compare_network("cifar10", source_file("models/cifar10.npz"), ATL_SHAPE(2, 24, 24, 3), 10, 1e-5);
}
Test(onnxruntime, resnet20)
{
    compare_network("resnet20", data_file("resnet20/resnet20.npz"), ATL_SHAPE(2, 32, 32, 3), 10, 1e-5);
}

/* A network from a file, with the gradient of its first class by the input. */
static void compare_file(const char *name, double bound)
{
    need_onnxruntime();
    char model[96], golden[96];
    snprintf(model, sizeof model, "onnx/%s.onnx", name);
    snprintf(golden, sizeof golden, "onnx/%s.npz", name);
    onnx_net n = open_net(data_file(model));
    atl_tensor *input = npz_array(data_file(golden), "input");
    atl_node *loss = atl_mean(atl_softmax_cross_entropy(n.output, .label = ATL_ZERO)),
             *gradient = atl_gradient(loss, n.input);
    cr_assert(gradient, "%s", atl_graph_error(n.graph));
    compare(n.graph, ATL_NODES(n.output, gradient), ATL_FEED(n.input, input), bound);
    atl_tensor_free(input);
    close_net(&n);
}

Test(onnxruntime, mnist_robust) { compare_file("mnist_robust", 1e-5); }
Test(onnxruntime, cifar10_resnet2b) { compare_file("cifar10_resnet2b", 1e-5); }
/* Its relu6 have kinks, at which two ways to round decide differently. */
Test(onnxruntime, efficientnet_lite0) { compare_file("efficientnet_lite0", 5e-3); }

/* Second order, and ops that ONNX has not: a product with the Hessian. */
Test(onnxruntime, second_order)
{
    need_onnxruntime();
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 6, 6, 3)),
             *v = atl_input(g, "v", ATL_FLOAT32, ATL_SHAPE(2, 6, 6, 3));
    atl_node *filter = atl_variable(g, "filter", ATL_SHAPE(3, 3, 3, 4), atl_truncated_normal(0.3f));
    atl_node *h =
        atl_tanh(atl_avg_pool2d(atl_lrn(atl_conv2d(x, filter), .radius = 1), .window = {2, 2}, .stride = {2, 2}));
    atl_node *loss = atl_sum(atl_square(atl_softmax(h))), *by = atl_gradient(loss, x),
             *product = atl_gradient(atl_sum(atl_mul(by, v)), x);
    cr_assert(product, "%s", atl_graph_error(g));
    atl_tensor *a = random_tensor(ATL_SHAPE(2, 6, 6, 3), -1, 1), *b = random_tensor(ATL_SHAPE(2, 6, 6, 3), -1, 1);
    compare(g, ATL_NODES(loss, by, product), ATL_FEEDS({x, a}, {v, b}), 1e-5);
    atl_tensor_free(a);
    atl_tensor_free(b);
    atl_graph_free(g);
}
