/* What is odd about an attack is said, and nothing is said of an ordinary one. */
#include "small_network.h"

enum { COUNT = 12 };

/* How many results have a remark with that text; `other_out`: with another one. */
static int count_remarks(atl_node *image, atl_node *scores, atl_attack_args args, const char *text, int *other_out)
{
    atl_tensor *pictures = random_pictures(COUNT);
    args.pictures = pictures;
    results r = attack_pictures(&(small_network){.image = image, .scores = scores}, args, 1, 0);
    int count = 0;
    *other_out = 0;
    for (int i = 0; i < COUNT; i++) {
        int is_it = strstr(r.result[i].remark, text) != NULL;
        count += is_it;
        *other_out += !is_it && r.result[i].remark[0];
    }
    free_results(&r);
    atl_tensor_free(pictures);
    return count;
}

Test(remarks, an_ordinary_attack_has_none)
{
    small_network net = make_network();
    int other;
    static const char *const methods[] = {"pgd", "autoattack", "fmn", "best"};
    for (int m = 0; m < 4; m++) {
        count_remarks(net.image, net.scores, (atl_attack_args){.method = methods[m], .eps = {60, 255}}, "-", &other);
        cr_assert_eq(other, 0, "%s", methods[m]);
    }
    free_network(&net);
}

Test(remarks, probabilities_are_told_from_scores)
{
    small_network net = make_network();
    int other;
    atl_node *probabilities = atl_softmax(net.scores);
    cr_assert_eq(count_remarks(net.image, probabilities, (atl_attack_args){.eps = {4, 255}}, "add up to 1", &other),
                 COUNT);
    free_network(&net);
}

/* The scores depend on the other pictures of a batch. */
Test(remarks, different_answers_are_told)
{
    small_network net = make_network();
    int other;
    atl_node *mean = atl_reduce_mean(net.scores, .axis = {0}, .axes = 1, .keep = true);
    cr_assert(mean, "%s", atl_graph_error(net.graph));
    atl_node *scores = atl_sub(net.scores, mean);
    cr_assert(count_remarks(net.image, scores, (atl_attack_args){.eps = {4, 255}}, "twice", &other) > 0);
    free_network(&net);
}

/* A loss whose gradient points the other way. */
Test(remarks, an_ascent_that_descends_is_told)
{
    small_network net = make_network();
    int other;
    atl_node *stopped = atl_stop_gradient(net.scores), *misleading = atl_sub(atl_scale(stopped, 2), net.scores);
    int count = count_remarks(net.image, misleading, (atl_attack_args){.method = "bim", .eps = {20, 255}},
                              "more steps made it worse", &other);
    cr_assert(count > COUNT / 2, "%d", count);
    free_network(&net);
}

/* Where the gradient is zero, random squares do better. */
Test(remarks, success_without_gradients_only_is_told)
{
    small_network net = make_network();
    int other;
    atl_node *masked = atl_add(atl_stop_gradient(net.scores), atl_scale(net.scores, 0));
    int count = count_remarks(net.image, masked, (atl_attack_args){.method = "autoattack", .eps = {12, 255}},
                              "without gradients", &other);
    cr_assert(count > 0, "%d", count);
    free_network(&net);
}
