/* The buffers of the values of a plan. */
#ifndef ATLED_COMPILER_MEMORY_BUFFERS_H
#define ATLED_COMPILER_MEMORY_BUFFERS_H

#include "compiler/lower/lower_state.h"

/* Gives every value its buffer, after all steps are emitted.  Returns 0 if out of memory. */
int atl_assign_buffers(atl_lowering *lowering);

/* Null for what is fed, and of the arena where `arena` is null. */
void *atl_address_of(const atl_plan *plan, atl_value_id value, char *arena);

#endif
