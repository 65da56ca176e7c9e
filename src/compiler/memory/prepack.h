/* Steps that run only after variables have changed. */
#ifndef ATLED_COMPILER_MEMORY_PREPACK_H
#define ATLED_COMPILER_MEMORY_PREPACK_H

#include "compiler/plan/plan.h"

/* Makes the empty set. 0 with the error set. */
int atl_begin_dependency_sets(atl_plan *plan);
/* Sets of variables, by their index in plan->sets: the variable alone; all that the values read by a step depend on.  -1 with the
 * error set. */
int64_t atl_set_of_variable(atl_plan *plan, const atl_storage *variable);
int64_t atl_set_of_reads(atl_plan *plan, const atl_plan_step *step);

/* Marks what has to stay between runs. */
void atl_pin_prepacked_values(atl_plan *plan);

/* The memory of what is made once, when all places are known. 0: failed, with the error set. */
int atl_make_prepacked_memory(atl_plan *plan);

#endif
