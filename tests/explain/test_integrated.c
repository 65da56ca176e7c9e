/* Minutes: 5 */
#include "explain/golden_explain.h"
#include "explain/methods.h"
#include "explain/small_net.h"

/* The sum that defines it, in double, at the points of the method. */
static void integrate(const small_net *net, atl_node *gradient, const double *x, const double *b, int steps, int target,
                      double *result)
{
    double *point = calloc((size_t)steps, sizeof *point), *weight = calloc((size_t)steps, sizeof *weight), at[ELEMENTS];
    atl_gauss_legendre(steps, point, weight);
    memset(result, 0, ELEMENTS * sizeof *result);
    for (int k = 0; k < steps; k++) {
        for (int i = 0; i < ELEMENTS; i++)
            at[i] = (float)(b[i] + point[k] * (x[i] - b[i])); /* pictures are floats */
        atl_tensor *value = reference_value(net, gradient, at, target);
        for (int i = 0; i < ELEMENTS; i++)
            result[i] += weight[k] * element_of(value, i) * (x[i] - b[i]);
        atl_tensor_free(value);
    }
    free(point);
    free(weight);
}

Test(integrated, is_the_formula_in_double)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_node *gradient = atl_gradient(net.score, net.image);
    atl_tensor *baseline = random_tensor(ATL_SHAPE(1, SIDE, SIDE, 3), 0, 60);
    double x[ELEMENTS], b[ELEMENTS] = {0}, expected[ELEMENTS];
    doubles_of(net.pixels, x);
    for (int with = 0; with < 2; with++) {
        atl_explanation e;
        cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_INTEGRATED, net.pixels, 3, .steps = 11, .most_steps = 11,
                                        .baseline = with ? baseline : NULL, .result_out = &e));
        if (with)
            doubles_of(baseline, b);
        integrate(&net, gradient, x, b, 11, 3, expected);
        assert_near(e.attribution, expected, FORMULA_BOUND);
        double sum = 0, change = reference_score(&net, x, 3) - reference_score(&net, b, 3);
        for (int i = 0; i < ELEMENTS; i++)
            sum += expected[i];
        cr_assert_float_eq(e.completeness_error, sum - change, 1e-4 * fabs(sum) + 1e-4);
        cr_assert_float_eq(e.completeness, fabs(e.completeness_error) / fabs(e.score - e.baseline_score), 1e-12);
        cr_assert_eq(e.steps, 11);
        cr_assert_eq(e.pictures, 13);
        atl_explanation_free(&e);
    }
    atl_tensor_free(baseline);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

Test(integrated, doubles_the_steps_until_the_sum_is_complete)
{
    small_net net = small_net_new(ATL_ANY);
    atl_explainer *explainer = explainer_of(&net);
    atl_explanation e;
    for (int target = 0; target < CLASSES; target++) {
        cr_assert_explained(
            atl_explain(explainer, ATL_EXPLAIN_INTEGRATED, net.pixels, target, .steps = 1, .result_out = &e));
        cr_assert(e.completeness <= 0.01, "%g after %d steps", e.completeness, e.steps);
        int power = 1, pictures = 3;
        while (power < e.steps) {
            power *= 2;
            pictures += power + 2;
        }
        cr_assert_eq(power, e.steps);
        cr_assert_eq(pictures, e.pictures);
        double sum = 0;
        for (int i = 0; i < ELEMENTS; i++)
            sum += element_of(e.attribution, i);
        cr_assert(fabs(sum - (e.score - e.baseline_score)) <= 0.0101 * fabs(e.score - e.baseline_score));
        atl_explanation_free(&e);
    }
    /* A bound that no number of steps reaches ends at the most. */
    cr_assert_explained(atl_explain(explainer, ATL_EXPLAIN_INTEGRATED, net.pixels, 0, .steps = 3, .most_steps = 20,
                                    .tolerance = 1e-12f, .result_out = &e));
    cr_assert_eq(e.steps, 20);
    cr_assert_eq(e.pictures, 5 + 8 + 14 + 22);
    atl_explanation_free(&e);
    atl_explainer_free(explainer);
    free_small_net(&net);
}

