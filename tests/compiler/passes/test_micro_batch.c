/* Micro-batches: what works image by image runs for some images at a time, with the same results. */
#include "support.h"

enum { BATCH = 12, SIDE = 20, CHANNELS = 16, CLASSES = 5 };

/* Convolutions, a residual, a pool: the scores, the loss and its gradient by the image. */
typedef struct classifier {
    atl_graph *graph;
    atl_node *image, *labels, *scores, *loss, *by_image, *filter;
    atl_tensor *pixels, *classes;
} classifier;

static classifier classifier_new(void)
{
    classifier c = {.graph = atl_graph_new()};
    c.image = atl_input(c.graph, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, CHANNELS));
    c.labels = atl_input(c.graph, "labels", ATL_INT32, ATL_SHAPE(ATL_ANY));
    c.filter = atl_variable(c.graph, "filter", ATL_SHAPE(3, 3, CHANNELS, CHANNELS), atl_he());
    atl_node *h = atl_relu(atl_conv2d(c.image, c.filter));
    h = atl_relu(
        atl_add(h, atl_conv2d(h, atl_variable(c.graph, "second", ATL_SHAPE(3, 3, CHANNELS, CHANNELS), atl_he()))));
    h = atl_max_pool2d(h, .window = {2, 2});
    c.scores =
        atl_reduce_mean(atl_conv2d(h, atl_variable(c.graph, "last", ATL_SHAPE(3, 3, CHANNELS, CLASSES), atl_he())),
                        ATL_AXES(1, 2));
    c.loss = atl_mean(atl_sparse_softmax_cross_entropy(c.scores, c.labels));
    c.by_image = atl_gradient(c.loss, c.image);
    c.pixels = random_tensor(ATL_SHAPE(BATCH, SIDE, SIDE, CHANNELS), -1, 1);
    c.classes = random_ints(ATL_SHAPE(BATCH), 0, CLASSES);
    cr_assert_str_empty(atl_graph_error(c.graph));
    return c;
}

static void classifier_free(classifier *c)
{
    atl_tensor_free(c->pixels);
    atl_tensor_free(c->classes);
    atl_graph_free(c->graph);
}

/* Without Winograd's method, which is chosen by the number of images, and has other last bits. */
static atl_program *compiled(const classifier *c, int micro_batch)
{
    atl_program *program = atl_compile(c->graph, ATL_NODES(c->scores, c->loss, c->by_image), .micro_batch = micro_batch,
                                       .disabled_passes = ATL_PASS_WINOGRAD, .threads = 2);
    cr_assert(program && !atl_run(program, ATL_FEEDS({c->image, c->pixels}, {c->labels, c->classes})), "%s",
              atl_error());
    return program;
}

/* The most turns of a step of that op; null: of any. */
static int64_t turns_of(const atl_program *program, const char *op)
{
    int64_t most = 0;
    for (int64_t i = 0; i < atl_program_step_count(program); i++) {
        atl_step_info info;
        cr_assert_eq(atl_program_step(program, i, &info), ATL_OK);
        if ((!op || !strcmp(info.op, op)) && info.turns > most)
            most = info.turns;
    }
    return most;
}

static void assert_same_bits(const atl_tensor *a, const atl_tensor *b, const char *what)
{
    cr_assert(a && b && atl_shape_equal(atl_tensor_shape(a), atl_tensor_shape(b)), "%s", what);
    cr_assert_eq(memcmp(atl_floats(a), atl_floats(b), (size_t)atl_tensor_count(a) * 4), 0, "%s differs (seed %llu)",
                 what, (unsigned long long)test_seed());
}

Test(micro_batch, the_same_bits_in_less_memory)
{
    classifier c = classifier_new();
    atl_program *whole = compiled(&c, BATCH);
    cr_expect_eq(turns_of(whole, NULL), 1);
    for (int images = 1; images < BATCH; images++) {
        atl_program *some = compiled(&c, images);
        int64_t turns = 1; /* as few as the size allows */
        while (BATCH % turns || BATCH / turns > images)
            turns++;
        cr_expect_eq(turns_of(some, "conv2d_fused"), turns, "%d images: %lld turns", images,
                     (long long)turns_of(some, "conv2d_fused"));
        assert_same_bits(atl_value(some, c.scores), atl_value(whole, c.scores), "the scores");
        assert_same_bits(atl_value(some, c.loss), atl_value(whole, c.loss), "the loss");
        assert_same_bits(atl_value(some, c.by_image), atl_value(whole, c.by_image), "the gradient");
        if (images == 1)
            cr_expect_lt(atl_program_arena_bytes(some), atl_program_arena_bytes(whole)); /* scratch memory stays */
        atl_program_free(some);
    }
    atl_program_free(whole);
    classifier_free(&c);
}

