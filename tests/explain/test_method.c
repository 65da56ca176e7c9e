#include "explain/small_net.h"

#include "graph/memory.h"

Test(method, names_are_unique_words)
{
    for (int i = 0; i < ATL_EXPLAIN_METHODS; i++) {
        const char *name = atl_explain_method_name((atl_explain_method)i);
        cr_assert(*name && *atl_explain_method_about((atl_explain_method)i));
        for (int k = 0; k < i; k++)
            cr_assert(strcmp(name, atl_explain_method_name((atl_explain_method)k)) != 0);
    }
    cr_assert_str_empty(atl_explain_method_name(ATL_EXPLAIN_METHODS));
    cr_assert_str_empty(atl_explain_method_about((atl_explain_method)-1));
}

#define REFUSED(text, ...)                                                                                             \
    do {                                                                                                               \
        atl_explanation e_;                                                                                            \
        cr_assert_eq(atl_explain(explainer, __VA_ARGS__, .result_out = &e_), ATL_INVALID);                             \
        cr_assert_mentions(atl_error(), text);                                                                         \
        cr_assert(!e_.map && !e_.attribution);                                                                         \
    } while (0)

Test(method, options_out_of_range_are_refused_in_words)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *small = random_tensor(ATL_SHAPE(3, 3, 3), 0, 1);
    REFUSED("no method 99", (atl_explain_method)99, net.pixels, 0);
    REFUSED("target 5: the network has classes 0..4", ATL_EXPLAIN_GRADIENT, net.pixels, CLASSES);
    REFUSED("target -1", ATL_EXPLAIN_GRADIENT, net.pixels, -1);
    REFUSED("the picture is [3, 3, 3]", ATL_EXPLAIN_GRADIENT, small, 0);
    REFUSED("the baseline is [3, 3, 3]", ATL_EXPLAIN_INTEGRATED, net.pixels, 0, small);
    REFUSED(".samples is -1", ATL_EXPLAIN_RISE, net.pixels, 0, .samples = -1);
    REFUSED(".window[1] is -2", ATL_EXPLAIN_OCCLUSION, net.pixels, 0, .window = {4, -2});
    REFUSED(".deviation is nan", ATL_EXPLAIN_SMOOTH_GRAD, net.pixels, 0, .deviation = NAN);
    REFUSED(".share is 2", ATL_EXPLAIN_RISE, net.pixels, 0, .share = 2);
    REFUSED(".tolerance is -1", ATL_EXPLAIN_INTEGRATED, net.pixels, 0, .tolerance = -1);
    atl_tensor_free(small);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

/* A gradient that is not finite at the picture. */
Test(method, a_gradient_that_overflows_is_a_failure)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2, 2, 1));
    atl_explainer *explainer = atl_explainer_new(image, atl_flatten(atl_sqrt(image)));
    atl_tensor *black = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(2, 2, 1));
    atl_explanation e;
    cr_assert_eq(atl_explain(explainer, ATL_EXPLAIN_GRADIENT, black, 0, .result_out = &e), ATL_NOT_FINITE);
    cr_assert_mentions(atl_error(), "element 0 is not a finite number");
    cr_assert_eq(atl_explain(explainer, ATL_EXPLAIN_GRAD_CAM, black, 0, .result_out = &e), ATL_INVALID);
    cr_assert_mentions(atl_error(), "no layer with a map");
    atl_tensor_free(black);
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

/* Whichever allocation fails: a message, nothing left behind, and the same explainer works afterwards. */
Test(method, out_of_memory_is_an_error_like_others, .timeout = 50)
{
    for (int method = 0; method < ATL_EXPLAIN_METHODS; method++) {
        small_net net = small_net_new(ATL_ANY);
        atl_explainer *explainer = explainer_of(&net);
        atl_explanation e;
        cr_assert_explained(
            atl_explain(explainer, (atl_explain_method)method, net.pixels, 0, .samples = 5, .result_out = &e));
        atl_explanation_free(&e);
        int64_t failures = 0;
        for (atl_status status = ATL_OUT_OF_MEMORY; status != ATL_OK; failures++) {
            atl_fail_allocations_after(failures);
            status = atl_explain(explainer, (atl_explain_method)method, net.pixels, 0, .samples = 5, .result_out = &e);
            atl_fail_allocations_after(-1);
            cr_assert(status == ATL_OK || (status == ATL_OUT_OF_MEMORY && atl_error()[0] && !e.map),
                      "%s, allocation %lld: %d, %s", atl_explain_method_name((atl_explain_method)method),
                      (long long)failures, (int)status, atl_error());
        }
        atl_explanation_free(&e);
        cr_assert_gt(failures, 1);
        atl_explainer_free(explainer);
        free_small_net(&net);
    }
}
