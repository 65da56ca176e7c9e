/* The steps whose results depend on variables only: they run once, and again after a variable has changed. */
#include "compiler/plan/plan.h"

#include "graph/memory.h"
#include "compiler/memory/buffers.h"

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

void atl_plan_note_assigned(atl_plan *p, atl_graph *graph)
{
    if (!p->assigned_count)
        return;
    uint64_t before = atomic_fetch_add(&graph->version, 1);
    for (int64_t i = 0; i < p->assigned_count; i++)
        p->assigned[i]->version = before + 1;
    if (p->prepack_count) /* none of its values depends on them */
        atomic_compare_exchange_strong(&p->seen, &before, before + 1);
}