Test(micro_batch, other_feeds_weights_sizes_and_contexts)
{
    classifier c = classifier_new();
    atl_program *some = compiled(&c, 3), *whole = compiled(&c, 1 << 20);
    for (int run = 0; run < 3; run++) {
        int64_t batch = run == 1 ? 7 : BATCH; /* a prime: one image at a time */
        atl_tensor *pixels = random_tensor(ATL_SHAPE(batch, SIDE, SIDE, CHANNELS), -1, 1),
                   *classes = random_ints(ATL_SHAPE(batch), 0, CLASSES),
                   *filter = random_tensor(ATL_SHAPE(3, 3, CHANNELS, CHANNELS), -1, 1);
        const atl_feed *feeds = ATL_FEEDS({c.image, pixels}, {c.labels, classes});
        cr_assert_eq(atl_variable_assign(c.filter, filter), ATL_OK);
        atl_context *context = atl_context_new(some);
        cr_assert(context && !atl_run(whole, feeds) && !atl_run(some, feeds) && !atl_context_run(context, feeds), "%s",
                  atl_error());
        cr_expect_eq(turns_of(some, "conv2d_fused"), run == 1 ? 7 : 4);
        assert_same_bits(atl_value(some, c.by_image), atl_value(whole, c.by_image), "the gradient");
        assert_same_bits(atl_context_value(context, c.by_image), atl_value(whole, c.by_image), "in another context");
        atl_context_free(context);
        atl_tensor_free(pixels);
        atl_tensor_free(classes);
        atl_tensor_free(filter);
    }
    atl_program_free(some);
    atl_program_free(whole);
    classifier_free(&c);
}

Test(micro_batch, a_profile_adds_the_turns)
{
    classifier c = classifier_new();
    atl_program *some = compiled(&c, 2), *whole = compiled(&c, BATCH);
    double flops[2] = {0};
    cr_assert_eq(atl_program_profile(some, ATL_FEEDS({c.image, c.pixels}, {c.labels, c.classes}), 2), ATL_OK);
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < atl_program_step_count(k ? whole : some); i++) {
            atl_step_info info;
            cr_assert_eq(atl_program_step(k ? whole : some, i, &info), ATL_OK);
            flops[k] += info.flops;
            cr_expect(k || info.prepack || info.microseconds > 0, "step %lld, %s", (long long)i, info.op);
        }
    cr_expect_float_eq(flops[0], flops[1], 1e-6 * flops[1], "%g and %g flops", flops[0], flops[1]);
    atl_program_free(some);
    atl_program_free(whole);
    classifier_free(&c);
}

/* A mean over the batch leaves the loop, and what depends on it does not come back. */
Test(micro_batch, what_depends_on_all_images_runs_after_the_loop)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(6, 8, 8, 4));
    atl_node *y =
        atl_max_pool2d(atl_conv2d(x, atl_variable(g, "w", ATL_SHAPE(3, 3, 4, 8), atl_he())), .window = {2, 2});
    atl_node *centred = atl_sub(y, atl_reduce_mean(y, ATL_AXES(0), .keep = 1)),
             *z = atl_avg_pool2d(centred, .window = {2, 2});
    atl_program *program = atl_compile(g, ATL_NODES(z, y), .micro_batch = 2);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(6, 8, 8, 4), -1, 1);
    assert_like_references(program, ATL_NODES(z, y), ATL_FEED(x, pixels), 1e-5);
    cr_expect_eq(turns_of(program, "max_pool2d"), 3);
    cr_expect_eq(turns_of(program, "avg_pool2d"), 1);
    atl_tensor_free(pixels);
    atl_program_free(program);
    atl_graph_free(g);
}

