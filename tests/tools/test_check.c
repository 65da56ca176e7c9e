/* atled check: in words, whether a gradient is right. */
#include "exported.h"
#include "onnx/make_model.h"

TestSuite(check, .init = find_shipped_weights);

Test(check, agrees_for_a_network, .timeout = 120)
{
    command_run run = RUN("check", exported("lenet", NULL), "--elements", "4");
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, "in float is ");
    cr_assert_mentions(run.out, " from double (relative, 2-norm)");
    cr_assert_mentions(run.out, "by image agrees with central differences");
    double distance = atof(strstr(run.out, "in float is ") + 12);
    cr_assert(distance > 0 && distance < 1e-5, "%g", distance);
}

/* Scores that add up to 1 have a sum without a gradient. */
Test(check, tells_what_cancels)
{
    const char *file = scratch_file("softmax.onnx");
    atl_graph *g = atl_graph_new();
    atl_node *y = atl_softmax(atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 5)));
    cr_assert(!atl_onnx_write(file, ATL_NODES(y)), "%s", atl_error());
    command_run run = RUN("check", file);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, " by x in double is next to 0 (2-norm ");
    atl_graph_free(g);
}

static void expect_checked(const char *file, made graph, const char *words)
{
    const char *path = scratch_file(file);
    write_made(path, make_model(graph, 8, 13));
    command_run run = RUN("check", path);
    cr_assert_code(run, 0);
    cr_assert_mentions(run.out, words);
}

/* The gradient of a quantized net is no derivative, which is no fault of it. */
Test(check, tells_that_a_gradient_passes_roundings)
{
    static const float step = 0.25f;
    made graph = GRAPH(make_node("quantize", "QuantizeLinear", "x", "step", "q"),
                       make_node("back", "DequantizeLinear", "q", "step", "y"));
    put_tensor(&graph, "step", TYPE_FLOAT, 0, NULL, &step, sizeof step);
    expect_checked("quantized.onnx", graph, "the gradient of y by x passes straight through roundings");
}

/* Even if it is made with the channels last. */
Test(check, outputs_have_the_names_of_the_file)
{
    static const int64_t picture[] = {1, 2, 2, 1};
    made pool = make_node("pool", "GlobalMaxPool", "p", NULL, "y"), graph;
    graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), pool);
    put_whole(&graph, "picture", 4, picture);
    expect_checked("pool.onnx", graph, "the gradient of y by x agrees");
}

Test(check, the_seed_draws_the_inputs)
{
    const char *file = exported("lenet", NULL);
    command_run one = RUN("check", file, "-n", "1", "--seed", "1"),
                again = RUN("check", file, "-n", "1", "--seed", "1"),
                two = RUN("check", file, "-n", "1", "--seed", "2");
    cr_assert_code(one, 0);
    cr_assert_str_eq(one.out, again.out);
    cr_assert(strcmp(one.out, two.out) != 0);
}

Test(check, mistakes_say_what_to_do)
{
    cr_assert_refused(2, "FILE.onnx", "check");
    cr_assert_refused(2, "--elements", "check", "x.onnx", "-n", "0");
    cr_assert_refused(3, "/no/such.onnx", "check", "/no/such.onnx");
    cr_assert_refused(3, "cut.onnx", "check", cut_short(exported("lenet", NULL)));
}
