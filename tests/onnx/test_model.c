/* What is no valid model: refused with a message that names the node, never a crash. */
#include "make_model.h"

#include <sys/stat.h>
#include <unistd.h>

static void assert_told(const char *words) { cr_assert_mentions(atl_error(), words); }

/* Refused, in these words; the model is freed. */
static void assert_refused(made model, const char *words)
{
    atl_graph *graph = atl_graph_new();
    atl_onnx_report *report = NULL;
    atl_onnx *net = atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size, .report_out = &report);
    cr_assert_null(net, "it is read, not refused because of \"%s\"", words);
    assert_told(words);
    cr_assert(atl_error_status() == ATL_BAD_FILE || atl_error_status() == ATL_UNSUPPORTED);
    atl_onnx_report_free(report);
    atl_graph_free(graph);
    free(model.at);
}

static made relu(void) { return make_node("the_node", "Relu", "x", NULL, "y"); }

/* The tests that follow refuse for the reason that they are about: this one is read. */
Test(model, a_good_one_is_read)
{
    made model = make_model(GRAPH(relu()), 8, 17);
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    cr_assert(atl_onnx_input(net, "x") && atl_onnx_output(net, "y"));
    atl_onnx_free(net);
    atl_graph_free(graph);
    free(model.at);
}

Test(model, what_is_no_protobuf)
{
    made text = {0}, noise = {0};
    put_raw(&text, "hello world, this is a text, and no model", 41);
    put_raw(&noise, "\xff\xfe\x80\x81\x82\x83", 6);
    assert_refused(text, "this is no model");
    assert_refused(noise, "byte ");
}

/* Wherever the file ends, it is refused, or what is left is a model. */
Test(model, cut_short)
{
    made model = make_model(GRAPH(relu()), 8, 17);
    for (size_t size = 0; size + 1 < model.size; size++) {
        atl_graph *graph = atl_graph_new();
        made part = {0};
        put_raw(&part, model.at, size); /* of its own, so that reading beyond it is found */
        atl_onnx *net = atl_onnx_load(graph, .bytes = part.at, .byte_count = size);
        cr_assert_null(net, "%zu bytes of %zu are read", size, model.size);
        cr_assert(*atl_error());
        atl_graph_free(graph);
        free(part.at);
    }
    made cut = {model.at, model.size - 3};
    assert_refused(cut, "cut short");
}

Test(model, unknown_versions)
{
    assert_refused(make_model(GRAPH(relu()), 99, 17), "IR version 99; 3 to ");
    assert_refused(make_model(GRAPH(relu()), 2, 17), "IR version 2; 3 to ");
    assert_refused(make_model(GRAPH(relu()), 8, 99), "opset 99; 1 to ");
    assert_refused(make_model(GRAPH(relu()), 8, 0), "opset 0; 1 to ");
    assert_refused(make_model(GRAPH(make_node("the_node", "Gelu", "x", NULL, "y")), 8, 17),
                   "Gelu is read from opset 20 on");
}

Test(model, unknown_ops)
{
    assert_refused(make_model(GRAPH(make_node("the_node", "Frobnicate", "x", NULL, "y")), 8, 17),
                   "'the_node' (Frobnicate): the op Frobnicate of ai.onnx is not read");
    made other = relu();
    put_text(&other, 7, "com.example");
    assert_refused(make_model(GRAPH(other), 8, 17), "the op Relu of com.example is not read");
}

Test(model, values_and_their_makers)
{
    assert_refused(make_model(GRAPH(make_node("first", "Add", "x", "b", "a"),
                                    make_node("second", "Relu", "a", NULL, "b"),
                                    make_node("third", "Relu", "b", NULL, "y")),
                              8, 17),
                   "'first' (Add): it reads 'b', which nothing before it makes");
    assert_refused(make_model(GRAPH(make_node("the_node", "Add", "x", "nobody", "y")), 8, 17),
                   "'the_node' (Add): it reads 'nobody', which nothing before it makes");
    assert_refused(make_model(GRAPH(relu(), make_node("other", "Abs", "x", NULL, "y")), 8, 17),
                   "'other' (Abs): 'y' is made twice");
    assert_refused(make_model(GRAPH(make_node("the_node", "Relu", "x", NULL, "z")), 8, 17),
                   "'y' (output): it is an output of the model, and nothing makes it");
}

/* x + w, where w is that tensor. */
static made sum_with(made tensor)
{
    made graph = GRAPH(make_node("the_node", "Add", "x", "w", "y"));
    put_made(&graph, 5, tensor);
    return make_model(graph, 8, 17);
}

