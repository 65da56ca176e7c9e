/* Models that are not valid, each with the words in which it is refused. */
#ifndef ATLED_TESTS_ONNX_BAD_MODELS_H
#define ATLED_TESTS_ONNX_BAD_MODELS_H

#include "make_model.h"

#include <sys/stat.h>
#include <unistd.h>

/* Expects that a model is refused in these words, and frees it. */
typedef void refusal(made model, const char *words);

/* A good one, of one node. */
static inline made relu_node(void) { return make_node("the_node", "Relu", "x", NULL, "y"); }

static inline void no_protobuf(refusal *refuse)
{
    made text = {0}, noise = {0};
    put_raw(&text, "hello world, this is a text, and no model", 41);
    put_raw(&noise, "\xff\xfe\x80\x81\x82\x83", 6);
    refuse(text, "this is no model");
    refuse(noise, "byte ");
}

/* Three bytes are missing. */
static inline void cut_short_model(refusal *refuse)
{
    made cut = make_model(GRAPH(relu_node()), 8, 17);
    cut.size -= 3;
    refuse(cut, "cut short");
}

static inline void unknown_versions(refusal *refuse)
{
    refuse(make_model(GRAPH(relu_node()), 99, 17), "IR version 99; 3 to ");
    refuse(make_model(GRAPH(relu_node()), 2, 17), "IR version 2; 3 to ");
    refuse(make_model(GRAPH(relu_node()), 8, 99), "opset 99; 1 to ");
    refuse(make_model(GRAPH(relu_node()), 8, 0), "opset 0; 1 to ");
    refuse(make_model(GRAPH(make_node("the_node", "Gelu", "x", NULL, "y")), 8, 17), "Gelu is read from opset 20 on");
}

static inline void unknown_ops(refusal *refuse)
{
    refuse(make_model(GRAPH(make_node("the_node", "Frobnicate", "x", NULL, "y")), 8, 17),
           "'the_node' (Frobnicate): the op Frobnicate of ai.onnx is not read");
    made other = relu_node();
    put_text(&other, 7, "com.example");
    refuse(make_model(GRAPH(other), 8, 17), "the op Relu of com.example is not read");
}

/* Each with its own reason, and none for what reads their results. */
static inline void several_problems(refusal *refuse)
{
    static const char zeros[24];
    made graph = GRAPH(make_node("first", "Add", "x", "five", "a"), make_node("victim", "Neg", "a", NULL, "n"),
                       make_node("second", "Add", "x", "six", "b"), make_node("third", "Frobnicate", "n", NULL, "y"));
    put_made(&graph, 5, make_tensor("five", TYPE_FLOAT, 5, zeros, 20));
    put_made(&graph, 5, make_tensor("six", TYPE_FLOAT, 6, zeros, 24));
    refuse(make_model(graph, 8, 17),
           "3 of its nodes cannot be read: 'third' (Frobnicate): the op Frobnicate of ai.onnx is not read; 'first' "
           "(Add): add: the shapes [1, 4] ('x') and [5] ('five') cannot be broadcast: counted from the last, sizes "
           "must be equal or 1; 'second' (Add): add: the shapes [1, 4] ('x') and [6] ('six') cannot be broadcast");
}

static inline void values_and_their_makers(refusal *refuse)
{
    refuse(make_model(GRAPH(make_node("first", "Add", "x", "b", "a"), make_node("second", "Relu", "a", NULL, "b"),
                            make_node("third", "Relu", "b", NULL, "y")),
                      8, 17),
           "'first' (Add): it reads 'b', which nothing before it makes");
    refuse(make_model(GRAPH(make_node("the_node", "Add", "x", "nobody", "y")), 8, 17),
           "'the_node' (Add): it reads 'nobody', which nothing before it makes");
    refuse(make_model(GRAPH(relu_node(), make_node("other", "Abs", "x", NULL, "y")), 8, 17),
           "'other' (Abs): 'y' is made twice");
    refuse(make_model(GRAPH(make_node("the_node", "Relu", "x", NULL, "z")), 8, 17),
           "'y' (output): it is an output of the model, and nothing makes it");
    refuse(make_model(GRAPH(make_node("the_node", "Relu", "x", "x", "y")), 8, 17),
           "'the_node' (Relu): it takes one input");
    made sum = make_node("the_node", "Add", "x", "x", "y");
    put_text(&sum, 1, "x");
    refuse(make_model(GRAPH(sum), 8, 17), "'the_node' (Add): it needs two inputs");
    made model = {0}, graph = GRAPH(relu_node()), import = {0};
    put_text(&graph, 2, "the_graph");
    put_made(&graph, 11, make_port("x", TYPE_FLOAT));
    put_int(&model, 1, 8);
    put_int(&import, 2, 17);
    put_made(&model, 8, import);
    put_made(&model, 7, graph);
    refuse(model, "'the_graph' (graph): it names no output");
}

