/* Ops of classical models, as scikit-learn's converter writes them. */
#include "small_model.h"

static made of_ml(const char *op, const char *a, const char *b, const char *output)
{
    made node = make_node(op, op, a, b, output);
    put_text(&node, 7, "ai.onnx.ml");
    return node;
}

/* y, and the gradient of the sum of its squares, for x = 1, 2, 4, -3. */
static void expect_ml(made graph, int count, const double *expected, const double *slope)
{
    made model = make_model_with(graph, "ai.onnx.ml");
    atl_graph *g = atl_graph_new();
    atl_onnx *net = atl_onnx_load(g, .bytes = model.at, .byte_count = model.size);
    cr_assert(net, "%s", atl_error());
    atl_node *x = atl_onnx_input(net, "x"), *y = atl_onnx_output(net, "y"),
             *by = slope ? atl_gradient(atl_sum(atl_square(y)), x) : y;
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(1, 4), (const float[]){1, 2, 4, -3});
    atl_program *program = atl_compile(g, ATL_NODES(y, by));
    cr_assert(program && atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_tensor_count(atl_value(program, y)), count);
    for (int i = 0; i < count; i++)
        cr_expect_float_eq(element_of(atl_value(program, y), i), expected[i], 1e-5, "element %d is %g", i,
                           element_of(atl_value(program, y), i));
    for (int i = 0; slope && i < 4; i++)
        cr_expect_float_eq(element_of(atl_value(program, by), i), slope[i], 1e-4, "its gradient %d is %g", i,
                           element_of(atl_value(program, by), i));
    atl_program_free(program);
    atl_tensor_free(value);
    atl_onnx_free(net);
    atl_graph_free(g);
    free(model.at);
}

Test(op_ml, columns_are_scaled)
{
    made scaler = of_ml("Scaler", "x", NULL, "y"), one = of_ml("Scaler", "x", NULL, "y");
    put_floats_attribute(&scaler, "offset", 4, (const float[]){1, 0, 2, -1});
    put_floats_attribute(&scaler, "scale", 4, (const float[]){2, 1, 0.5f, 3});
    expect_ml(GRAPH(scaler), 4, (const double[]){0, 2, 1, -6}, (const double[]){0, 4, 1, -36});
    put_floats_attribute(&one, "scale", 1, (const float[]){2});
    expect_ml(GRAPH(one), 4, (const double[]){2, 4, 8, -6}, (const double[]){8, 16, 32, -24});
}

Test(op_ml, columns_are_taken)
{
    made graph = GRAPH(of_ml("ArrayFeatureExtractor", "x", "which", "y"));
    put_whole(&graph, "which", 2, (const int64_t[]){3, 1});
    expect_ml(graph, 2, (const double[]){-3, 2}, (const double[]){0, 4, 0, -6});
    made greatest = make_node("greatest", "ArgMax", "x", NULL, "at");
    put_int_attribute(&greatest, "axis", 1);
    expect_ml(GRAPH(greatest, of_ml("ArrayFeatureExtractor", "x", "at", "y")), 1, (const double[]){4},
              (const double[]){0, 0, 8, 0});
}

Test(op_ml, rows_are_normalized)
{
    static const struct {
        const char *norm;
        double by;
    } kinds[] = {{"MAX", 4}, {"L1", 10}, {"L2", 5.4772256}};
    for (int k = 0; k < 3; k++) {
        made node = of_ml("Normalizer", "x", NULL, "y");
        put_text_attribute(&node, "norm", kinds[k].norm);
        double by = kinds[k].by, expected[] = {1 / by, 2 / by, 4 / by, -3 / by};
        expect_ml(GRAPH(node), 4, expected, NULL);
    }
}

/* Rows 1 0 0 1 and 0 1 2 0 of coefficients, intercepts 1 and -5: scores -1 and 5. */
static made linear_model(const char *op, const char *transform)
{
    made node = of_ml(op, "x", NULL, strcmp(op, "LinearClassifier") == 0 ? "label" : "y");
    put_floats_attribute(&node, "coefficients", 8, (const float[]){1, 0, 0, 1, 0, 1, 2, 0});
    put_floats_attribute(&node, "intercepts", 2, (const float[]){1, -5});
    put_text_attribute(&node, "post_transform", transform);
    return node;
}

Test(op_ml, linear_models)
{
    made regressor = linear_model("LinearRegressor", "NONE"), scores = linear_model("LinearClassifier", "LOGISTIC"),
         labels = linear_model("LinearClassifier", "SOFTMAX");
    put_int_attribute(&regressor, "targets", 2);
    expect_ml(GRAPH(regressor), 2, (const double[]){-1, 5}, (const double[]){-2, 10, 20, -2});
    put_text(&scores, 2, "y");
    put_ints_attribute(&scores, "classlabels_ints", 2, (const int64_t[]){7, 9});
    expect_ml(GRAPH(scores), 2, (const double[]){1 / (1 + exp(1)), 1 / (1 + exp(-5))}, NULL);
    put_ints_attribute(&labels, "classlabels_ints", 2, (const int64_t[]){7, 9});
    made cast = make_node("cast", "Cast", "label", NULL, "y");
    put_int_attribute(&cast, "to", TYPE_FLOAT);
    expect_ml(GRAPH(labels, cast), 1, (const double[]){9}, NULL);
}

static void expect_ml_refused(made graph, const char *words)
{
    expect_model_refused(make_model_with(graph, "ai.onnx.ml"), words);
}

Test(op_ml, what_is_refused)
{
    made graph = GRAPH(of_ml("ArrayFeatureExtractor", "x", "which", "y")),
         regressor = linear_model("LinearRegressor", "PROBIT"), many = linear_model("LinearRegressor", "NONE");
    put_whole(&graph, "which", 1, (const int64_t[]){4});
    expect_ml_refused(graph, "there is no column 4");
    put_int_attribute(&regressor, "targets", 2);
    expect_ml_refused(GRAPH(regressor), "post_transform PROBIT");
    put_int_attribute(&many, "targets", 4);
    expect_ml_refused(GRAPH(many), "2 intercepts for 4 results");
    expect_ml_refused(GRAPH(of_ml("TreeEnsembleClassifier", "x", NULL, "y")), "of ai.onnx.ml is not read");
}
