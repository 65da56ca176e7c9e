/* atled info. */
#include "exported.h"
#include "onnx/make_model.h"

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
    cr_assert_mentions(run.out, "layer ");
    cr_assert_str_empty(run.err);
}

/* The row of a layer: its result, weights and operations. */
static void expect_row(const char *out, const char *layer, const char *op, const char *shape, double weights,
                       double operations)
{
    char line[32], said_op[64], rest[64];
    double said[2];
    snprintf(line, sizeof line, "\n%s ", layer);
    const char *at = strstr(out, line);
    cr_assert(at, "no row %s in %s", layer, out);
    if (*shape) {
        cr_assert_eq(sscanf(at + strlen(line), " %63s [%63[^]]] %lf %lf", said_op, rest, &said[0], &said[1]), 4, "%s",
                     at);
        cr_expect_str_eq(said_op, op);
        cr_expect_str_eq(rest, shape);
    } else
        cr_assert_eq(sscanf(at + strlen(line), " %lf %lf", &said[0], &said[1]), 2, "%s", at);
    cr_expect_eq(said[0], weights, "%s", at);
    cr_expect_eq(said[1], operations, "%s", at);
}

/* Counted by hand: 5x5 windows, 28 x 28 and 14 x 14 results; twice, because a multiply-add is two. */
static void expect_lenet(const char *out)
{
    double conv1 = 5 * 5 * 32, conv2 = 5 * 5 * 32 * 32.0, dense1 = 7 * 7 * 32 * 96.0, dense2 = 96 * 10;
    expect_row(out, "conv1", "conv2d", "1, 28, 28, 32", conv1 + 32, 2 * 28 * 28 * conv1);
    expect_row(out, "conv2", "conv2d", "1, 14, 14, 32", conv2 + 32, 2 * 14 * 14 * conv2);
    expect_row(out, "dense1", "matmul", "1, 96", dense1 + 96, 2 * dense1);
    expect_row(out, "dense2", "matmul", "1, 10", dense2 + 10, 2 * dense2);
    expect_row(out, "sum", "", "", conv1 + conv2 + dense1 + dense2 + 32 + 32 + 96 + 10,
               2 * (28 * 28 * conv1 + 14 * 14 * conv2 + dense1 + dense2));
}

Test(info, counts_weights_and_operations_of_layers)
{
    command_run named = RUN("info", "lenet"), sized = RUN("info", "lenet", "-w", source_file("models/digits.npz"));
    cr_assert_code(named, 0);
    cr_assert_code(sized, 0);
    cr_assert_mentions(named.out, "[1, 28, 28, 3]");
    expect_lenet(named.out);
    cr_assert_mentions(sized.out, "\nsum ");
}

/* A file has the weights and layers of the network from which it was made. */
Test(info, counts_those_of_a_file)
{
    command_run named = RUN("info", "lenet", "-w", source_file("models/digits.npz")),
                file = RUN("info", exported("lenet", NULL));
    cr_assert_code(file, 0);
    for (const char *layer = "conv1\0conv2\0dense1\0dense2\0"; *layer; layer += strlen(layer) + 1) {
        char line[32];
        double said[2][2];
        snprintf(line, sizeof line, "\n%s ", layer);
        for (int i = 0; i < 2; i++) {
            const char *at = strstr(i ? file.out : named.out, line);
            cr_assert(at && sscanf(strchr(at, ']') + 1, "%lf %lf", &said[i][0], &said[i][1]) == 2, "%s: %s", layer,
                      i ? file.out : named.out);
        }
        cr_expect(said[0][0] == said[1][0] && said[0][1] == said[1][1], "%s: %s", layer, file.out);
    }
}

/* Statistics of batch norm are weights that are not trained. */
Test(info, tells_what_is_not_trained)
{
    command_run run = RUN("info", "resnet20");
    cr_assert_code(run, 0);
    const atl_model *model = atl_model_find("resnet20");
    atl_graph *g = atl_graph_new();
    cr_assert(model->build(&(atl_model_args){.image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 32, 32, 3))}));
    int64_t all = 0, trained = 0;
    for (int64_t i = 0; i < atl_variables(g).count; i++) {
        const atl_node *v = atl_variables(g).node[i];
        all += atl_shape_count(atl_shape_of(v));
        trained += atl_variable_is_trainable(v) ? atl_shape_count(atl_shape_of(v)) : 0;
    }
    double said;
    cr_assert_eq(sscanf(strstr(run.out, "\nsum ") + 5, "%lf", &said), 1);
    cr_expect_eq(said, (double)all);
    cr_expect_eq(atoll(strchr(strstr(run.out, "\nsum ") + 1, '\n')), trained);
    atl_graph_free(g);
}

Test(info, mistakes_say_what_to_do)
{
    cr_assert_refused(2, "FILE.onnx", "info");
    cr_assert_refused(2, "did you mean 'resnet20'?", "info", "resnet2");
    cr_assert_refused(2, "--weights is for built-in networks", "info", "x.onnx", "-w",
                      source_file("models/digits.npz"));
    cr_assert_refused(3, "/no/such.onnx", "info", "/no/such.onnx");
    const char *text = scratch_file("text.onnx");
    FILE *stream = fopen(text, "wb");
    fputs("hello world, this is a text, and no model", stream);
    fclose(stream);
    cr_assert_refused(3, "this is no model", "info", text);
    cr_assert_refused(3, "cut.onnx", "info", cut_short(exported("lenet", NULL)));
}

/* It splits the batch, so that it must know it: what is read with a batch of one tells of that, too. */
Test(info, tells_what_needs_a_known_batch)
{
    const char *path = scratch_file("split.onnx");
    for (int is_open = 0; is_open < 2; is_open++) {
        write_made(path, make_model_of(GRAPH(make_node("part", "Split", "x", NULL, "y")), 8, 17, is_open));
        command_run run = RUN("info", path);
        cr_assert_code(run, 0);
        cr_assert_mentions(run.out, is_open ? "input    x                                FLOAT      [?, 4]" : "[1, 4]");
        cr_expect_eq(strstr(run.out, "only for a batch that is known") != NULL, is_open, "%s", run.out);
        cr_expect_eq(strstr(run.out, "the size that it splits is unknown") != NULL, is_open, "%s", run.out);
    }
}
