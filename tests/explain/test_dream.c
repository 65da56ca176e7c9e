#include "explain/small_net.h"

/* Sides that are odd, even and different. */
static void check_dream(int64_t height, int64_t width, int channels)
{
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, test_seed());
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(1, height, width, channels));
    atl_node *x = atl_scale(atl_add_scalar(image, -100), 1 / 64.0f);
    x = atl_conv_layer(x, "conv", 6, .window = {3, 3}, .activation = atl_relu);
    atl_node *scores = atl_dense_layer(atl_reduce_mean(x, ATL_AXES(1, 2)), "dense", 3, .initializer = atl_normal(1));
    atl_explainer *explainer = atl_explainer_new(image, scores);
    for (int of_channel = 0; of_channel < 2; of_channel++) {
        double first, last, again;
        atl_tensor *start, *pixels, *same;
        cr_assert_explained(atl_dream(explainer, of_channel, 1, 1, .rate = 1e-6f, .seed = 3, .score_out = &first,
                                      .pixels_out = &start));
        cr_assert_explained(
            atl_dream(explainer, of_channel, 1, 80, .seed = 3, .score_out = &last, .pixels_out = &pixels));
        cr_assert_explained(
            atl_dream(explainer, of_channel, 1, 80, .seed = 3, .score_out = &again, .pixels_out = &same));
        cr_assert(last > first + 0.1, "from %g to %g", first, last);
        cr_assert_eq(last, again);
        cr_assert_eq(largest_difference(pixels, same), 0);
        cr_assert(atl_shape_equal(atl_tensor_shape(pixels), ATL_SHAPE(height, width, channels)));
        for (int64_t i = 0; i < atl_tensor_count(pixels); i++) {
            float p = atl_floats(pixels)[i];
            cr_assert(p >= 0 && p <= 255 && p == floorf(p));
        }
        if (!of_channel) {
            atl_tensor *s;
            cr_assert_explained(atl_explainer_scores(explainer, pixels, &s, NULL));
            cr_assert_float_eq(element_of(s, 1), last, 1e-5);
            atl_tensor_free(s);
        }
        atl_tensor_free(start);
        atl_tensor_free(pixels);
        atl_tensor_free(same);
    }
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

Test(dream, raises_the_score_of_a_class_and_of_a_channel)
{
    check_dream(16, 16, 3);
    check_dream(13, 20, 3);
    check_dream(18, 11, 1);
}

static int stop(void *context, int64_t done, int64_t all)
{
    cr_assert_leq(done, all);
    return ++*(int *)context == 5;
}

Test(dream, the_callback_ends_it_with_the_picture_so_far)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    int calls = 0;
    atl_tensor *pixels;
    cr_assert_explained(atl_dream(explainer, 0, 1, .watch = stop, .context = &calls, .pixels_out = &pixels));
    cr_assert_eq(calls, 5);
    cr_assert(pixels);
    atl_tensor_free(pixels);
    cr_assert_eq(atl_dream(explainer, 1, CHANNELS, .pixels_out = &pixels), ATL_INVALID);
    cr_assert_mentions(atl_error(), "channels 0..7");
    cr_assert_eq(atl_dream(explainer, 0, CLASSES, .pixels_out = &pixels), ATL_INVALID);
    cr_assert_mentions(atl_error(), "classes 0..4");
    cr_assert(!pixels);
    atl_explainer_free(explainer);
    free_small_net(&net);
}
