/* lowering.h: each function calls the compiler through the table at the beginning of every atl_lowering. */
#include "lowering/lowering_calls.h"

static const atl_lowering_calls *calls_of(const atl_lowering *lowering)
{
    return *(const atl_lowering_calls *const *)lowering;
}

const atl_node *atl_lowered_node(const atl_lowering *lowering) { return calls_of(lowering)->node(lowering); }
atl_value_id atl_lower_input(atl_lowering *lowering, int i) { return calls_of(lowering)->input(lowering, i); }
atl_value_id atl_lower_input_in(atl_lowering *lowering, int i, const atl_memory_layout *layout)
{
    return calls_of(lowering)->input_in(lowering, i, layout);
}
const atl_memory_layout *atl_lower_layout_of(const atl_lowering *lowering, int i)
{
    return calls_of(lowering)->layout_of(lowering, i);
}
atl_value_id atl_lower_prepared(atl_lowering *lowering, int i, int64_t bytes, const atl_plan_step *step)
{
    return calls_of(lowering)->prepared(lowering, i, bytes, step);
}
int atl_lower_winograd_use(const atl_lowering *lowering) { return calls_of(lowering)->winograd_use(lowering); }
atl_algo atl_lower_algo(const atl_lowering *lowering) { return calls_of(lowering)->algo(lowering); }
int atl_lower_is_blocked(const atl_lowering *lowering) { return calls_of(lowering)->is_blocked(lowering); }
int atl_lower_uses_bfloat16(const atl_lowering *lowering) { return calls_of(lowering)->uses_bfloat16(lowering); }
int atl_lower_is_checked(const atl_lowering *lowering) { return calls_of(lowering)->is_checked(lowering); }
atl_value_id atl_lower_output(atl_lowering *lowering) { return calls_of(lowering)->output(lowering); }
atl_value_id atl_lower_output_in(atl_lowering *lowering, const atl_memory_layout *layout)
{
    return calls_of(lowering)->output_in(lowering, layout);
}
atl_value_id atl_lower_input_strided(atl_lowering *lowering, int i, int64_t *pixel_stride_out)
{
    return calls_of(lowering)->input_strided(lowering, i, pixel_stride_out);
}
int atl_lower_input_is_strided(const atl_lowering *lowering, int i)
{
    return calls_of(lowering)->input_is_strided(lowering, i);
}
atl_value_id atl_lower_output_strided(atl_lowering *lowering, int64_t *pixel_stride_out)
{
    return calls_of(lowering)->output_strided(lowering, pixel_stride_out);
}
int atl_lower_output_is_strided(const atl_lowering *lowering)
{
    return calls_of(lowering)->output_is_strided(lowering);
}
int atl_lower_part_in_place(atl_lowering *lowering, int64_t first)
{
    return calls_of(lowering)->part_in_place(lowering, first);
}
int atl_lower_is_in_place(const atl_lowering *lowering, int i) { return calls_of(lowering)->is_in_place(lowering, i); }
void atl_lower_in_place(atl_lowering *lowering, int i) { calls_of(lowering)->in_place(lowering, i); }
void atl_lower_over(atl_lowering *lowering, atl_value_id result, atl_value_id input)
{
    calls_of(lowering)->over(lowering, result, input);
}
atl_value_id atl_lower_part(atl_lowering *lowering, int k, int64_t bytes)
{
    return calls_of(lowering)->part(lowering, k, bytes);
}
atl_value_id atl_lower_part_of(const atl_lowering *lowering, int i, int k)
{
    return calls_of(lowering)->part_of(lowering, i, k);
}
int atl_lower_as(atl_lowering *lowering, atl_value_id value) { return calls_of(lowering)->as(lowering, value); }
atl_value_id atl_lower_scratch(atl_lowering *lowering, int64_t bytes)
{
    return calls_of(lowering)->scratch(lowering, bytes);
}
int atl_lower_wants_workspace(const atl_lowering *lowering) { return calls_of(lowering)->wants_workspace(lowering); }
atl_value_id atl_lower_workspace(atl_lowering *lowering, int64_t bytes)
{
    return calls_of(lowering)->workspace(lowering, bytes);
}
atl_value_id atl_lower_workspace_of(const atl_lowering *lowering, int i)
{
    return calls_of(lowering)->workspace_of(lowering, i);
}
int atl_lower_step(atl_lowering *lowering, const atl_plan_step *step)
{
    return calls_of(lowering)->step(lowering, step);
}
int atl_lower_kernel(atl_lowering *lowering) { return calls_of(lowering)->kernel(lowering); }
