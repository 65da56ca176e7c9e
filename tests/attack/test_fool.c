#include "support.h"

#include "graph/memory.h"

enum { SIDE = 6, CLASSES = 5, PIXELS = SIDE * SIDE * 3 };

/* A small network of two layers on pixels around zero; `gain` scales its logits. */
typedef struct tiny {
    atl_graph *graph;
    atl_node *image, *logits;
} tiny;

static tiny tiny_network(float gain)
{
    tiny net = {.graph = atl_graph_new()};
    atl_set_seed(net.graph, test_seed());
    net.image = atl_input(net.graph, "image", ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3));
    atl_node *h = atl_scale(atl_add_scalar(net.image, -127.5f), 1 / 64.0f);
    h = atl_dense_layer(atl_flatten(h), "hidden", 16, .activation = atl_tanh);
    net.logits = atl_scale(atl_dense_layer(h, "scores", CLASSES, .initializer = atl_normal(1)), gain);
    cr_assert(net.logits, "%s", atl_graph_error(net.graph));
    return net;
}

static atl_fooler *fooler_of(const tiny *net, atl_fool_loss loss)
{
    atl_fooler *fooler = atl_fooler_new(net->image, net->logits, loss);
    cr_assert(fooler, "%s", atl_error());
    cr_assert_eq(atl_fooler_classes(fooler), CLASSES);
    return fooler;
}

static void free_tiny(tiny *net, atl_fooler *fooler)
{
    atl_fooler_free(fooler);
    atl_graph_free(net->graph);
}

/* The result's numbers are those of its image when it is classified again, and its pixels are integers 0..255. */
static void assert_true_result(atl_fooler *fooler, int target, const atl_fool_result *result)
{
    cr_assert(result->pixels);
    for (int i = 0; i < PIXELS; i++) {
        float x = atl_floats(result->pixels)[i];
        cr_assert(x >= 0 && x <= 255 && x == floorf(x), "pixel %d is %g", i, x);
    }
    const atl_tensor *p = atl_fooler_classify(fooler, result->pixels);
    cr_assert(p, "%s", atl_error());
    cr_assert_eq(element_of(p, target), result->probability);
    cr_assert_eq(element_of(p, result->top), result->top_probability);
    for (int i = 0; i < CLASSES; i++)
        cr_assert(element_of(p, i) <= result->top_probability);
    cr_assert(result->seconds >= result->seconds_running && result->seconds_running > 0);
    if (result->met)
        cr_assert(result->top == target && result->trouble == ATL_TROUBLE_NONE && !result->message[0]);
    else
        cr_assert(result->trouble != ATL_TROUBLE_NONE && result->message[0]);
}

Test(fool, every_loss_and_method_reaches_every_class)
{
    for (int loss = ATL_LOSS_CROSS_ENTROPY; loss <= ATL_LOSS_MARGIN; loss++) {
        tiny net = tiny_network(3);
        atl_fooler *fooler = fooler_of(&net, (atl_fool_loss)loss);
        for (int method = ATL_DESCENT_DEFAULT; method <= ATL_DESCENT_RAW; method++)
            for (int target = 0; target < CLASSES; target++) {
                atl_fool_result result;
                float rate = method == ATL_DESCENT_RAW ? 100 : 0;
                cr_assert(atl_fool(fooler, target, .seed = 3, .method = (atl_descent)method, .rate = rate,
                                   .result_out = &result) == ATL_OK,
                          "%s", atl_error());
                assert_true_result(fooler, target, &result);
                cr_assert(result.met && result.probability >= 0.99f, "loss %d, method %d, target %d: %s", loss, method,
                          target, result.message);
                atl_tensor_free(result.pixels);
            }
        free_tiny(&net, fooler);
    }
}

typedef struct diary {
    int calls, stop_at;
    double best, last;
} diary;

static bool write_diary(void *context, const atl_fool_progress *now)
{
    diary *d = context;
    cr_assert_eq(now->iteration, d->calls);
    cr_assert(now->pixels && now->gradient && now->top >= 0 && now->top < CLASSES);
    cr_assert(now->top_probability >= now->probability);
    d->calls++;
    d->last = now->probability;
    d->best = fmax(d->best, now->probability);
    return d->stop_at && now->iteration == d->stop_at;
}

