/* What depends on variables only: steps that run once, and again after a variable has changed. */
#include "plan/once.h"

#include "graph/memory.h"
#include "plan/places.h"

static int64_t new_set(atl_plan *p, atl_variable_set set)
{
    if (!ATL_GROW(p->sets, p->set_count, p->set_capacity))
        return atl_out_of_memory(), -1;
    p->sets[p->set_count] = set;
    return p->set_count++;
}

int atl_begin_sets(atl_plan *p) { return new_set(p, (atl_variable_set){0}) == 0; }

int64_t atl_set_of_variable(atl_plan *p, const atl_storage *variable)
{
    return new_set(p, (atl_variable_set){.variable = variable});
}

int64_t atl_set_of_reads(atl_plan *p, const atl_plan_step *step)
{
    const atl_value_id *read = atl_step_reads(step);
    atl_variable_set all = {0};
    int64_t only = 0, several = 0;
    for (int i = 0; i < step->reads; i++) {
        int64_t set = p->values[read[i]].depends;
        several |= set && only && set != only;
        only = set ? set : only;
    }
    if (!several)
        return only;
    all.part = atl_allocate((size_t)step->reads, sizeof *all.part);
    if (!all.part)
        return atl_out_of_memory(), -1;
    for (int i = 0; i < step->reads; i++)
        all.part[all.parts++] = p->values[read[i]].depends;
    int64_t set = new_set(p, all);
    if (set < 0)
        atl_release(all.part);
    return set;
}

/* Of what is made once, that has to stay which a run reads, or a step that may run again without the one that made it, because it
 * depends on more variables. */
void atl_pin_once_values(atl_plan *p)
{
    for (int64_t s = 0; s < p->step_count + p->once_count; s++) {
        const atl_plan_step *step = s < p->step_count ? &p->steps[s] : &p->once[s - p->step_count];
        for (int i = 0; i < step->reads; i++) {
            atl_plan_value *value = &p->values[atl_step_reads(step)[i]];
            if (value->space == ATL_IN_ONCE)
                value->pinned |= !step->once || value->depends != p->values[step->write[0]].depends;
        }
    }
}

int atl_make_once_memory(atl_plan *p)
{
    p->once_memory = atl_allocate_aligned((size_t)p->once_bytes);
    p->once_table = atl_allocate((size_t)p->value_count, sizeof *p->once_table);
    p->once_bound = atl_allocate((size_t)p->once_count, sizeof *p->once_bound);
    p->once_version = atl_allocate((size_t)p->once_count, sizeof *p->once_version);
    if (!p->once_memory || !p->once_table || !p->once_bound || !p->once_version)
        return atl_out_of_memory(), 0;
    for (int64_t v = 0; v < p->value_count; v++)
        p->once_table[v] = atl_address_of(p, (atl_value_id)v, NULL);
    return atl_bind_steps(p->once, p->once_count, p->once_bound);
}

/* Version 1 is that of a variable that was never assigned: it is newer than a step that never ran. */
static void find_newest(atl_plan *p)
{
    for (int64_t i = 0; i < p->set_count; i++) {
        atl_variable_set *set = &p->sets[i];
        set->newest = set->variable && set->variable->version > 1 ? set->variable->version : 1;
        for (int64_t k = 0; k < set->parts; k++)
            if (p->sets[set->part[k]].newest > set->newest)
                set->newest = p->sets[set->part[k]].newest;
    }
}

atl_status atl_plan_refresh(atl_plan *p, uint64_t version)
{
    find_newest(p);
    for (int64_t s = 0; s < p->once_count; s++) {
        const atl_plan_step *step = &p->once[s];
        uint64_t needs = p->sets[p->values[step->write[0]].depends].newest;
        if (p->once_version[s] >= needs)
            continue;
        if (step->run(step, p->once_table, p->once_bound[s]))
            return atl_failed_status();
        p->once_version[s] = needs;
    }
    atomic_store(&p->seen, version);
    return ATL_OK;
}
