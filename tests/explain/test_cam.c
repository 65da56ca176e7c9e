/* Minutes: 3 */
#include "explain/golden_explain.h"
#include "explain/small_net.h"

/* The three formulas over a map A and its gradient G, [pixels, channels]. */
static void formula(atl_explain_method method, const double *a, const double *g, int pixels, int channels, double *map)
{
    memset(map, 0, (size_t)pixels * sizeof *map);
    for (int c = 0; c < channels; c++) {
        double mean = 0, sum = 0, plus = 0;
        for (int i = 0; i < pixels; i++) {
            mean += g[i * channels + c] / pixels;
            sum += a[i * channels + c];
        }
        for (int i = 0; i < pixels; i++) {
            double d = g[i * channels + c], below = 2 * d * d + sum * d * d * d;
            plus += below != 0 ? d * d / below * fmax(d, 0) : 0;
        }
        for (int i = 0; i < pixels; i++)
            map[i] += a[i * channels + c] * (method == ATL_EXPLAIN_GRAD_CAM        ? mean
                                             : method == ATL_EXPLAIN_GRAD_CAM_PLUS ? plus
                                                                                   : fmax(g[i * channels + c], 0));
    }
}

static void check_enlarged(const atl_explanation *e, int height, int width)
{
    atl_tensor *signs = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(height, width, 1)), *positive = atl_tensor_copy(signs);
    for (int i = 0; i < height * width; i++) {
        atl_floats(signs)[i] = (float)element_of(e->layer_map, i);
        atl_floats(positive)[i] = fmaxf(0, atl_floats(signs)[i]);
    }
    atl_tensor *large = atl_resize_image(signs, SIDE, SIDE), *shown = atl_resize_image(positive, SIDE, SIDE);
    for (int i = 0; i < SIDE * SIDE; i++) {
        cr_assert_eq(element_of(e->attribution, i), element_of(large, i));
        cr_assert_eq(element_of(e->map, i), element_of(shown, i));
    }
    atl_tensor_free(signs);
    atl_tensor_free(positive);
    atl_tensor_free(large);
    atl_tensor_free(shown);
}

Test(cam, all_three_are_their_formulas_in_double)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    cr_assert_eq(atl_explainer_layer(explainer), net.layer);
    atl_node *gradient = atl_gradient(net.score, net.layer);
    double x[ELEMENTS], a[MAP * MAP * CHANNELS], g[MAP * MAP * CHANNELS], map[MAP * MAP];
    doubles_of(net.pixels, x);
    for (int method = ATL_EXPLAIN_GRAD_CAM; method <= ATL_EXPLAIN_LAYER_CAM; method++)
        for (int target = 0; target < CLASSES; target++) {
            atl_explanation e;
            cr_assert_explained(
                atl_explain(explainer, (atl_explain_method)method, net.pixels, target, .result_out = &e));
            atl_tensor *layer = reference_value(&net, net.layer, x, target),
                       *slope = reference_value(&net, gradient, x, target);
            doubles_of(layer, a);
            doubles_of(slope, g);
            formula((atl_explain_method)method, a, g, MAP * MAP, CHANNELS, map);
            assert_near(e.layer_map, map, FORMULA_BOUND);
            check_enlarged(&e, MAP, MAP);
            atl_tensor_free(layer);
            atl_tensor_free(slope);
            atl_explanation_free(&e);
        }
    atl_explainer_free(explainer);
    free_small_net(&net);
}

