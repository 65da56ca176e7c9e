/* Minutes: 3 */
#include "explain/golden_explain.h"
#include "explain/small_net.h"

Test(gradient, is_that_of_the_score_in_double)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_node *gradient = atl_gradient(net.score, net.image);
    double x[ELEMENTS], expected[ELEMENTS];
    doubles_of(net.pixels, x);
    for (int target = 0; target < CLASSES; target++) {
        atl_explanation e;
        cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_GRADIENT, net.pixels, target, .result_out = &e));
        atl_tensor *value = reference_value(&net, gradient, x, target);
        doubles_of(value, expected);
        assert_near(e.attribution, expected, FORMULA_BOUND);
        assert_map_of_channels(&e);
        cr_assert_float_eq(e.score, reference_score(&net, x, target), 1e-4);
        cr_assert_eq(e.pictures, 1);
        atl_tensor_free(value);
        atl_explanation_free(&e);
    }
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(gradient, times_the_picture_minus_the_baseline)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *baseline = random_tensor(ATL_SHAPE(SIDE, SIDE, 3), 0, 255);
    double x[ELEMENTS], expected[ELEMENTS];
    atl_explanation e;
    doubles_of(net.pixels, x);
    atl_tensor *value = reference_value(&net, atl_gradient(net.score, net.image), x, 2);
    for (int with = 0; with < 2; with++) {
        cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_GRADIENT_INPUT, net.pixels, 2,
                                        .baseline = with ? baseline : NULL, .result_out = &e));
        for (int i = 0; i < ELEMENTS; i++)
            expected[i] = (x[i] - (with ? element_of(baseline, i) : 0)) * element_of(value, i);
        assert_near(e.attribution, expected, FORMULA_BOUND);
        atl_explanation_free(&e);
    }
    atl_tensor_free(value);
    atl_tensor_free(baseline);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

/* The definitions, written down for a network whose relus can be followed by hand. */
Test(gradient, guided_and_deconvolution_follow_their_definitions)
{
    enum { SIZE = 4, UNITS = 6 };
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, test_seed());
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 1, SIZE, 1));
    for (int bounded = 0; bounded < 2; bounded++) {
        const char *name = bounded ? "bounded" : "plain";
        atl_node *w = atl_variable(g, ATL_NAME("%s/w", name), ATL_SHAPE(SIZE, UNITS), atl_normal(1));
        atl_node *v = atl_variable(g, ATL_NAME("%s/v", name), ATL_SHAPE(UNITS, 2), atl_normal(1));
        atl_node *hidden = atl_matmul(atl_flatten(image), w);
        atl_node *scores = atl_matmul((bounded ? atl_relu6 : atl_relu)(hidden), v);
        atl_explainer *explainer = atl_explainer_new(image, scores, .layer = NULL);
        cr_assert(explainer, "%s", atl_error());
        atl_tensor *pixels = random_tensor(ATL_SHAPE(1, SIZE, 1), -4, 4);
        for (int deconvolution = 0; deconvolution < 2; deconvolution++) {
            atl_explanation e;
            double expected[SIZE] = {0};
            cr_assert_explained(atl_explain(explainer, deconvolution ? ATL_EXPLAIN_DECONVOLUTION : ATL_EXPLAIN_GUIDED,
                                            pixels, 1, .result_out = &e));
            for (int u = 0; u < UNITS; u++) {
                double h = 0, back = element_of(atl_variable_value(v), u * 2 + 1);
                for (int i = 0; i < SIZE; i++)
                    h += element_of(pixels, i) * element_of(atl_variable_value(w), i * UNITS + u);
                int active = h > 0 && (!bounded || h < 6);
                for (int i = 0; i < SIZE && back > 0 && (active || deconvolution); i++)
                    expected[i] += back * element_of(atl_variable_value(w), i * UNITS + u);
            }
            assert_near(e.attribution, expected, FORMULA_BOUND);
            atl_explanation_free(&e);
        }
        atl_tensor_free(pixels);
        atl_explainer_free(explainer);
    }
    atl_graph_free(g);
}

static void check_golden(const char *name, atl_explain_method method, const char *key)
{
    for (int photo = 0; photo < PHOTOS; photo++) {
        golden_explain g = open_golden_explain(name, photo, NULL, 0);
        atl_explanation e;
        cr_assert_explained(atl_explain(g.explainer, method, g.pixels, g.target, .result_out = &e));
        cr_expect_leq(golden_distance(&g, e.attribution, key), 1e-5);
        if (method == ATL_EXPLAIN_GRADIENT)
            cr_expect_leq(golden_distance(&g, e.map, "map_maxabs"), 1e-5);
        atl_explanation_free(&e);
        close_golden_explain(&g);
    }
}

Test(gradient, of_squeezenet_is_that_of_another_library) { check_golden("saliency", ATL_EXPLAIN_GRADIENT, "grad_raw"); }
Test(gradient, guided_of_squeezenet_is_that_of_another_library)
{
    check_golden("guided", ATL_EXPLAIN_GUIDED, "guided_raw");
}
