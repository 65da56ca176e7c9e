/* The compiler's implementation of the functions of lowering.h: atl_compiler_x implements atl_lower_x, which documents
 * it. */
#ifndef ATLED_COMPILER_LOWER_CALLS_H
#define ATLED_COMPILER_LOWER_CALLS_H

#include "lowering/lowering_calls.h"

const atl_node *atl_compiler_node(const atl_lowering *lowering);
atl_value_id atl_compiler_input(atl_lowering *lowering, int i);
atl_value_id atl_compiler_input_in(atl_lowering *lowering, int i, const atl_memory_layout *layout);
const atl_memory_layout *atl_compiler_layout_of(const atl_lowering *lowering, int i);
atl_value_id atl_compiler_prepared(atl_lowering *lowering, int i, int64_t bytes, const atl_plan_step *step);
int atl_compiler_winograd_use(const atl_lowering *lowering);
atl_algo atl_compiler_algo(const atl_lowering *lowering);
int atl_compiler_is_blocked(const atl_lowering *lowering);
int atl_compiler_uses_bfloat16(const atl_lowering *lowering);
int atl_compiler_is_checked(const atl_lowering *lowering);
atl_value_id atl_compiler_output(atl_lowering *lowering);
atl_value_id atl_compiler_output_in(atl_lowering *lowering, const atl_memory_layout *layout);
atl_value_id atl_compiler_input_strided(atl_lowering *lowering, int i, int64_t *pixel_stride_out);
int atl_compiler_input_is_strided(const atl_lowering *lowering, int i);
atl_value_id atl_compiler_output_strided(atl_lowering *lowering, int64_t *pixel_stride_out);
int atl_compiler_output_is_strided(const atl_lowering *lowering);
int atl_compiler_part_in_place(atl_lowering *lowering, int64_t first);
int atl_compiler_is_in_place(const atl_lowering *lowering, int i);
void atl_compiler_in_place(atl_lowering *lowering, int i);
void atl_compiler_over(atl_lowering *lowering, atl_value_id result, atl_value_id input);
atl_value_id atl_compiler_part(atl_lowering *lowering, int k, int64_t bytes);
atl_value_id atl_compiler_part_of(const atl_lowering *lowering, int i, int k);
int atl_compiler_as(atl_lowering *lowering, atl_value_id value);
atl_value_id atl_compiler_scratch(atl_lowering *lowering, int64_t bytes);
int atl_compiler_wants_workspace(const atl_lowering *lowering);
atl_value_id atl_compiler_workspace(atl_lowering *lowering, int64_t bytes);
atl_value_id atl_compiler_workspace_of(const atl_lowering *lowering, int i);
int atl_compiler_step(atl_lowering *lowering, const atl_plan_step *step);
int atl_compiler_kernel(atl_lowering *lowering);

extern const atl_lowering_calls atl_compiler_calls;

#endif
