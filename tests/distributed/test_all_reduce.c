/* Means over ranks as nodes: values, gradients, the reference, and training steps of the same bits for any number of
 * ranks.  The ranks are threads. */
#include "support.h"
#include "distributed/all_reduce.h"
#include "graph/random.h"
#include "ranks_of_threads.h"

/* Assertions of Criterion belong to the test's own thread: ranks note what they find. */
typedef struct outcome {
    atl_status status;
    char error[512];
    float value[64], gradient[64];
    double reference[64];
    int64_t count;
} outcome;

static void note_error(outcome *o)
{
    o->status = atl_error_status();
    snprintf(o->error, sizeof o->error, "%s", atl_error());
}

static float own_value(int rank, int64_t i) { return (float)(rank + 1) * (float)(i + 1) / 8; }

/* ---- one node ---------------------------------------------------------------------------------------------------- */

enum { WIDTH = 3 };

/* y = mean of x over ranks; the cost of rank r is (r + 1) * sum(y^2), so dx = mean over r of (r + 1) * 2 y. */
static void average_once(const atl_ranks *ranks, void *context)
{
    outcome *o = context;
    atl_graph *g = atl_graph_new();
    atl_all_reduce *r = atl_all_reduce_new(ranks);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(WIDTH)), *y = atl_all_reduce_mean(x, r);
    atl_node *cost = atl_scale(atl_sum(atl_square(y)), (float)(ranks->rank + 1)), *dx = atl_gradient(cost, x);
    atl_program *p = atl_compile(g, ATL_NODES(y, dx));
    atl_tensor *fed = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(WIDTH));
    for (int i = 0; i < WIDTH; i++)
        atl_floats(fed)[i] = own_value(ranks->rank, i);
    for (int run = 0; run < 2 && p && !o->status; run++) /* a second run begins anew */
        if (atl_run(p, ATL_FEED(x, fed)))
            note_error(o);
    if (!p)
        note_error(o);
    for (int i = 0; i < WIDTH && p && !o->status; i++) {
        o->value[i] = atl_floats(atl_value(p, y))[i];
        o->gradient[i] = atl_floats(atl_value(p, dx))[i];
    }
    atl_reference *reference = o->status ? NULL : atl_reference_run(ATL_NODES(y), ATL_FEED(x, fed));
    for (int i = 0; i < WIDTH && reference; i++)
        o->reference[i] = atl_doubles(atl_reference_value(reference, y))[i];
    atl_reference_free(reference);
    atl_tensor_free(fed);
    atl_program_free(p);
    atl_graph_free(g);
    atl_all_reduce_free(r);
}

Test(all_reduce, means_gradients_and_the_reference)
{
    for (int size = 1; size <= 5; size++) {
        outcome found[MOST_THREAD_RANKS] = {{0}};
        void *context[MOST_THREAD_RANKS];
        for (int i = 0; i < size; i++)
            context[i] = &found[i];
        run_ranks(size, 0, average_once, context);
        for (int k = 0; k < size; k++)
            for (int i = 0; i < WIDTH; i++) {
                float mean = own_value(0, i) * (float)(size + 1) / 2, dx = 2 * mean * (float)(size + 1) / 2;
                cr_assert_eq(found[k].status, ATL_OK, "%s", found[k].error);
                cr_assert(fabsf(found[k].value[i] - mean) < 1e-6f, "%d ranks: %g, not %g", size,
                          (double)found[k].value[i], (double)mean);
                cr_assert(fabsf(found[k].gradient[i] - dx) < 1e-5f, "%d ranks: %g, not %g", size,
                          (double)found[k].gradient[i], (double)dx);
                cr_assert(fabs(found[k].reference[i] - (double)mean) < 1e-12, "%d ranks: the reference is %g", size,
                          found[k].reference[i]);
            }
    }
}