Test(fool, the_callback_sees_every_step_and_the_same_seed_gives_the_same_picture)
{
    tiny net = tiny_network(3);
    atl_fooler *fooler = fooler_of(&net, ATL_LOSS_CROSS_ENTROPY);
    atl_fool_result first, second, other;
    diary d = {0};
    cr_assert(atl_fool(fooler, 2, .seed = 5, .watch = write_diary, .context = &d, .result_out = &first) == ATL_OK);
    cr_assert_eq(d.calls, first.iterations + 1);
    cr_assert_eq(d.last, first.probability);
    cr_assert(atl_fool(fooler, 2, .seed = 5, .result_out = &second) == ATL_OK);
    cr_assert_close(second.pixels, first.pixels, 0);
    cr_assert(atl_fool(fooler, 2, .seed = 6, .result_out = &other) == ATL_OK);
    cr_assert(largest_difference(other.pixels, first.pixels) > 0);
    atl_tensor_free(first.pixels);
    atl_tensor_free(second.pixels);
    atl_tensor_free(other.pixels);
    free_tiny(&net, fooler);
}

Test(fool, when_stopped_the_best_is_kept)
{
    tiny net = tiny_network(0.5f);
    atl_fooler *fooler = fooler_of(&net, ATL_LOSS_CROSS_ENTROPY);
    diary d = {.stop_at = 3}; /* far from there */
    atl_fool_result result;
    cr_assert(atl_fool(fooler, 1, .rate = 0.1f, .confidence = 0.99999f, .watch = write_diary, .context = &d,
                       .result_out = &result) == ATL_OK);
    assert_true_result(fooler, 1, &result);
    cr_assert_eq(result.iterations, 3);
    cr_assert_eq(result.trouble, ATL_TROUBLE_STOPPED);
    cr_assert(fabs(result.probability - d.best) < 0.1);
    atl_tensor_free(result.pixels);
    free_tiny(&net, fooler);
}

/* A network so steep that half a grey level per pixel matters: the promise is about the rounded image. */
Test(fool, rounding_cannot_undo_what_was_reached)
{
    int met = 0;
    for (int seed = 0; seed < 20; seed++) {
        tiny net = tiny_network(400);
        atl_fooler *fooler = fooler_of(&net, ATL_LOSS_CROSS_ENTROPY);
        atl_fool_result result;
        cr_assert(atl_fool(fooler, seed % CLASSES, .seed = (uint64_t)seed, .rate = 0.05f, .result_out = &result) ==
                  ATL_OK);
        assert_true_result(fooler, seed % CLASSES, &result);
        met += result.met;
        atl_tensor_free(result.pixels);
        free_tiny(&net, fooler);
    }
    cr_assert(met >= 18, "only %d of 20", met);
}

Test(fool, starts_from_a_picture_and_may_be_there_at_once)
{
    tiny net = tiny_network(3);
    atl_fooler *fooler = fooler_of(&net, ATL_LOSS_CROSS_ENTROPY);
    atl_fool_result result, again;
    cr_assert(atl_fool(fooler, 4, .result_out = &result) == ATL_OK);
    cr_assert(result.met && result.iterations > 0);
    atl_tensor *picture =
        atl_tensor_of_floats(ATL_SHAPE(SIDE, SIDE, 3), atl_floats(result.pixels)); /* no batch: fine */
    cr_assert(atl_fool(fooler, 4, .start = picture, .result_out = &again) == ATL_OK);
    cr_assert(again.met && again.iterations == 0);
    cr_assert_close(again.pixels, result.pixels, 0);
    atl_tensor_free(picture);
    atl_tensor_free(result.pixels);
    atl_tensor_free(again.pixels);
    free_tiny(&net, fooler);
}

Test(fool, the_slope_is_the_gradient_of_the_loss)
{
    tiny net = tiny_network(1);
    atl_fooler *fooler = fooler_of(&net, ATL_LOSS_LOGIT);
    atl_node *expected = atl_gradient(atl_neg(atl_sum(atl_index_last(net.logits, 3))), net.image);
    atl_program *program = atl_compile(net.graph, ATL_NODES(expected));
    atl_tensor *pixels = random_tensor(ATL_SHAPE(1, SIDE, SIDE, 3), 0, 255);
    cr_assert(program && atl_run(program, ATL_FEED(net.image, pixels)) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_fooler_gradient(fooler, pixels, 3), atl_value(program, expected), 1e-6);
    cr_assert_null(atl_fooler_gradient(fooler, pixels, CLASSES));
    atl_program_free(program);
    atl_tensor_free(pixels);
    free_tiny(&net, fooler);
}

