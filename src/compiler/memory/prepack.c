/* Prepacking: steps whose results depend on variables only.  They run once, and again after a variable has changed. */
#include "compiler/memory/prepack.h"

#include "graph/memory.h"
#include "compiler/memory/buffers.h"

static int64_t new_set(atl_plan *p, atl_dependency_set set)
{
    if (!ATL_GROW(p->dependency_sets, p->dependency_set_count, p->dependency_set_capacity))
        return atl_out_of_memory(), -1;
    p->dependency_sets[p->dependency_set_count] = set;
    return p->dependency_set_count++;
}

int atl_begin_dependency_sets(atl_plan *p) { return new_set(p, (atl_dependency_set){0}) == 0; }

int64_t atl_set_of_variable(atl_plan *p, const atl_storage *variable)
{
    return new_set(p, (atl_dependency_set){.variable = variable});
}

int64_t atl_set_of_reads(atl_plan *p, const atl_plan_step *step)
{
    const atl_value_id *read = atl_step_reads(step);
    atl_dependency_set all = {0};
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
        all.part[all.part_count++] = p->values[read[i]].depends;
    int64_t set = new_set(p, all);
    if (set < 0)
        atl_release(all.part);
    return set;
}

/* Keep a prepacked value if a run reads it.  Also keep it if a prepacking step reads it that depends on more variables,
 * because that step may run again without the one that computes the value. */
void atl_pin_prepacked_values(atl_plan *p)
{
    for (int64_t s = 0; s < p->step_count + p->prepack_count; s++) {
        const atl_plan_step *step = s < p->step_count ? &p->steps[s] : &p->prepack[s - p->step_count];
        for (int i = 0; i < step->reads; i++) {
            atl_plan_value *value = &p->values[atl_step_reads(step)[i]];
            if (value->space == ATL_PREPACKED)
                value->pinned |= !step->prepack || value->depends != p->values[step->write[0]].depends;
        }
    }
}

int atl_make_prepacked_memory(atl_plan *p)
{
    p->prepacked_memory = atl_allocate_aligned((size_t)p->prepacked_bytes);
    p->prepack_table = atl_allocate((size_t)p->value_count, sizeof *p->prepack_table);
    p->prepack_bound = atl_allocate((size_t)p->prepack_count, sizeof *p->prepack_bound);
    p->prepack_version = atl_allocate((size_t)p->prepack_count, sizeof *p->prepack_version);
    if (!p->prepacked_memory || !p->prepack_table || !p->prepack_bound || !p->prepack_version)
        return atl_out_of_memory(), 0;
    for (int64_t v = 0; v < p->value_count; v++)
        p->prepack_table[v] = atl_address_of(p, (atl_value_id)v, NULL);
    return atl_bind_steps(p->prepack, p->prepack_count, p->prepack_bound);
}

/* A variable that was never assigned has version 1, which is newer than a step that never ran. */
static void find_newest(atl_plan *p)
{
    for (int64_t i = 0; i < p->dependency_set_count; i++) {
        atl_dependency_set *set = &p->dependency_sets[i];
        set->newest = set->variable && set->variable->version > 1 ? set->variable->version : 1;
        for (int64_t k = 0; k < set->part_count; k++)
            if (p->dependency_sets[set->part[k]].newest > set->newest)
                set->newest = p->dependency_sets[set->part[k]].newest;
    }
}

atl_status atl_plan_refresh(atl_plan *p, uint64_t version)
{
    find_newest(p);
    for (int64_t s = 0; s < p->prepack_count; s++) {
        const atl_plan_step *step = &p->prepack[s];
        uint64_t needs = p->dependency_sets[p->values[step->write[0]].depends].newest;
        if (p->prepack_version[s] >= needs)
            continue;
        if (step->run(step, p->prepack_table, p->prepack_bound[s]))
            return atl_failed_status();
        p->prepack_version[s] = needs;
    }
    atomic_store(&p->seen, version);
    return ATL_OK;
}
