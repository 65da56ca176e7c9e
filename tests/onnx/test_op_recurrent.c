/* Recurrent ops with an open batch, as torch.onnx writes them: the batch is the third size of their result. */
#include "small_model.h"

/* [2, 1, 1] */
static void put_weights(made *graph, const char *name, const float *numbers)
{
    put_tensor(graph, name, TYPE_FLOAT, 3, (const int64_t[]){2, 1, 1}, numbers, 2 * sizeof *numbers);
}

/* x [n, 4] as [4, n, 1]; an RNN in both directions, [4, 2, n, 1]; as [4, n, 2], by a reshape that says of the batch
 * only that it stays; as [n, 4, 2]; summed over directions. */
Test(op_recurrent, both_directions_with_an_open_batch)
{
    static const int64_t steps[] = {0, 4, 1}, swap[] = {1, 0, 2}, last[] = {0, 2, 1, 3}, joined[] = {0, 0, -1},
                         two[] = {2};
    static const float w[] = {1, 0.5f}, r[] = {0.5f, -1};
    made sequence = make_node("sequence", "Transpose", "steps", NULL, "sequence"),
         rnn = make_node("rnn", "RNN", "sequence", "w", "h"),
         by_batch = make_node("by_batch", "Transpose", "h", NULL, "b"),
         back = make_node("back", "Transpose", "joined", NULL, "back"),
         sum = make_node("sum", "ReduceSum", "back", "two", "y");
    put_ints_attribute(&sequence, "perm", 3, swap);
    put_ints_attribute(&by_batch, "perm", 4, last);
    put_ints_attribute(&back, "perm", 3, swap);
    put_text(&rnn, 1, "r");
    put_int_attribute(&rnn, "hidden_size", 1);
    put_text_attribute(&rnn, "direction", "bidirectional");
    put_int_attribute(&sum, "keepdims", 0);
    made graph = GRAPH(make_node("steps", "Reshape", "x", "sizes", "steps"), sequence, rnn, by_batch,
                       make_node("join", "Reshape", "b", "join", "joined"), back, sum);
    put_whole(&graph, "sizes", 3, steps);
    put_whole(&graph, "join", 3, joined);
    put_whole(&graph, "two", 1, two);
    put_weights(&graph, "w", w);
    put_weights(&graph, "r", r);
    made model = make_model_of(graph, 8, 13, 1);
    atl_graph *g = atl_graph_new();
    atl_onnx *net = atl_onnx_load(g, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    atl_node *x = atl_onnx_input(net, "x"), *y = atl_onnx_output(net, "y");
    float numbers[] = {1, 2, 4, -3, 0, 1, -1, 0.5f};
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(2, 4), numbers);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program && atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    for (int n = 0; n < 2; n++) {
        double expected[4] = {0}, h = 0;
        for (int t = 0; t < 4; t++)
            expected[t] += h = tanh((double)numbers[4 * n + t] + 0.5 * h);
        h = 0;
        for (int t = 3; t >= 0; t--)
            expected[t] += h = tanh(0.5 * (double)numbers[4 * n + t] - h);
        for (int t = 0; t < 4; t++)
            cr_expect_float_eq(element_of(atl_value(program, y), 4 * n + t), expected[t], 1e-6);
    }
    atl_program_free(program);
    atl_tensor_free(value);
    atl_onnx_free(net);
    atl_graph_free(g);
    free(model.at);
}

/* As torch.onnx writes an LSTM with proj_size: its state is shorter than its cells. */
Test(op_recurrent, a_projection_is_refused)
{
    static const int64_t steps[] = {4, 1, 1};
    static const float numbers[8] = {0};
    made lstm = make_node("lstm", "LSTM", "s", "w", "h");
    put_text(&lstm, 1, "r");
    put_int_attribute(&lstm, "hidden_size", 2);
    made graph =
        GRAPH(make_node("steps", "Reshape", "x", "sizes", "s"), lstm, make_node("y", "Reshape", "h", "f", "y"));
    put_whole(&graph, "sizes", 3, steps);
    put_whole(&graph, "f", 2, (const int64_t[]){1, 4});
    for (int i = 0; i < 2; i++) {
        made tensor = {0};
        put_int(&tensor, 1, 1);
        put_int(&tensor, 1, 8);
        put_int(&tensor, 1, 1);
        put_int(&tensor, 2, TYPE_FLOAT);
        put_text(&tensor, 8, i ? "r" : "w");
        put_bytes(&tensor, 9, numbers, 8 * sizeof *numbers);
        put_made(&graph, 5, tensor);
    }
    expect_refused(graph, 13, "for a state of 1 number, not of hidden_size 2");
}
