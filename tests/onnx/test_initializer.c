/* Initializers that several nodes read, under several names: each is one variable with its own name. */
#include "small_model.h"

static const float w[] = {1, 2, 3, -1};

/* The nodes of the model, with the initializer w [1, 4], give y; w is the only variable, and the gradient of the sum of
 * y by it is `slope`. */
static void expect_one_variable(made model, const double *y, const double *slope)
{
    atl_graph *graph = atl_graph_new();
    atl_onnx *net = atl_onnx_load(graph, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    atl_nodes variables = atl_variables(graph);
    cr_assert_eq(variables.count, 1);
    cr_assert_str_eq(atl_name_of(variables.node[0]), "w");
    atl_node *of = atl_onnx_output(net, "y"), *by = atl_gradient(atl_sum(of), variables.node[0]);
    atl_tensor *x = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_program *program = atl_compile(graph, ATL_NODES(of, by));
    cr_assert(program && atl_run(program, ATL_FEED(atl_onnx_input(net, "x"), x)) == ATL_OK, "%s", atl_error());
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(element_of(atl_value(program, of), i), y[i]);
        cr_expect_eq(element_of(atl_value(program, by), i), slope[i]);
    }
    atl_program_free(program);
    atl_tensor_free(x);
    atl_onnx_free(net);
    atl_graph_free(graph);
    free(model.at);
}

static made with_weight(made graph)
{
    put_tensor(&graph, "w", TYPE_FLOAT, 2, (const int64_t[]){1, 4}, w, sizeof w);
    return make_model(graph, 8, 17);
}

/* As exporters write weights that two layers share. */
Test(initializer, under_another_name)
{
    made graph = GRAPH(make_node("same", "Identity", "w", NULL, "v"), make_node("times", "Mul", "x", "w", "p"),
                       make_node("plus", "Add", "p", "v", "y"));
    expect_one_variable(with_weight(graph), (const double[]){2, 6, 15, 2}, (const double[]){2, 3, 5, -2});
}

Test(initializer, first_of_many)
{
    made graph = GRAPH(make_node("sum", "Sum", "w", "x", "s"), make_node("times", "Mul", "s", "w", "y"));
    expect_one_variable(with_weight(graph), (const double[]){2, 8, 21, 4}, (const double[]){3, 6, 10, -5});
}

/* y is F(F(x, w), w), where F(a, b) is a + b. */
Test(initializer, argument_of_functions)
{
    made inner = make_node("first", "F", "x", "w", "s"), outer = make_node("second", "F", "s", "w", "y"),
         function = {0}, import = {0}, own = {0};
    put_text(&inner, 7, "own");
    put_text(&outer, 7, "own");
    made model = with_weight(GRAPH(inner, outer));
    put_text(&own, 1, "own");
    put_int(&own, 2, 1);
    put_made(&model, 8, own);
    put_text(&function, 1, "F");
    put_text(&function, 4, "a");
    put_text(&function, 4, "b");
    put_text(&function, 5, "c");
    put_made(&function, 7, make_node("add", "Add", "a", "b", "c"));
    put_text(&import, 1, "");
    put_int(&import, 2, 17);
    put_made(&function, 9, import);
    put_text(&function, 10, "own");
    put_made(&model, 25, function);
    expect_one_variable(model, (const double[]){3, 6, 10, -5}, (const double[]){2, 2, 2, 2});
}
