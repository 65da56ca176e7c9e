/* Where the values of a plan lie in memory, and from which step to which. */
#include "atled/program.h"
#include "compiler/memory/lifetimes.h"
#include "compiler/plan/plan.h"

/* Value v of its own, whatever else lies in its buffer. */
static void note_use(atl_lifetimes *lives, atl_value_id v, int64_t step)
{
    if (lives->first[v] < 0)
        lives->first[v] = step;
    lives->last[v] = step;
}

static void find_own_lifetimes(const atl_plan *plan, atl_lifetimes *lives)
{
    for (int64_t v = 0; v < plan->value_count; v++)
        lives->first[v] = lives->last[v] = -1;
    for (int64_t s = 0; s < plan->step_count; s++) {
        for (int i = 0; i < plan->steps[s].reads; i++)
            note_use(lives, atl_step_reads(&plan->steps[s])[i], s);
        for (int i = 0; i < plan->steps[s].writes; i++)
            note_use(lives, plan->steps[s].write[i], s);
    }
    for (int64_t v = 0; v < plan->value_count; v++)
        if (plan->values[v].pinned && lives->first[v] >= 0)
            lives->last[v] = plan->step_count;
}

static int64_t offset_of(const atl_plan *plan, atl_value_id v)
{
    int64_t offset = plan->values[atl_root_of(plan, v)].offset;
    for (; plan->values[v].shares >= 0; v = plan->values[v].shares)
        offset += plan->values[v].within;
    return offset;
}

int64_t atl_program_values(const atl_program *program, int64_t room, atl_value_info *values_out)
{
    const atl_plan *plan = atl_program_plan(program);
    atl_lifetimes lives = {0};
    int64_t count = 0;
    if (!plan) {
        atl_set_error(ATL_INVALID, "plan: there is none before the first run of a program with unknown sizes");
        return 0;
    }
    if (room > 0 && !values_out) {
        atl_null_argument("atl_program_values", "values_out is");
        return 0;
    }
    if (atl_allocate_lifetimes(plan, &lives)) {
        find_own_lifetimes(plan, &lives);
        for (int64_t v = 0; v < plan->value_count; v++) {
            const atl_plan_value *value = &plan->values[v];
            if (lives.first[v] < 0 || plan->values[atl_root_of(plan, v)].space != ATL_IN_ARENA)
                continue;
            if (count < room)
                values_out[count] = (atl_value_info){.node = value->node ? value->node->origin : NULL,
                                                     .bytes = value->bytes,
                                                     .offset = offset_of(plan, v),
                                                     .first_step = lives.first[v],
                                                     .last_step = lives.last[v]};
            count++;
        }
    }
    atl_release_lifetimes(&lives);
    return count;
}
