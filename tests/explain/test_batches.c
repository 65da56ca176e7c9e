#include "explain/small_net.h"

/* Every number of pictures, whether it fills batches or not, by explainers of every kind of batch. */
Test(batches, the_result_does_not_depend_on_the_batch)
{
    small_net one = small_net_new(1), five = small_net_new(5), any = small_net_new(ATL_ANY);
    atl_explainer *explainer[] = {explainer_of(&one), explainer_of(&five), explainer_of(&any),
                                  atl_explainer_new(any.image, any.scores, .batch = 4)};
    const int batch[] = {1, 5, 8, 4};
    for (int samples = 1; samples < 20; samples += 3) {
        atl_explanation expected = {0};
        for (int i = 0; i < 4; i++) {
            atl_explanation e;
            cr_assert_explained(atl_explain(explainer[i], ATL_EXPLAIN_SMOOTH_GRAD, one.pixels, 1, .samples = samples,
                                            .seed = 3, .result_out = &e));
            cr_assert_eq(e.batch, batch[i]);
            cr_assert_eq(e.pictures, samples + 1);
            if (i == 0)
                expected = e;
            else {
                cr_assert_close(e.attribution, expected.attribution, 1e-5);
                cr_assert_float_eq(e.score, expected.score, 1e-5);
                atl_explanation_free(&e);
            }
        }
        atl_explanation_free(&expected);
    }
    for (int i = 0; i < 4; i++)
        atl_explainer_free(explainer[i]);
    free_small_net(&one);
    free_small_net(&five);
    free_small_net(&any);
}

typedef struct watched {
    int calls, stop_after;
    int64_t done, all;
} watched;

static int watch(void *context, int64_t done, int64_t all)
{
    watched *w = context;
    cr_assert(done > w->done && done <= all);
    w->done = done;
    w->all = all;
    return ++w->calls == w->stop_after;
}

Test(batches, the_callback_sees_progress_and_can_stop)
{
    small_net net = small_net_new(5);
    atl_explainer *explainer = explainer_of(&net);
    atl_explanation e;
    watched w = {0};
    cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_SMOOTH_GRAD, net.pixels, 1, .samples = 17, .watch = watch,
                                    .context = &w, .result_out = &e));
    cr_assert(w.calls == 4 && w.done == 18 && w.all == 18);
    atl_explanation_free(&e);
    w = (watched){.stop_after = 2};
    cr_assert_eq(atl_explain(explainer, ATL_EXPLAIN_RISE, net.pixels, 1, .samples = 17, .watch = watch, .context = &w,
                             .result_out = &e),
                 ATL_STOPPED);
    cr_assert_mentions(atl_error(), "stopped after 10 of 18");
    cr_assert(!e.map);
    atl_explainer_free(explainer);
    free_small_net(&net);
}
