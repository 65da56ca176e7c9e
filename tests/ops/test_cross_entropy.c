/* Cross entropies beyond their samples: labels, extreme logits, and that the three forms agree. */
#include "battery.h"

static const atl_tensor *run(atl_program **program, atl_node *wanted, const atl_feed *feeds)
{
    *program = atl_compile(atl_graph_of(wanted), ATL_NODES(wanted));
    cr_assert(*program && !atl_run(*program, feeds), "%s", atl_graph_error(atl_graph_of(wanted)));
    return atl_value(*program, wanted);
}

Test(cross_entropy, a_label_that_is_no_class_gives_nan_when_it_is_fed)
{
    const int32_t classes[] = {0, 3, 4, -1};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4, 4)),
             *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(4));
    atl_node *loss = atl_sparse_softmax_cross_entropy(x, labels);
    atl_tensor *logits = random_tensor(atl_shape_of(x), -1, 1), *fed = atl_tensor_of_ints(ATL_SHAPE(4), classes);
    atl_program *program;
    const atl_tensor *value = run(&program, loss, ATL_FEEDS({x, logits}, {labels, fed}));
    for (int i = 0; i < 4; i++)
        cr_expect_eq(isnan(element_of(value, i)) != 0, i >= 2, "loss %d is %g", i, element_of(value, i));
    atl_program_free(program);
    atl_tensor_free(logits);
    atl_tensor_free(fed);
    atl_graph_free(g);
}

Test(cross_entropy, a_label_that_is_no_class_is_an_error_when_it_is_written_down)
{
    const int labels[] = {10, -1};
    for (int i = 0; i < 2; i++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 10));
        cr_expect_null(atl_softmax_cross_entropy(x, .label = labels[i]));
        cr_assert_mentions(atl_graph_error(g), "0..9");
        atl_graph_free(g);
    }
}

Test(cross_entropy, labels_and_targets_exclude_each_other)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3)),
             *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(2));
    cr_expect_null(atl_softmax_cross_entropy(x, .targets = x, .labels = labels));
    cr_assert_mentions(atl_graph_error(g), "give one of");
    atl_graph_free(g);
}

/* Labels, one-hot targets and a single label: values and gradients. */
Test(cross_entropy, the_three_forms_agree)
{
    char text[600];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3, 5));
    atl_node *labels = atl_cast(atl_fill(atl_slice(x, .end = {3, 1}), 2), ATL_INT32);
    labels = atl_reshape(labels, ATL_SHAPE(3));
    atl_node *loss[] = {atl_sparse_softmax_cross_entropy(x, labels),
                        atl_softmax_cross_entropy(x, atl_one_hot(labels, 5)), atl_softmax_cross_entropy(x, .label = 2)};
    atl_node *wanted[6];
    for (int i = 0; i < 3; i++) {
        wanted[2 * i] = loss[i];
        wanted[2 * i + 1] = atl_gradient(loss[i], x);
        cr_assert(wanted[2 * i + 1], "%s", atl_graph_error(g));
    }
    atl_tensor *logits = random_tensor(atl_shape_of(x), -3, 3);
    cr_expect(floats_agree(6, wanted, ATL_FEED(x, logits), text, sizeof text), "%s", text);
    atl_reference *reference = atl_reference_run((atl_nodes){6, wanted}, ATL_FEED(x, logits));
    for (int i = 2; i < 6; i++)
        cr_expect(largest_difference(atl_reference_value(reference, wanted[i]),
                                     atl_reference_value(reference, wanted[i % 2])) < 1e-12);
    atl_reference_free(reference);
    atl_tensor_free(logits);
    atl_graph_free(g);
}

