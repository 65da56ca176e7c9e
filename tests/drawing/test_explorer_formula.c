/* The formulas of gradients, as the explorer prints them. */
#include "drawings.h"

#include "drawing/explorer_formula.h"

TestSuite(explorer_formula, .init = make_graph, .fini = free_graph);

static explorer_formulas known;

static const char *formula_of(const atl_node *node)
{
    int64_t number = explorer_formula_of(&known, node);
    cr_assert_neq(number, EXPLORER_NO_MEMORY);
    return number < 0 ? "" : known.text[number];
}

Test(explorer_formula, says_what_a_gradient_is)
{
    atl_node *a = atl_input(graph, "a", ATL_FLOAT32, ATL_SHAPE(2, 4)),
             *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(2, 4)),
             *b = atl_variable(graph, "b", ATL_SHAPE(4), atl_zeros());
    cr_assert_str_eq(formula_of(atl_mul(a, x)), "da = dy * b\ndb = dy * a");
    cr_assert_str_eq(formula_of(atl_mul(a, b)), "da = dy * b\ndb = sum_to(dy * a, b)");
    cr_assert_str_eq(formula_of(atl_relu(a)), "dx = relu_grad(dy, y)");
    cr_assert_str_eq(formula_of(atl_exp(a)), "dx = dy * y");
    explorer_release_formulas(&known);
}

Test(explorer_formula, equal_ops_have_one_and_sources_have_none)
{
    atl_node *a = image_of(4), *first = atl_tanh(a), *second = atl_tanh(first);
    cr_assert_eq(explorer_formula_of(&known, first), explorer_formula_of(&known, second));
    cr_assert_eq(explorer_formula_of(&known, a), EXPLORER_NO_FORMULA);
    cr_assert_eq(explorer_formula_of(&known, atl_round(a)) < 0, formula_of(atl_round(a))[0] == 0);
    explorer_release_formulas(&known);
}

Test(explorer_formula, long_ones_are_cut)
{
    atl_node *x = atl_input(graph, "x", ATL_FLOAT32, ATL_SHAPE(2, 6, 8));
    for (int64_t i = 0; i < graph->count; i++)
        cr_assert_lt(strlen(formula_of(graph->nodes[i])), 480);
    atl_softmax(x);
    cr_assert_gt(strlen(formula_of(graph->nodes[graph->count - 1])), 3);
    explorer_release_formulas(&known);
}
