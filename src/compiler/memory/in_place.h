/* Results that overwrite operands. */
#ifndef ATLED_COMPILER_MEMORY_IN_PLACE_H
#define ATLED_COMPILER_MEMORY_IN_PLACE_H

#include "compiler/lower/lower_state.h"
#include "compiler/memory/lifetimes.h"

/* True if that step of every run may write `result` over `input`: the op allows it, and the step reads that memory
 * through no other operand. */
int atl_may_write_over(const atl_lowering *lowering, int64_t step, atl_value_id result, atl_value_id input);

/* Lets results use the buffers of inputs whose last use is the same step. */
void atl_share_buffers(atl_lowering *lowering, atl_lifetimes *lives);
/* Undoes it; find the lifetimes again afterwards. */
void atl_unshare_buffers(atl_lowering *lowering);

#endif
