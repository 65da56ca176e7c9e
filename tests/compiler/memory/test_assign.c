/* Assignments: values before and after, where the new values are computed, and the state after a failed run. */
#include "support.h"

#include "graph/memory.h"

static atl_graph *g;
static atl_node *x, *a, *b; /* [3]; a holds 1, b holds 2 */
static const float numbers[] = {1, 2, 3}, infinite[] = {1, INFINITY, 3};

static void set_up(void)
{
    g = atl_graph_new();
    x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    a = atl_variable(g, "a", ATL_SHAPE(3), atl_fill_with(1));
    b = atl_variable(g, "b", ATL_SHAPE(3), atl_fill_with(2));
}

static void tear_down(void) { atl_graph_free(g); }
TestSuite(assign, .init = set_up, .fini = tear_down);

static float now(const atl_node *variable) { return atl_floats(atl_variable_value(variable))[0]; }

static void run(atl_program *p, const float *values)
{
    atl_tensor *fed = atl_tensor_of_floats(ATL_SHAPE(3), values);
    cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_OK, "%s", atl_error());
    atl_tensor_free(fed);
}

Test(assign, takes_effect_when_the_run_ends)
{
    atl_node *next = atl_assign(a, atl_add(a, b)), *old = atl_scale(a, 10);
    atl_program *p = atl_compile(g, ATL_NODES(next, old));
    cr_assert(p, "%s", atl_error());
    for (int n = 0; n < 4; n++) {
        cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_scalar_of(p, old), 10.0f * (float)(1 + 2 * n));
        cr_assert_eq(atl_scalar_of(p, next), (float)(3 + 2 * n));
        cr_assert_eq(now(a), (float)(3 + 2 * n));
        cr_assert_eq(now(b), 2);
    }
    atl_program_free(p);
}

Test(assign, exchanges_two_variables)
{
    atl_node *both = atl_group(atl_assign(a, b), atl_assign(b, a));
    atl_program *p = atl_compile(g, ATL_NODES(both));
    for (int n = 0; n < 3; n++) {
        cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
        cr_assert(now(a) == (n % 2 ? 1 : 2) && now(b) == (n % 2 ? 2 : 1), "run %d: %g and %g", n, now(a), now(b));
    }
    atl_program_free(p);
}

Test(assign, takes_what_is_fed_constant_or_shared)
{
    atl_node *c = atl_variable(g, "c", ATL_SHAPE(3), atl_zeros()), *d = atl_variable(g, "d", ATL_SHAPE(3), atl_zeros());
    atl_node *e = atl_variable(g, "e", ATL_SHAPE(3), atl_zeros()), *sum = atl_add(x, b);
    atl_node *all = atl_group(atl_assign(a, x), atl_assign(c, atl_fill(c, 7)), atl_assign(d, sum), atl_assign(e, sum));
    atl_program *p = atl_compile(g, ATL_NODES(all));
    run(p, numbers);
    cr_assert(now(a) == 1 && now(c) == 7 && now(d) == 3 && now(e) == 3);
    cr_assert_eq(atl_scalar_of(p, all), 1);
    atl_program_free(p);
}

/* m' = 0.9 m + x, w' = w - 0.1 m': one pass, directly into the variables. */
Test(assign, is_made_in_place)
{
    atl_node *moment = atl_add(atl_scale(a, 0.9f), x), *weight = atl_sub(b, atl_scale(moment, 0.1f));
    atl_node *step = atl_group(atl_assign(a, moment), atl_assign(b, weight));
    atl_program *p = atl_compile(g, ATL_NODES(step), .check = -1); /* otherwise the results need memory of their own */
    cr_assert_eq(atl_program_step_count(p), 1);
    cr_assert_eq(atl_program_arena_bytes(p), 0);
    run(p, numbers);
    run(p, numbers);
    cr_assert_float_eq(now(a), 0.9 * (0.9 + 1) + 1, 1e-6);
    cr_assert_float_eq(now(b), 2 - 0.1 * 1.9 - 0.1 * 2.71, 1e-6);
    atl_program_free(p);
}

/* A later part of the step still reads the old value. */
Test(assign, later_readers_see_the_old_value)
{
    atl_node *next = atl_assign(a, atl_mul(a, x)), *late = atl_sum(atl_mul(a, x)), *later = atl_sum(atl_add(next, a));
    atl_program *p = atl_compile(g, ATL_NODES(next, late, later));
    run(p, numbers);
    cr_assert_eq(atl_scalar_of(p, late), 6);
    cr_assert_eq(atl_scalar_of(p, later), 6 + 3);
    cr_assert_eq(now(a), 1);
    cr_assert_eq(atl_floats(atl_variable_value(a))[2], 3);
    run(p, numbers);
    cr_assert_eq(atl_scalar_of(p, late), 1 + 4 + 9);
    atl_program_free(p);
}

/* Another reader than the optimizer, even if it was created later, costs no copy. */
Test(assign, readers_made_later_come_first)
{
    atl_node *step = atl_group(atl_assign(a, atl_sub(a, x)), atl_assign(b, atl_sub(b, x)));
    atl_node *report = atl_sum(atl_mul(a, b));
    atl_program *p = atl_compile(g, ATL_NODES(step, report), .check = -1);
    cr_assert_eq(steps_by(p, NULL, "copy"), 0);
    run(p, numbers);
    cr_assert_eq(atl_scalar_of(p, report), 6);
    run(p, numbers);
    cr_assert_eq(atl_scalar_of(p, report), 0 * 1 + -1 * 0 + -2 * -1);
    atl_program_free(p);
}

