/* The search at the end of AutoAttack, for pictures that it has nearly reached. */
#include "small_network.h"

static small_network network_that_wants_a_mean(float wanted)
{
    small_network net = {.graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *mean = atl_reduce_mean(atl_flatten(net.image), .axis = {-1}, .axes = 1, .keep = true);
    atl_node *never = atl_add_scalar(atl_scale(mean, 0), -1000);
    net.scores = atl_concat(-1, atl_scale(mean, 0), atl_add_scalar(mean, -wanted), never);
    return net;
}

static atl_attack_result result_of(const small_network *net, const atl_tensor *pictures, int levels, bool is_float)
{
    results r = attack_pictures(net,
                                (atl_attack_args){.pictures = pictures,
                                                  .method = "autoattack",
                                                  .eps = {levels, 255},
                                                  .unrounded = is_float,
                                                  .seed = test_seed()},
                                2, 8);
    atl_attack_result result = r.result[0];
    free_results(&r);
    return result;
}

/* A bound that is a hundredth too small gets four more climbs and 16 more starts of 100 gradients; one that is a tenth
 * too small gets none; nor does a float result, where the sequence is that of the publication. */
Test(finish, searches_where_the_goal_is_all_but_there, .timeout = 120)
{
    small_network net = network_that_wants_a_mean(139.1f);
    atl_tensor *pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3));
    for (int64_t i = 0; i < atl_tensor_count(pictures); i++)
        atl_floats(pictures)[i] = 127;
    static const int levels[] = {11, 12, 13}, more[] = {0, (4 + 16) * 100, 0};
    for (int k = 0; k < 3; k++) {
        atl_attack_result stored = result_of(&net, pictures, levels[k], false);
        atl_attack_result floats = result_of(&net, pictures, levels[k], true);
        cr_assert_eq(stored.met, levels[k] == 13, "%d levels", levels[k]);
        cr_assert_eq(floats.met, levels[k] == 13, "%d levels", levels[k]);
        cr_assert_eq(stored.gradients - floats.gradients, more[k], "%d levels: %d and %d gradients", levels[k],
                     (int)stored.gradients, (int)floats.gradients);
    }
    atl_tensor_free(pictures);
    atl_graph_free(net.graph);
}
