/* Minutes: 3.  atled export: networks and their gradients as ONNX files. */
#include "command.h"

#include <sys/stat.h>

static void set_up(void) { setenv("ATLED_MODELS", source_file("models"), 1); }
TestSuite(export, .init = set_up);

static const char *export_lenet(const char *name, const char *gradient)
{
    const char *path = scratch_file(name);
    command_run run = RUN("export", "-m", "lenet", "-o", path, gradient);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "input 'image' [?, 28, 28, 3]: R, G, B, 0..255");
    return path;
}

/* The network as the library builds it, with the weights that ship. */
typedef struct built {
    atl_graph *graph;
    atl_node *image, *labels, *logits, *loss, *gradient;
} built;

static built build_lenet(void)
{
    built b = {.graph = atl_graph_new()};
    b.image = atl_input(b.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 28, 28, 3));
    b.labels = atl_input(b.graph, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    b.logits = atl_lenet(b.image);
    b.loss = atl_sparse_softmax_cross_entropy(b.logits, b.labels);
    b.gradient = atl_gradient(b.loss, b.image);
    cr_assert(b.gradient, "%s", atl_graph_error(b.graph));
    cr_assert(atl_model_load(atl_model_find("lenet"), b.graph, source_file("models/digits.npz")) == ATL_OK, "%s",
              atl_error());
    return b;
}

/* Logits, losses and gradient of the file are those of the network, in double. */
Test(export, computes_what_the_network_computes)
{
    const char *path = export_lenet("lenet.onnx", "--gradient");
    built b = build_lenet();
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, path);
    cr_assert(net, "%s", atl_error());
    cr_assert_eq(atl_onnx_output_count(net), 3);
    atl_tensor *image = random_tensor(ATL_SHAPE(3, 28, 28, 3), 0, 255), *labels = random_ints(ATL_SHAPE(3), 0, 10);
    atl_reference *expected =
        atl_reference_run(ATL_NODES(b.logits, b.loss, b.gradient), ATL_FEEDS({b.image, image}, {b.labels, labels}));
    cr_assert(expected, "%s", atl_error());
    atl_node *output[3], *of[] = {b.logits, b.loss, b.gradient};
    for (int i = 0; i < 3; i++)
        output[i] = atl_onnx_output(net, atl_onnx_output_name(net, i));
    atl_program *program = atl_compile(graph, (atl_nodes){3, output});
    cr_assert(program, "%s", atl_error());
    atl_status status =
        atl_run(program, ATL_FEEDS({atl_onnx_input(net, "image"), image}, {atl_onnx_input(net, "labels"), labels}));
    cr_assert_eq(status, ATL_OK, "%s", atl_error());
    for (int i = 0; i < 3; i++)
        cr_assert_close(atl_value(program, output[i]), atl_reference_value(expected, of[i]), 2e-5);
    atl_reference_free(expected);
    atl_program_free(program);
    atl_tensor_free(image);
    atl_tensor_free(labels);
    atl_onnx_free(net);
    atl_graph_free(graph);
    atl_graph_free(b.graph);
}

Test(export, without_gradient_there_is_one_output)
{
    command_run run = RUN("info", export_lenet("plain.onnx", NULL));
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "input    image");
    cr_assert_mentions(run.out, "logits");
    cr_assert_null(strstr(run.out, "gradient"));
    cr_assert_null(strstr(run.out, "labels"));
}

Test(export, the_batch_can_be_fixed)
{
    const char *path = scratch_file("two.onnx");
    command_run run = RUN("export", "-m", "lenet", "-o", path, "--batch", "2");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "[2, 28, 28, 3]");
}

/* The preprocessing becomes part of the file. */
Test(export, of_a_file_has_its_preprocessing)
{
    const char *path = scratch_file("prepared.onnx");
    command_run run =
        RUN("export", "-m", export_lenet("raw.onnx", NULL), "--mean", "10,20,30", "--scale", "0.5", "-o", path);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.err, "(pixel - (20, 40, 60)) * (0.5, 0.5, 0.5) as R, G, B");
    cr_assert_code(RUN("info", path), 0);
}

Test(export, mistakes_say_what_to_do)
{
    const char *path = scratch_file("x.onnx"), *other = scratch_file("x.npz");
    unlink(path);
    unlink(other);
    cr_assert_refused(2, "--output FILE is missing", "export", "-m", "lenet");
    cr_assert_refused(2, "--model NAME is missing", "export", "-o", path);
    cr_assert_refused(2, "ends in .onnx", "export", "-m", "lenet", "-o", other);
    cr_assert_refused(2, "no weights for vgg16", "export", "-m", "vgg16", "-o", path);
    cr_assert_refused(2, "--mean is for ONNX files only", "export", "-m", "lenet", "--mean", "1", "-o", path);
    cr_assert_refused(3, "/no/such", "export", "-m", "lenet", "-o", "/no/such/x.onnx");
    cr_assert_refused(3, "/no/such.onnx", "export", "-m", "/no/such.onnx", "-o", path);
    cr_assert_refused(3, "/no/such.npz", "export", "-m", "lenet", "-w", "/no/such.npz", "-o", path);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_neq(access(other, F_OK), 0);
    const char *file = export_lenet("itself.onnx", NULL);
    cr_assert_refused(2, "are the same file", "export", "-m", file, "-o", file);
}