Test(all_reduce, a_failure_of_the_transport_fails_the_run)
{
    outcome found[2] = {{0}};
    run_ranks(2, 3, average_once, (void *[]){&found[0], &found[1]});
    for (int k = 0; k < 2; k++) {
        cr_assert_eq(found[k].status, ATL_UNSUPPORTED);
        cr_assert_mentions(found[k].error, "the network is down");
    }
}

/* ---- training steps ---------------------------------------------------------------------------------------------- */

enum { BATCH = 8, INPUTS = 5, CLASSES = 3, STEPS = 4 };

typedef struct training_run {
    outcome found;
    int64_t parts, bucket_bytes;
    bool any_order;
    bool together; /* batch norm takes the statistics of all parts */
} training_run;

static void fill_batch(uint64_t seed, int step, int64_t first, int64_t count, atl_tensor *x, atl_tensor *labels)
{
    for (int64_t i = 0; i < count; i++) {
        uint64_t example = (uint64_t)(step * BATCH + first + i);
        for (int k = 0; k < INPUTS; k++)
            atl_floats(x)[i * INPUTS + k] = 2 * atl_random_uniform(seed, example * INPUTS + (uint64_t)k) - 1;
        atl_ints(labels)[i] = (int32_t)(example % CLASSES);
    }
}

/* The parts of a rank, run together. */
static atl_status run_together(atl_all_reduce *r, atl_program *gradients, const atl_node *x, const atl_node *labels,
                               int step, int64_t rows)
{
    atl_batch_part parts[BATCH];
    atl_feed feeds[BATCH][3];
    int64_t first, own = atl_all_reduce_parts(r, &first);
    for (int64_t i = 0; i < own; i++) {
        atl_tensor *images = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(rows, INPUTS)),
                   *truth = atl_tensor_new(ATL_INT32, ATL_SHAPE(rows));
        fill_batch(test_seed(), step, (first + i) * rows, rows, images, truth);
        memcpy(feeds[i], ATL_FEEDS({x, images}, {labels, truth}), sizeof feeds[i]);
        parts[i] = (atl_batch_part){.context = atl_context_new(gradients), .feeds = feeds[i]};
    }
    atl_status status = atl_run_parts(r, parts);
    for (int64_t i = 0; i < own; i++) {
        atl_context_free(parts[i].context);
        atl_tensor_free((atl_tensor *)(uintptr_t)feeds[i][0].value);
        atl_tensor_free((atl_tensor *)(uintptr_t)feeds[i][1].value);
    }
    return status;
}

/* A net with batch norm. */
static void train(const atl_ranks *ranks, void *context)
{
    training_run *t = context;
    outcome *o = &t->found;
    int64_t parts = t->parts, first, own, rows = BATCH / parts;
    uint64_t seed = test_seed();
    atl_graph *g = atl_graph_new();
    atl_all_reduce *r =
        atl_all_reduce_new(ranks, .parts = parts, .bucket_bytes = t->bucket_bytes, .any_order = t->any_order);
    own = atl_all_reduce_parts(r, &first);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, INPUTS));
    atl_node *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *hidden = atl_dense_layer(x, "hidden", 7);
    hidden = atl_relu(atl_batch_norm_layer(hidden, "norm", .training = 1, .all_reduce = t->together ? r : NULL));
    atl_node *logits = atl_dense_layer(hidden, "logits", CLASSES);
    atl_node *loss = atl_mean(atl_sparse_softmax_cross_entropy(logits, labels));
    atl_node *part = NULL, *mean = NULL;
    atl_node *step = atl_minimize(loss, atl_adam(), .all_reduce = r, .part_out = &part, .clip_global_norm = 0.5f,
                                  .reported = ATL_NODES(loss), .reported_out = &mean);
    atl_program *gradients = atl_compile(g, ATL_NODES(part)), *update = atl_compile(g, ATL_NODES(step, mean));
    atl_tensor *images = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(rows, INPUTS)),
               *truth = atl_tensor_new(ATL_INT32, ATL_SHAPE(rows));
    if (!gradients || !update)
        note_error(o);
    for (int s = 0; s < STEPS && !o->status; s++) {
        if (t->together && run_together(r, gradients, x, labels, s, rows))
            note_error(o);
        for (int64_t i = first; i < first + own && !o->status && !t->together; i++) {
            fill_batch(seed, s, i * rows, rows, images, truth);
            if (atl_run(gradients, ATL_FEEDS({x, images}, {labels, truth})))
                note_error(o);
        }
        if (!o->status && t->together && atl_all_reduce_wait(r))
            note_error(o);
        if (!o->status && atl_run(update, NULL))
            note_error(o);
        if (!o->status && atl_scalar_of(update, step) != atl_scalar_of(update, mean))
            snprintf(o->error, sizeof o->error, "the cost is not its reported mean");
    }
    atl_nodes variables = atl_variables(g);
    for (int64_t i = 0; i < variables.count; i++) {
        const atl_tensor *value = atl_variable_value(variables.node[i]);
        for (int64_t k = 0; k < atl_tensor_count(value) && atl_dtype_of(variables.node[i]) == ATL_FLOAT32; k++)
            if (o->count < 64)
                o->value[o->count++] = atl_floats(value)[k];
    }
    atl_tensor_free(images);
    atl_tensor_free(truth);
    atl_program_free(gradients);
    atl_program_free(update);
    atl_graph_free(g);
    atl_all_reduce_free(r);
}

