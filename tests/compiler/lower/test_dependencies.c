/* Dependency sets of steps that prepack. */
#include "support.h"

#include "compiler/lower/dependencies.h"
#include "graph/memory.h"

enum { VALUES = 4 };

static atl_storage variable[2];

/* A plan with the values 0 (of no variable), 1 and 2 (of a variable each), and 3 (of the first one). */
static atl_plan begin(atl_plan_value *values)
{
    atl_plan plan = {.values = values, .value_count = VALUES};
    cr_assert(atl_begin_dependency_sets(&plan));
    values[1].depends = values[3].depends = atl_set_of_variable(&plan, &variable[0]);
    values[2].depends = atl_set_of_variable(&plan, &variable[1]);
    return plan;
}

static void end(atl_plan *plan)
{
    for (int64_t i = 0; i < plan->dependency_set_count; i++)
        atl_release(plan->dependency_sets[i].part);
    atl_release(plan->dependency_sets);
}

Test(dependencies, a_step_depends_on_what_it_reads)
{
    atl_plan_value values[VALUES] = {{0}};
    atl_plan plan = begin(values);
    cr_assert_neq(values[1].depends, 0);
    cr_assert_neq(values[1].depends, values[2].depends);
    cr_expect_eq(atl_set_of_reads(&plan, &(atl_plan_step){.reads = 1, .read = {0}}), 0, "a constant");
    cr_expect_eq(atl_set_of_reads(&plan, &(atl_plan_step){.reads = 3, .read = {0, 1, 3}}), values[1].depends,
                 "one variable, read twice, is no new set");
    cr_expect_eq(plan.dependency_set_count, 3);
    int64_t both = atl_set_of_reads(&plan, &(atl_plan_step){.reads = 2, .read = {1, 2}});
    cr_assert_eq(both, 3);
    cr_assert_eq(plan.dependency_sets[both].part_count, 2);
    cr_expect_eq(plan.dependency_sets[both].part[0], values[1].depends);
    cr_expect_eq(plan.dependency_sets[both].part[1], values[2].depends);
    end(&plan);
}
