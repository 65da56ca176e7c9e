#include "explain/explainer.h"
#include "explain/small_net.h"

/* What is kept at once. */
static int programs_of(const atl_explainer *e)
{
    int count = 0;
    for (int i = 0; i < ATL_KINDS; i++)
        count += e->kind[i].program != NULL;
    return count;
}

Test(programs, the_batch_follows_from_the_memory_limit)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *free_one = explainer_of(&net);
    atl_explanation e;
    cr_assert_explained(atl_explain(free_one, ATL_EXPLAIN_GRADIENT, net.pixels, 0, .result_out = &e));
    atl_explanation_free(&e);
    const atl_kind_program *k = &free_one->kind[ATL_KIND_GRADIENT];
    int64_t weights = (3 * 3 * 3 * 6 + 6 + 3 * 3 * 6 * CHANNELS + CHANNELS + CHANNELS * CLASSES + CLASSES) * 4;
    int64_t one = k->memory + ELEMENTS * 4, kept = weights + k->prepared;
    atl_explainer_free(free_one);
    for (int more = 0; more < 12; more++) {
        int expected = more < 2 ? 1 : more > 8 ? 8 : more;
        atl_explainer *limited = atl_explainer_new(net.image, net.scores, .memory = kept + (1 + more) * one);
        cr_assert_explained(
            atl_explain(limited, ATL_EXPLAIN_SMOOTH_GRAD, net.pixels, 0, .samples = 30, .result_out = &e));
        cr_assert_eq(e.batch, expected, "room for 1 + %d pictures: %d", more, e.batch);
        /* What is really there: both plans, weights and feeds. */
        int64_t used = kept + atl_program_arena_bytes(limited->kind[ATL_KIND_GRADIENT].program) +
                       (atl_tensor_count(limited->pictures) + ELEMENTS) * 4;
        cr_assert(used <= kept + (1 + more) * one || more == 0, "%lld of %lld bytes", (long long)used,
                  (long long)(kept + (1 + more) * one));
        atl_explanation_free(&e);
        atl_explainer_free(limited);
    }
    atl_explainer *none = atl_explainer_new(net.image, net.scores, .memory = kept + one - 1);
    cr_assert_eq(atl_explain(none, ATL_EXPLAIN_GRADIENT, net.pixels, 0, .result_out = &e), ATL_UNSUPPORTED);
    cr_assert_mentions(atl_error(), "raise the memory limit");
    atl_explainer_free(none);
    free_small_net(&net);
}

Test(programs, with_a_limit_one_is_kept_at_a_time)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *all = explainer_of(&net), *one = atl_explainer_new(net.image, net.scores, .memory = 100 << 20);
    for (int method = 0; method < ATL_EXPLAIN_METHODS; method++) {
        atl_explanation a, b;
        cr_assert_explained(
            atl_explain(all, (atl_explain_method)method, net.pixels, 2, .samples = 20, .result_out = &a));
        cr_assert_explained(
            atl_explain(one, (atl_explain_method)method, net.pixels, 2, .samples = 20, .result_out = &b));
        cr_assert_eq(programs_of(one), 1);
        cr_assert_eq(largest_difference(a.attribution, b.attribution), 0);
        atl_explanation_free(&a);
        atl_explanation_free(&b);
    }
    cr_assert_eq(programs_of(all), ATL_KIND_CHANNEL); /* all but that of dreams */
    atl_explainer_free(all);
    atl_explainer_free(one);
    free_small_net(&net);
}