/* x + w, where w is that tensor. */
static inline made sum_with(made tensor)
{
    made graph = GRAPH(make_node("the_node", "Add", "x", "w", "y"));
    put_made(&graph, 5, tensor);
    return make_model(graph, 8, 17);
}

static inline void sizes_and_data(refusal *refuse)
{
    static const char zeros[32];
    refuse(sum_with(make_tensor("w", TYPE_FLOAT, 4, zeros, 15)),
           "'w' of type FLOAT has 4 elements of 4 bytes, but its data has 15 bytes");
    refuse(sum_with(make_tensor("w", TYPE_FLOAT, 4, zeros, 12)),
           "'w' [4] of type FLOAT has 4 elements, but its data has 3");
    refuse(sum_with(make_tensor("w", TYPE_FLOAT, 4, zeros, 20)), "has at least 5");
    refuse(sum_with(make_tensor("w", TYPE_FLOAT, 4, NULL, 0)),
           "'w' [4] of type FLOAT has 4 elements, but its data has 0");
    refuse(sum_with(make_tensor("w", TYPE_FLOAT, 4000, zeros, 4)),
           "'w' [4000] of type FLOAT has 4000 elements, but its data has at most 14 bytes");
    refuse(sum_with(make_tensor("w", TYPE_FLOAT, -4, zeros, 16)), "size 0 of the tensor 'w' is negative");
    made huge = make_tensor("w", TYPE_FLOAT, (int64_t)1 << 40, zeros, 16);
    put_int(&huge, 1, (int64_t)1 << 40);
    refuse(sum_with(huge), "'w' has more elements");
    /* A size that only shape arithmetic makes. */
    int64_t sizes[2] = {(int64_t)1 << 40, (int64_t)1 << 40};
    made graph =
        GRAPH(make_node("the_node", "ConstantOfShape", "w", NULL, "c"), make_node("last", "Add", "x", "c", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT64, 2, sizes, sizeof sizes));
    refuse(make_model(graph, 8, 17), "'the_node' (ConstantOfShape): a size of its result is negative, or too large");
    graph = GRAPH(make_node("the_node", "Tile", "x", "w", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT64, 2, sizes, sizeof sizes));
    refuse(make_model(graph, 8, 17), "'the_node' (Tile)");
}

static inline void types_that_do_not_agree(refusal *refuse)
{
    static const char zeros[32];
    refuse(sum_with(make_tensor("w", TYPE_INT64, 4, zeros, 32)),
           "'the_node' (Add): its inputs 'x', of type FLOAT, and 'w', of type INT64, must be of one type");
    refuse(make_model(GRAPH(make_node("the_node", "And", "x", "x", "y")), 8, 17),
           "'the_node' (And): its input 'x' is of type FLOAT; it takes BOOL");
    refuse(make_model(GRAPH(make_node("the_node", "Gather", "x", "x", "y")), 8, 17),
           "'the_node' (Gather): its input 'x' is of type FLOAT; it takes whole numbers");
    refuse(make_model(GRAPH(make_node("the_node", "Shape", "x", NULL, "y")), 8, 17),
           "'y' (output): the file says that this output is of type FLOAT, but it is of type INT64");
    made graph = GRAPH(make_node("the_node", "Sigmoid", "w", NULL, "s"), make_node("last", "Add", "x", "s", "y"));
    put_made(&graph, 5, make_tensor("w", TYPE_INT32, 4, zeros, 16));
    refuse(make_model(graph, 8, 17), "'the_node' (Sigmoid): its input 'w' is of type INT32; it takes real numbers");
}

/* kind: the type that AttributeProto says */
static inline made with_attribute(made node, const char *name, int field, made value, int kind)
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

