/* PGD: what its starts find, each with a loss of its own. */
#include "small_network.h"

enum { COUNT = 40 };

static results attack_by(const small_network *net, const atl_tensor *pictures, atl_attack_args args)
{
    args.pictures = pictures;
    args.seed = test_seed();
    return attack_pictures(net, args, 2, 8);
}

/* The first starts are the same however many follow: what they reach stays reached, with the same pixels. */
Test(pgd, more_starts_keep_what_fewer_reach, .timeout = 120)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    const int starts[] = {1, 2, 6};
    results r[3];
    for (int k = 0; k < 3; k++)
        r[k] = attack_by(&net, pictures, (atl_attack_args){.eps = {3, 255}, .steps = 5, .restarts = starts[k]});
    for (int k = 1; k < 3; k++)
        for (int i = 0; i < COUNT; i++) {
            const atl_attack_result *fewer = &r[k - 1].result[i], *more = &r[k].result[i];
            cr_assert(more->met || !fewer->met, "picture %d", i);
            if (fewer->met)
                cr_assert_arr_eq(fewer->pixels, more->pixels, ELEMENTS * sizeof(float));
            else
                cr_assert_gt(more->gradients, fewer->gradients);
        }
    cr_assert(count_met(&r[0]) > 0 && count_met(&r[0]) < COUNT, "%d", count_met(&r[0]));
    for (int k = 0; k < 3; k++)
        free_results(&r[k]);
    atl_tensor_free(pictures);
    free_network(&net);
}

/* Far from the boundary the cross entropy follows the most probable class; a start for each class finds those whose
 * boundary is nearer.  Here class 1 has the higher score, but no pixel leads there; class 2 is reached easily. */
Test(pgd, a_start_for_each_class_finds_the_one_that_can_be_reached, .timeout = 120)
{
    small_network net = {.graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *mean = atl_reduce_mean(atl_flatten(net.image), .axis = {-1}, .axes = 1, .keep = true);
    net.scores = atl_concat(-1, atl_scale(mean, 0), atl_add_scalar(atl_scale(mean, -0.018f), 2.059f),
                            atl_add_scalar(atl_scale(mean, 0.5f), -68));
    atl_tensor *pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(COUNT, SIDE, SIDE, 3));
    for (int64_t i = 0; i < atl_tensor_count(pictures); i++)
        atl_floats(pictures)[i] = 127;
    const atl_fraction eps = {12, 255};
    results margin = attack_by(&net, pictures, (atl_attack_args){.eps = eps, .steps = 4, .restarts = 2}),
            each = attack_by(&net, pictures, (atl_attack_args){.eps = eps, .steps = 4, .restarts = 4}),
            by_default = attack_by(&net, pictures, (atl_attack_args){.eps = eps, .steps = 4}),
            far = attack_by(&net, pictures, (atl_attack_args){.eps = {6, 255}, .steps = 4});
    cr_assert_eq(count_met(&each), COUNT);
    cr_assert_eq(count_met(&by_default), COUNT, "class 1 comes near, so the other one is tried");
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(far.result[i].gradients, 2 * 4, "picture %d: neither class is near", i);
    cr_assert_lt(count_met(&margin), COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(each.result[i].top, 2);
    free_results(&margin);
    free_results(&each);
    free_results(&by_default);
    free_results(&far);
    atl_tensor_free(pictures);
    atl_graph_free(net.graph);
}

/* A bound that is a hundredth too small gets four more climbs, from the best picture; one that is a tenth too small
 * does not.  Both get the two starts, and one for the other class. */
Test(pgd, goes_on_where_the_goal_is_all_but_there, .timeout = 120)
{
    small_network net = {.graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *mean = atl_reduce_mean(atl_flatten(net.image), .axis = {-1}, .axes = 1, .keep = true);
    net.scores = atl_concat(-1, atl_scale(mean, 0), atl_add_scalar(mean, -139.1f));
    atl_tensor *pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3));
    for (int64_t i = 0; i < atl_tensor_count(pictures); i++)
        atl_floats(pictures)[i] = 127;
    static const int levels[] = {11, 12, 13}, gradients[] = {3 * 4, (3 + 4) * 4, 0};
    for (int k = 0; k < 3; k++) {
        results r = attack_by(&net, pictures, (atl_attack_args){.eps = {levels[k], 255}, .steps = 4});
        cr_assert_eq(r.result[0].met, levels[k] == 13, "%d levels", levels[k]);
        if (gradients[k])
            cr_assert_eq(r.result[0].gradients, gradients[k], "%d levels: %d gradients", levels[k],
                         (int)r.result[0].gradients);
        free_results(&r);
    }
    atl_tensor_free(pictures);
    atl_graph_free(net.graph);
}

/* The scores are flat wherever no pixel is above 100: within eps of a dark picture a random start finds nothing, and
 * one from far outside does. */
Test(pgd, l1_starts_outside_where_it_is_flat_inside, .timeout = 120)
{
    small_network net = {.graph = atl_graph_new()};
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_tensor *factors = random_tensor(ATL_SHAPE(1, ELEMENTS), 1, 2); /* no two gradients are the same */
    atl_node *above = atl_relu(atl_add_scalar(atl_flatten(net.image), -100));
    atl_node *sum =
        atl_reduce_sum(atl_mul(above, atl_constant(net.graph, factors)), .axis = {-1}, .axes = 1, .keep = true);
    atl_tensor_free(factors);
    net.scores = atl_concat(-1, atl_add_scalar(atl_scale(sum, 0), 100), sum);
    atl_tensor *pictures = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(COUNT, SIDE, SIDE, 3));
    const atl_fraction eps = {2, 1};
    results one = attack_by(&net, pictures, (atl_attack_args){.norm = ATL_NORM_L1, .eps = eps, .restarts = 1}),
            two = attack_by(&net, pictures, (atl_attack_args){.norm = ATL_NORM_L1, .eps = eps, .restarts = 2});
    cr_assert_eq(count_met(&one), 0);
    cr_assert_eq(count_met(&two), COUNT, "%d", count_met(&two));
    for (int i = 0; i < COUNT; i++)
        cr_assert_leq(two.result[i].size[ATL_NORM_L1], 2);
    free_results(&one);
    free_results(&two);
    atl_tensor_free(pictures);
    atl_graph_free(net.graph);
}

/* Sparse steps that become shorter: in L1 about as good as APGD. */
Test(pgd, l1_is_about_as_good_as_apgd, .timeout = 120)
{
    small_network net = make_network();
    atl_tensor *pictures = random_pictures(COUNT);
    const atl_fraction eps = {5, 10};
    results pgd = attack_by(&net, pictures, (atl_attack_args){.norm = ATL_NORM_L1, .eps = eps}),
            apgd = attack_by(&net, pictures, (atl_attack_args){.norm = ATL_NORM_L1, .eps = eps, .method = "apgd-ce"});
    cr_assert(count_met(&apgd) > COUNT / 4 && count_met(&apgd) < COUNT, "%d", count_met(&apgd));
    cr_assert(count_met(&pgd) >= count_met(&apgd) - COUNT / 10, "%d, %d", count_met(&pgd), count_met(&apgd));
    free_results(&pgd);
    free_results(&apgd);
    atl_tensor_free(pictures);
    free_network(&net);
}
