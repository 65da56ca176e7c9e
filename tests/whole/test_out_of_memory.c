/* Each allocation of a small build, compilation and run fails in turn: a clean error every time, and nothing is
 * lost. */
#include "support.h"

#include "graph/memory.h"

static const float numbers[] = {1, -2, 3, 4, -5, 6, 7, 8, 9, -1, 2, 3};

/* A small network with its gradients, from nothing to the result.  Returns 0 if any call failed, with its message in
 * *message_out. */
static int build_compile_run(const char **message_out)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3, 4), atl_glorot());
    atl_node *h = atl_relu(atl_add(atl_matmul(x, w), atl_scalar(x, 0.5f)));
    atl_node *loss = atl_named(atl_mean(atl_square(h)), "loss");
    atl_node *dw = atl_gradient(loss, w), *dx = atl_gradient(loss, x);
    atl_program *p = atl_compile(g, ATL_NODES(loss, dw, dx));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(4, 3), numbers), *two = NULL;
    int ok = p && value && atl_run(p, ATL_FEED(x, value)) == ATL_OK;
    if (ok) {
        two = atl_tensor_of_floats(ATL_SHAPE(2, 3), numbers);
        ok = two && atl_run(p, ATL_FEED(x, two)) == ATL_OK; /* another batch: another plan */
    }
    if (ok) {
        atl_reference *r = atl_reference_run(ATL_NODES(loss, dw, dx), ATL_FEED(x, two));
        ok = r && isfinite(atl_scalar_of(p, loss)) && atl_value(p, dx);
        atl_reference_free(r);
    }
    *message_out = ok ? NULL : atl_error(); /* the thread's own buffer */
    atl_tensor_free(value);
    atl_tensor_free(two);
    atl_program_free(p);
    atl_graph_free(g);
    return ok;
}

Test(out_of_memory, at_every_allocation_is_a_clean_error)
{
    const char *message;
    int64_t before = atl_allocation_count();
    cr_assert(build_compile_run(&message), "%s", message);
    int64_t needed = atl_allocation_count() - before;
    cr_assert_gt(needed, 10);
    for (int64_t allowed = 0; allowed < needed; allowed++) {
        atl_set_error(ATL_OK, "no error in round %lld", (long long)allowed); /* not that of the previous round */
        atl_fail_allocations_after(allowed);
        int ok = build_compile_run(&message);
        atl_fail_allocations_after(-1);
        if (ok) /* an optional allocation: a cache */
            continue;
        cr_expect(strstr(message, "memory"), "after %lld allocations: \"%s\"", (long long)allowed, message);
    }
    cr_assert(build_compile_run(&message), "afterwards: %s", message);
}

