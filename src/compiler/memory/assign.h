/* Assignments to variables, by the program itself. */
#ifndef ATLED_COMPILER_MEMORY_ASSIGN_H
#define ATLED_COMPILER_MEMORY_ASSIGN_H

#include "compiler/lower/lower_state.h"

/* Marks as 2 what is needed for something else than assignments.  The rest comes last: by then nobody reads the variables any
 * more, and they can be written in place. */
void atl_mark_early(const atl_graph *graph, char *needed, int64_t count, atl_node *const *roots);

/* Notes that the variable takes the value: the lowering of a node that assigns. */
int atl_lower_assign(atl_lowering *lowering);

/* When all is lowered: makes each assigned value in its variable's memory, or copies it there at the end. 0: out of memory. */
int atl_assign_in_place(atl_lowering *lowering);

#endif
