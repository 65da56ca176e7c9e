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

/* y for x = 1, 2, 4, -3, and the gradient of the sum of y. */
static void run_fused(made graph, double *y, double *gradient)
{
    made model = make_model_with(graph, "com.microsoft");
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

static void expect_fused_gradient(made graph, const double *expected, const double *slope)
{
    double y[4], gradient[4];
    run_fused(graph, y, gradient);
    for (int i = 0; i < 4; i++) {
        cr_expect_float_eq(y[i], expected[i], 1e-5, "element %d is %g, not %g", i, y[i], expected[i]);
        cr_expect_float_eq(gradient[i], slope[i], 1e-5, "its gradient %d is %g, not %g", i, gradient[i], slope[i]);
    }
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
    static const float scales[] = {1, 1, 1, 1};
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
    put_tensor(&graph, "w", TYPE_FLOAT, 1, four, scales, sizeof scales);
    expect_fused(graph, expected);
    for (int i = 0; i < 4; i++)
        expected[i] = sum[i] / sqrt(squares);
    graph = GRAPH(of_microsoft("SkipSimplifiedLayerNormalization", 3, simple));
    put_tensor(&graph, "b", TYPE_FLOAT, 2, row, numbers, sizeof numbers);
    put_tensor(&graph, "w", TYPE_FLOAT, 1, four, scales, sizeof scales);
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

/* ---- the quantizer's format QOperator: in steps of 1/8 around 128, so that x is exact -------------------------------
 */

enum { TYPE_UINT8 = 2 };

/* q is x in steps, the nodes make r of it, and y is r without steps; w is 1, 2, -1, 0.5. */
static made in_steps(int count, const made *nodes)
{
    static const float step = 0.125f;
    static const unsigned char zero = 128, w[] = {136, 144, 120, 132};
    static const int64_t row[] = {1, 4}, picture[] = {1, 1, 2, 2};
    made quantize = make_node("quantize", "QuantizeLinear", "x", "step", "q"),
         back = make_node("back", "DequantizeLinear", "r", "step", "d");
    put_text(&quantize, 1, "zero");
    put_text(&back, 1, "zero");
    made graph = GRAPH(quantize, make_node("picture", "Reshape", "q", "picture", "p"));
    for (int i = 0; i < count; i++)
        put_made(&graph, 1, nodes[i]);
    put_made(&graph, 1, back);
    put_made(&graph, 1, make_node("flat", "Reshape", "d", "row", "y"));
    put_tensor(&graph, "step", TYPE_FLOAT, 0, NULL, &step, sizeof step);
    put_tensor(&graph, "zero", TYPE_UINT8, 0, NULL, &zero, 1);
    put_tensor(&graph, "w", TYPE_UINT8, 2, row, w, sizeof w);
    put_whole(&graph, "row", 2, row);
    put_whole(&graph, "picture", 4, picture);
    return graph;
}
#define IN_STEPS(...) in_steps((int)(sizeof((made[]){__VA_ARGS__}) / sizeof(made)), (made[]){__VA_ARGS__})

/* The op on a, and on b unless that is null, each in steps, to `to`. */
static made stepped(const char *op, const char *a, const char *b, const char *to)
{
    const char *in[] = {a, "step", "zero", b, "step", "zero", "step", "zero"};
    made node = {0};
    for (int i = 0; i < 8; i++)
        if (b || i < 3 || i > 5)
            put_text(&node, 1, in[i]);
    put_text(&node, 2, to);
    put_text(&node, 3, op);
    put_text(&node, 4, op);
    put_text(&node, 7, "com.microsoft");
    return node;
}

static const double ones[] = {1, 1, 1, 1};

Test(op_microsoft, quantized_arithmetic)
{
    expect_fused_gradient(IN_STEPS(stepped("QLinearAdd", "q", "w", "r")), (const double[]){2, 4, 3, -2.5}, ones);
    expect_fused_gradient(IN_STEPS(stepped("QLinearMul", "q", "w", "r")), (const double[]){1, 4, -4, -1.5},
                          (const double[]){1, 2, -1, 0.5});
}

/* The results are the nearest eighths; the gradients are those of the real functions. */
Test(op_microsoft, quantized_activations)
{
    made leaky = stepped("QLinearLeakyRelu", "q", NULL, "r"), softmax = stepped("QLinearSoftmax", "q", NULL, "r");
    put_float_attribute(&leaky, "alpha", 0.5f);
    expect_fused_gradient(IN_STEPS(leaky), (const double[]){1, 2, 4, -1.5}, (const double[]){1, 1, 1, 0.5});
    static const double x[] = {1, 2, 4, -3};
    double slope[4];
    for (int i = 0; i < 4; i++)
        slope[i] = 1 / (1 + exp(-x[i])) / (1 + exp(x[i]));
    expect_fused_gradient(IN_STEPS(stepped("QLinearSigmoid", "q", NULL, "r")), (const double[]){0.75, 0.875, 1, 0},
                          slope);
    expect_fused_gradient(IN_STEPS(softmax), (const double[]){0, 0.125, 0.875, 0}, (const double[]){0, 0, 0, 0});
}

/* The mean of x is 1, its greatest element 4; they are added to each element. */
Test(op_microsoft, quantized_pools)
{
    made pool = stepped("QLinearAveragePool", "p", NULL, "r"), mean = stepped("QLinearReduceMean", "q", NULL, "m"),
         maximum = make_node("maximum", "MaxPool", "p", NULL, "m");
    put_ints_attribute(&pool, "kernel_shape", 2, (const int64_t[]){2, 2});
    put_ints_attribute(&pool, "pads", 4, (const int64_t[]){0, 0, 1, 1});
    put_int_attribute(&pool, "count_include_pad", 1);
    expect_fused_gradient(IN_STEPS(pool), (const double[]){1, -0.25, 0.25, -0.75}, (const double[]){0.25, 0.5, 0.5, 1});
    static const double more[] = {2, 3, 5, -2}, twos[] = {2, 2, 2, 2};
    expect_fused_gradient(IN_STEPS(stepped("QLinearGlobalAveragePool", "p", NULL, "m"),
                                   stepped("QLinearAdd", "p", "m", "r")),
                          more, twos);
    put_ints_attribute(&mean, "axes", 1, (const int64_t[]){1});
    expect_fused_gradient(IN_STEPS(mean, stepped("QLinearAdd", "q", "m", "r")), more, twos);
    put_ints_attribute(&maximum, "kernel_shape", 2, (const int64_t[]){2, 2});
    expect_fused_gradient(IN_STEPS(maximum, stepped("QLinearAdd", "p", "m", "r")), (const double[]){5, 6, 8, 1},
                          (const double[]){1, 1, 5, 1});
}

Test(op_microsoft, quantized_parts)
{
    static const char *const parts[] = {"step", "zero", "b", "step", "zero", "a", "step", "zero"},
                             *const either[] = {"which", "q", "step", "zero", "w", "step", "zero", "step", "zero"};
    static const unsigned char which[] = {1, 0, 1, 0};
    made split = make_node("split", "Split", "q", NULL, "a"), concat = {0}, where = {0};
    put_text(&split, 2, "b");
    put_int_attribute(&split, "axis", 1);
    for (int i = 0; i < 8; i++)
        put_text(&concat, 1, parts[i]);
    put_text(&concat, 2, "r");
    put_text(&concat, 4, "QLinearConcat");
    put_text(&concat, 7, "com.microsoft");
    put_int_attribute(&concat, "axis", 1);
    expect_fused_gradient(IN_STEPS(split, concat), (const double[]){4, -3, 1, 2}, ones);
    for (int i = 0; i < 9; i++)
        put_text(&where, 1, either[i]);
    put_text(&where, 2, "r");
    put_text(&where, 4, "QLinearWhere");
    put_text(&where, 7, "com.microsoft");
    made graph = IN_STEPS(where);
    put_tensor(&graph, "which", TYPE_BOOL, 1, four, which, sizeof which);
    expect_fused_gradient(graph, (const double[]){1, 2, 4, 0.5}, (const double[]){1, 0, 1, 0});
}

/* x times columns 1 2 0 0, 0 1 1 0, 0 0 0 1, 1 1 1 1 in steps of 1, 1/2, 1, 2, plus 1, 1, -1, 1, all times 1/2. */
static made quantized_gemm(int is_real)
{
    static const char *const in[] = {"q", "step", "zero", "b", "steps", "zero", "c", "step", "zero"};
    static const unsigned char b[] = {129, 130, 128, 128, 128, 129, 129, 128, 128, 128, 128, 129, 129, 129, 129, 129};
    static const float steps[] = {1, 0.5f, 1, 2};
    static const int32_t c[] = {8, 16, -8, 4};
    static const int64_t square[] = {4, 4};
    made gemm = {0};
    for (int i = 0; i < (is_real ? 7 : 9); i++)
        put_text(&gemm, 1, in[i]);
    put_text(&gemm, 2, is_real ? "g" : "r");
    put_text(&gemm, 4, "QGemm");
    put_text(&gemm, 7, "com.microsoft");
    put_float_attribute(&gemm, "alpha", 0.5f);
    put_int_attribute(&gemm, "transB", 1);
    made again = make_node("again", "QuantizeLinear", "g", "step", "r");
    put_text(&again, 1, "zero");
    made graph = is_real ? IN_STEPS(gemm, again) : IN_STEPS(gemm);
    if (!is_real)
        free(again.at);
    put_tensor(&graph, "b", TYPE_UINT8, 2, square, b, sizeof b);
    put_tensor(&graph, "steps", TYPE_FLOAT, 1, four, steps, sizeof steps);
    put_tensor(&graph, "c", TYPE_INT32, 1, four, c, sizeof c);
    return graph;
}

Test(op_microsoft, a_quantized_product)
{
    static const double expected[] = {3, 2, -2, 4.5}, slope[] = {1.5, 2.25, 1.25, 1.5};
    expect_fused_gradient(quantized_gemm(0), expected, slope);
    expect_fused_gradient(quantized_gemm(1), expected, slope);
}

static void expect_fused_refused(made graph, const char *words)
{
    expect_model_refused(make_model_with(graph, "com.microsoft"), words);
}

Test(op_microsoft, what_is_refused_names_a_remedy)
{
    made pool = stepped("QLinearGlobalAveragePool", "p", NULL, "r"),
         softmax = stepped("QLinearSoftmax", "q", NULL, "r");
    put_int_attribute(&pool, "channels_last", 1);
    expect_fused_refused(IN_STEPS(pool), "channels_last is not read: quantize in the QDQ format");
    put_int_attribute(&softmax, "opset", 12);
    put_int_attribute(&softmax, "axis", 0);
    expect_fused_refused(IN_STEPS(softmax), "of opset 12 over several dimensions");
    expect_fused_refused(IN_STEPS(stepped("QAttention", "q", NULL, "r")), "is not read: quantize in the QDQ format");
}
