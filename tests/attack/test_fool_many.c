/* Many targets at once: each as it would be alone, whatever runs beside it. */
#include "support.h"

#include "graph/memory.h"

enum { SIDE = 6, CLASSES = 12 };

typedef struct tiny {
    atl_graph *graph;
    atl_node *image, *logits;
    atl_fooler *fooler;
} tiny;

static tiny tiny_network(float gain, int64_t batch, atl_fool_loss loss, int threads)
{
    tiny net = {.graph = atl_graph_new()};
    atl_set_seed(net.graph, test_seed());
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(batch, SIDE, SIDE, 3));
    atl_node *h = atl_scale(atl_add_scalar(net.image, -127.5f), 1 / 64.0f);
    h = atl_dense_layer(atl_flatten(h), "hidden", 32, .activation = atl_tanh);
    net.logits = atl_scale(atl_dense_layer(h, "scores", CLASSES, .initializer = atl_normal(1)), gain);
    cr_assert(net.logits, "%s", atl_graph_error(net.graph));
    net.fooler = atl_fooler_new(net.image, net.logits, loss, .compile = {.threads = threads});
    cr_assert(net.fooler, "%s", atl_error());
    return net;
}

static void free_tiny(tiny *net)
{
    atl_fooler_free(net->fooler);
    atl_graph_free(net->graph);
}

/* What the callbacks see. */
typedef struct diary {
    atl_fool_result result[CLASSES]; /* by position; owns the pixels */
    int seen[CLASSES], done, running, most_running, stop_after;
} diary;

static bool write_progress(void *context, int position, const atl_fool_progress *now)
{
    diary *d = context;
    cr_expect_eq(now->iteration, d->seen[position], "position %d", position);
    cr_expect(now->pixels && now->gradient && now->top >= 0 && now->top < CLASSES);
    d->running += now->iteration == 0;
    d->most_running = d->running > d->most_running ? d->running : d->most_running;
    d->seen[position]++;
    return false;
}

static bool write_result(void *context, int position, atl_fool_result *result)
{
    diary *d = context;
    cr_expect(d->stop_after || d->seen[position] == result->iterations + 1);
    cr_expect_null(d->result[position].pixels);
    d->result[position] = *result;
    result->pixels = NULL;
    d->running--;
    return ++d->done == d->stop_after;
}

static void free_diary(diary *d)
{
    for (int i = 0; i < CLASSES; i++)
        atl_tensor_free(d->result[i].pixels);
}

