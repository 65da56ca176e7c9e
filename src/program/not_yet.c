/* Until the compiler is there: weak stand-ins, so that ops that lower themselves can be linked.  To be removed with its arrival. */
#include "graph/error.h"
#include "program/lowering.h"

#define NOT_YET __attribute__((weak))

static int missing(void)
{
    atl_set_error(ATL_INTERNAL, "the compiler is not there yet");
    return -1;
}

const atl_node *NOT_YET atl_lowered_node(const atl_lowering *l) { return (void)l, NULL; }
atl_value_id NOT_YET atl_lower_input(atl_lowering *l, int i) { return (void)l, (void)i, missing(); }
atl_value_id NOT_YET atl_lower_input_in(atl_lowering *l, int i, const atl_memory_layout *layout)
{
    return (void)l, (void)i, (void)layout, missing();
}
const atl_memory_layout *NOT_YET atl_lower_layout_of(const atl_lowering *l, int i) { return (void)l, (void)i, NULL; }
atl_value_id NOT_YET atl_lower_output(atl_lowering *l) { return (void)l, missing(); }
atl_value_id NOT_YET atl_lower_output_in(atl_lowering *l, const atl_memory_layout *layout)
{
    return (void)l, (void)layout, missing();
}
void NOT_YET atl_lower_in_place(atl_lowering *l, int i) { (void)l, (void)i; }
atl_value_id NOT_YET atl_lower_scratch(atl_lowering *l, int64_t bytes) { return (void)l, (void)bytes, missing(); }
int NOT_YET atl_lower_wants_workspace(const atl_lowering *l) { return (void)l, 0; }
atl_value_id NOT_YET atl_lower_workspace(atl_lowering *l, int64_t bytes) { return (void)l, (void)bytes, missing(); }
atl_value_id NOT_YET atl_lower_workspace_of(const atl_lowering *l, int i) { return (void)l, (void)i, missing(); }
int NOT_YET atl_lower_step(atl_lowering *l, const atl_plan_step *step)
{
    if (step->release)
        step->release(step->data);
    return (void)l, missing() + 1;
}