Test(out_of_memory, a_graph_survives_a_failed_compile)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 3)), *y = atl_sum(atl_square(x));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(4, 3), numbers);
    atl_program *p = NULL;
    for (int64_t allowed = 0; !p && allowed < 1000; allowed++) {
        atl_set_error(ATL_OK, "no error in round %lld", (long long)allowed); /* not that of the previous round */
        atl_fail_allocations_after(allowed);
        p = atl_compile(g, ATL_NODES(y));
        atl_fail_allocations_after(-1);
        if (!p)
            cr_expect(strstr(atl_error(), "memory"), "after %lld: %s", (long long)allowed, atl_error());
    }
    cr_assert(p);
    cr_assert_eq(atl_run(p, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    cr_assert_float_eq(atl_scalar_of(p, y), 299, 1e-3);
    atl_program_free(p);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* The plan of convolutions and products of all kinds, most of which pack or transform their weights first. */
Test(out_of_memory, in_the_plan_of_every_kind_of_convolution)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 30, 30, 3));
    atl_node *h = atl_conv_layer(x, "few", .channels = 32, .window = {3, 3}, .activation = atl_relu);
    h = atl_conv_layer(h, "winograd", .channels = 32, .window = {3, 3}, .activation = atl_relu);
    h = atl_relu(atl_depthwise_conv2d(h, atl_variable(g, "depthwise", ATL_SHAPE(3, 3, 32, 1), atl_he())));
    h = atl_relu(atl_conv2d(h, atl_variable(g, "grouped", ATL_SHAPE(3, 3, 4, 32), atl_he()), .groups = 8));
    h = atl_conv_layer(h, "pointwise", .channels = 256, .window = {1, 1}, .activation = atl_relu);
    h = atl_conv_layer(h, "also_pointwise", .channels = 32, .window = {1, 1}, .activation = atl_relu6);
    h = atl_relu(atl_conv2d(h, atl_variable(g, "dilated", ATL_SHAPE(3, 3, 32, 64), atl_he()), .stride = {2, 1},
                            .dilation = {9, 9}));
    h = atl_dense_layer(atl_reshape(h, ATL_SHAPE(-1, 64)), "dense", .width = 64, .activation = atl_gelu);
    atl_node *dx = atl_gradient(atl_sum(h), x);
    cr_assert(dx, "%s", atl_graph_error(g));
    atl_program *p = NULL;
    for (int64_t allowed = 0; !p; allowed++) {
        atl_set_error(ATL_OK, "no error in round %lld", (long long)allowed);
        atl_fail_allocations_after(allowed);
        p = atl_compile(g, ATL_NODES(h, dx));
        atl_fail_allocations_after(-1);
        if (!p)
            cr_assert(strstr(atl_error(), "memory"), "after %lld: %s", (long long)allowed, atl_error());
    }
    atl_program_free(p);
    atl_graph_free(g);
}

Test(out_of_memory, a_program_survives_a_failed_run)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3)), *y = atl_sum(atl_square(x));
    atl_tensor *value = atl_tensor_of_floats(ATL_SHAPE(4, 3), numbers);
    atl_program *p = atl_compile(g, ATL_NODES(y));
    cr_assert(p);
    int ran = 0;
    for (int64_t allowed = 0; !ran && allowed < 1000; allowed++) {
        atl_set_error(ATL_OK, "no error in round %lld", (long long)allowed); /* not that of the previous round */
        atl_fail_allocations_after(allowed);
        atl_status status = atl_run(p, ATL_FEED(x, value));
        atl_fail_allocations_after(-1);
        ran = status == ATL_OK;
        if (!ran)
            cr_expect_eq(status, ATL_OUT_OF_MEMORY, "after %lld: %s", (long long)allowed, atl_error());
    }
    cr_assert(ran);
    cr_assert_float_eq(atl_scalar_of(p, y), 299, 1e-3);
    atl_program_free(p);
    atl_tensor_free(value);
    atl_graph_free(g);
}

/* ---- the engine: training in groups, several contexts, values fed back ------------------------------------------- */

typedef struct trained {
    atl_graph *graph;
    atl_node *x, *labels, *cost, *next;
    atl_program *train, *step;
} trained;

/* A convolution, a group of assignments, and a recurrence; null programs if it failed. */
static trained build_trained(void)
{
    trained t = {.graph = atl_graph_new()};
    if (!t.graph)
        return t;
    t.x = atl_input(t.graph, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 6, 6, 2));
    t.labels = atl_input(t.graph, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    atl_node *h = atl_conv_layer(t.x, "conv", .channels = 2, .window = {3, 3}, .activation = atl_relu);
    atl_node *scores = atl_dense_layer(atl_flatten(h), "dense", .width = 3);
    t.cost = atl_expand_dims(atl_minimize(atl_mean(atl_sparse_softmax_cross_entropy(scores, t.labels)),
                                          atl_adam(.rate = 0.01f)),
                             0);
    t.next = atl_add(h, t.x);
    t.train = atl_compile(t.graph, ATL_NODES(t.cost));
    t.step = t.train ? atl_compile(t.graph, ATL_NODES(t.next)) : NULL;
    return t;
}

static void release_trained(const trained *t)
{
    atl_program_free(t->train);
    atl_program_free(t->step);
    atl_graph_free(t->graph);
}

