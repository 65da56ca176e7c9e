/* Finding the origin of a NaN or an infinity. */
#include "support.h"

Test(watch, names_the_node_where_it_began)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3), atl_fill_with(1));
    atl_node *shifted = atl_named(atl_add(x, w), "shifted"), *logarithm = atl_named(atl_log(shifted), "logarithm");
    atl_node *loss = atl_named(atl_mean(atl_square(logarithm)), "loss");
    atl_node *step = atl_minimize(loss, atl_adam());
    atl_program *p = atl_compile(g, ATL_NODES(step));
    cr_assert(p, "%s", atl_graph_error(g));
    static const float good[] = {1, 2, 3}, bad[] = {1, -2, 3}, worse[] = {1, NAN, 3};
    const atl_node *where;
    atl_tensor *fed = atl_tensor_of_floats(ATL_SHAPE(3), good);
    cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_OK);
    float before = atl_floats(atl_variable_value(w))[0];
    cr_assert_eq(atl_find_non_finite(step, ATL_FEED(x, fed), &where), ATL_OK, "%s", atl_error());
    cr_assert_null(where);
    memcpy(atl_floats(fed), bad, sizeof bad);
    cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_NOT_FINITE);
    cr_assert_mentions(atl_error(), "'loss' is nan");
    cr_assert_eq(atl_find_non_finite(step, ATL_FEED(x, fed), &where), ATL_OK);
    cr_assert_eq(where, logarithm);
    memcpy(atl_floats(fed), worse, sizeof worse);
    cr_assert_eq(atl_find_non_finite(step, ATL_FEED(x, fed), &where), ATL_OK);
    cr_assert_eq(where, x);
    cr_assert_eq(atl_floats(atl_variable_value(w))[0], before); /* the search assigns nothing */
    cr_assert_eq(atl_find_non_finite(step, ATL_NO_FEEDS, &where), ATL_INVALID);
    cr_assert_mentions(atl_error(), "'x'");
    cr_assert_eq(atl_find_non_finite(NULL, ATL_NO_FEEDS, &where), ATL_INVALID);
    atl_tensor_free(fed);
    atl_program_free(p);
    atl_graph_free(g);
}

/* The cost is finite, a gradient is not: the search finds it, too. */
Test(watch, looks_at_gradients)
{
    atl_graph *g = atl_graph_new();
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(2), atl_zeros());
    atl_node *root = atl_named(atl_sqrt(w), "root"), *step = atl_minimize(atl_sum(root), atl_sgd());
    const atl_node *where;
    cr_assert_eq(atl_find_non_finite(step, ATL_NO_FEEDS, &where), ATL_OK, "%s", atl_error());
    cr_assert(where);
    cr_assert_eq(atl_forward_of(where), root, "%s", atl_name_of(where));
    atl_graph_free(g);
}
