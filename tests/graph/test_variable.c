/* The attributes of a variable: what is set can be read, and what is no variable is refused. */
#include "atled/train.h"
#include "support.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(variable, .init = set_up, .fini = tear_down);

static atl_node *new_variable(void) { return atl_variable(g, "w", ATL_SHAPE(2), atl_zeros()); }

Test(variable, has_attributes_from_the_start)
{
    const atl_node *w = new_variable(), *n = atl_int_variable(g, "n", ATL_SHAPE(2), 0);
    cr_expect_eq(atl_variable_is_trainable(w), 1);
    cr_expect_eq(atl_variable_is_trainable(n), 0);
    cr_expect_eq(atl_variable_is_state(w), 0);
    cr_expect_eq(atl_variable_decay(w), 0);
    cr_expect_eq(atl_variable_rate_scale(w), 1);
    cr_expect_eq(atl_variable_average(w), 0);
}

Test(variable, keeps_what_is_set)
{
    atl_node *w = new_variable();
    cr_expect_eq(atl_variable_set_trainable(w, 0), w);
    cr_expect_eq(atl_variable_set_state(w, 5), w);
    cr_expect_eq(atl_variable_set_decay(w, 0.25f), w);
    cr_expect_eq(atl_variable_set_rate_scale(w, 0.5f), w);
    cr_expect_eq(atl_variable_set_average(w, 0.875f), w);
    cr_expect_eq(atl_variable_is_trainable(w), 0);
    cr_expect_eq(atl_variable_is_state(w), 1);
    cr_expect_eq(atl_variable_decay(w), 0.25f);
    cr_expect_eq(atl_variable_rate_scale(w), 0.5f);
    cr_expect_eq(atl_variable_average(w), 0.875f);
    cr_expect_str_eq(atl_graph_error(g), "");
}

static void expect_refused(const atl_node *result, const char *word)
{
    cr_expect_null(result);
    cr_expect(strstr(atl_graph_error(g), word), "'%s' does not mention '%s'", atl_graph_error(g), word);
    atl_graph_free(g);
    g = atl_graph_new();
}

Test(variable, refuses_an_average_that_never_moves)
{
    expect_refused(atl_variable_set_average(new_variable(), 1), "must be in [0, 1)");
    expect_refused(atl_variable_set_average(new_variable(), -0.5f), "must be in [0, 1)");
    expect_refused(atl_variable_set_average(new_variable(), NAN), "must be in [0, 1)");
}

Test(variable, whole_numbers_are_not_trained)
{
    expect_refused(atl_variable_set_trainable(atl_int_variable(g, "n", ATL_SHAPE(2), 0), 1), "int32");
}

Test(variable, other_nodes_have_no_such_attributes)
{
    atl_node *y = atl_relu(new_variable());
    cr_expect_eq(atl_variable_is_trainable(y), 0);
    cr_expect_eq(atl_variable_is_state(y), 0);
    cr_expect_eq(atl_variable_decay(y), 0);
    cr_expect_eq(atl_variable_rate_scale(y), 0);
    cr_expect_eq(atl_variable_average(y), 0);
    expect_refused(atl_variable_set_trainable(y, 1), "result of relu, not a variable");
    expect_refused(atl_variable_set_decay(atl_relu(new_variable()), 1), "result of relu, not a variable");
    expect_refused(atl_variable_set_rate_scale(atl_relu(new_variable()), 1), "result of relu, not a variable");
    expect_refused(atl_variable_set_average(atl_relu(new_variable()), 0), "result of relu, not a variable");
    expect_refused(atl_variable_set_state(atl_relu(new_variable()), 1), "result of relu, not a variable");
}
