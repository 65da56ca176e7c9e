/* Assignments to variables by the program itself. */
#ifndef ATLED_COMPILER_MEMORY_ASSIGN_H
#define ATLED_COMPILER_MEMORY_ASSIGN_H

#include "compiler/lower/lower_state.h"

/* Marks as 2 the nodes that are needed for anything other than assignments.  The others are lowered last: then no step
 * reads the variables any more, and they can be written in place. */
void atl_mark_early(const atl_graph *graph, char *needed, int64_t count, atl_node *const *roots);

/* Lowers a node that assigns: records that the variable gets the value. */
int atl_lower_assign(atl_lowering *lowering);

/* After all nodes are lowered: computes each assigned value in its variable's memory, or copies it there at the end.
 * Returns 0 if out of memory. */
int atl_assign_in_place(atl_lowering *lowering);

#endif
