/* Feeds in memory that the run writes: a program's own values, and variables that it assigns. */
#include "support.h"

#include "graph/memory.h"

/* ---- recurrences ------------------------------------------------------------------------------------------------- */

enum { SIDE = 24, RUNS = 6 };

typedef struct recurrence {
    atl_graph *graph;
    atl_node *state, *next, *again;
} recurrence;

/* A state and the next one, large enough to take several buffers in the arena. */
static recurrence recurrence_new(int64_t rows)
{
    recurrence r = {.graph = atl_graph_new()};
    r.state = atl_input(r.graph, "state", ATL_FLOAT32, ATL_SHAPE(rows, SIDE));
    atl_node *w = atl_variable(r.graph, "w", ATL_SHAPE(SIDE, SIDE), atl_uniform(-0.2f, 0.2f));
    atl_node *a = atl_tanh(atl_matmul(r.state, w)), *b = atl_tanh(atl_matmul(a, w));
    r.next = atl_add(atl_matmul(b, w), atl_add(atl_scale(r.state, 0.5f), a));
    r.again = atl_reshape(r.state, ATL_SHAPE(-1));
    return r;
}

/* The state after each run, once by feeding the value itself, once by feeding a copy of it. */
static void compare_fed_back(unsigned disabled, int64_t rows, int64_t fed_rows)
{
    recurrence r = recurrence_new(rows);
    atl_tensor *state = random_tensor(ATL_SHAPE(fed_rows, SIDE), -1, 1);
    atl_program *own = atl_compile(r.graph, ATL_NODES(r.next, r.state, r.again), .disabled_passes = disabled),
                *apart = atl_compile(r.graph, ATL_NODES(r.next), .disabled_passes = disabled);
    cr_assert(own && apart, "%s", atl_graph_error(r.graph));
    const atl_tensor *fed = state;
    for (int run = 0; run < RUNS; run++) {
        cr_assert_eq(atl_run(own, ATL_FEED(r.state, fed)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_run(apart, ATL_FEED(r.state, state)), ATL_OK, "%s", atl_error());
        cr_assert_eq(largest_difference(atl_value(own, r.next), atl_value(apart, r.next)), 0, "run %d", run);
        cr_assert_eq(largest_difference(atl_value(own, r.state), state), 0, "run %d", run);
        atl_tensor_free(state);
        state = atl_tensor_copy(atl_value(apart, r.next));
        fed = run % 2 ? atl_value(own, r.next) : atl_tensor_copy(atl_value(own, r.next));
        if (!(run % 2)) { /* and sometimes the feed itself, which is an output of the program */
            atl_tensor *copy = (atl_tensor *)fed;
            cr_assert_eq(atl_run(own, ATL_FEED(r.state, copy)), ATL_OK);
            atl_tensor_free(copy);
            fed = atl_value(own, r.state);
        }
    }
    atl_tensor_free(state);
    atl_program_free(own);
    atl_program_free(apart);
    atl_graph_free(r.graph);
}

Test(fed_copies, a_program_takes_its_own_value)
{
    compare_fed_back(0, 5, 5);
    compare_fed_back(0, ATL_ANY, 5);
    for (int k = 0; k < 12; k++)
        compare_fed_back(1u << k, 5, 5);
    compare_fed_back(~0u, ATL_ANY, 7);
}

/* A state that grows: every run needs another plan. */
Test(fed_copies, a_value_of_another_shape)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 2));
    atl_node *longer = atl_concat(0, x, atl_scale(atl_slice(x, .begin = {-1}), 2));
    atl_program *p = atl_compile(g, ATL_NODES(longer));
    atl_tensor *first = atl_tensor_of_floats(ATL_SHAPE(1, 2), (float[]){1, 3});
    const atl_tensor *fed = first;
    for (int run = 0; run < 20; run++) {
        cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_OK, "%s", atl_error());
        fed = atl_value(p, longer);
    }
    for (int i = 0; i <= 20; i++) {
        cr_expect_eq(atl_floats(fed)[2 * i], ldexpf(1, i));
        cr_expect_eq(atl_floats(fed)[2 * i + 1], ldexpf(3, i));
    }
    atl_tensor_free(first);
    atl_program_free(p);
    atl_graph_free(g);
}

/* The value of a node that depends only on variables is in memory that a run writes after a variable has changed. */
Test(fed_copies, a_prepacked_value)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3), atl_fill_with(2)), *square = atl_exp(w), *y = atl_add(x, square);
    atl_program *p = atl_compile(g, ATL_NODES(y, square));
    atl_tensor *zero = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(3));
    cr_assert_eq(atl_run(p, ATL_FEED(x, zero)), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_variable_assign(w, zero), ATL_OK);
    cr_assert_eq(atl_run(p, ATL_FEED(x, atl_value(p, square))), ATL_OK, "%s", atl_error());
    cr_assert_float_eq(atl_scalar_of(p, y), expf(2) + 1, 1e-5f);
    atl_tensor_free(zero);
    atl_program_free(p);
    atl_graph_free(g);
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

