/* Minutes: 15.  Plain only: graphs of many nodes.
 *
 * Many outputs, many variables, many nodes to differentiate with respect to: the work is in proportion to their
 * number.  A quadratic algorithm would exceed the time limit. */
#include <stdlib.h>

#include "graph/memory.h"
#include "support.h"

enum { FEW = 1000, MANY = 200000 };

/* Every output is another function of x; all values are fetched. */
static void want(int64_t count)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), **wanted = malloc((size_t)count * sizeof *wanted);
    atl_tensor *value = atl_uniform_tensor(ATL_SHAPE(3), -1, 1, 1);
    for (int64_t i = 0; i < count; i++)
        wanted[i] = atl_sin(atl_scale(x, 1 + (float)i));
    atl_program *program = atl_compile(g, {count, wanted}, .threads = 1);
    cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < count; i++)
        cr_assert_not_null(atl_value(program, wanted[i]));
    atl_program_free(program);
    atl_tensor_free(value);
    atl_graph_free(g);
    free(wanted);
}

/* sum of sin(v): the term of each variable is computed once, and so is their sum */
static atl_node *loss_of(atl_graph *g, atl_node **variable, int64_t count)
{
    atl_node *loss = NULL;
    for (int64_t i = 0; i < count; i++) {
        variable[i] = atl_variable(g, ATL_NAME("v%lld", (long long)i), ATL_SHAPE(3), atl_uniform(-1, 1));
        atl_node *share = atl_sum(atl_sin(variable[i]));
        loss = loss ? atl_add(loss, share) : share;
    }
    return loss;
}

static void differentiate(int64_t count)
{
    atl_graph *g = atl_graph_new();
    atl_node **variable = malloc((size_t)count * sizeof *variable), **wanted = malloc((size_t)count * sizeof *wanted);
    atl_node *loss = loss_of(g, variable, count);
    cr_assert_eq(atl_gradients(.of = ATL_NODES(loss), .by = {count, variable}, .result_out = wanted), ATL_OK);
    atl_program *program = atl_compile(g, {count, wanted}, .threads = 1);
    cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_program_free(program);
    program = atl_compile(g, ATL_NODES(loss), .threads = 1);
    cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_program_free(program);
    atl_graph_free(g);
    free(variable);
    free(wanted);
}

static void train(int64_t count)
{
    atl_graph *g = atl_graph_new();
    atl_node **variable = malloc((size_t)count * sizeof *variable);
    atl_node *step = atl_minimize(loss_of(g, variable, count), atl_adam(.rate = 0.01f));
    atl_program *program = atl_compile(g, ATL_NODES(step), .threads = 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_program_free(program);
    atl_graph_free(g);
    free(variable);
}

static void assert_in_proportion(void (*work)(int64_t count), int64_t most)
{
    int64_t before = atl_allocation_count();
    work(FEW);
    int64_t few = atl_allocation_count() - before;
    work(most);
    int64_t many = atl_allocation_count() - before - few;
    cr_assert_lt(many, 1.1 * (double)few * (double)most / FEW, "%lld allocations for %d, %lld for %lld", (long long)few,
                 FEW, (long long)many, (long long)most);
}

Test(many, wanted_nodes, .timeout = 400) { assert_in_proportion(want, MANY); }
Test(many, nodes_to_differentiate_by, .timeout = 400) { assert_in_proportion(differentiate, MANY); }
/* A variable that Adam trains has some fifteen nodes: over a million of them. */
Test(many, variables_to_train, .timeout = 400) { assert_in_proportion(train, MANY / 2); }