/* ---- why it does not work, in words ------------------------------------------------------------------------------ */

static void assign_all(const tiny *net, const char *name, float value)
{
    atl_node *variable = atl_find(net->graph, name);
    atl_tensor *values = atl_tensor_new(ATL_FLOAT32, atl_shape_of(variable));
    for (int64_t i = 0; i < atl_tensor_count(values); i++)
        atl_floats(values)[i] = value;
    cr_assert(atl_variable_assign(variable, values) == ATL_OK);
    atl_tensor_free(values);
}

static void assert_trouble(tiny *net, atl_fool_loss loss, atl_fool_args args, atl_fool_trouble trouble,
                           const char *words)
{
    atl_fool_result result;
    args.fooler = fooler_of(net, loss);
    args.result_out = &result;
    cr_assert(atl_fool_with(&args) == ATL_OK, "%s", atl_error());
    fprintf(stderr, "%s\n", result.message);
    assert_true_result(args.fooler, args.target, &result);
    cr_assert_eq(result.trouble, trouble, "trouble %d: %s", result.trouble, result.message);
    cr_assert_mentions(result.message, words);
    atl_tensor_free(result.pixels);
    atl_fooler_free(args.fooler);
}

Test(fool, tells_uniform_output)
{
    tiny net = tiny_network(1);
    assign_all(&net, "scores/weights", 0);
    assert_trouble(&net, ATL_LOSS_CROSS_ENTROPY, (atl_fool_args){.target = 1}, ATL_TROUBLE_UNIFORM,
                   "weights been loaded");
    free_tiny(&net, NULL);
}

Test(fool, tells_a_gradient_that_is_exactly_zero)
{
    tiny net = tiny_network(1);
    assign_all(&net, "hidden/weights", 0);
    assign_all(&net, "hidden/biases", 1); /* not uniform, but blind */
    assert_trouble(&net, ATL_LOSS_CROSS_ENTROPY, (atl_fool_args){.target = 1}, ATL_TROUBLE_ZERO_GRADIENT,
                   "exactly zero");
    free_tiny(&net, NULL);
}

/* The target has so low a score that its probability is 1e-10, as in a saturated network. */
static void saturate(const tiny *net, float score)
{
    atl_tensor *biases = atl_tensor_of_floats(ATL_SHAPE(CLASSES), (const float[CLASSES]){20, 0, 0, 0, score});
    cr_assert(atl_variable_assign(atl_find(net->graph, "scores/biases"), biases) == ATL_OK);
    atl_tensor_free(biases);
}

Test(fool, tells_a_step_below_the_resolution_of_floats_and_the_saturation_behind_it)
{
    tiny net = tiny_network(1);
    saturate(&net, -10);
    atl_fool_args args = {.target = 4, .method = ATL_DESCENT_RAW};
    assert_trouble(&net, ATL_LOSS_SOFTMAX_MSE, args, ATL_TROUBLE_TINY_STEP, "saturated");
    assert_trouble(&net, ATL_LOSS_SOFTMAX_MSE, args, ATL_TROUBLE_TINY_STEP, "cross entropy");
    free_tiny(&net, NULL);
}

Test(fool, tells_a_step_below_the_resolution_of_floats_by_itself)
{
    tiny net = tiny_network(1);
    assert_trouble(&net, ATL_LOSS_CROSS_ENTROPY, (atl_fool_args){.target = 4, .rate = 1e-7f}, ATL_TROUBLE_TINY_STEP,
                   "larger step size");
    free_tiny(&net, NULL);
}

Test(fool, tells_saturation_where_steps_are_not_tiny)
{
    tiny net = tiny_network(1);
    saturate(&net, -10);
    assert_trouble(&net, ATL_LOSS_SOFTMAX_MSE,
                   (atl_fool_args){.target = 4, .method = ATL_DESCENT_RAW, .rate = 1e7f, .iterations = 40},
                   ATL_TROUBLE_SATURATED, "saturated");
    free_tiny(&net, NULL);
}

Test(fool, tells_numbers_that_are_not_finite)
{
    tiny net = tiny_network(1);
    assign_all(&net, "scores/weights", INFINITY);
    atl_fool_result result;
    atl_fooler *fooler = fooler_of(&net, ATL_LOSS_CROSS_ENTROPY);
    cr_assert(atl_fool(fooler, 1, .result_out = &result) == ATL_OK);
    cr_assert_eq(result.trouble, ATL_TROUBLE_NOT_FINITE, "%s", result.message);
    cr_assert_mentions(result.message, "not a finite number");
    atl_tensor_free(result.pixels);
    free_tiny(&net, fooler);
}