/* Feeds a value back, and runs in another context.  Returns 0 if any call failed.  Sums the results. */
static int feed_back(const trained *t, const atl_tensor *pixels, double *sum_out)
{
    const atl_tensor *value = atl_run(t->step, ATL_FEED(t->x, pixels)) ? NULL : atl_value(t->step, t->next);
    atl_context *context = value && !atl_run(t->step, ATL_FEED(t->x, value)) ? atl_context_new(t->step) : NULL;
    value = context && !atl_context_run(context, ATL_FEED(t->x, pixels)) ? atl_context_value(context, t->next) : NULL;
    for (int64_t i = 0; value && i < atl_tensor_count(value); i++)
        *sum_out += (double)atl_floats(value)[i];
    int ok = value && !atl_program_profile(t->step, ATL_FEED(t->x, pixels), 1);
    atl_context_free(context);
    return ok;
}

static int train_and_feed_back(double *sum_out)
{
    trained t = build_trained();
    atl_tensor *pixels = t.step ? atl_uniform_tensor(ATL_SHAPE(2, 6, 6, 2), -1, 1, 3) : NULL,
               *labels = pixels ? atl_tensor_new(ATL_INT32, ATL_SHAPE(2)) : NULL;
    int ok = labels != NULL;
    for (int run = 0; ok && run < 2; run++) {
        ok = atl_run(t.train, ATL_FEEDS({t.x, pixels}, {t.labels, labels})) == ATL_OK && atl_value(t.train, t.cost);
        *sum_out += ok ? (double)atl_scalar_of(t.train, t.cost) : 0;
    }
    ok = ok && feed_back(&t, pixels, sum_out);
    atl_tensor_free(pixels);
    atl_tensor_free(labels);
    release_trained(&t);
    return ok;
}

/* Whichever allocation fails: an error that says so, or the right result. */
Test(out_of_memory, training_and_feeding_back)
{
    double right = 0;
    int64_t before = atl_allocation_count();
    cr_assert(train_and_feed_back(&right), "%s", atl_error());
    int64_t needed = atl_allocation_count() - before;
    cr_assert_gt(needed, 100);
    for (int64_t allowed = 0; allowed < needed; allowed++) {
        double sum = 0;
        atl_set_error(ATL_OK, "no error in round %lld", (long long)allowed);
        atl_fail_allocations_after(allowed);
        int ok = train_and_feed_back(&sum);
        atl_fail_allocations_after(-1);
        if (ok)
            cr_expect_eq(sum, right, "after %lld allocations: another result, and no error", (long long)allowed);
        else
            cr_expect(strstr(atl_error(), "memory"), "after %lld allocations: \"%s\"", (long long)allowed, atl_error());
    }
}

/* A run that runs out of memory leaves the variables unchanged, and the program can run again. */
Test(out_of_memory, a_failed_step_of_training_changes_nothing)
{
    trained t = build_trained();
    atl_tensor *pixels = atl_uniform_tensor(ATL_SHAPE(2, 6, 6, 2), -1, 1, 3),
               *labels = atl_tensor_new(ATL_INT32, ATL_SHAPE(2));
    const atl_node *weights = atl_find(t.graph, "dense/weights");
    cr_assert(t.train && weights, "%s", atl_graph_error(t.graph));
    atl_tensor *first = atl_tensor_copy(atl_variable_value(weights));
    atl_status status = ATL_OUT_OF_MEMORY;
    for (int64_t allowed = 0; status && allowed < 5000; allowed++) {
        cr_assert_eq(largest_difference(atl_variable_value(weights), first), 0, "after %lld", (long long)allowed);
        atl_fail_allocations_after(allowed);
        status = atl_run(t.train, ATL_FEEDS({t.x, pixels}, {t.labels, labels}));
        atl_fail_allocations_after(-1);
        cr_assert(status == ATL_OK || status == ATL_OUT_OF_MEMORY, "after %lld: %s", (long long)allowed, atl_error());
    }
    cr_assert_eq(status, ATL_OK);
    cr_assert_gt(largest_difference(atl_variable_value(weights), first), 0);
    atl_tensor_free(first);
    atl_tensor_free(pixels);
    atl_tensor_free(labels);
    release_trained(&t);
}
