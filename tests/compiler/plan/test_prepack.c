/* Values that depend only on variables are computed once, and again after a variable has changed. */
#include "passes.h"

Test(once, what_depends_on_variables_only_is_computed_once)
{
    counted with, without;
    compare_without(ATL_PASS_PREPACK, &with, &without);
    cr_assert_gt(with.prepack, 0);
    cr_assert_eq(without.prepack, 0);
    cr_assert_lt(with.always, without.always);
}

/* Values of constants are computed once, however many runs there are. */
Test(once, constants_are_folded)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3, 2));
    atl_tensor *value = random_tensor(ATL_SHAPE(3, 2), -1, 1), *four = random_tensor(ATL_SHAPE(2, 2), -1, 1);
    atl_node *y = atl_add(x, atl_softmax(atl_matmul(atl_exp(atl_constant(g, value)), atl_constant(g, four))));
    atl_program *with = atl_compile(g, ATL_NODES(y)),
                *without = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_PREPACK);
    for (int run = 0; run < 2; run++)
        assert_same_values(with, without, ATL_NODES(y), ATL_FEED(x, value), 1e-6);
    cr_assert_eq(count_steps(with).always, 1);
    cr_assert_gt(count_steps(without).always, 1);
    atl_tensor_free(value);
    atl_tensor_free(four);
    atl_program_free(with);
    atl_program_free(without);
    atl_graph_free(g);
}

/* An op that counts its runs. */
static int runs;
static void count_run(const atl_node *y, const void *const *in, void *result)
{
    runs++;
    memcpy(result, in[0], (size_t)atl_shape_count(atl_shape_of(y)) * sizeof(float));
}
static bool infer_same(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, atl_shape_of(atl_input_of(y, 0))); }
static const atl_op counting = {.name = "counting", .arity = 1, .infer = infer_same, .kernel = count_run};

Test(once, again_only_after_a_change_of_what_it_depends_on)
{
    atl_graph *g = atl_graph_new();
    atl_node *v = atl_variable(g, "v", ATL_SHAPE(3), atl_zeros()), *w = atl_variable(g, "w", ATL_SHAPE(3), atl_zeros());
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *y = atl_mul(x, atl_add(w, atl_apply(&counting, v)));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *value = random_tensor(ATL_SHAPE(3), -1, 1);
    const struct {
        atl_node *changed;
        int runs; /* by then */
    } turns[] = {{NULL, 1}, {NULL, 1}, {w, 1}, {v, 2}, {NULL, 2}, {w, 2}};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        if (turns[i].changed)
            cr_assert_eq(atl_variable_assign(turns[i].changed, value), ATL_OK);
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
        cr_expect_eq(runs, turns[i].runs, "%d runs in turn %d", runs, (int)i);
    }
    for (int i = 0; i < 3; i++) /* v = w = x by now */
        cr_expect_eq(element_of(atl_value(program, y), i), (float)(element_of(value, i) * (2 * element_of(value, i))));
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Each sum depends on one variable more than the last: the change of any variable is detected, and only the sums
 * that depend on it are computed again. */
Test(once, a_chain_of_many_variables)
{
    enum { VARIABLES = 2000, MARKED = 700 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2)), *sum = NULL, *variable[VARIABLES];
    for (int i = 0; i < VARIABLES; i++) {
        variable[i] = atl_variable(g, ATL_NAME("v%d", i), ATL_SHAPE(2), atl_fill_with(1));
        sum = sum ? atl_add(sum, variable[i]) : variable[i];
        if (i == MARKED)
            sum = atl_apply(&counting, sum);
    }
    atl_node *y = atl_mul(x, sum);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    const float ones[] = {1, 1}, twos[] = {2, 2};
    atl_tensor *one = atl_tensor_of_floats(ATL_SHAPE(2), ones), *two = atl_tensor_of_floats(ATL_SHAPE(2), twos);
    const int changed[] = {0, MARKED, MARKED + 1, VARIABLES - 1};
    cr_assert_eq(atl_run(program, ATL_FEED(x, one)), ATL_OK, "%s", atl_error());
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(atl_variable_assign(variable[changed[i]], two), ATL_OK);
        cr_assert_eq(atl_run(program, ATL_FEED(x, one)), ATL_OK, "%s", atl_error());
        cr_expect_eq(atl_scalar_of(program, y), VARIABLES + 1 + i);
        cr_expect_eq(runs, i < 2 ? 2 + i : 3, "%d runs", runs);
    }
    atl_tensor_free(one);
    atl_tensor_free(two);
    atl_program_free(program);
    atl_graph_free(g);
}