/* The least and the largest value of each element, of several explanations. */
typedef struct range {
    float *least, *most;
} range;

static void widen(range *r, const atl_tensor *value)
{
    for (int64_t i = 0; i < atl_tensor_count(value); i++) {
        r->least[i] = fminf(r->least[i], atl_floats(value)[i]);
        r->most[i] = fmaxf(r->most[i], atl_floats(value)[i]);
    }
}

/* How far `value` is outside of the range, relative to its size (L2). */
static double distance_from(const range *r, const atl_tensor *value)
{
    double off = 0, size = 0;
    for (int64_t i = 0; i < atl_tensor_count(value); i++) {
        double x = element_of(value, i), least = (double)r->least[i], most = (double)r->most[i];
        off += pow(x < least ? least - x : x > most ? x - most : 0, 2);
        size += x * x;
    }
    return sqrt(off / size);
}

static atl_explanation integrated_of(const golden_explain *g, double brightness)
{
    atl_explanation e;
    atl_tensor *pixels = atl_tensor_copy(g->pixels);
    for (int64_t i = 0; i < atl_tensor_count(pixels); i++)
        atl_floats(pixels)[i] = (float)((double)atl_floats(pixels)[i] * brightness);
    cr_assert_explained(atl_explain(g->explainer, ATL_EXPLAIN_INTEGRATED, pixels, g->target, .steps = 50,
                                    .most_steps = 50, .result_out = &e));
    atl_tensor_free(pixels);
    return e;
}

static void check_numbers_of(const golden_explain *g, const atl_explanation *e)
{
    atl_tensor *delta = golden_value(g->npz, "delta_gausslegendre"), *base = golden_value(g->npz, "score_baseline");
    cr_expect_float_eq(e->completeness_error, element_of(delta, 0), 2e-3);
    cr_expect_float_eq(e->baseline_score, element_of(base, 0), 1e-4);
    atl_tensor_free(delta);
    atl_tensor_free(base);
}

/* A gradient jumps where an activation is within rounding of a relu's kink, and 50 points come near to many: the same
 * formula, computed twice with other roundings, differs by 2e-4 to 1e-3 (relative L2), and by 5e-4 from double.  But
 * every program jumps at the same kinks, to one side or the other.  So the explanations of pictures that differ by no
 * more than a rounding, a brightness of 1 - 4e-6 to 1 + 4e-6, take both sides, and the other library's value lies
 * between them: the distance from their range is 2e-6 to 6e-5. */
Test(integrated, of_squeezenet_is_that_of_another_library)
{
    enum { PICTURES = 16 }; /* a kink that all of them pass on the same side is a chance of 2^-15 */
    skip_if_sanitized("the tests of a small network run the same code");
    for (int photo = 0; photo < PHOTOS; photo++) {
        golden_explain g = open_golden_explain("ig_black", photo, NULL, 0);
        atl_tensor *expected = golden_value(g.npz, "ig_raw_gausslegendre");
        atl_explanation first = integrated_of(&g, 1);
        check_numbers_of(&g, &first);
        atl_tensor *least = atl_tensor_copy(first.attribution), *most = atl_tensor_copy(first.attribution);
        range r = {atl_floats(least), atl_floats(most)};
        for (int i = 1; i < PICTURES; i++) {
            atl_explanation e = integrated_of(&g, 1 + 4e-6 * (2.0 * i / PICTURES - 1));
            widen(&r, e.attribution);
            atl_explanation_free(&e);
        }
        double distance = distance_from(&r, expected), alone = relative_l2(first.attribution, expected);
        fprintf(stderr, "class %d: %.2g; of the first picture alone %.2g\n", g.target, distance, alone);
        cr_expect_leq(distance, 1e-4);
        cr_expect_leq(alone, 2e-3, "a wide range holds anything");
        atl_explanation_free(&first);
        atl_tensor_free(least);
        atl_tensor_free(most);
        atl_tensor_free(expected);
        close_golden_explain(&g);
    }
}