/* The same network with its last map as [n, channels, h, w]: the layer is named, and its order found. */
Test(cam, a_map_with_channels_first_gives_the_same)
{
    enum { HEIGHT = 8, WIDTH = 4 };
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, test_seed());
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, HEIGHT, WIDTH, 3));
    atl_node *last = atl_conv_layer(image, "conv", 5, .window = {3, 3}, .activation = atl_relu);
    atl_node *first = atl_transpose(last, .order = {0, 3, 1, 2});
    atl_node *moved = atl_mul(first, atl_add_scalar(atl_sigmoid(first), 0));
    atl_node *scores = atl_dense_layer(atl_reduce_mean(moved, ATL_AXES(2, 3)), "dense", 3);
    atl_explainer *by_first = atl_explainer_new(image, scores, .layer = first),
                  *by_last = atl_explainer_new(image, scores, .layer = last);
    cr_assert(by_first && by_last, "%s", atl_error());
    atl_tensor *pixels = random_tensor(ATL_SHAPE(HEIGHT, WIDTH, 3), 0, 255);
    for (int method = ATL_EXPLAIN_GRAD_CAM; method <= ATL_EXPLAIN_LAYER_CAM; method++) {
        atl_explanation a, b;
        cr_assert_explained(atl_explain(by_first, (atl_explain_method)method, pixels, 1, .result_out = &a));
        cr_assert_explained(atl_explain(by_last, (atl_explain_method)method, pixels, 1, .result_out = &b));
        cr_assert(atl_shape_equal(atl_tensor_shape(a.layer_map), ATL_SHAPE(HEIGHT, WIDTH)));
        cr_assert_close(a.layer_map, b.layer_map, 1e-5);
        atl_explanation_free(&a);
        atl_explanation_free(&b);
    }
    atl_tensor_free(pixels);
    atl_explainer_free(by_first);
    atl_explainer_free(by_last);
    atl_graph_free(g);
}

/* A class token before a grid of 3 x 3 patches takes no part in the map. */
Test(cam, tokens_are_a_map_without_the_class_token)
{
    enum { PATCHES = 9, WIDTH = 4 };
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, test_seed());
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3));
    atl_node *patches = atl_conv_layer(image, "patches", WIDTH, .window = {4, 4}, .stride = {4, 4});
    atl_node *tokens = atl_reshape(patches, ATL_SHAPE(1, PATCHES, WIDTH));
    tokens = atl_concat(1, atl_variable(g, "class", ATL_SHAPE(1, 1, WIDTH), atl_normal(1)), tokens);
    atl_node *mixed = atl_softmax(atl_matmul(tokens, tokens, .transpose_b = 1));
    atl_node *sum = atl_add(tokens, atl_matmul(mixed, tokens));
    atl_node *first = atl_reshape(atl_slice(sum, .begin = {0, 0, 0}, .end = {1, 1, WIDTH}), ATL_SHAPE(1, WIDTH));
    atl_node *scores = atl_dense_layer(first, "dense", 3);
    atl_explainer *explainer = atl_explainer_new(image, scores);
    cr_assert(explainer, "%s", atl_error());
    cr_assert_eq(atl_explainer_layer(explainer), tokens, "it is %s", atl_name_of(atl_explainer_layer(explainer)));
    atl_node *slope = atl_gradient(atl_sum(atl_index_last(scores, 2)), tokens);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, SIDE, SIDE, 3), 0, 2);
    atl_reference *run = atl_reference_run(ATL_NODES(tokens, slope), ATL_FEED(image, pixels));
    cr_assert(run, "%s", atl_error());
    double a[(PATCHES + 1) * WIDTH], d[(PATCHES + 1) * WIDTH], map[PATCHES];
    doubles_of(atl_reference_value(run, tokens), a);
    doubles_of(atl_reference_value(run, slope), d);
    for (int method = ATL_EXPLAIN_GRAD_CAM; method <= ATL_EXPLAIN_LAYER_CAM; method++) {
        atl_explanation e;
        cr_assert_explained(atl_explain(explainer, (atl_explain_method)method, pixels, 2, .result_out = &e));
        cr_assert(atl_shape_equal(atl_tensor_shape(e.layer_map), ATL_SHAPE(3, 3)));
        formula((atl_explain_method)method, a + WIDTH, d + WIDTH, PATCHES, WIDTH, map);
        assert_near(e.layer_map, map, FORMULA_BOUND);
        atl_explanation_free(&e);
    }
    atl_reference_free(run);
    atl_tensor_free(pixels);
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

Test(cam, of_squeezenet_is_that_of_another_library)
{
    for (int photo = 0; photo < PHOTOS; photo++) {
        golden_explain g = open_golden_explain("gradcam_fire9", photo, "fire9", 0);
        atl_explanation e;
        cr_assert_explained(atl_explain(g.explainer, ATL_EXPLAIN_GRAD_CAM, g.pixels, g.target, .result_out = &e));
        cr_expect_leq(golden_distance(&g, e.layer_map, "cam_signed_13x13"), 1e-5);
        cr_expect_leq(golden_distance(&g, e.layer_weights, "channel_weights"), 1e-5);
        cr_expect_leq(golden_distance(&g, e.map, "cam_relu_bilinear_224"), 1e-5);
        atl_explanation_free(&e);
        close_golden_explain(&g);
    }
}