Test(fool, tells_that_the_steps_were_used_up)
{
    tiny net = tiny_network(1);
    assert_trouble(&net, ATL_LOSS_CROSS_ENTROPY,
                   (atl_fool_args){.target = 4, .iterations = 2, .rate = 0.5f, .confidence = 0.9999f},
                   ATL_TROUBLE_ITERATIONS_USED_UP, "more iterations");
    free_tiny(&net, NULL);
}

/* ---- mistakes ---------------------------------------------------------------------------------------------------- */

Test(fool, mistakes_are_told)
{
    tiny net = tiny_network(1);
    atl_fooler *fooler = fooler_of(&net, ATL_LOSS_CROSS_ENTROPY);
    atl_fooler *second = fooler_of(&net, ATL_LOSS_MARGIN); /* in the same graph: fine */
    atl_fool_result result;
    atl_tensor *large = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(7, 7, 3));
    cr_assert(atl_fool(fooler, CLASSES, .result_out = &result) == ATL_INVALID);
    cr_assert_mentions(atl_error(), "0..4");
    cr_assert(atl_fool(fooler, -1, .result_out = &result) == ATL_INVALID);
    cr_assert(atl_fool(fooler, 0, .start = large, .result_out = &result) == ATL_INVALID);
    cr_assert_mentions(atl_error(), "[7, 7, 3]");
    cr_assert_null(result.pixels);
    cr_assert(atl_fool(fooler, 0) == ATL_INVALID);
    cr_assert_mentions(atl_error(), ".result");
    cr_assert(atl_fool(NULL, 0, .result_out = &result) == ATL_INVALID);
    cr_assert_null(atl_fooler_classify(fooler, large));
    cr_assert_null(atl_fooler_classify(fooler, NULL));
    atl_tensor_free(large);
    atl_fooler_free(second);
    free_tiny(&net, fooler);
}

Test(fool, a_graph_that_cannot_be_fooled_is_refused)
{
    tiny net = tiny_network(1);
    cr_assert_null(atl_fooler_new(net.image, NULL, ATL_LOSS_CROSS_ENTROPY));
    cr_assert_null(atl_fooler_new(NULL, net.logits, ATL_LOSS_CROSS_ENTROPY));
    cr_assert_null(atl_fooler_new(net.logits, net.logits, ATL_LOSS_CROSS_ENTROPY));
    cr_assert_mentions(atl_error(), "[1, 5]");
    cr_assert_null(atl_fooler_new(net.image, net.image, ATL_LOSS_CROSS_ENTROPY));
    cr_assert_mentions(atl_error(), "[1, 6, 6, 3]");
    atl_node *blind = atl_input(net.graph, "blind", ATL_FLOAT32, ATL_SHAPE(1, 5));
    cr_assert_null(atl_fooler_new(net.image, blind, ATL_LOSS_CROSS_ENTROPY));
    cr_assert_mentions(atl_error(), "image");
    free_tiny(&net, NULL);
}

/* Building, compiling and fooling with each allocation failing in turn: an error or an image, never both. */
static int fool_once(void)
{
    atl_fool_result result = {0};
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, SIDE, SIDE, 3));
    atl_node *logits = atl_dense_layer(atl_flatten(atl_scale(image, 1 / 64.0f)), "scores", CLASSES);
    atl_fooler *fooler = atl_fooler_new(image, logits, ATL_LOSS_CROSS_ENTROPY);
    atl_status status = atl_fool(fooler, 1, .seed = 3, .iterations = 4, .result_out = &result);
    int ok = status == ATL_OK;
    if (!fooler || status)
        cr_expect(!result.pixels && strstr(atl_error(), "memory"), "%s", atl_error());
    cr_expect_eq(ok, result.pixels != NULL);
    atl_tensor_free(result.pixels);
    atl_fooler_free(fooler);
    atl_graph_free(g);
    return ok;
}

Test(fool, running_out_of_memory_is_a_clean_error)
{
    int64_t before = atl_allocation_count();
    cr_assert(fool_once());
    int64_t needed = atl_allocation_count() - before;
    for (int64_t allowed = 0; allowed < needed; allowed++) {
        atl_fail_allocations_after(allowed);
        fool_once();
        atl_fail_allocations_after(-1);
    }
    cr_assert(fool_once());
}
