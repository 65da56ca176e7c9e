/* The variables that a prepacked value depends on. */
#ifndef ATLED_COMPILER_LOWER_DEPENDENCIES_H
#define ATLED_COMPILER_LOWER_DEPENDENCIES_H

#include "compiler/lower/steps.h"

/* Creates the empty set.  Returns 0 with the error set. */
int atl_begin_dependency_sets(atl_plan *plan);
/* Dependency sets of variables, by their index in plan->dependency_sets: the variable alone; everything that the values
 * read by a step depend on.  Return -1 with the error set. */
int64_t atl_set_of_variable(atl_plan *plan, const atl_storage *variable);
int64_t atl_set_of_reads(atl_plan *plan, const atl_plan_step *step);

#endif
