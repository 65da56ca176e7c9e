/* Lowers assignments to variables by the program itself. */
#ifndef ATLED_COMPILER_LOWER_ASSIGNMENTS_H
#define ATLED_COMPILER_LOWER_ASSIGNMENTS_H

#include "compiler/lower/lower_state.h"

/* Marks as 2 the nodes that are needed for anything other than assignments.  The others are lowered last: then no step
 * reads the variables any more, and they can be written in place. */
void atl_mark_early(const atl_graph *graph, char *needed, int64_t count, atl_node *const *roots);

/* Lowers a node that assigns: records that the variable gets the value. */
int atl_lower_assign(atl_lowering *lowering);

/* Emits a step that copies one value to another.  Returns 0 with the error set. */
int atl_copy_value(atl_lowering *lowering, atl_value_id from, atl_value_id to);
/* Emits a step that copies the value of the node being lowered into memory of this program.  Returns -1 with the error
 * set. */
atl_value_id atl_lower_copy(atl_lowering *lowering, atl_value_id value);

#endif
