/* Minutes: 5 */
#include "explain/golden_explain.h"
#include "explain/small_net.h"

static double correlation(const atl_tensor *a, const atl_tensor *b)
{
    double n = (double)atl_tensor_count(a), sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < atl_tensor_count(a); i++) {
        double x = element_of(a, i), y = element_of(b, i);
        sa += x, sb += y, aa += x * x, bb += y * y, ab += x * y;
    }
    return (ab - sa * sb / n) / sqrt((aa - sa * sa / n) * (bb - sb * sb / n));
}

/* The attribution of one sample is the gradient at a noisy picture: with a linear network the mean is the gradient
 * itself, whatever the noise, and with a quadratic one the noise shows. */
Test(smooth_grad, the_noise_is_normal_with_the_given_deviation)
{
    enum { SIZE = 40, SAMPLES = 200 };
    atl_graph *g = atl_graph_new();
    atl_node *image = atl_input(g, "image", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, SIZE, SIZE, 3));
    /* d/dx of x^2 / 2 is x, of x^3 / 3 x^2, of x^4 / 4 x^3 and of x^5 / 5 x^4: moments of the noisy pixels. */
    atl_node *power[4], *scores[4];
    for (int k = 0; k < 4; k++) {
        power[k] = atl_mul(k ? power[k - 1] : image, image);
        scores[k] = atl_reduce_sum(atl_scale(power[k], 1.0f / (float)(k + 2)), ATL_AXES(1, 2, 3));
    }
    atl_explainer *explainer = atl_explainer_new(image, atl_stack(1, scores[0], scores[1], scores[2], scores[3]));
    cr_assert(explainer, "%s", atl_error());
    atl_tensor *pixels = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(SIZE, SIZE, 3));
    const double expected[4] = {0, 4, 0, 48}, bound[4] = {0.02, 0.05, 0.3, 2};
    for (int k = 0; k < 4; k++) {
        atl_explanation e;
        double mean = 0;
        cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_SMOOTH_GRAD, pixels, k, .samples = SAMPLES,
                                        .deviation = 2, .seed = test_seed(), .result_out = &e));
        for (int64_t i = 0; i < atl_tensor_count(e.attribution); i++)
            mean += element_of(e.attribution, i) / (double)atl_tensor_count(e.attribution);
        cr_assert_float_eq(mean, expected[k], bound[k], "moment %d of N(0, 4) is %g", k + 1, mean);
        atl_explanation_free(&e);
    }
    atl_tensor_free(pixels);
    atl_explainer_free(explainer);
    atl_graph_free(g);
}

Test(smooth_grad, depends_on_the_seed_alone)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *by_three = atl_explainer_new(net.image, net.scores, .batch = 3),
                  *by_eight = atl_explainer_new(net.image, net.scores);
    atl_explanation a, b, c;
    cr_assert_explained(
        atl_explain(by_three, ATL_EXPLAIN_SMOOTH_GRAD, net.pixels, 1, .samples = 20, .seed = 4, .result_out = &a));
    cr_assert_explained(
        atl_explain(by_eight, ATL_EXPLAIN_SMOOTH_GRAD, net.pixels, 1, .samples = 20, .seed = 4, .result_out = &b));
    cr_assert_explained(
        atl_explain(by_eight, ATL_EXPLAIN_SMOOTH_GRAD, net.pixels, 1, .samples = 20, .seed = 5, .result_out = &c));
    cr_assert_eq(a.batch, 3);
    cr_assert_close(a.attribution, b.attribution, 1e-5);
    cr_assert(relative_l2(c.attribution, b.attribution) > 1e-3);
    assert_map_of_channels(&a);
    cr_assert_eq(a.pictures, 21);
    atl_explanation_free(&a);
    atl_explanation_free(&b);
    atl_explanation_free(&c);
    atl_explainer_free(by_three);
    atl_explainer_free(by_eight);
    free_small_net(&net);
}

static atl_tensor *map_of(const atl_tensor *attribution)
{
    atl_tensor *map = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(atl_tensor_count(attribution) / 3));
    for (int64_t i = 0; i < atl_tensor_count(attribution); i++)
        atl_floats(map)[i / 3] = fmaxf(atl_floats(map)[i / 3], fabsf(atl_floats(attribution)[i]));
    return map;
}

/* Another library's two seeds correlate by 0.58 with each other at the first photograph, and their maps by 0.80: ours
 * must be as near to it as two seeds of ours are to each other. */
Test(smooth_grad, of_squeezenet_is_as_near_as_another_seed)
{
    skip_if_sanitized("the tests of a small network run the same code");
    for (int photo = 0; photo < PHOTOS; photo++) {
        golden_explain g = open_golden_explain("smoothgrad", photo, NULL, 0);
        atl_explanation e, other;
        cr_assert_explained(atl_explain(g.explainer, ATL_EXPLAIN_SMOOTH_GRAD, g.pixels, g.target, .result_out = &e));
        cr_assert_explained(
            atl_explain(g.explainer, ATL_EXPLAIN_SMOOTH_GRAD, g.pixels, g.target, .seed = 9, .result_out = &other));
        atl_tensor *golden = golden_value(g.npz, "smoothgrad_raw_seed0"), *map = map_of(golden);
        double whole = correlation(e.attribution, golden), maps = correlation(e.map, map);
        double own_whole = correlation(e.attribution, other.attribution), own_maps = correlation(e.map, other.map);
        fprintf(stderr, "class %d: correlation %.3f, of the maps %.3f; of two seeds %.3f and %.3f\n", g.target, whole,
                maps, own_whole, own_maps);
        cr_expect_geq(whole, own_whole - 0.02);
        cr_expect_geq(maps, own_maps - 0.02);
        if (photo == 0) {
            cr_expect_geq(whole, 0.56);
            cr_expect_geq(maps, 0.78);
        }
        atl_tensor_free(golden);
        atl_tensor_free(map);
        atl_explanation_free(&e);
        atl_explanation_free(&other);
        close_golden_explain(&g);
    }
}
