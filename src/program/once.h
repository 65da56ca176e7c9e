/* Steps that run only after variables have changed. */
#ifndef ATLED_PROGRAM_ONCE_H
#define ATLED_PROGRAM_ONCE_H

#include "program/plan.h"

/* once[i] becomes 1 for the nodes that depend on constants only, and on variables to which none of the needed nodes assigns: they
 * need computing only when a variable has changed.  Null out of memory; to be released. */
char *atl_mark_once(const atl_graph *graph, const char *needed);

/* The variables that the values read by a step depend on, as a set of the plan; -1 out of memory. */
int64_t atl_union_of_reads(atl_plan *plan, const atl_plan_step *step);

/* Marks what has to stay between runs. */
void atl_pin_once_values(atl_plan *plan);

/* The memory of what is made once, when all places are known. 0: failed, with the error set. */
int atl_make_once_memory(atl_plan *plan);

#endif
