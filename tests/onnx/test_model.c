/* What is no valid model: refused with a message that names the node, never a crash. */
#include "bad_models.h"

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

/* The tests that follow refuse for the reason that they are about: this one is read. */
Test(model, a_good_one_is_read)
{
    made model = make_model(GRAPH(relu_node()), 8, 17);
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    cr_assert(atl_onnx_input(net, "x") && atl_onnx_output(net, "y"));
    atl_onnx_free(net);
    atl_graph_free(graph);
    free(model.at);
}

Test(model, what_is_no_protobuf) { no_protobuf(assert_refused); }

/* Wherever the file ends, it is refused, or what is left is a model. */
Test(model, cut_short)
{
    made model = make_model(GRAPH(relu_node()), 8, 17);
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
    free(model.at);
    cut_short_model(assert_refused);
}

Test(model, unknown_versions) { unknown_versions(assert_refused); }
Test(model, unknown_ops) { unknown_ops(assert_refused); }
Test(model, several_problems) { several_problems(assert_refused); }
Test(model, values_and_their_makers) { values_and_their_makers(assert_refused); }
Test(model, sizes_and_data) { sizes_and_data(assert_refused); }
Test(model, types_that_do_not_agree) { types_that_do_not_agree(assert_refused); }
Test(model, attributes_of_the_wrong_type) { attributes_of_the_wrong_type(assert_refused); }
Test(model, names) { long_and_strange_names(assert_refused); }
Test(model, a_million_nodes, .timeout = 60) { a_million_nodes(assert_refused); }
Test(model, nesting_of_a_thousand) { nesting_of_a_thousand(assert_refused); }

static void assert_file_refused(const char *path, const char *words)
{
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

Test(model, external_data) { external_data(assert_file_refused); }