Test(model, sizes_and_data)
{
    static const char zeros[32];
    assert_refused(sum_with(make_tensor("w", TYPE_FLOAT, 4, zeros, 15)),
                   "'w' of type FLOAT has 4 elements of 4 bytes, but its data has 15 bytes");
    assert_refused(sum_with(make_tensor("w", TYPE_FLOAT, 4, zeros, 12)),
                   "'w' [4] of type FLOAT has 4 elements, but its data has 3");
    assert_refused(sum_with(make_tensor("w", TYPE_FLOAT, 4, zeros, 20)), "has at least 5");
    assert_refused(sum_with(make_tensor("w", TYPE_FLOAT, -4, zeros, 16)), "negative size");
    made huge = make_tensor("w", TYPE_FLOAT, (int64_t)1 << 40, zeros, 16);
    put_int(&huge, 1, (int64_t)1 << 40);
    assert_refused(sum_with(huge), "'w' has more elements");
    /* A size that only shape arithmetic makes. */
    int64_t sizes[2] = {(int64_t)1 << 40, (int64_t)1 << 40};
    made graph =
        GRAPH(make_node("the_node", "ConstantOfShape", "w", NULL, "c"), make_node("last", "Add", "x", "c", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT64, 2, sizes, sizeof sizes));
    assert_refused(make_model(graph, 8, 17),
                   "'the_node' (ConstantOfShape): a size of its result is negative, or too large");
    graph = GRAPH(make_node("the_node", "Tile", "x", "w", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT64, 2, sizes, sizeof sizes));
    assert_refused(make_model(graph, 8, 17), "'the_node' (Tile)");
}

Test(model, types_that_do_not_agree)
{
    static const char zeros[32];
    assert_refused(sum_with(make_tensor("w", TYPE_INT64, 4, zeros, 32)),
                   "'the_node' (Add): its inputs 'x', of type FLOAT, and 'w', of type INT64, must be of one type");
    assert_refused(make_model(GRAPH(make_node("the_node", "And", "x", "x", "y")), 8, 17),
                   "'the_node' (And): its input 'x' is of type FLOAT; it takes BOOL");
    assert_refused(make_model(GRAPH(make_node("the_node", "Gather", "x", "x", "y")), 8, 17),
                   "'the_node' (Gather): its input 'x' is of type FLOAT; it takes whole numbers");
    assert_refused(make_model(GRAPH(make_node("the_node", "Shape", "x", NULL, "y")), 8, 17),
                   "'y' (output): the file says that this output is of type FLOAT, but it is of type INT64");
    made graph = GRAPH(make_node("the_node", "Sigmoid", "w", NULL, "s"), make_node("last", "Add", "x", "s", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT32, 4, zeros, 16));
    assert_refused(make_model(graph, 8, 17),
                   "'the_node' (Sigmoid): its input 'w' is of type INT32; it takes real numbers");
}

/* kind: the type that AttributeProto says */
static made with_attribute(made node, const char *name, int field, made value, int kind)
{
    made attribute = {0};
    put_text(&attribute, 1, name);
    if (field == 3)
        put_int(&attribute, 3, 1);
    else
        put_made(&attribute, field, value);
    put_int(&attribute, 20, kind);
    put_made(&node, 5, attribute);
    return node;
}

Test(model, attributes_of_the_wrong_type)
{
    made zero = {0};
    put_raw(&zero, "zero", 4);
    assert_refused(
        make_model(GRAPH(with_attribute(make_node("the_node", "Softmax", "x", NULL, "y"), "axis", 4, zero, 3)), 8, 17),
        "'the_node' (Softmax): its attribute 'axis' is of type STRING; it takes INT");
    assert_refused(make_model(GRAPH(with_attribute(make_node("the_node", "LeakyRelu", "x", NULL, "y"), "alpha", 3,
                                                   (made){0}, 2)),
                              8, 17),
                   "its attribute 'alpha' is of type INT; it takes FLOAT");
}