static training_run train_with(int size, training_run of)
{
    training_run runs[MOST_THREAD_RANKS];
    void *context[MOST_THREAD_RANKS];
    for (int i = 0; i < size; i++) {
        runs[i] = of;
        context[i] = &runs[i];
    }
    run_ranks(size, 0, train, context);
    for (int i = 0; i < size; i++) {
        cr_assert_str_empty(runs[i].found.error);
        cr_assert(memcmp(runs[i].found.value, runs[0].found.value, sizeof runs[0].found.value) == 0,
                  "ranks 0 and %d of %d differ", i, size);
    }
    return runs[0];
}

Test(all_reduce, training_has_the_same_bits_for_any_number_of_ranks)
{
    const training_run of = {.parts = 4, .bucket_bytes = 64};
    training_run alone = train_with(1, of);
    cr_assert(alone.found.count > 30);
    for (int size = 2; size <= 4; size++) { /* three ranks: one, one and two parts */
        training_run found = train_with(size, of);
        cr_assert(memcmp(found.found.value, alone.found.value, sizeof found.found.value) == 0,
                  "%d ranks give other weights (seed %llu)", size, (unsigned long long)test_seed());
    }
    /* The size of buckets changes nothing. */
    training_run large = train_with(2, (training_run){.parts = 4});
    cr_assert(memcmp(large.found.value, alone.found.value, sizeof large.found.value) == 0);
}

/* ... and is that of the whole batch as one part, up to rounding; with statistics of a part it is another. */
Test(all_reduce, batch_norm_over_all_parts_has_the_same_bits_for_any_number_of_ranks)
{
    training_run whole = train_with(1, (training_run){.parts = 1}), apart = train_with(1, (training_run){.parts = 4}),
                 alone = train_with(1, (training_run){.parts = 4, .bucket_bytes = 64, .together = true});
    float most = 0, most_apart = 0;
    for (int i = 0; i < 64; i++) {
        most = fmaxf(most, fabsf(alone.found.value[i] - whole.found.value[i]));
        most_apart = fmaxf(most_apart, fabsf(apart.found.value[i] - whole.found.value[i]));
    }
    cr_assert(most < 1e-3f && most_apart > 1e-2f, "%g from one part, apart %g (seed %llu)", (double)most,
              (double)most_apart, (unsigned long long)test_seed());
    for (int size = 2; size <= 4; size++) {
        training_run found = train_with(size, (training_run){.parts = 4, .bucket_bytes = 64, .together = true});
        cr_assert(memcmp(found.found.value, alone.found.value, sizeof found.found.value) == 0,
                  "%d ranks give other weights (seed %llu)", size, (unsigned long long)test_seed());
    }
}

