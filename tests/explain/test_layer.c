#include "explain/small_net.h"

static void assert_layer(const char *model, const char *name)
{
    atl_graph *g = atl_graph_new();
    const atl_model *m = atl_model_find(model);
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, m->height, m->width, 3));
    atl_node *scores = m->build(&(atl_model_args){.image = image});
    atl_node *layer = atl_explain_layer(image, scores);
    if (!name)
        cr_assert(!layer && atl_error()[0], "%s: %s", model, atl_name_of(layer));
    else
        cr_assert(layer && strcmp(atl_name_of(layer), name) == 0, "%s: %s, not %s", model,
                  layer ? atl_name_of(layer) : atl_error(), name);
    atl_graph_free(g);
}

Test(layer, is_the_last_map_before_the_pooling)
{
    assert_layer("squeezenet", "conv10/relu");
    assert_layer("vgg16", "conv5_3/relu");
    assert_layer("lenet", "conv2/relu");
    assert_layer("mlp", NULL);
}

Test(layer, of_a_network_that_pools_nothing_is_the_last_map)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 8, 8, 3));
    atl_node *map = atl_conv_layer(image, "conv", 4, .window = {3, 3}, .activation = atl_relu);
    atl_node *aside = atl_conv_layer(map, "aside", 4); /* leads to no score */
    atl_node *scores = atl_dense_layer(atl_flatten(map), "dense", 3);
    cr_assert(aside && scores);
    cr_assert_eq(atl_explain_layer(image, scores), map);
    atl_graph_free(g);
}

Test(layer, arguments_that_do_not_belong_together_are_refused)
{
    atl_graph *g = atl_graph_new(), *other = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, 8, 8, 3));
    atl_node *elsewhere = atl_input(other, "image", ATL_FLOAT32, ATL_SHAPE(1, 8));
    cr_assert(!atl_explain_layer(image, elsewhere));
    cr_assert_mentions(atl_error(), "atl_explain_layer");
    cr_assert(!atl_explain_layer(NULL, image));
    cr_assert(!atl_explain_layer(image, image));
    atl_graph_free(g);
    atl_graph_free(other);
}

Test(layer, one_that_is_no_map_is_refused_in_words)
{
    small_net net = small_net_new(1);
    cr_assert(!atl_explainer_new(net.image, net.scores, .layer = net.scores));
    cr_assert_mentions(atl_error(), "it must be a map");
    free_small_net(&net);
}