/* a becomes 2 x and b exp(3 x), where x is the old a; a view of a part of a counts as a. */
static void assign_fed_variable(unsigned disabled)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(4));
    atl_node *a = atl_variable(g, "a", ATL_SHAPE(4), atl_fill_with(1)),
             *b = atl_variable(g, "b", ATL_SHAPE(4), atl_zeros());
    atl_node *both = atl_group(atl_assign(a, atl_scale(x, 2)), atl_assign(b, atl_exp(atl_scale(x, 3))));
    atl_program *p = atl_compile(g, ATL_NODES(both, x), .disabled_passes = disabled);
    cr_assert(p, "%s", atl_error());
    cr_assert_eq(atl_run(p, ATL_FEED(x, atl_variable_value(a))), ATL_OK, "%s", atl_error());
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(atl_floats(atl_variable_value(a))[i], 2);
        cr_expect_float_eq(atl_floats(atl_variable_value(b))[i], expf(3), 1e-4f);
        cr_expect_eq(atl_floats(atl_value(p, x))[i], 1);
    }
    atl_program_free(p);
    atl_graph_free(g);
}

Test(fed_copies, the_value_of_an_assigned_variable)
{
    assign_fed_variable(0);
    for (int k = 0; k < 12; k++)
        assign_fed_variable(1u << k);
}

/* ---- values that outlive what they were made of ------------------------------------------------------------------ */

Test(fed_copies, a_fetched_input_outlives_the_feed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1000)), *y = atl_reshape(x, ATL_SHAPE(10, 100));
    atl_node *z = atl_reshape(atl_group(x, atl_square(x)), ATL_SHAPE(1, 1000));
    atl_program *p = atl_compile(g, ATL_NODES(atl_sum(x), x, y, z));
    atl_tensor *fed = random_tensor(ATL_SHAPE(1000), 1, 2), *kept = atl_tensor_copy(fed);
    cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_OK, "%s", atl_error());
    memset(atl_floats(fed), 0, 1000 * sizeof(float));
    atl_tensor_free(fed);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(atl_floats(atl_value(p, x))[i], atl_floats(kept)[i]);
        cr_assert_eq(atl_floats(atl_value(p, y))[i], atl_floats(kept)[i]);
        cr_assert_eq(atl_floats(atl_value(p, z))[i], atl_floats(kept)[i]);
    }
    atl_tensor_free(kept);
    atl_program_free(p);
    atl_graph_free(g);
}

/* Fetched values are from before the run's assignments, in all ways of fetching, and stay when the variable changes. */
Test(fed_copies, a_fetched_variable_is_as_the_run_has_read_it)
{
    for (int k = -1; k < 12; k++) {
        atl_graph *g = atl_graph_new();
        atl_node *w = atl_variable(g, "w", ATL_SHAPE(2), atl_fill_with(3));
        atl_node *flat = atl_reshape(w, ATL_SHAPE(1, 2)), *sum = atl_add(w, atl_scalar(w, 0));
        atl_node *next = atl_assign(w, atl_scale(w, 2)), *group = atl_group(w, next);
        atl_program *p = atl_compile(g, ATL_NODES(w, flat, sum, next, group), .disabled_passes = k < 0 ? 0 : 1u << k);
        cr_assert(p, "%s", atl_error());
        cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
        cr_expect_eq(atl_floats(atl_variable_value(w))[0], 6);
        cr_expect_eq(atl_scalar_of(p, next), 6);
        atl_tensor *other = atl_tensor_of_floats(ATL_SHAPE(2), (float[]){-1, -1});
        cr_assert_eq(atl_variable_assign(w, other), ATL_OK);
        cr_expect_eq(atl_scalar_of(p, w), 3);
        cr_expect_eq(atl_scalar_of(p, flat), 3);
        cr_expect_eq(atl_scalar_of(p, sum), 3);
        cr_expect_eq(atl_scalar_of(p, group), 3);
        atl_tensor_free(other);
        atl_program_free(p);
        atl_graph_free(g);
    }
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

Test(fed_copies, memory_is_allocated_once)
{
    recurrence r = recurrence_new(5);
    atl_tensor *state = random_tensor(ATL_SHAPE(5, SIDE), -1, 1);
    atl_program *p = atl_compile(r.graph, ATL_NODES(r.next));
    cr_assert_eq(atl_run(p, ATL_FEED(r.state, state)), ATL_OK);
    cr_assert_eq(atl_run(p, ATL_FEED(r.state, atl_value(p, r.next))), ATL_OK);
    const atl_tensor *value = atl_value(p, r.next);
    int64_t before = atl_allocation_count();
    for (int run = 0; run < 3; run++)
        cr_assert_eq(atl_run(p, ATL_FEED(r.state, value)), ATL_OK);
    cr_assert_eq(atl_allocation_count(), before);
    atl_tensor_free(state);
    atl_program_free(p);
    atl_graph_free(r.graph);
}

Test(fed_copies, without_memory_the_run_fails_and_nothing_is_lost)
{
    recurrence r = recurrence_new(5);
    atl_tensor *state = random_tensor(ATL_SHAPE(5, SIDE), -1, 1);
    atl_program *p = atl_compile(r.graph, ATL_NODES(r.next));
    for (int64_t allowed = 0; allowed < 2; allowed++) {
        cr_assert_eq(atl_run(p, ATL_FEED(r.state, state)), ATL_OK);
        const atl_tensor *value = atl_value(p, r.next);
        atl_fail_allocations_after(allowed);
        atl_status status = atl_run(p, ATL_FEED(r.state, value));
        atl_fail_allocations_after(-1);
        cr_assert_eq(status, ATL_OUT_OF_MEMORY);
    }
    cr_assert_eq(atl_run(p, ATL_FEED(r.state, state)), ATL_OK);
    cr_assert_eq(atl_run(p, ATL_FEED(r.state, atl_value(p, r.next))), ATL_OK);
    atl_tensor_free(state);
    atl_program_free(p);
    atl_graph_free(r.graph);
}