Test(all_reduce, any_order_gives_the_same_up_to_rounding)
{
    training_run alone = train_with(1, (training_run){.parts = 4}),
                 found = train_with(2, (training_run){.parts = 4, .any_order = true});
    for (int i = 0; i < 64; i++)
        cr_assert(fabsf(found.found.value[i] - alone.found.value[i]) < 1e-3f, "%d: %g, not %g", i,
                  (double)found.found.value[i], (double)alone.found.value[i]);
}

Test(all_reduce, buckets_are_a_quarter_of_all_within_bounds)
{
    atl_all_reduce *usual = atl_all_reduce_new(NULL), *given = atl_all_reduce_new(NULL, .bucket_bytes = 64);
    cr_assert_eq(atl_bucket_floats(usual, 1000), 256 * 1024 / 4);
    cr_assert_eq(atl_bucket_floats(usual, 1 << 20), 1 << 18);
    cr_assert_eq(atl_bucket_floats(usual, 1 << 30), 4 * 1024 * 1024 / 4);
    cr_assert_eq(atl_bucket_floats(given, 1 << 30), 16);
    atl_all_reduce_free(usual);
    atl_all_reduce_free(given);
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

Test(all_reduce, mistakes_are_named)
{
    atl_ranks five = {.rank = 5, .size = 5};
    cr_assert_null(atl_all_reduce_new(&five));
    cr_assert_mentions(atl_error(), "rank 5 of 5");
    five.rank = 4;
    cr_assert_null(atl_all_reduce_new(&five, .parts = 4));
    cr_assert_mentions(atl_error(), "4 parts for 5 ranks");
    atl_graph *g = atl_graph_new();
    atl_all_reduce *r = atl_all_reduce_new(NULL, .parts = 2);
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(2), atl_zeros()), *cost = atl_sum(atl_square(w)), *part = NULL;
    atl_node *step = atl_minimize(cost, atl_sgd(), .all_reduce = r, .part_out = &part);
    atl_program *gradients = atl_compile(g, ATL_NODES(part)), *update = atl_compile(g, ATL_NODES(step));
    cr_assert(gradients && update, "%s", atl_error());
    cr_assert_eq(atl_run(gradients, NULL), ATL_OK);
    cr_assert_eq(atl_run(update, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "1 of the batch's 2 parts");
    cr_assert_eq(atl_run(gradients, NULL), ATL_OK);
    cr_assert_eq(atl_run(gradients, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "only 2 parts");
    cr_assert_eq(atl_run(update, NULL), ATL_OK);
    cr_assert_eq(atl_all_reduce_weigh(r, -1), ATL_INVALID);
    /* A node that averages over both parts of this rank. */
    atl_node *mean = atl_all_reduce_mean(cost, r);
    atl_program *alone = atl_compile(g, ATL_NODES(mean));
    cr_assert_eq(atl_run(alone, NULL), ATL_INVALID);
    cr_assert_mentions(atl_error(), "atl_run_parts");
    cr_assert_eq(atl_run_parts(r, (const atl_batch_part[2]){{0}}), ATL_INVALID);
    cr_assert_mentions(atl_error(), "context");
    atl_program_free(alone);
    atl_program_free(gradients);
    atl_program_free(update);
    atl_graph_free(g);
    atl_all_reduce_free(r);
}

/* Parts of two and one of three examples: the mean over examples is that of the whole batch; a skipped part counts
 * nothing. */
Test(all_reduce, parts_have_weights)
{
    for (int skips = 0; skips < 2; skips++) {
        atl_graph *g = atl_graph_new();
        atl_all_reduce *r = atl_all_reduce_new(NULL, .parts = 2 + skips);
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY));
        atl_node *w = atl_variable(g, "w", ATL_SCALAR, atl_zeros()), *part = NULL;
        atl_node *step = atl_minimize(atl_mean(atl_mul(x, w)), atl_sgd(.rate = 1), .all_reduce = r, .part_out = &part);
        atl_program *gradients = atl_compile(g, ATL_NODES(part)), *update = atl_compile(g, ATL_NODES(step));
        float values[5] = {1, 2, 3, 4, 5};
        atl_tensor *one = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(2), values),
                   *other = atl_tensor_view(ATL_FLOAT32, ATL_SHAPE(3), values + 2);
        float parts = (float)(2 + skips);
        for (int batch = 0; batch < 2; batch++) {
            cr_assert_eq(atl_all_reduce_weigh(r, 2 * parts / 5), ATL_OK);
            cr_assert_eq(atl_run(gradients, ATL_FEED(x, one)), ATL_OK, "%s", atl_error());
            cr_assert_eq(atl_all_reduce_weigh(r, 3 * parts / 5), ATL_OK);
            cr_assert_eq(atl_run(gradients, ATL_FEED(x, other)), ATL_OK, "%s", atl_error());
            if (skips)
                cr_assert_eq(atl_all_reduce_skip(r), ATL_OK, "%s", atl_error());
            cr_assert_eq(atl_run(update, NULL), ATL_OK, "%s", atl_error());
        }
        cr_assert(fabsf(*atl_floats(atl_variable_value(w)) + 6) < 1e-5f, "%g",
                  (double)*atl_floats(atl_variable_value(w)));
        atl_tensor_free(one);
        atl_tensor_free(other);
        atl_program_free(gradients);
        atl_program_free(update);
        atl_graph_free(g);
        atl_all_reduce_free(r);
    }
}