Test(model, names)
{
    enum { LONG = 1000000 };
    char *name = malloc(LONG + 1);
    memset(name, 'N', LONG);
    name[LONG] = 0;
    assert_refused(make_model(GRAPH(make_node(name, "Relu", "x", NULL, "y")), 8, 17),
                   "a name of 1000000 bytes; the limit is");
    assert_refused(make_model(GRAPH(make_node("a", name, "x", NULL, "y")), 8, 17), "a name of 1000000 bytes");
    assert_refused(make_model(GRAPH(make_node("a", "Relu", "x", NULL, name), relu()), 8, 17),
                   "a name of 1000000 bytes");
    free(name);
    assert_refused(make_model(GRAPH(make_node("\xff\xfe", "Relu", "x", NULL, "y")), 8, 17), "a name that is not UTF-8");
    assert_refused(make_model(GRAPH(make_node("a", "Relu", "x", NULL, "\xc0\x80"), relu()), 8, 17),
                   "a name that is not UTF-8");
}

Test(model, a_million_nodes, .timeout = 60)
{
    made graph = {0}, node = make_node("", "Relu", "x", NULL, "v");
    graph.at = malloc((node.size + 8) * 1000000);
    cr_assert(graph.at);
    for (int i = 0; i < 1000000; i++) {
        graph.at[graph.size++] = 1 << 3 | 2;
        graph.at[graph.size++] = (unsigned char)node.size;
        memcpy(graph.at + graph.size, node.at, node.size);
        graph.size += node.size;
    }
    free(node.at);
    assert_refused(make_model(graph, 8, 17), "more than 200000 nodes");
}

/* An If within an If, a thousand deep. */
Test(model, nesting_of_a_thousand)
{
    made inner = GRAPH(make_node("inner", "Relu", "x", NULL, "r"));
    put_made(&inner, 12, make_port("r", TYPE_FLOAT));
    for (int i = 0; i < 1000; i++) {
        inner = GRAPH(with_attribute(make_node("the_node", "If", "c", NULL, "r"), "then_branch", 6, inner, 5));
        put_made(&inner, 12, make_port("r", TYPE_FLOAT));
    }
    made graph = inner;
    static const char truth[] = {1};
    put_made(&graph, 5, make_tensor("c", TYPE_BOOL, 1, truth, 1));
    assert_refused(make_model(graph, 8, 17), "graphs within graphs, more than 32 deep");
}

/* ---- external data ----------------------------------------------------------------------------------------------- */

/* A model in a folder of the test's own whose weight lies at that place. */
static void assert_external(const char *place, const char *offset, const char *words)
{
    made tensor = make_tensor("w", TYPE_FLOAT, 4, NULL, 0);
    const char *const pairs[][2] = {{"location", place}, {"offset", offset}};
    put_int(&tensor, 14, 1);
    for (int i = 0; i < 2; i++) {
        made pair = {0};
        if (!pairs[i][1])
            continue;
        put_text(&pair, 1, pairs[i][0]);
        put_text(&pair, 2, pairs[i][1]);
        put_made(&tensor, 13, pair);
    }
    made model = sum_with(tensor);
    const char *path = scratch_file("model/external.onnx");
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(model.at, 1, model.size, file) == model.size && fclose(file) == 0, "%s", path);
    free(model.at);
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, path);
    if (words) {
        cr_assert_null(net, "%s", words);
        assert_told(words);
        cr_assert(*atl_error());
    } else
        cr_assert(net, "%s", atl_error());
    atl_onnx_free(net);
    atl_graph_free(graph);
}

static void write_zeros(const char *path, size_t size)
{
    FILE *file = fopen(path, "wb");
    static const char zeros[64];
    cr_assert(file && fwrite(zeros, 1, size, file) == size && fclose(file) == 0);
}

Test(model, external_data)
{
    const char *folder = scratch_file("model");
    mkdir(folder, 0777);
    write_zeros(scratch_file("outside.bin"), 64);
    write_zeros(scratch_file("model/data.bin"), 64);
    write_zeros(scratch_file("model/short.bin"), 8);
    unlink(scratch_file("model/link.bin"));
    cr_assert_eq(symlink("../outside.bin", scratch_file("model/link.bin")), 0);
    assert_external("data.bin", NULL, NULL);
    assert_external("data.bin", "48", NULL);
    assert_external("data.bin", "60", "should be 16 bytes from byte 60");
    assert_external("data.bin", "-4", "no offset or length");
    assert_external("data.bin", "x", "no offset or length");
    assert_external("short.bin", NULL, "which has 8");
    assert_external("none.bin", NULL, "there is no file 'none.bin' beside the model");
    assert_external("../outside.bin", NULL, "which leads out of the model's folder");
    assert_external("link.bin", NULL, "which leads out of the model's folder");
    assert_external(scratch_file("outside.bin"), NULL, "only a path below the model's folder is followed");
}
