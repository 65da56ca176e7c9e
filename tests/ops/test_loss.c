/* Losses made of other ops. */
#include "battery.h"

Test(loss, mean_squared_error_and_l2_loss_are_their_formulas)
{
    const float a[] = {1, 2, 3, -4}, b[] = {0, 2, 5, 1};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 2)), *y = atl_input(g, "y", ATL_FLOAT32, ATL_SHAPE(2, 2));
    atl_node *mse = atl_mean_squared_error(x, y), *l2 = atl_l2_loss(x);
    atl_node *dx = atl_gradient(mse, x), *dl2 = atl_gradient(l2, x);
    atl_program *program = atl_compile(g, ATL_NODES(mse, l2, dx, dl2));
    atl_tensor *left = atl_tensor_of_floats(ATL_SHAPE(2, 2), a), *right = atl_tensor_of_floats(ATL_SHAPE(2, 2), b);
    cr_assert(program && !atl_run(program, ATL_FEEDS({x, left}, {y, right})), "%s", atl_graph_error(g));
    cr_expect_float_eq(atl_scalar_of(program, mse), (1 + 0 + 4 + 25) / 4.0, 1e-6);
    cr_expect_float_eq(atl_scalar_of(program, l2), (1 + 4 + 9 + 16) / 2.0, 1e-6);
    for (int i = 0; i < 4; i++) {
        cr_expect_float_eq(element_of(atl_value(program, dx), i), 2 * (a[i] - b[i]) / 4, 1e-6);
        cr_expect_float_eq(element_of(atl_value(program, dl2), i), a[i], 1e-6);
    }
    atl_program_free(program);
    atl_tensor_free(left);
    atl_tensor_free(right);
    atl_graph_free(g);
}

/* [4] against [4, 1] would silently compare every element with every other. */
Test(loss, mean_squared_error_does_not_broadcast)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4)), *y = atl_input(g, "y", ATL_FLOAT32, ATL_SHAPE(4, 1));
    cr_expect_null(atl_mean_squared_error(x, y));
    cr_assert_mentions(atl_graph_error(g), "mean_squared_error: 'x' is [4] but 'y' is [4, 1]");
    atl_graph_free(g);
}

Test(loss, an_unknown_batch_goes_with_a_known_one)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2)),
             *y = atl_input(g, "y", ATL_FLOAT32, ATL_SHAPE(4, 2));
    cr_expect(atl_mean_squared_error(x, y));
    cr_expect(atl_gradient(atl_mean_squared_error(x, y), x));
    atl_graph_free(g);
}

/* The values of y for two vectors. */
static void expect_values(atl_node *build(atl_node *a, atl_node *b), int n, const float *a, const float *b, int count,
                          const double *expected, const char *what)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(n)), *t = atl_input(g, "t", ATL_FLOAT32, ATL_SHAPE(n));
    atl_node *y = build(x, t), *result[2];
    atl_tensor *left = atl_tensor_of_floats(ATL_SHAPE(n), a), *right = atl_tensor_of_floats(ATL_SHAPE(n), b);
    cr_assert(!atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(x, t), .result_out = result), "%s",
              atl_graph_error(g));
    atl_program *program = atl_compile(g, ATL_NODES(y, result[0], result[1]));
    cr_assert(program && !atl_run(program, ATL_FEEDS({x, left}, {t, right})), "%s", atl_graph_error(g));
    const atl_tensor *value = atl_value(program, y);
    cr_assert_eq(atl_tensor_count(value), count);
    for (int i = 0; i < count; i++)
        cr_expect(element_of(value, i) == expected[i] ||
                      fabs(element_of(value, i) - expected[i]) <= 1e-6 * fabs(expected[i]),
                  "%s %d: %g, not %g", what, i, element_of(value, i), expected[i]);
    for (int i = 0; i < 2 * n; i++)
        cr_expect(isfinite(element_of(atl_value(program, result[i / n]), i % n)), "%s: gradient %d is not finite", what,
                  i);
    atl_program_free(program);
    atl_tensor_free(left);
    atl_tensor_free(right);
    atl_graph_free(g);
}

static atl_node *huber(atl_node *a, atl_node *b) { return atl_huber_loss(a, b, 2); }

