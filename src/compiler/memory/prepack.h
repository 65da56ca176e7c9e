/* Steps that run only after variables have changed. */
#ifndef ATLED_COMPILER_MEMORY_PREPACK_H
#define ATLED_COMPILER_MEMORY_PREPACK_H

#include "compiler/plan/plan.h"

/* Creates the empty set.  Returns 0 with the error set. */
int atl_begin_dependency_sets(atl_plan *plan);
/* Dependency sets of variables, by their index in plan->dependency_sets: the variable alone; everything that the values
 * read by a step depend on.  Return -1 with the error set. */
int64_t atl_set_of_variable(atl_plan *plan, const atl_storage *variable);
int64_t atl_set_of_reads(atl_plan *plan, const atl_plan_step *step);

/* Marks the values that must be kept between runs. */
void atl_pin_prepacked_values(atl_plan *plan);

/* Allocates the memory of the prepacked values, when all buffers are known.  Returns 0 with the error set. */
int atl_make_prepacked_memory(atl_plan *plan);

#endif
