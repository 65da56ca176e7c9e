/* Scopes and names. */
#include "support.h"

static atl_graph *g;
static atl_node *x;

static void set_up(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
}
static void tear_down(void) { atl_graph_free(g); }
TestSuite(names, .init = set_up, .fini = tear_down);

Test(names, a_node_is_named_after_its_op)
{
    cr_assert_str_eq(atl_name_of(x), "x");
    cr_assert_str_eq(atl_name_of(atl_relu(x)), "relu");
    cr_assert_str_eq(atl_name_of(atl_relu(x)), "relu_1");
    cr_assert_str_eq(atl_name_of(atl_relu(x)), "relu_2");
}

Test(names, come_in_order_of_creation_however_they_are_asked_for)
{
    atl_node *a = atl_relu(x), *b = atl_relu(x), *c = atl_relu(x);
    cr_assert_str_eq(atl_name_of(c), "relu_2");
    cr_assert_str_eq(atl_name_of(a), "relu");
    cr_assert_str_eq(atl_name_of(b), "relu_1");
}

Test(names, scopes_nest)
{
    atl_enter(g, "outer");
    atl_node *a = atl_relu(x);
    atl_enter(g, "inner");
    atl_node *b = atl_relu(x);
    atl_leave(g);
    atl_node *c = atl_relu(x);
    atl_leave(g);
    cr_assert_str_eq(atl_name_of(a), "outer/relu");
    cr_assert_str_eq(atl_name_of(b), "outer/inner/relu");
    cr_assert_str_eq(atl_name_of(c), "outer/relu_1");
    cr_assert_str_eq(atl_name_of(atl_relu(x)), "relu");
    cr_assert_str_empty(atl_graph_error(g));
}

Test(names, given_names_are_found)
{
    atl_node *h = atl_named(atl_relu(x), "hidden%d", 1);
    cr_assert_str_eq(atl_name_of(h), "hidden1");
    cr_assert_eq(atl_find(g, "hidden1"), h);
    cr_assert_eq(atl_find(g, "x"), x);
    cr_assert_null(atl_find(g, "relu"));
    cr_assert_null(atl_find(g, NULL));
    cr_assert_null(atl_find(NULL, "x"));
}

Test(names, a_taken_name_gets_a_suffix)
{
    atl_node *a = atl_named(atl_relu(x), "h"), *b = atl_named(atl_relu(x), "h"), *c = atl_named(atl_relu(x), "h_1");
    cr_assert_str_eq(atl_name_of(a), "h");
    cr_assert_str_eq(atl_name_of(b), "h_1");
    cr_assert_str_eq(atl_name_of(c), "h_1_1");
}

Test(names, a_node_can_be_named_after_it_was_looked_at)
{
    atl_node *a = atl_relu(x);
    cr_assert_str_eq(atl_name_of(a), "relu");
    atl_named(a, "late");
    cr_assert_str_eq(atl_name_of(a), "late");
    cr_assert_eq(atl_find(g, "late"), a);
    cr_assert_null(atl_find(g, "relu"));
    cr_assert_str_eq(atl_name_of(atl_relu(x)), "relu");
}

Test(names, inputs_and_variables_must_have_free_names)
{
    cr_assert_null(atl_input(g, "x", ATL_FLOAT32, ATL_SCALAR));
    cr_assert_mentions(atl_graph_error(g), "'x'");
}

Test(names, hold_what_a_formatted_name_can)
{
    const char *name = ATL_NAME("conv%d_%d", 3, 2);
    cr_assert_str_eq(name, "conv3_2");
}

Test(names, deep_scopes_hold)
{
    for (int i = 0; i < 1000; i++)
        atl_enter(g, "s");
    cr_assert_eq(strlen(atl_name_of(atl_relu(x))), 1000 * 2 + strlen("relu"));
    for (int i = 0; i < 1000; i++)
        atl_leave(g);
    cr_assert_str_empty(atl_graph_error(g));
}

Test(names, leaving_what_was_not_entered_is_a_mistake)
{
    atl_leave(g);
    cr_assert_mentions(atl_graph_error(g), "atl_enter");
}

Test(names, null_is_answered)
{
    atl_enter(NULL, "a");
    atl_leave(NULL);
    cr_assert_null(atl_named(NULL, "a"));
    cr_assert_null(atl_name_of(NULL));
    cr_assert_str_empty(atl_graph_error(g));
}

Test(names, a_scope_without_a_name_is_a_mistake)
{
    atl_enter(g, NULL);
    atl_leave(g);
    cr_assert_mentions(atl_graph_error(g), "the scope is null");
}

/* Two long names that differ only in their last character are two names. */
Test(names, long_names_are_kept)
{
    char first[4001], second[4001];
    memset(first, 'n', 4000);
    memset(second, 'n', 4000);
    strcpy(first + 3996, "/one");
    strcpy(second + 3996, "/two");
    atl_node *a = atl_variable(g, first, ATL_SHAPE(2), atl_zeros()), *b = atl_input(g, second, ATL_FLOAT32, ATL_SCALAR);
    atl_node *c = atl_named(atl_tanh(b), "%s%s", first, second);
    cr_assert_str_eq(atl_name_of(a), first);
    cr_assert_str_eq(atl_name_of(b), second);
    cr_assert_eq(strlen(atl_name_of(c)), 8000);
    cr_assert_eq(atl_find(g, first), a);
    cr_assert_eq(atl_find(g, second), b);
    cr_assert_str_empty(atl_graph_error(g));
}
Test(names, a_name_that_has_no_room_is_refused)
{
    char longest[256], text[300];
    memset(text, 'n', 299);
    text[255] = 0;
    cr_assert_str_eq(ATL_NAME("%s", text), text);
    memcpy(longest, text, sizeof longest);
    cr_assert_null(ATL_NAME("%s1", longest));
    cr_assert_mentions(atl_error(), "at most 255 bytes");
    cr_assert_null(atl_variable(g, ATL_NAME("%s1", longest), ATL_SHAPE(2), atl_zeros()));
    cr_assert_mentions(atl_graph_error(g), "255 bytes");
}

/* The gradient of a node is named gradients/ and the name of its forward node. */
Test(names, gradients_are_named_after_their_forward_node)
{
    atl_node *y = atl_named(atl_tanh(x), "act");
    atl_node *dx = atl_gradient(y, x);
    cr_assert(!strncmp(atl_name_of(dx), "gradients/act/", 14), "%s", atl_name_of(dx));
    cr_assert_eq(atl_forward_of(dx), y);
    atl_node *again = atl_gradient(y, x);
    cr_assert(!strncmp(atl_name_of(again), "gradients_1/act/", 16), "%s", atl_name_of(again));
    cr_assert_null(atl_forward_of(y));
}

Test(names, many_equal_names_cost_no_more_than_few)
{
    for (int i = 0; i < 20000; i++)
        atl_relu(x);
    cr_assert_str_eq(atl_name_of(atl_graph_node(g, 20000)), "relu_19999");
}
