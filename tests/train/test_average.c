/* Moving averages, and copying weights to the graph for inference. */
#include "support.h"

enum { STEPS = 30 };

/* w decreases by x at each step; the test computes the average in double. */
Test(average, follows_its_formula)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR), *w = atl_variable(g, "w", ATL_SCALAR, atl_fill_with(1));
    atl_node *step = atl_minimize(atl_mul(w, x), atl_sgd(.rate = 1), .average = 0.9f);
    atl_program *p = atl_compile(g, ATL_NODES(step));
    atl_node *kept = atl_average_of(w);
    double weight = 1, average = 123;
    cr_assert(kept && p);
    for (int t = 0; t < STEPS; t++) {
        float value = (float)sin(t);
        atl_tensor *fed = atl_tensor_of_floats(ATL_SCALAR, &value);
        double d = fmin(0.9f, t / (t + 1.0));
        weight -= value;
        average = d * average + (1 - d) * weight;
        cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_OK, "%s", atl_error());
        cr_assert_float_eq(atl_floats(atl_variable_value(w))[0], weight, 1e-5);
        cr_assert_float_eq(atl_floats(atl_variable_value(kept))[0], average, 1e-5, "step %d", t);
        atl_tensor_free(fed);
    }
    atl_program_free(p);
    atl_graph_free(g);
}

static atl_graph *new_net(int training)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, 3));
    atl_node *h = atl_dense_layer(x, "first", 4, .activation = atl_tanh);
    if (training)
        h = atl_dropout(h);
    h = atl_named(atl_sum(atl_dense_layer(h, "second", 1)), "y");
    if (training)
        cr_assert(atl_minimize(atl_square(h), atl_adam(.rate = 0.1), .average = 0.5f), "%s", atl_graph_error(g));
    return g;
}

Test(average, weights_go_to_the_graph_that_uses_them)
{
    atl_graph *from = new_net(1), *to = new_net(0);
    atl_program *train = atl_compile(from, ATL_NODES(atl_find(from, "adam/step")));
    atl_tensor *x = random_tensor(ATL_SHAPE(2, 3), -1, 1);
    cr_assert(train, "%s", atl_graph_error(from));
    for (int n = 0; n < 5; n++)
        cr_assert_eq(atl_run(train, ATL_FEED(atl_find(from, "x"), x)), ATL_OK, "%s", atl_error());
    for (int averages = 0; averages < 2; averages++) {
        cr_assert_eq(atl_copy_variables(to, from, averages), ATL_OK, "%s", atl_error());
        const atl_node *w = atl_find(from, "first/weights");
        cr_assert_close(atl_variable_value(atl_find(to, "first/weights")),
                        atl_variable_value(averages ? atl_average_of(w) : w), 0);
    }
    cr_assert_neq(relative_l2(atl_variable_value(atl_find(to, "first/weights")),
                              atl_variable_value(atl_find(from, "first/weights"))),
                  0);
    atl_tensor_free(x);
    atl_program_free(train);
    atl_graph_free(from);
    atl_graph_free(to);
}

Test(average, what_does_not_fit_is_named_and_changes_nothing)
{
    atl_graph *from = new_net(1), *to = new_net(0);
    float before = atl_floats(atl_variable_value(atl_find(to, "first/weights")))[0];
    atl_node *extra = atl_variable(to, "third/weights", ATL_SHAPE(2), atl_zeros());
    cr_assert_eq(atl_copy_variables(to, from, 0), ATL_INVALID);
    cr_assert_mentions(atl_error(), "no variable 'third/weights'");
    atl_variable(from, "third/weights", ATL_SHAPE(3), atl_zeros());
    cr_assert_eq(atl_copy_variables(to, from, 0), ATL_INVALID);
    cr_assert_mentions(atl_error(), "'third/weights' is [3]");
    atl_variable_set_state(extra, 1); /* the other graph needs none of it */
    atl_variable_assign(atl_find(from, "first/weights"), atl_variable_value(atl_find(from, "first/weights")));
    cr_assert_eq(atl_floats(atl_variable_value(atl_find(to, "first/weights")))[0], before);
    cr_assert_eq(atl_copy_variables(to, from, 0), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_copy_variables(NULL, from, 0), ATL_INVALID);
    atl_graph_free(from);
    atl_graph_free(to);
}

/* Two variables whose names differ only beyond the size of a buffer have averages of their own. */
Test(average, long_names_have_companions_of_their_own)
{
    atl_graph *g = atl_graph_new();
    char name[2][400];
    atl_node *w[2], *cost = NULL;
    for (int i = 0; i < 2; i++) {
        memset(name[i], 'n', 395);
        snprintf(name[i] + 395, 5, "/%d", i);
        w[i] = atl_variable(g, name[i], ATL_SHAPE(3), atl_fill_with(1 + (float)i));
        cost = i ? atl_add(cost, atl_l2_loss(w[i])) : atl_l2_loss(w[i]);
    }
    atl_node *step = atl_minimize(cost, atl_momentum(), .average = 0.9f);
    cr_assert(step, "%s", atl_graph_error(g));
    for (int i = 0; i < 2; i++) {
        char slot[900];
        snprintf(slot, sizeof slot, "%s/momentum/m", name[i]);
        cr_assert(atl_find(g, slot));
        snprintf(slot, sizeof slot, "%s/average", name[i]);
        cr_assert_eq(atl_average_of(w[i]), atl_find(g, slot));
        cr_assert(atl_average_of(w[i]));
    }
    atl_graph_free(g);
}