static const int targets[CLASSES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static diary fool_all(const tiny *net, int count, const int *which, int at_once)
{
    diary d = {0};
    atl_status status = atl_fool_many(net->fooler, count, which, .seed = 3, .at_once = at_once, .watch = write_progress,
                                      .done = write_result, .context = &d);
    cr_assert_eq(status, ATL_OK, "%s", atl_error());
    cr_assert_eq(d.done, count);
    return d;
}

static void assert_same(const atl_fool_result *a, const atl_fool_result *b)
{
    cr_assert_eq(a->iterations, b->iterations);
    cr_assert_eq(a->probability, b->probability);
    cr_assert_eq(memcmp(atl_floats(a->pixels), atl_floats(b->pixels), SIDE * SIDE * 3 * sizeof(float)), 0);
}

Test(fool_many, every_target_is_reached_with_every_loss)
{
    for (int loss = ATL_LOSS_CROSS_ENTROPY; loss <= ATL_LOSS_MARGIN; loss++) {
        tiny net = tiny_network(3, ATL_ANY, (atl_fool_loss)loss, 2);
        diary d = fool_all(&net, CLASSES, targets, 0);
        for (int i = 0; i < CLASSES; i++) {
            const atl_fool_result *r = &d.result[i];
            cr_assert(r->met && r->top == i && r->probability >= 0.99 && !r->message[0], "%s", r->message);
            const atl_tensor *p = atl_fooler_classify(net.fooler, r->pixels);
            cr_assert_float_eq(element_of(p, i), r->probability, 1e-5);
            for (int k = 0; k < SIDE * SIDE * 3; k++)
                cr_assert_eq(atl_floats(r->pixels)[k], floorf(atl_floats(r->pixels)[k]));
        }
        free_diary(&d);
        free_tiny(&net);
    }
}

/* The loop is the same as for one target, so it takes the same path but for rounding errors. */
Test(fool_many, a_target_takes_the_path_that_it_takes_alone)
{
    for (int loss = ATL_LOSS_CROSS_ENTROPY; loss <= ATL_LOSS_SOFTMAX_MSE; loss++) {
        tiny net = tiny_network(0.3f, ATL_ANY, (atl_fool_loss)loss, 1);
        for (int i = 0; i < 3; i++) {
            diary d = {0};
            atl_fool_result alone;
            cr_assert_eq(atl_fool_many(net.fooler, 1, &targets[i], .seed = 3, .iterations = 5, .confidence = 0.9999f,
                                       .watch = write_progress, .done = write_result, .context = &d),
                         ATL_OK, "%s", atl_error());
            cr_assert_eq(atl_fool(net.fooler, i, .seed = 3, .iterations = 5, .confidence = 0.9999f,
                                  .result_out = &alone),
                         ATL_OK);
            cr_assert_eq(alone.iterations, d.result[0].iterations);
            cr_assert_float_eq(alone.probability, d.result[0].probability, 1e-3 * alone.probability,
                               "loss %d: %g, not %g", loss, d.result[0].probability, alone.probability);
            cr_assert_eq(alone.trouble, d.result[0].trouble);
            atl_tensor_free(alone.pixels);
            free_diary(&d);
        }
        free_tiny(&net);
    }
}

Test(fool_many, neighbours_and_threads_change_no_result)
{
    static const int few[3] = {7, 2, 11};
    tiny one = tiny_network(3, ATL_ANY, ATL_LOSS_CROSS_ENTROPY, 1);
    tiny two = tiny_network(3, ATL_ANY, ATL_LOSS_CROSS_ENTROPY, 2);
    diary all = fool_all(&one, CLASSES, targets, 8), narrow = fool_all(&two, CLASSES, targets, 5),
          single = fool_all(&two, CLASSES, targets, 1), some = fool_all(&one, 3, few, 0);
    /* On a busy machine fewer run at a time, because some end before others begin. */
    cr_assert(all.most_running <= 8, "%d", all.most_running);
    cr_assert(narrow.most_running <= 5 && single.most_running == 1);
    cr_assert(some.most_running <= 2, "%d of one thread", some.most_running);
    for (int i = 0; i < CLASSES; i++) {
        assert_same(&all.result[i], &narrow.result[i]);
        assert_same(&all.result[i], &single.result[i]);
    }
    for (int i = 0; i < 3; i++)
        assert_same(&all.result[few[i]], &some.result[i]);
    free_diary(&all);
    free_diary(&narrow);
    free_diary(&single);
    free_diary(&some);
    free_tiny(&one);
    free_tiny(&two);
}

Test(fool_many, a_network_for_one_picture_works_too)
{
    tiny net = tiny_network(3, 1, ATL_LOSS_CROSS_ENTROPY, 2);
    diary d = fool_all(&net, CLASSES, targets, 0);
    for (int i = 0; i < CLASSES; i++)
        cr_assert(d.result[i].met);
    free_diary(&d);
    free_tiny(&net);
}

Test(fool_many, a_stop_keeps_what_is_done_and_begins_no_more)
{
    tiny net = tiny_network(3, ATL_ANY, ATL_LOSS_CROSS_ENTROPY, 1);
    diary d = {.stop_after = 2};
    cr_assert_eq(atl_fool_many(net.fooler, CLASSES, targets, .seed = 3, .at_once = 3, .watch = write_progress,
                               .done = write_result, .context = &d),
                 ATL_STOPPED);
    cr_assert_mentions(atl_error(), "stopped");
    cr_assert(d.done >= 2 && d.done <= 5, "%d", d.done);
    int met = 0, stopped = 0;
    for (int i = 0; i < CLASSES; i++) {
        cr_assert(!d.seen[i] || d.result[i].pixels);
        met += d.result[i].met;
        stopped += d.result[i].trouble == ATL_TROUBLE_STOPPED;
    }
    cr_assert_eq(met + stopped, d.done); /* the run that was under way may have reached a third goal */
    cr_assert(met >= 2);
    free_diary(&d);
    free_tiny(&net);
}

Test(fool_many, a_network_that_says_nan_is_told)
{
    tiny net = tiny_network(3, ATL_ANY, ATL_LOSS_CROSS_ENTROPY, 1);
    atl_node *biases = atl_find(net.graph, "scores/biases");
    atl_tensor *value = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(CLASSES));
    atl_floats(value)[3] = NAN;
    cr_assert_eq(atl_variable_assign(biases, value), ATL_OK);
    atl_tensor_free(value);
    diary d = fool_all(&net, 2, targets, 0);
    for (int i = 0; i < 2; i++)
        cr_assert(!d.result[i].met && d.result[i].trouble == ATL_TROUBLE_NOT_FINITE, "%s", d.result[i].message);
    free_diary(&d);
    free_tiny(&net);
}

