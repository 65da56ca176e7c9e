#include "explain/small_net.h"

/* A network whose probability is that of one pixel alone: a mask that shows the pixel has a weight. */
Test(rise, shows_the_pixel_that_counts)
{
    enum { SIZE = 21, ROW = 4, COLUMN = 13 };
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIZE, SIZE, 1));
    atl_node *pixel = atl_flatten(atl_slice(image, .begin = {0, ROW, COLUMN}, .end = {0, ROW + 1, COLUMN + 1}));
    atl_node *scores = atl_concat(1, atl_scale(pixel, 0.05f), atl_scale(pixel, 0));
    atl_explainer *explainer = atl_explainer_new(image, scores);
    cr_assert(explainer, "%s", atl_error());
    atl_tensor *pixels = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIZE, SIZE, 1));
    for (int i = 0; i < SIZE * SIZE; i++)
        atl_floats(pixels)[i] = 200;
    atl_explanation e;
    cr_assert_explained(
        atl_explain(explainer, ATL_EXPLAIN_RISE, pixels, 0, .samples = 3000, .seed = test_seed(), .result_out = &e));
    int top = 0;
    double mean = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
        top = element_of(e.map, i) > element_of(e.map, top) ? i : top;
        mean += element_of(e.map, i) / (SIZE * SIZE);
    }
    cr_assert(abs(top / SIZE - ROW) <= 1 && abs(top % SIZE - COLUMN) <= 1, "at %d, %d", top / SIZE, top % SIZE);
    /* Far from the pixel, masks are independent of it: the map is the mean probability, about 0.83 of 0.5 to 1. */
    cr_assert(mean > 0.75 && mean < 0.92, "%g", mean);
    cr_assert_eq(e.pictures, 3001);
    atl_explanation_free(&e);
    atl_tensor_free(pixels);
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

/* Where every mask has the same probability, the map is that probability times the mean mask over its expectation. */
Test(rise, a_constant_network_gives_its_probability)
{
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIDE, SIDE, 3));
    atl_node *zero = atl_reduce_sum(atl_scale(image, 0), ATL_AXES(1, 2));
    atl_explainer *explainer = atl_explainer_new(image, zero);
    atl_tensor *pixels = random_tensor(ATL_SHAPE(SIDE, SIDE, 3), 0, 255);
    for (int tenth = 2; tenth <= 8; tenth += 3) {
        atl_explanation e;
        double mean = 0;
        cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_RISE, pixels, 1, .samples = 4000, .cells = 4,
                                        .share = (float)tenth / 10, .seed = test_seed(), .result_out = &e));
        for (int i = 0; i < SIDE * SIDE; i++)
            mean += element_of(e.map, i) / (SIDE * SIDE);
        cr_assert_float_eq(mean, 1.0 / 3, 0.02, "%g", mean);
        atl_explanation_free(&e);
    }
    atl_tensor_free(pixels);
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

Test(rise, depends_on_the_seed_and_not_on_the_batch)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *by_one = atl_explainer_new(net.image, net.scores, .batch = 1), *by_eight = explainer_of(&net);
    atl_explanation a, b, c;
    cr_assert_explained(
        atl_explain(by_one, ATL_EXPLAIN_RISE, net.pixels, 1, .samples = 37, .seed = 4, .result_out = &a));
    cr_assert_explained(
        atl_explain(by_eight, ATL_EXPLAIN_RISE, net.pixels, 1, .samples = 37, .seed = 4, .result_out = &b));
    cr_assert_explained(
        atl_explain(by_eight, ATL_EXPLAIN_RISE, net.pixels, 1, .samples = 37, .seed = 5, .result_out = &c));
    cr_assert_close(a.map, b.map, 1e-5);
    cr_assert(relative_l2(c.map, b.map) > 1e-3);
    atl_explanation_free(&a);
    atl_explanation_free(&b);
    atl_explanation_free(&c);
    atl_explainer_free(by_one);
    atl_explainer_free(by_eight);
    free_small_net(&net);
}

Test(rise, more_cells_than_pixels_are_refused)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_explanation e;
    cr_assert_eq(atl_explain(explainer, ATL_EXPLAIN_RISE, net.pixels, 1, .cells = SIDE + 1, .result_out = &e),
                 ATL_INVALID);
    cr_assert_mentions(atl_error(), ".cells is 13");
    atl_explainer_free(explainer);
    free_small_net(&net);
}