/* If the loss is almost zero its gradient is tiny, and must not be rounded to zero: an attack would stop. */
Test(cross_entropy, of_a_confident_network_has_a_gradient)
{
    const float scores[] = {20, 0, -5, 1e4f, -1e4f, -1e4f};
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3)),
             *loss = atl_softmax_cross_entropy(x, .label = ATL_ZERO);
    atl_node *dx = atl_gradient(loss, x);
    atl_tensor *logits = atl_tensor_of_floats(atl_shape_of(x), scores);
    atl_program *program;
    const atl_tensor *value = run(&program, dx, ATL_FEED(x, logits));
    double other = 1 / (1 + exp(20) + exp(-5));
    cr_expect_float_eq(element_of(value, 1) / other, 1, 1e-6);
    cr_expect_float_eq(element_of(value, 0) / (-other * (1 + exp(-5))), 1, 1e-6);
    for (int i = 3; i < 6; i++)
        cr_expect_eq(element_of(value, i), 0);
    atl_program_free(program);
    atl_tensor_free(logits);
    atl_graph_free(g);
}

Test(cross_entropy, of_extreme_logits_is_their_difference)
{
    const float scores[] = {1e4f, -1e4f, 1e4f - 1};
    const double expected[] = {log(1 + exp(-1)), 2e4 + log(1 + exp(-1)), 1 + log(1 + exp(-1))};
    for (int label = 0; label < 3; label++) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 3)),
                 *loss = atl_softmax_cross_entropy(x, .label = ATL_EXACTLY(label));
        atl_tensor *logits = atl_tensor_of_floats(atl_shape_of(x), scores);
        atl_program *program;
        double value = element_of(run(&program, loss, ATL_FEED(x, logits)), 0);
        cr_expect_float_eq(value / expected[label], 1, 1e-6, "label %d: %g, not %g", label, value, expected[label]);
        atl_program_free(program);
        atl_tensor_free(logits);
        atl_graph_free(g);
    }
}

/* log(1 + tiny) is tiny, whatever 1 + tiny rounds to. */
Test(cross_entropy, of_a_confident_network_is_small_but_not_zero)
{
    enum { ROWS = 4 };
    for (int64_t classes = 3; classes <= 300; classes += 297) {
        atl_graph *g = atl_graph_new();
        atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, classes));
        atl_node *target = atl_input(g, "target", ATL_FLOAT32, ATL_SHAPE(ROWS, classes));
        atl_nodes wanted = ATL_NODES(atl_softmax_cross_entropy(x, .label = 1), atl_softmax_cross_entropy(x, target));
        atl_tensor *logits = random_tensor(atl_shape_of(x), -1, 1), *one = random_tensor(atl_shape_of(x), 0, 0);
        for (int r = 0; r < ROWS; r++) {
            atl_floats(logits)[r * classes + 1] = 10.0f + 20 * (float)r;
            atl_floats(one)[r * classes + 1] = 1;
        }
        const atl_feed *feeds = ATL_FEEDS({x, logits}, {target, one});
        atl_program *program = atl_compile(g, wanted);
        atl_reference *exact = atl_reference_run(wanted, feeds);
        cr_assert(program && exact && !atl_run(program, feeds), "%s", atl_error());
        for (int w = 0; w < 2; w++)
            for (int r = 0; r < ROWS; r++) {
                double is = element_of(atl_value(program, wanted.node[w]), r),
                       should = element_of(atl_reference_value(exact, wanted.node[w]), r);
                cr_expect(should != 0 && fabs(is - should) <= 1e-5 * fabs(should), "form %d, row %d: %g, not %g", w, r,
                          is, should);
            }
        atl_program_free(program);
        atl_reference_free(exact);
        atl_tensor_free(logits);
        atl_tensor_free(one);
        atl_graph_free(g);
    }
}

Test(cross_entropy, unknown_sizes)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, ATL_ANY)),
             *labels = atl_input(g, "labels", ATL_INT32, ATL_SHAPE(7));
    atl_node *loss = atl_sparse_softmax_cross_entropy(x, labels), *dx = atl_gradient(loss, x);
    cr_expect(atl_shape_equal(atl_shape_of(loss), ATL_SHAPE(7)));
    cr_expect(dx);
    /* The second derivative uses one_hot, which needs the number of classes. */
    cr_expect_null(atl_gradient(atl_sum(atl_square(dx)), x));
    cr_assert_mentions(atl_graph_error(g), "number of classes");
    atl_graph_free(g);
}
