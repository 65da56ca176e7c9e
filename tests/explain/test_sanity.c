#include "explain/small_net.h"

Test(sanity, layers_are_shuffled_from_the_top_and_restored)
{
    static const char *const layers[] = {"dense", "conv2", "conv1"};
    static const char *const names[] = {"conv1/weights", "conv2/weights", "dense/weights"};
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *before[3];
    atl_explanation e, plain;
    atl_explain_sanity_result sanity;
    atl_variable(net.graph, "unused/weights", ATL_SHAPE(3), atl_normal(1));
    for (int i = 0; i < 3; i++)
        before[i] = atl_tensor_copy(atl_variable_value(atl_find(net.graph, names[i])));
    cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_GRADIENT, net.pixels, 1, .result_out = &plain));
    cr_assert_explained(atl_explain_sanity(&(atl_explain_args){explainer, ATL_EXPLAIN_GRADIENT, net.pixels, 1,
                                                               .seed = test_seed(), .result_out = &e},
                                           &sanity));
    cr_assert_eq(sanity.count, 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_str_eq(sanity.layer[i].name, layers[i]);
        cr_assert(fabs(sanity.layer[i].correlation) < 0.999, "%s: %g", layers[i], sanity.layer[i].correlation);
        cr_assert_eq(largest_difference(atl_variable_value(atl_find(net.graph, names[i])), before[i]), 0);
        atl_tensor_free(before[i]);
    }
    cr_assert_lt(fabs(sanity.layer[2].correlation), 0.7);
    cr_assert_eq(largest_difference(e.map, plain.map), 0);
    atl_explanation_free(&e);
    atl_explanation_free(&plain);
    atl_explain_sanity_free(&sanity);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

/* A network whose score does not depend on the values' order: the map stays what it is. */
Test(sanity, a_map_that_does_not_depend_on_the_weights_correlates_by_one)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 4, 4, 3));
    atl_node *gain = atl_sum(atl_variable(g, "gain/weights", ATL_SHAPE(20), atl_uniform(1, 2)));
    atl_node *scores = atl_mul(atl_reduce_sum(atl_square(image), ATL_AXES(1, 2)), gain);
    atl_explainer *explainer = atl_explainer_new(image, scores);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(4, 4, 3), 0, 255);
    atl_explanation e;
    atl_explain_sanity_result sanity;
    cr_assert_explained(
        atl_explain_sanity(&(atl_explain_args){explainer, ATL_EXPLAIN_GRADIENT, pixels, 1, .result_out = &e}, &sanity));
    cr_assert(sanity.count == 1 && sanity.layer[0].correlation > 0.9999, "%g", sanity.layer[0].correlation);
    atl_explanation_free(&e);
    atl_explain_sanity_free(&sanity);
    atl_tensor_free(pixels);
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

Test(sanity, the_weights_are_restored_after_a_failure)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_node *weights = atl_find(net.graph, "dense/weights");
    atl_tensor *before = atl_tensor_copy(atl_variable_value(weights));
    atl_explanation e;
    atl_explain_sanity_result sanity;
    cr_assert_eq(atl_explain_sanity(&(atl_explain_args){explainer, ATL_EXPLAIN_GRADIENT, net.pixels, 77,
                                                        .result_out = &e},
                                    &sanity),
                 ATL_INVALID);
    cr_assert(!sanity.layer && !e.map);
    cr_assert_eq(largest_difference(atl_variable_value(weights), before), 0);
    atl_tensor_free(before);
    atl_explainer_free(explainer);
    free_small_net(&net);
}