Test(loss, values_at_the_ends)
{
    expect_values(atl_sigmoid_cross_entropy, 6, (const float[]){1e4f, 1e4f, -1e4f, -1e4f, 20, 0},
                  (const float[]){1, 0, 1, 0, 1, 0.25f}, 6, (const double[]){0, 1e4, 1e4, 0, log1p(exp(-20)), log(2)},
                  "sigmoid cross entropy");
    expect_values(huber, 5, (const float[]){0, 1, -2, 5, -1e4f}, (const float[]){0, 0, 0, 1, 0}, 5,
                  (const double[]){0, 0.5, 2, 6, 19998}, "huber");
    expect_values(atl_hinge_loss, 4, (const float[]){2, 0.5f, 0.5f, -3}, (const float[]){1, 1, -1, 1}, 4,
                  (const double[]){0, 0.5, 1.5, 4}, "hinge");
    expect_values(atl_kl_divergence, 3, (const float[]){0.5f, 0.5f, 0}, (const float[]){0.25f, 0.75f, 0}, 1,
                  (const double[]){0.5 * log(2) + 0.5 * log(0.5 / 0.75)}, "divergence");
    expect_values(atl_cosine_similarity, 2, (const float[]){3, 4}, (const float[]){-30, -40}, 1, (const double[]){-1},
                  "cosine");
    expect_values(atl_cosine_similarity, 2, (const float[]){0, 0}, (const float[]){1, 2}, 1, (const double[]){0},
                  "cosine of nothing");
}

Test(loss, null_passes_quietly)
{
    cr_expect_null(atl_mean_squared_error(NULL, NULL));
    cr_expect_null(atl_l2_loss(NULL));
    cr_expect_null(atl_softmax(NULL));
    cr_expect_null(atl_log_softmax(NULL));
    cr_expect_null(atl_softmax_cross_entropy(NULL));
    cr_expect_null(atl_sparse_softmax_cross_entropy(NULL, NULL));
    cr_expect_null(atl_max_pool2d(NULL));
    cr_expect_null(atl_avg_pool2d(NULL, .layout = ATL_NCHW));
    cr_expect_null(atl_lrn(NULL));
    cr_expect_null(atl_batch_norm(NULL));
}

Test(loss, kl_divergence_tells_of_nan)
{
    const float rows[2][6] = {{NAN, 1, 1, NAN, 0, 1}, {0.5f, 0.5f, 0.5f, 0.5f, 0, 1}};
    atl_graph *g = atl_graph_new();
    atl_node *p = atl_input(g, "p", ATL_FLOAT32, ATL_SHAPE(3, 2)), *q = atl_input(g, "q", ATL_FLOAT32, ATL_SHAPE(3, 2));
    atl_node *divergence = atl_kl_divergence(p, q);
    atl_program *program = atl_compile(g, ATL_NODES(divergence));
    atl_tensor *at = atl_tensor_of_floats(ATL_SHAPE(3, 2), rows[0]),
               *aq = atl_tensor_of_floats(ATL_SHAPE(3, 2), rows[1]);
    cr_assert(program && !atl_run(program, ATL_FEEDS({p, at}, {q, aq})), "%s", atl_error());
    const float *value = atl_floats(atl_value(program, divergence));
    cr_expect(isnan(value[0]) && isnan(value[1]), "%g, %g", (double)value[0], (double)value[1]);
    cr_expect_eq(value[2], 0);
    atl_tensor_free(at);
    atl_tensor_free(aq);
    atl_program_free(program);
    atl_graph_free(g);
}

/* So that the angle is a number. */
Test(loss, a_cosine_is_never_beyond_1)
{
    enum { ROWS = 2000 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, 7));
    atl_node *same = atl_cosine_similarity(x, x), *angle = atl_acos(atl_cosine_similarity(x, atl_neg(x)));
    atl_program *program = atl_compile(g, ATL_NODES(same, angle));
    atl_tensor *value = random_tensor(ATL_SHAPE(ROWS, 7), -2, 2);
    cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
    for (int i = 0; i < ROWS; i++) {
        cr_expect_leq(element_of(atl_value(program, same), i), 1);
        cr_expect_float_eq(element_of(atl_value(program, angle), i), 3.14159265, 1e-3);
    }
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}
