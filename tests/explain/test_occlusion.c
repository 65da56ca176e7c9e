/* Minutes: 5 */
#include "explain/golden_explain.h"
#include "explain/small_net.h"

/* In double: the mean over the windows that cover a pixel of what the score loses. */
static void formula(const small_net *net, const double *x, const double *b, int target, const int *window,
                    const int *stride, double *map)
{
    double at[ELEMENTS], whole = reference_score(net, x, target);
    int covered[SIDE * SIDE] = {0};
    memset(map, 0, SIDE * SIDE * sizeof *map);
    for (int top = 0; top == 0 || top + window[0] - stride[0] < SIDE; top += stride[0])
        for (int left = 0; left == 0 || left + window[1] - stride[1] < SIDE; left += stride[1]) {
            memcpy(at, x, sizeof at);
            for (int i = 0; i < ELEMENTS; i++) {
                int row = i / 3 / SIDE, column = i / 3 % SIDE;
                if (row >= top && row < top + window[0] && column >= left && column < left + window[1])
                    at[i] = b[i];
            }
            double loss = whole - reference_score(net, at, target);
            for (int i = 0; i < SIDE * SIDE; i++) {
                int row = i / SIDE, column = i % SIDE;
                if (row >= top && row < top + window[0] && column >= left && column < left + window[1]) {
                    map[i] += loss;
                    covered[i]++;
                }
            }
        }
    for (int i = 0; i < SIDE * SIDE; i++)
        map[i] = covered[i] ? map[i] / covered[i] : 0;
}

static void check(const int *window, const int *stride, int pictures)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *baseline = random_tensor(ATL_SHAPE(SIDE, SIDE, 3), 0, 255);
    double x[ELEMENTS], b[ELEMENTS], map[SIDE * SIDE];
    atl_explanation e;
    doubles_of(net.pixels, x);
    doubles_of(baseline, b);
    cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_OCCLUSION, net.pixels, 4, .baseline = baseline,
                                    .window = {window[0], window[1]}, .stride = {stride[0], stride[1]},
                                    .result_out = &e));
    cr_assert_eq(e.pictures, pictures, "%lld", (long long)e.pictures);
    formula(&net, x, b, 4, window, stride, map);
    assert_near(e.attribution, map, 1e-4); /* a small difference of scores */
    assert_near(e.map, map, 1e-4);
    atl_explanation_free(&e);
    atl_tensor_free(baseline);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(occlusion, is_the_formula_in_double) { check((int[]){4, 4}, (int[]){2, 2}, 26); }
Test(occlusion, the_last_windows_end_at_the_border) { check((int[]){5, 3}, (int[]){3, 2}, 4 * 6 + 1); }
Test(occlusion, a_window_as_large_as_the_picture) { check((int[]){SIDE, SIDE}, (int[]){6, 6}, 2); }

Test(occlusion, a_stride_beyond_the_window_leaves_pixels_out)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_explanation e;
    cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_OCCLUSION, net.pixels, 0, .window = {2, 2}, .stride = {7, 7},
                                    .result_out = &e));
    cr_assert_eq(element_of(e.map, 3), 0);
    cr_assert_neq(element_of(e.map, 8), 0);
    atl_explanation_free(&e);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(occlusion, of_squeezenet_is_that_of_another_library)
{
    skip_if_sanitized("the tests of a small network run the same code");
    for (int photo = 0; photo < PHOTOS; photo++) {
        golden_explain g = open_golden_explain("occlusion_black_16_8", photo, NULL, 0);
        atl_explanation e;
        cr_assert_explained(atl_explain(g.explainer, ATL_EXPLAIN_OCCLUSION, g.pixels, g.target, .result_out = &e));
        cr_assert_eq(e.pictures, 27 * 27 + 1); /* by default windows of 16 x 16 at stride 8 */
        cr_expect_leq(golden_distance(&g, e.attribution, "occlusion"), 1e-4);
        atl_explanation_free(&e);
        close_golden_explain(&g);
    }
}