Test(assign, other_programs_see_the_change)
{
    atl_node *twice = atl_sum(atl_exp(a)); /* depends only on variables: prepacked */
    atl_program *reader = atl_compile(g, ATL_NODES(twice)), *writer = atl_compile(g, ATL_NODES(atl_assign(a, x)));
    cr_assert_eq(atl_run(reader, ATL_NO_FEEDS), ATL_OK);
    cr_assert_float_eq(atl_scalar_of(reader, twice), 3 * exp(1), 1e-4);
    run(writer, numbers);
    cr_assert_eq(atl_run(reader, ATL_NO_FEEDS), ATL_OK);
    cr_assert_float_eq(atl_scalar_of(reader, twice), exp(1) + exp(2) + exp(3), 1e-4);
    atl_program_free(reader);
    atl_program_free(writer);
}

Test(assign, twice_to_one_variable_is_a_mistake)
{
    atl_node *unknown = atl_input(g, "y", ATL_FLOAT32, ATL_SHAPE(ATL_ANY));
    atl_node *first = atl_assign(a, x), *second = atl_assign(a, atl_mul(b, atl_sum(unknown)));
    cr_assert_null(atl_compile(g, ATL_NODES(first, second)));
    cr_assert_mentions(atl_graph_error(g), "variable 'a'");
    atl_program *p = atl_compile(g, ATL_NODES(first));
    cr_assert(p);
    atl_program_free(p);
}

Test(assign, nothing_changes_when_a_run_fails)
{
    atl_node *steps = atl_step_counter(g), *cost = atl_named(atl_sum(atl_mul(a, x)), "cost");
    atl_node *step = atl_group(atl_check_finite(cost), atl_assign(a, atl_sub(a, x)), atl_assign(b, atl_add(a, b)),
                               atl_assign(steps, atl_increment(steps)));
    atl_program *p = atl_compile(g, ATL_NODES(step));
    atl_tensor *bad = atl_tensor_of_floats(ATL_SHAPE(3), infinite);
    run(p, numbers);
    cr_assert(now(a) == 0 && now(b) == 3);
    cr_assert_eq(atl_run(p, ATL_FEED(x, bad)), ATL_NOT_FINITE);
    cr_assert_mentions(atl_error(), "'cost' is");
    cr_assert(now(a) == 0 && now(b) == 3 && atl_ints(atl_variable_value(steps))[0] == 1);
    run(p, numbers);
    cr_assert(now(a) == -1 && now(b) == 3 && atl_ints(atl_variable_value(steps))[0] == 2);
    atl_tensor_free(bad);
    atl_program_free(p);
}

Test(assign, a_run_allocates_nothing)
{
    atl_node *steps = atl_step_counter(g),
             *rate = atl_div(atl_scalar(x, 1), atl_add_scalar(atl_cast(steps, ATL_FLOAT32), 1));
    atl_node *step =
        atl_group(atl_sum(x), atl_assign(a, atl_sub(a, atl_mul(rate, x))), atl_assign(steps, atl_increment(steps)));
    atl_program *p = atl_compile(g, ATL_NODES(step));
    run(p, numbers);
    atl_tensor *fed = atl_tensor_of_floats(ATL_SHAPE(3), numbers);
    int64_t before = atl_allocation_count();
    for (int n = 0; n < 10; n++)
        cr_assert_eq(atl_run(p, ATL_FEED(x, fed)), ATL_OK);
    cr_assert_eq(atl_allocation_count(), before);
    cr_assert_eq(atl_ints(atl_variable_value(steps))[0], 11);
    atl_tensor_free(fed);
    atl_program_free(p);
}

Test(assign, with_unknown_batch)
{
    atl_node *batch = atl_input(g, "batch", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 3));
    atl_node *step = atl_assign(a, atl_add(a, atl_reduce_sum(batch, ATL_AXES(0))));
    atl_program *p = atl_compile(g, ATL_NODES(step));
    cr_assert(p, "%s", atl_error());
    for (int64_t n = 1; n < 4; n++) {
        atl_tensor *fed = random_tensor(ATL_SHAPE(n, 3), 1, 1.0001f);
        cr_assert_eq(atl_run(p, ATL_FEED(batch, fed)), ATL_OK, "%s", atl_error());
        atl_tensor_free(fed);
    }
    cr_assert_float_eq(now(a), 1 + 1 + 2 + 3, 1e-2);
    atl_program_free(p);
}

Test(assign, group_is_its_first)
{
    atl_node *group = atl_group(atl_sum(x), a, atl_assign(b, x)), *slope = atl_gradient(group, x);
    atl_program *p = atl_compile(g, ATL_NODES(group, slope));
    run(p, numbers);
    cr_assert_eq(atl_scalar_of(p, group), 6);
    cr_assert_eq(atl_scalar_of(p, slope), 1);
    cr_assert_eq(now(b), 1);
    atl_program_free(p);
    cr_assert_null(atl_group_with((atl_nodes){0, NULL}));
}
