/* Minutes: 1.  Plain only: it counts the processor's time.
 *
 * Many wanted nodes, many variables, many nodes to differentiate by: the work grows as their number does, not as its square. */
#include <time.h>

#include "graph/memory.h"
#include "support.h"

enum { FEW = 1000, MANY = 10000 };

static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Every wanted node is another function of x; all values are asked for. */
static void want(int64_t count)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3)), *wanted[MANY];
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
}

/* sum of sin(v): each variable's share is computed once, as is their sum */
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
    atl_node *variable[MANY], *wanted[MANY];
    atl_node *loss = loss_of(g, variable, count);
    cr_assert_eq(atl_gradients(.of = ATL_NODES(loss), .by = {count, variable}, .result = wanted), ATL_OK);
    atl_program *program = atl_compile(g, {count, wanted}, .threads = 1);
    cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_program_free(program);
    program = atl_compile(g, ATL_NODES(loss), .threads = 1);
    cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_program_free(program);
    atl_graph_free(g);
}

static void train(int64_t count)
{
    atl_graph *g = atl_graph_new();
    atl_node *variable[MANY];
    atl_node *step = atl_minimize(loss_of(g, variable, count), atl_adam(.rate = 0.01f));
    atl_program *program = atl_compile(g, ATL_NODES(step), .threads = 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(atl_run(program, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_program_free(program);
    atl_graph_free(g);
}

/* The square would be 100 for 10. */
static void assert_in_proportion(void (*work)(int64_t count))
{
    double few = 0;
    int64_t before = atl_allocation_count();
    for (int i = 0; i < 3; i++) {
        double start = processor_time();
        work(FEW);
        double time = processor_time() - start;
        few = i == 0 || time < few ? time : few;
    }
    int64_t allocations = (atl_allocation_count() - before) / 3;
    before = atl_allocation_count();
    double start = processor_time();
    work(MANY);
    double many = processor_time() - start;
    cr_log_info("%g s and %g s", few, many);
    cr_assert_lt(atl_allocation_count() - before, 11 * allocations);
    cr_assert_lt(many, 40 * few, "%g s for %d, %g s for %d", few, FEW, many, MANY);
}

Test(many, wanted_nodes) { assert_in_proportion(want); }
Test(many, nodes_to_differentiate_by) { assert_in_proportion(differentiate); }
Test(many, variables_to_train) { assert_in_proportion(train); }
