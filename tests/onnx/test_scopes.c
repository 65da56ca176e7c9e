/* Names of what is imported: those of the file, in the scopes that the exporter tells. */
#include "onnx/small_model.h"

TestSuite(scopes);

static void put_scopes(made *node, const char *scopes)
{
    made pair = {0};
    put_text(&pair, 1, "pkg.torch.onnx.name_scopes");
    put_text(&pair, 2, scopes);
    put_made(node, 9, pair);
}

static void expect_node(const small_model *m, const char *name, const char *op)
{
    const atl_node *node = atl_find(m->graph, name);
    cr_expect(node, "there is no '%s'", name);
    if (node)
        cr_expect_str_eq(atl_op_of(node)->name, op, "%s", name);
}

/* As PyTorch's older exporter names nodes, with parts that repeat what is around them. */
Test(scopes, scopes_of_a_nodes_name)
{
    made graph = {0};
    put_made(&graph, 1,
             make_node("/features/features.0/features.0.1/Relu", "Relu", "x", NULL, "/features/Relu_output_0"));
    put_made(&graph, 1,
             make_node("/block/block.0/fc1/Tanh", "Tanh", "/features/Relu_output_0", NULL,
                       "/block/block.0/fc1/Tanh_output_0"));
    put_made(&graph, 1, make_node("/Abs", "Abs", "/block/block.0/fc1/Tanh_output_0", NULL, "y"));
    small_model m = load_small(graph, 13);
    expect_node(&m, "features/0/1/Relu_output_0", "relu");
    expect_node(&m, "block/0/fc1/Tanh_output_0", "tanh");
    expect_node(&m, "y", "abs");
    free_small(&m);
}

/* As its newer exporter tells them. */
Test(scopes, scopes_that_are_told)
{
    static const struct {
        const char *scopes, *name;
    } row[] = {
        {"['', 'features', 'features.0', 'features.0.1', 'relu']", "features/0/1/y"},
        {"['', 'fc', 'linear']", "fc/y"},
        {"['', 'relu']", "y"},
        {"[]", "y"},
        {"'", "y"},
        {"['fc", "y"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        made graph = {0}, node = make_node("node_relu", "Relu", "x", NULL, "y");
        put_scopes(&node, row[i].scopes);
        put_made(&graph, 1, node);
        small_model m = load_small(graph, 13);
        expect_node(&m, row[i].name, "relu");
        free_small(&m);
    }
}

/* Weights keep the file's names, by which they are saved and replaced. */
Test(scopes, weights_are_in_no_scope)
{
    const float one[4] = {1, 2, 3, 4};
    made graph = {0};
    put_made(&graph, 1, make_node("/fc/Add", "Add", "x", "fc.bias", "y"));
    put_made(&graph, 5, make_tensor("fc.bias", TYPE_FLOAT, 4, one, sizeof one));
    small_model m = load_small(graph, 13);
    expect_node(&m, "fc.bias", "variable");
    expect_node(&m, "fc/y", "add");
    free_small(&m);
}

/* The scope in which a model is loaded is around all of its own, and open afterwards. */
Test(scopes, the_callers_scope_stays)
{
    made graph = {0};
    put_made(&graph, 1, make_node("/fc/Relu", "Relu", "x", NULL, "y"));
    made model = make_model(graph, 8, 13);
    small_model m = {.graph = atl_graph_new()};
    atl_enter(m.graph, "backbone");
    m.net = atl_onnx_load(m.graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(m.net, "%s", atl_error());
    free(model.at);
    atl_node *after = atl_square(atl_onnx_output(m.net, "y"));
    atl_leave(m.graph);
    expect_node(&m, "backbone/fc/y", "relu");
    cr_expect_str_eq(atl_name_of(after), "backbone/square");
    cr_expect_str_eq(atl_error(), "");
    free_small(&m);
}
