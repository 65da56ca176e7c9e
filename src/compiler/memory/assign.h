/* The memory of values that the program assigns to variables. */
#ifndef ATLED_COMPILER_MEMORY_ASSIGN_H
#define ATLED_COMPILER_MEMORY_ASSIGN_H

#include "compiler/lower/lower_state.h"

/* After all nodes are lowered: computes each assigned value in its variable's memory, or copies it there at the end.
 * Returns 0 if out of memory. */
int atl_assign_in_place(atl_lowering *lowering);

#endif
