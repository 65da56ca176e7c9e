/* Fused ops of onnxruntime's domain, against what they stand for. */
#include "small_model.h"

static made of_microsoft(const char *op, int count, const char *const *in)
{
    made node = {0};
    for (int i = 0; i < count; i++)
        put_text(&node, 1, in[i]);
    put_text(&node, 2, "y");
    put_text(&node, 3, "node");
    put_text(&node, 4, op);
    put_text(&node, 7, "com.microsoft");
    return node;
}

/* The model imports version 1 of com.microsoft, too.  y for x = 1, 2, 4, -3, and the gradient of the sum of y. */
static void run_fused(made graph, double *y, double *gradient)
{
    made model = make_model(graph, 8, 17), import = {0};
    put_text(&import, 1, "com.microsoft");
    put_int(&import, 2, 1);
    put_made(&model, 8, import);
    atl_graph *g = atl_graph_new();
    atl_onnx *net = atl_onnx_load(g, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    atl_node *x = atl_onnx_input(net, "x"), *of = atl_onnx_output(net, "y"), *by = atl_gradient(atl_sum(of), x);
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_program *program = atl_compile(g, ATL_NODES(of, by));
    cr_assert(program && atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_tensor_count(atl_value(program, of)), 4);
    for (int i = 0; i < 4; i++) {
        y[i] = element_of(atl_value(program, of), i);
        gradient[i] = element_of(atl_value(program, by), i);
    }
    atl_program_free(program);
    atl_tensor_free(value);
    atl_onnx_free(net);
    atl_graph_free(g);
    free(model.at);
}

static void expect_fused(made graph, const double *expected)
{
    double y[4], gradient[4];
    run_fused(graph, y, gradient);
    for (int i = 0; i < 4; i++)
        cr_expect_float_eq(y[i], expected[i], 1e-5, "element %d is %g, not %g", i, y[i], expected[i]);
}

static double gelu(double x) { return x / 2 * (1 + erf(x / sqrt(2))); }

static const int64_t four[] = {4};
static const float numbers[] = {0.5f, -1, 2, 1};

Test(op_microsoft, gelus)
{
    static const char *const in[] = {"x", "b"};
    static const float x[] = {1, 2, 4, -3};
    double expected[4];
    for (int i = 0; i < 4; i++)
        expected[i] = gelu((double)x[i] + (double)numbers[i]);
    made graph = GRAPH(of_microsoft("BiasGelu", 2, in));
    put_tensor(&graph, "b", TYPE_FLOAT, 1, four, numbers, sizeof numbers);
    expect_fused(graph, expected);
    for (int i = 0; i < 4; i++)
        expected[i] = gelu((double)x[i]);
    expect_fused(GRAPH(of_microsoft("Gelu", 1, in)), expected);
    for (int i = 0; i < 4; i++)
        expected[i] = (double)x[i] / (1 + exp(-(double)1.702f * (double)x[i]));
    expect_fused(GRAPH(of_microsoft("QuickGelu", 1, in)), expected);
    for (int i = 0; i < 4; i++) {
        double z = (double)x[i] + (double)numbers[i];
        expected[i] = z / 2 * (1 + tanh(sqrt(2 / 3.14159265358979) * (z + 0.044715 * z * z * z)));
    }
    graph = GRAPH(of_microsoft("FastGelu", 2, in));
    put_tensor(&graph, "b", TYPE_FLOAT, 1, four, numbers, sizeof numbers);
    expect_fused(graph, expected);
}

/* 1/1 of x times w^T */
Test(op_microsoft, a_product_of_a_transposed_matrix)
{
    static const char *const in[] = {"x", "w"};
    static const int64_t square[] = {4, 4};
    static const float w[] = {1, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1};
    made node = of_microsoft("FusedMatMul", 2, in);
    put_int_attribute(&node, "transB", 1);
    made graph = GRAPH(node);
    put_tensor(&graph, "w", TYPE_FLOAT, 2, square, w, sizeof w);
    expect_fused(graph, (const double[]){5, 6, -3, 4});
}

/* x + b: 1.5, 1, 6, -2, of mean 1.625 */
Test(op_microsoft, a_sum_and_its_norms)
{
    static const char *const in[] = {"x", "b", "w", "", "none"}, *const simple[] = {"x", "b", "w"};
    static const float ones[] = {1, 1, 1, 1};
    static const int64_t row[] = {1, 4};
    static const double sum[] = {1.5, 1, 6, -2};
    double expected[4], squares = 0, variance = 0;
    for (int i = 0; i < 4; i++) {
        squares += sum[i] * sum[i] / 4;
        variance += (sum[i] - 1.625) * (sum[i] - 1.625) / 4;
    }
    for (int i = 0; i < 4; i++)
        expected[i] = (sum[i] - 1.625) / sqrt(variance);
    made graph = GRAPH(of_microsoft("SkipLayerNormalization", 4, in));
    put_tensor(&graph, "b", TYPE_FLOAT, 2, row, numbers, sizeof numbers);
    put_tensor(&graph, "w", TYPE_FLOAT, 1, four, ones, sizeof ones);
    expect_fused(graph, expected);
    for (int i = 0; i < 4; i++)
        expected[i] = sum[i] / sqrt(squares);
    graph = GRAPH(of_microsoft("SkipSimplifiedLayerNormalization", 3, simple));
    put_tensor(&graph, "b", TYPE_FLOAT, 2, row, numbers, sizeof numbers);
    put_tensor(&graph, "w", TYPE_FLOAT, 1, four, ones, sizeof ones);
    expect_fused(graph, expected);
}

/* x as a picture [1, 1, 2, 2], times 0.5, plus 1, plus itself, and an activation. */
static made fused_conv(const char *activation, int count, const float *parameters)
{
    static const char *const in[] = {"p", "w", "b", "p"};
    static const int64_t picture[] = {1, 1, 2, 2}, flat[] = {1, 4}, one[] = {1, 1, 1, 1};
    static const float half = 0.5f, bias = 1;
    made conv = {0};
    for (int i = 0; i < 4; i++)
        put_text(&conv, 1, in[i]);
    put_text(&conv, 2, "c");
    put_text(&conv, 3, "conv");
    put_text(&conv, 4, "FusedConv");
    put_text(&conv, 7, "com.microsoft");
    put_text_attribute(&conv, "activation", activation);
    if (count)
        put_floats_attribute(&conv, "activation_params", count, parameters);
    made graph = GRAPH(make_node("picture", "Reshape", "x", "picture", "p"), conv,
                       make_node("flat", "Reshape", "c", "flat", "y"));
    put_tensor(&graph, "picture", TYPE_INT64, 1, four, picture, sizeof picture);
    put_tensor(&graph, "flat", TYPE_INT64, 1, (const int64_t[]){2}, flat, sizeof flat);
    put_tensor(&graph, "w", TYPE_FLOAT, 4, one, &half, sizeof half);
    put_tensor(&graph, "b", TYPE_FLOAT, 1, one, &bias, sizeof bias);
    return graph;
}

Test(op_microsoft, a_convolution_with_what_follows_it)
{
    expect_fused(fused_conv("Relu", 0, NULL), (const double[]){2.5, 4, 7, 0});
    expect_fused(fused_conv("LeakyRelu", 0, NULL), (const double[]){2.5, 4, 7, -0.035});
    expect_fused(fused_conv("LeakyRelu", 1, (const float[]){0.5f}), (const double[]){2.5, 4, 7, -1.75});
    expect_fused(fused_conv("HardSigmoid", 0, NULL), (const double[]){1, 1, 1, 0});
    expect_fused(fused_conv("HardSigmoid", 2, (const float[]){0.1f, 0.25f}), (const double[]){0.5, 0.65, 0.95, 0});
    expect_fused(fused_conv("Tanh", 0, NULL), (const double[]){tanh(2.5), tanh(4), tanh(7), tanh(-3.5)});
    expect_fused(fused_conv("Clip", 0, NULL), (const double[]){2.5, 4, 7, -3.5});
    expect_fused(fused_conv("Clip", 2, (const float[]){0, 6}), (const double[]){2.5, 4, 6, 0});
    expect_fused(fused_conv("Clip", 2, (const float[]){-3, 3}), (const double[]){2.5, 3, 3, -3});
}

/* x quantised by its own range, times whole numbers, scaled back: the gradient is that of the product. */
Test(op_microsoft, a_gradient_passes_products_of_whole_numbers)
{
    enum { TYPE_INT8 = 3 };
    static const signed char w[] = {1, 2, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 3, 0, 0, 1};
    static const int64_t square[] = {4, 4};
    made quantize = make_node("quantize", "DynamicQuantizeLinear", "x", NULL, "q"),
         product = make_node("product", "MatMulInteger", "q", "w", "p"),
         wide = make_node("wide", "Cast", "p", NULL, "f");
    put_text(&quantize, 2, "scale");
    put_text(&quantize, 2, "zero");
    put_text(&product, 1, "zero");
    put_int_attribute(&wide, "to", TYPE_FLOAT);
    made graph = GRAPH(quantize, product, wide, make_node("back", "Mul", "f", "scale", "y"));
    put_tensor(&graph, "w", TYPE_INT8, 2, square, w, sizeof w);
    double y[4], gradient[4], expected[] = {1 - 9, 4, 2, 1};
    static const double by[] = {3, 2, 1, 4};
    run_fused(graph, y, gradient);
    for (int i = 0; i < 4; i++) {
        cr_expect_float_eq(y[i], expected[i], 0.1, "element %d is %g", i, y[i]);
        cr_expect_float_eq(gradient[i], by[i], 0.2, "its gradient %d is %g, not %g", i, gradient[i], by[i]);
    }
}
