/* Dependency sets: shared, so that a value takes one number however many variables it depends on. */
#include "compiler/lower/dependencies.h"

#include "graph/memory.h"

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
