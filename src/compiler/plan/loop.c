/* The loop over the batch: some of a plan's steps run several times, each time for other images. */
#include "compiler/memory/lifetimes.h"
#include "compiler/plan/plan.h"
#include "graph/memory.h"

/* Returns 0 if the value always lies in the same place. */
static int turning_value(const atl_plan *p, atl_value_id value, atl_turning_value *found_out)
{
    *found_out = (atl_turning_value){.value = value, .buffer = atl_root_of(p, value)};
    for (atl_value_id v = value; p->values[v].shares >= 0; v = p->values[v].shares) {
        found_out->within += p->values[v].within;
        found_out->turn_bytes += p->values[v].turn_bytes;
    }
    return found_out->turn_bytes > 0;
}

int atl_note_turning_values(atl_plan *p)
{
    atl_step_loop *loop = &p->loop;
    atl_turning_value found;
    if (!loop->end)
        return 1;
    for (int64_t v = 0; v < p->value_count; v++)
        loop->value_count += turning_value(p, (atl_value_id)v, &found);
    loop->values = atl_allocate((size_t)loop->value_count, sizeof *loop->values);
    if (!loop->values)
        return atl_out_of_memory(), 0;
    int64_t count = 0;
    for (int64_t v = 0; v < p->value_count; v++)
        if (turning_value(p, (atl_value_id)v, &found))
            loop->values[count++] = found;
    return 1;
}

static void begin_turn(atl_plan_context *context, int64_t turn)
{
    const atl_step_loop *loop = &context->plan->loop;
    context->turn = turn;
    for (int64_t i = 0; i < loop->value_count; i++) {
        const atl_turning_value *v = &loop->values[i];
        context->memory[v->value] = (char *)context->memory[v->buffer] + v->within + turn * v->turn_bytes;
    }
}

int64_t atl_first_step(atl_plan_context *context)
{
    begin_turn(context, 0);
    return 0;
}

int64_t atl_next_turn(atl_plan_context *context, int64_t after)
{
    const atl_step_loop *loop = &context->plan->loop;
    if (context->turn + 1 == loop->turns)
        return after;
    begin_turn(context, context->turn + 1);
    return loop->first;
}
