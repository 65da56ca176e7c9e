/* Post-ops: element-wise steps that run within the step whose result they read. */
#ifndef ATLED_COMPILER_LOWER_POST_OP_H
#define ATLED_COMPILER_LOWER_POST_OP_H

#include "compiler/lower/lower_state.h"

/* Makes the step, which is about to be emitted, the post-op of an earlier one, if that is possible.  Returns 1: then it
 * must not be emitted; else 0. */
int atl_as_post_op(atl_lowering *lowering, const atl_plan_step *step);

#endif
