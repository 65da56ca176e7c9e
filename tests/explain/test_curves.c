#include "explain/small_net.h"

/* Against pictures that are made here, one pixel at a time, in double. */
Test(curves, are_the_probabilities_of_the_pictures_between)
{
    enum { PIXELS = SIDE * SIDE, STEPS = 9 };
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *map = random_tensor(ATL_SHAPE(SIDE, SIDE), -1, 1),
               *baseline = random_tensor(ATL_SHAPE(SIDE, SIDE, 3), 0, 9);
    atl_explain_curves curves;
    cr_assert_explained(atl_explain_judge(explainer, map, net.pixels, 2, baseline, .steps = STEPS, .blur = 1.5f,
                                          .result_out = &curves));
    cr_assert_eq(atl_tensor_count(curves.deletion), STEPS + 1);
    double area = 0;
    for (int step = 0; step <= STEPS; step++) {
        int count = (int)((double)step * PIXELS / STEPS + 0.5);
        atl_tensor *picture = atl_tensor_copy(net.pixels), *p;
        for (int i = 0; i < PIXELS; i++) {
            int larger = 0;
            for (int k = 0; k < PIXELS; k++)
                larger += element_of(map, k) > element_of(map, i);
            for (int c = 0; c < 3 && larger < count; c++)
                atl_floats(picture)[3 * i + c] = (float)element_of(baseline, 3 * i + c);
        }
        cr_assert_explained(atl_explainer_scores(explainer, picture, NULL, &p));
        cr_assert_float_eq(element_of(curves.deletion, step), element_of(p, 2), 1e-6);
        if (step == STEPS)
            atl_explainer_scores(explainer, net.pixels, NULL, (atl_tensor_free(p), &p));
        if (step == STEPS) /* everything is inserted */
            cr_assert_float_eq(element_of(curves.insertion, step), element_of(p, 2), 1e-6);
        area +=
            step < STEPS ? (element_of(curves.deletion, step) + element_of(curves.deletion, step + 1)) / 2 / STEPS : 0;
        atl_tensor_free(picture);
        atl_tensor_free(p);
    }
    cr_assert_float_eq(curves.deletion_area, area, 1e-9);
    atl_explain_curves_free(&curves);
    atl_tensor_free(map);
    atl_tensor_free(baseline);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

/* The insertion starts from a blurred picture: a constant picture stays what it is, so its curve is flat. */
Test(curves, the_blur_keeps_a_constant_picture)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *map = random_tensor(ATL_SHAPE(SIDE, SIDE), 0, 1);
    atl_explain_curves curves;
    for (int i = 0; i < ELEMENTS; i++)
        atl_floats(net.pixels)[i] = (float)(40 * (i % 3 + 1));
    cr_assert_explained(atl_explain_judge(explainer, map, net.pixels, 0, .steps = 5, .blur = 3, .result_out = &curves));
    for (int i = 0; i < 6; i++)
        cr_assert_float_eq(element_of(curves.insertion, i), element_of(curves.deletion, 0), 1e-5);
    cr_assert_float_eq(curves.insertion_area, element_of(curves.deletion, 0), 1e-5);
    atl_explain_curves_free(&curves);
    atl_tensor_free(map);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(curves, mistakes_are_refused_in_words)
{
    small_net net = small_net_new(1);
    atl_explainer *explainer = explainer_of(&net);
    atl_tensor *map = random_tensor(ATL_SHAPE(SIDE, SIDE - 1), 0, 1);
    atl_explain_curves curves;
    cr_assert_eq(atl_explain_judge(explainer, map, net.pixels, 0, .result_out = &curves), ATL_INVALID);
    cr_assert_mentions(atl_error(), "the map is [12, 11]");
    cr_assert_eq(atl_explain_judge(explainer, map, net.pixels, 9, .result_out = &curves), ATL_INVALID);
    cr_assert_mentions(atl_error(), "target 9");
    atl_tensor_free(map);
    atl_explainer_free(explainer);
    free_small_net(&net);
}