/* The second part is not fed: the first one, which waits for it, ends, too. */
Test(all_reduce, a_part_that_fails_ends_the_others)
{
    atl_graph *g = atl_graph_new();
    atl_all_reduce *r = atl_all_reduce_new(NULL, .parts = 2);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), *mean = atl_all_reduce_mean(x, r);
    atl_program *p = atl_compile(g, ATL_NODES(mean));
    atl_tensor *value = atl_tensor_view(ATL_FLOAT32, ATL_SCALAR, &(float){3});
    atl_batch_part parts[] = {{.context = atl_context_new(p), .feeds = ATL_FEED(x, value)},
                              {.context = atl_context_new(p)}};
    cr_assert_eq(atl_run_parts(r, parts), ATL_INVALID);
    cr_assert_mentions(atl_error(), "1 of the batch's 2 parts");
    cr_assert_null(atl_context_value(parts[1].context, mean));
    atl_context_free(parts[0].context);
    atl_context_free(parts[1].context);
    atl_tensor_free(value);
    atl_program_free(p);
    atl_graph_free(g);
    atl_all_reduce_free(r);
}

/* Their weights count: (1 * 0.5 + 5 * 1.5) / 2. */
Test(all_reduce, a_node_averages_over_weighted_parts)
{
    atl_graph *g = atl_graph_new();
    atl_all_reduce *r = atl_all_reduce_new(NULL, .parts = 2);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), *mean = atl_all_reduce_mean(x, r);
    atl_program *p = atl_compile(g, ATL_NODES(mean));
    atl_tensor *one = atl_tensor_view(ATL_FLOAT32, ATL_SCALAR, &(float){1}),
               *other = atl_tensor_view(ATL_FLOAT32, ATL_SCALAR, &(float){5});
    atl_batch_part parts[] = {{.context = atl_context_new(p), .feeds = ATL_FEED(x, one), .weight = 0.5f},
                              {.context = atl_context_new(p), .feeds = ATL_FEED(x, other), .weight = 1.5f}};
    for (int batch = 0; batch < 2; batch++) {
        cr_assert_eq(atl_run_parts(r, parts), ATL_OK, "%s", atl_error());
        for (int i = 0; i < 2; i++)
            cr_assert_eq(*atl_floats(atl_context_value(parts[i].context, mean)), 4);
    }
    for (int i = 0; i < 2; i++)
        atl_context_free(parts[i].context);
    atl_tensor_free(one);
    atl_tensor_free(other);
    atl_program_free(p);
    atl_graph_free(g);
    atl_all_reduce_free(r);
}