static inline void attributes_of_the_wrong_type(refusal *refuse)
{
    made zero = {0};
    put_raw(&zero, "zero", 4);
    refuse(make_model(GRAPH(with_attribute(make_node("the_node", "Softmax", "x", NULL, "y"), "axis", 4, zero, 3)), 8,
                      17),
           "'the_node' (Softmax): its attribute 'axis' is of type STRING; it takes INT");
    refuse(make_model(GRAPH(
                          with_attribute(make_node("the_node", "LeakyRelu", "x", NULL, "y"), "alpha", 3, (made){0}, 2)),
                      8, 17),
           "its attribute 'alpha' is of type INT; it takes FLOAT");
}

static inline void long_and_strange_names(refusal *refuse)
{
    enum { LONG = 1000000 };
    char *name = malloc(LONG + 1);
    memset(name, 'N', LONG);
    name[LONG] = 0;
    refuse(
        make_model(GRAPH(make_node(name, "Relu", "x", NULL, "y")), 8, 17),
        "in node 1: a name of 1000000 bytes, 'NNNNNNNNNNNNNNNNNNNNNNNN...'; the limit is 4096: choose a shorter one");
    refuse(make_model(GRAPH(make_node("a", name, "x", NULL, "y")), 8, 17), "in node 1, 'a': a name of 1000000 bytes");
    refuse(make_model(GRAPH(relu_node(), make_node("b", "Relu", "x", NULL, name)), 8, 17),
           "in node 2, 'b': a name of 1000000 bytes");
    free(name);
    refuse(make_model(GRAPH(make_node("\xff\xfe", "Relu", "x", NULL, "y")), 8, 17),
           "in node 1: a name that is not UTF-8, or holds a zero byte, '\\xff\\xfe': choose another one");
    refuse(make_model(GRAPH(relu_node(), make_node("b", "Relu", "x", NULL, "\xc0\x80")), 8, 17),
           "in node 2, 'b': a name that is not UTF-8, or holds a zero byte, '\\xc0\\x80'");
    refuse(sum_with(make_tensor("w\xff", TYPE_FLOAT, 4, "", 0)), "in tensor: a name that is not UTF-8");
}

static inline void a_million_nodes(refusal *refuse)
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
    refuse(make_model(graph, 8, 17), "in node 200001: the model has more than 200000 nodes, which is the limit");
}

/* An If within an If, a thousand deep. */
static inline void nesting_of_a_thousand(refusal *refuse)
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
    refuse(make_model(graph, 8, 17), ", 'the_node': graphs within graphs, more than 32 deep");
}

/* ---- external data ----------------------------------------------------------------------------------------------- */

/* Writes a model of 4 elements w that lie at that place and offset. */
static inline const char *external_model(const char *place, const char *offset)
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
    write_made(path, model);
    return path;
}

static inline void write_zeros(const char *path, size_t size)
{
    FILE *file = fopen(path, "wb");
    static const char zeros[64];
    cr_assert(file && fwrite(zeros, 1, size, file) == size && fclose(file) == 0);
}

/* refuse: of a file; words null: it is read */
static inline void external_data(void (*refuse)(const char *path, const char *words))
{
    mkdir(scratch_file("model"), 0777);
    write_zeros(scratch_file("outside.bin"), 64);
    write_zeros(scratch_file("model/data.bin"), 64);
    write_zeros(scratch_file("model/short.bin"), 8);
    unlink(scratch_file("model/link.bin"));
    cr_assert_eq(symlink("../outside.bin", scratch_file("model/link.bin")), 0);
    refuse(external_model("data.bin", NULL), NULL);
    refuse(external_model("data.bin", "48"), NULL);
    refuse(external_model("data.bin", "60"), "should be 16 bytes from byte 60");
    refuse(external_model("data.bin", "-4"), "in tensor 'w': '-4' is no offset or length");
    refuse(external_model("data.bin", "x"), "no offset or length");
    refuse(external_model("short.bin", NULL), "which has 8");
    refuse(external_model("none.bin", NULL), "there is no file 'none.bin' beside the model");
    refuse(external_model("../outside.bin", NULL), "which leads out of the model's folder");
    refuse(external_model("link.bin", NULL), "which leads out of the model's folder");
    refuse(external_model(scratch_file("outside.bin"), NULL), "only a path below the model's folder is followed");
}

#endif