/* SqueezeNet's images leave the caches at batch 32.  Nothing runs. */
Test(micro_batch, estimates_decide_by_the_sizes)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(32, 224, 224, 3));
    atl_node *cost = atl_mean(atl_square(atl_squeezenet(image)));
    atl_node *by_image = atl_gradient(cost, image);
    atl_program *program = atl_compile(g, ATL_NODES(by_image), .threads = 1);
    int64_t turns = turns_of(program, NULL);
    cr_expect(turns >= 2 && turns <= 32, "SqueezeNet: %lld turns", (long long)turns);
    atl_program_free(program);
    program = atl_compile(g, ATL_NODES(by_image), .threads = 1, .disabled_passes = ATL_PASS_MICRO_BATCH);
    cr_expect_eq(turns_of(program, NULL), 1);
    atl_program_free(program);
    program = atl_compile(g, ATL_NODES(by_image), .threads = 32);
    cr_expect_eq(turns_of(program, NULL), 1, "each of 32 threads has an image");
    atl_program_free(program);
    atl_node *weights = atl_variables(g).node[0], *changed = atl_sub(weights, atl_gradient(cost, weights));
    program = atl_compile(g, ATL_NODES(atl_assign(weights, changed), by_image), .threads = 1);
    cr_expect_eq(turns_of(program, NULL), 1, "a program that assigns");
    atl_program_free(program);
    atl_graph_free(g);
}

static atl_node *layer(atl_node *x, int64_t window, int64_t channels)
{
    char name[32];
    snprintf(name, sizeof name, "filter%lld", (long long)atl_variables(atl_graph_of(x)).count);
    int64_t in = atl_shape_of(x).size[3];
    atl_node *filter = atl_variable(atl_graph_of(x), name, ATL_SHAPE(window, window, in, channels), atl_he());
    return atl_relu(atl_conv2d(x, filter));
}

static int64_t turns_of_gradient(atl_node *y, atl_node *image)
{
    atl_node *by_image = atl_gradient(atl_mean(atl_square(y)), image);
    cr_assert_str_empty(atl_graph_error(atl_graph_of(image)));
    atl_program *program = atl_compile(atl_graph_of(y), ATL_NODES(by_image), .threads = 1);
    cr_assert(program, "%s", atl_error());
    int64_t turns = turns_of(program, NULL);
    atl_program_free(program);
    return turns;
}

/* Eight images of 112 x 112 pixels are 26 MB with 64 channels, and leave the caches.  A loop pays if the filters are
 * small; not if they are 75 MB, which each turn would read again; nor if the images are few.  Nothing runs. */
Test(micro_batch, a_loop_does_not_read_large_filters_again)
{
    for (int row = 0; row < 3; row++) {
        atl_graph *g = atl_graph_new();
        atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(row == 2 ? 2 : 8, 112, 112, 8));
        atl_node *y = layer(layer(layer(image, 1, 64), 3, 64), 3, 64);
        y = atl_max_pool2d(y, .window = {16, 16}, .stride = {16, 16});
        for (int i = 0; row == 1 && i < 8; i++)
            y = layer(y, 3, 512);
        int64_t turns = turns_of_gradient(y, image);
        if (row == 0)
            cr_expect(turns == 2 || turns == 4 || turns == 8, "%lld turns", (long long)turns);
        else
            cr_expect_eq(turns, 1, "row %d: %lld turns", row, (long long)turns);
        atl_graph_free(g);
    }
}

/* Of expanded images only bits are kept, so that two images of 112 x 112 pixels and 96 channels at a time leave no
 * cache, while eight of them, 39 MB, would, even if each is read as soon as it is written.  Nothing runs. */
Test(micro_batch, images_of_which_bits_are_kept)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(8, 112, 112, 16)), *y = image;
    for (int i = 0; i < 4; i++)
        y = layer(layer(y, 1, 96), 1, 16);
    int64_t turns = turns_of_gradient(y, image);
    cr_expect(turns >= 2 && turns <= 4, "%lld turns", (long long)turns);
    atl_graph_free(g);
}

/* The images and gradients that the filters' gradients read leave the loop, and the caches before it ends.  Nothing
 * runs. */
Test(micro_batch, no_loop_where_too_much_leaves_it)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(128, 24, 24, 3));
    atl_node *cost = atl_mean(atl_square(atl_cifar10(image)));
    atl_node *by_weight[32];
    const atl_nodes weights = atl_variables(g);
    cr_assert_leq(weights.count, 32);
    cr_assert_eq(atl_gradients(.of = ATL_NODES(cost), .by = weights, .result_out = by_weight), ATL_OK);
    atl_program *program = atl_compile(g, ((atl_nodes){weights.count, by_weight}), .threads = 1);
    cr_expect_eq(turns_of(program, NULL), 1);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(micro_batch, a_negative_number_is_an_error)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 3));
    cr_expect_null(atl_compile(g, ATL_NODES(atl_relu(x)), .micro_batch = -1));
    cr_assert_mentions(atl_error(), ".micro_batch is -1 images");
    atl_graph_free(g);
}