Test(fool_many, mistakes_are_told)
{
    tiny net = tiny_network(3, ATL_ANY, ATL_LOSS_CROSS_ENTROPY, 1);
    diary d = {0};
    const int wrong[2] = {1, CLASSES};
    cr_assert_eq(atl_fool_many(NULL, 2, targets, .done = write_result, .context = &d), ATL_INVALID);
    cr_assert_eq(atl_fool_many(net.fooler, 2, targets), ATL_INVALID);
    cr_assert_mentions(atl_error(), ".done");
    cr_assert_eq(atl_fool_many(net.fooler, 2, NULL, .done = write_result, .context = &d), ATL_INVALID);
    cr_assert_mentions(atl_error(), ".targets");
    cr_assert_eq(atl_fool_many(net.fooler, 2, wrong, .done = write_result, .context = &d), ATL_INVALID);
    cr_assert_mentions(atl_error(), "0..11");
    cr_assert_eq(atl_fool_many(net.fooler, -1, wrong, .done = write_result, .context = &d), ATL_INVALID);
    cr_assert_eq(atl_fool_many(net.fooler, 1, wrong, .done = write_result, .at_once = -1), ATL_INVALID);
    cr_assert_eq(atl_fool_many(net.fooler, 1, wrong, .done = write_result, .confidence = 2), ATL_INVALID);
    cr_assert_mentions(atl_error(), "atl_fool_many");
    atl_tensor *large = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(7, 7, 3));
    cr_assert_eq(atl_fool_many(net.fooler, 1, wrong, .done = write_result, .start = large), ATL_INVALID);
    cr_assert_mentions(atl_error(), "[7, 7, 3]");
    atl_tensor_free(large);
    cr_assert_eq(atl_fool_many(net.fooler, 0, .done = write_result, .context = &d), ATL_OK);
    cr_assert_eq(d.done, 0);
    free_tiny(&net);
}

/* Each allocation fails in turn: an error, and no thread that waits for ever. */
static int fool_once(void)
{
    diary d = {0};
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *logits = atl_dense_layer(atl_flatten(atl_scale(image, 1 / 64.0f)), "scores", CLASSES);
    atl_fooler *fooler = atl_fooler_new(image, logits, ATL_LOSS_CROSS_ENTROPY, .compile = {.threads = 1});
    atl_status status = atl_fool_many(fooler, 2, targets, .seed = 3, .iterations = 2, .done = write_result,
                                      .watch = write_progress, .context = &d);
    int ok = fooler && status == ATL_OK;
    if (!ok)
        cr_expect(strstr(atl_error(), "memory") || strstr(atl_error(), "null"), "%s", atl_error());
    else
        cr_expect_eq(d.done, 2);
    free_diary(&d);
    atl_fooler_free(fooler);
    atl_graph_free(g);
    return ok;
}

Test(fool_many, running_out_of_memory_is_a_clean_error, .timeout = 120)
{
    int64_t before = atl_allocation_count();
    cr_assert(fool_once());
    int64_t needed = atl_allocation_count() - before, stride = needed / 300 + 1;
    for (int64_t allowed = 0; allowed < needed; allowed += stride) {
        atl_fail_allocations_after(allowed);
        fool_once();
        atl_fail_allocations_after(-1);
    }
    cr_assert(fool_once());
}
