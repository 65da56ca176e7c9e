#include "explain/small_net.h"

Test(explainer, scores_are_those_of_the_network_in_double)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    double x[ELEMENTS], sum = 0;
    atl_tensor *scores, *probabilities;
    doubles_of(net.pixels, x);
    cr_assert_explained(atl_explainer_scores(explainer, net.pixels, &scores, &probabilities));
    for (int i = 0; i < CLASSES; i++) {
        cr_assert_float_eq(element_of(scores, i), reference_score(&net, x, i), 1e-5);
        sum += exp(element_of(scores, i));
    }
    for (int i = 0; i < CLASSES; i++)
        cr_assert_float_eq(element_of(probabilities, i), exp(element_of(scores, i)) / sum, 1e-6);
    atl_tensor_free(scores);
    atl_tensor_free(probabilities);
    cr_assert_explained(atl_explainer_scores(explainer, net.pixels, NULL, NULL));
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(explainer, two_of_one_graph_do_not_disturb_each_other)
{
    small_net net = small_net_new(2);
    atl_explainer *first = explainer_of(&net), *second = explainer_of(&net);
    atl_explanation a, b;
    cr_assert_explained(atl_explain(first, ATL_EXPLAIN_GRADIENT, net.pixels, 1, .result_out = &a));
    cr_assert_explained(atl_explain(second, ATL_EXPLAIN_GRADIENT, net.pixels, 1, .result_out = &b));
    cr_assert_eq(a.batch, 2);
    cr_assert_eq(largest_difference(a.attribution, b.attribution), 0);
    atl_explanation_free(&a);
    atl_explanation_free(&b);
    atl_explainer_free(first);
    atl_explainer_free(second);
    free_small_net(&net);
}

Test(explainer, nodes_that_do_not_fit_are_refused_in_words)
{
    small_net net = small_net_new(1);
    atl_node *flat = atl_flatten(net.image);
    cr_assert(!atl_explainer_new(flat, net.scores));
    cr_assert_mentions(atl_error(), "[n, height, width, channels]");
    cr_assert(!atl_explainer_new(net.image, net.layer));
    cr_assert_mentions(atl_error(), "[n, classes]");
    cr_assert(!atl_explainer_new(net.image, NULL));
    cr_assert_mentions(atl_error(), "the scores are null");
    cr_assert(!atl_explainer_new(net.image, net.scores, .memory = -1));
    cr_assert_mentions(atl_error(), ".memory");
    free_small_net(&net);
}

Test(explainer, pictures_that_do_not_fit_are_refused_in_words)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *small = random_tensor(ATL_SHAPE(SIDE, SIDE - 1, 3), 0, 255),
               *ints = random_ints(ATL_SHAPE(SIDE, SIDE, 3), 0, 9);
    cr_assert_eq(atl_explainer_scores(explainer, small, NULL, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "[12, 11, 3], but the network takes [12, 12, 3]");
    cr_assert_eq(atl_explainer_scores(explainer, ints, NULL, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "float32");
    atl_floats(net.pixels)[7] = NAN;
    cr_assert_eq(atl_explainer_scores(explainer, net.pixels, NULL, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "element 7");
    atl_tensor_free(small);
    atl_tensor_free(ints);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(explainer, a_network_that_says_nan_has_no_explanation)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_node *weights = atl_find(net.graph, "dense/weights");
    atl_tensor *bad = atl_tensor_copy(atl_variable_value(weights));
    atl_explanation e;
    atl_floats(bad)[3] = NAN;
    cr_assert_eq(atl_variable_assign(weights, bad), ATL_OK);
    for (int method = 0; method < ATL_EXPLAIN_METHODS; method++) {
        cr_assert_eq(atl_explain(explainer, (atl_explain_method)method, net.pixels, 0, .result_out = &e),
                     ATL_NOT_FINITE);
        cr_assert_mentions(atl_error(), "not a finite number");
        cr_assert(!e.map && !e.attribution);
    }
    atl_tensor_free(bad);
    atl_explainer_free(explainer);
    free_small_net(&net);
}
