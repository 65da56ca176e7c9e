/* atled info. */
#include "exported.h"

TestSuite(info, .init = find_shipped_weights);

Test(info, tells_what_a_file_is_made_of)
{
    command_run run = RUN("info", exported("lenet", NULL));
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "IR version 8, made by atled");
    cr_assert_mentions(run.out, "input    image ");
    cr_assert_mentions(run.out, "FLOAT      [?, 28, 28, 3]");
    cr_assert_mentions(run.out, "output   dense2/logits");
    cr_assert_mentions(run.out, "op       Conv                                  2  opset 17");
    cr_assert_mentions(run.out, "operations for one input: ");
    cr_assert_str_empty(run.err);
}

/* The operations are for one input: twice the products of both layers, and some more. */
Test(info, counts_weights_and_operations)
{
    command_run run = RUN("info", exported("lenet", NULL));
    const atl_model *model = atl_model_find("lenet");
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 28, 28, 3));
    cr_assert(atl_lenet(image) && !atl_model_load(model, g, source_file("models/digits.npz")), "%s", atl_error());
    int64_t weights = 0;
    atl_nodes variables = atl_variables(g);
    for (int64_t i = 0; i < variables.count; i++)
        weights += atl_shape_count(atl_shape_of(variables.node[i]));
    const char *said = strstr(run.out, "weights  ");
    cr_assert(said && atoll(said + 9) >= weights && atoll(said + 9) < weights + 1000, "%s, not %lld", said,
              (long long)weights);
    double operations = atof(strstr(run.out, "for one input: ") + 15);
    cr_assert(operations > 2.0 * (double)weights && operations < 1e9, "%g", operations);
    atl_graph_free(g);
}

Test(info, mistakes_say_what_to_do)
{
    cr_assert_refused(2, "FILE.onnx", "info");
    cr_assert_refused(3, "/no/such.onnx", "info", "/no/such.onnx");
    const char *text = scratch_file("text.onnx");
    FILE *stream = fopen(text, "wb");
    fputs("hello world, this is a text, and no model", stream);
    fclose(stream);
    cr_assert_refused(3, "this is no model", "info", text);
    cr_assert_refused(3, "cut.onnx", "info", cut_short(exported("lenet", NULL)));
}
