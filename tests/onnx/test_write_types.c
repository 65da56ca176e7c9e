/* Types of inputs and outputs of what is written of a model that was read. */
#include "small_model.h"

/* The file's type of the port of that name. */
static const char *type_in(const atl_onnx_report *report, const char *name)
{
    for (int64_t i = 0; i < atl_onnx_report_input_count(report); i++)
        if (strcmp(atl_onnx_report_input(report, i).name, name) == 0)
            return atl_onnx_report_input(report, i).type;
    for (int64_t i = 0; i < atl_onnx_report_output_count(report); i++)
        if (strcmp(atl_onnx_report_output(report, i).name, name) == 0)
            return atl_onnx_report_output(report, i).type;
    return "";
}

static void expect_types(const char *path, const char *const (*types)[2], int count)
{
    atl_graph *graph = atl_graph_new();
    atl_onnx_report *report = NULL;
    atl_onnx *net = atl_onnx_load(graph, path, .report_out = &report);
    cr_assert(net, "%s", atl_error());
    for (int i = 0; i < count; i++)
        cr_expect_str_eq(type_in(report, types[i][0]), types[i][1], "'%s' is %s", types[i][0],
                         type_in(report, types[i][0]));
    atl_onnx_report_free(report);
    atl_onnx_free(net);
    atl_graph_free(graph);
}

/* y = x + table[ids] where `shown`, else x; most = the place of the greatest element of y. */
static made lookup_model(void)
{
    static const float table[] = {1, 2, 4, 8};
    static const int64_t rows[] = {4};
    made graph =
             GRAPH(make_node("look", "Gather", "table", "ids", "found"), make_node("sum", "Add", "x", "found", "s")),
         choose = make_node("choose", "Where", "shown", "s", "y");
    put_text(&choose, 1, "x");
    put_made(&graph, 1, choose);
    put_made(&graph, 1, make_node("most", "ArgMax", "y", NULL, "most"));
    put_tensor(&graph, "table", TYPE_FLOAT, 1, rows, table, sizeof table);
    put_made(&graph, 11, make_port("ids", TYPE_INT64));
    put_made(&graph, 11, make_port("shown", TYPE_BOOL));
    put_made(&graph, 12, make_port("most", TYPE_INT64));
    return make_model(graph, 8, 17);
}

Test(write_types, are_those_of_the_file)
{
    static const char *const kept[][2] = {{"ids", "INT64"},
                                          {"shown", "BOOL"},
                                          {"x", "FLOAT"},
                                          {"y", "FLOAT"},
                                          {"most", "INT64"}},
                             *const own[][2] = {{"ids", "INT32"}, {"shown", "FLOAT"}, {"most", "INT32"}};
    const char *path = scratch_file("types.onnx");
    made model = lookup_model();
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    atl_node *y = atl_onnx_output(net, "y"), *most = atl_onnx_output(net, "most"),
             *gradient = atl_gradient(atl_sum(atl_square(y)), atl_onnx_input(net, "x"));
    cr_assert_eq(atl_onnx_write(path, ATL_NODES(y, most, gradient), .types_of = net), ATL_OK, "%s", atl_error());
    expect_types(path, kept, 5);
    cr_assert_eq(atl_onnx_write(path, ATL_NODES(y, most, gradient)), ATL_OK, "%s", atl_error());
    expect_types(path, own, 3);
    atl_onnx_free(net);
    atl_graph_free(graph);
    free(model.at);
}
