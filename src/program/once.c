/* What depends on variables only: steps that run once, and again after a variable has changed. */
#include "program/once.h"

#include "graph/memory.h"
#include "program/places.h"

char *atl_mark_once(const atl_graph *graph, const char *needed)
{
    char *once = atl_allocate((size_t)graph->count, 1);
    for (int64_t n = 0; once && n < graph->count; n++)
        once[n] = 1;
    for (int64_t n = 0; once && n < graph->count; n++)
        if (needed[n] && graph->nodes[n]->op->flags & ATL_OP_ASSIGN)
            once[graph->nodes[n]->inputs[0]->index] = 0;
    for (int64_t n = 0; once && n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        int changes = node->op->flags & (ATL_OP_INPUT | ATL_OP_RANDOM) ||
                      (node->op->flags & ATL_OP_SIDE_EFFECT && !(node->op->flags & ATL_OP_VARIABLE));
        once[n] &= !changes;
        for (int i = 0; i < node->input_count; i++)
            if (atl_reads_input(node->op, i))
                once[n] &= once[node->inputs[i]->index];
    }
    return once;
}

int64_t atl_union_of_reads(atl_plan *p, const atl_plan_step *step)
{
    const atl_value_id *read = atl_step_reads(step);
    int64_t only = 0, most = 0;
    int several = 0;
    for (int i = 0; i < step->reads; i++) {
        int64_t set = p->values[read[i]].depends;
        several |= set && only && set != only;
        only = set ? set : only;
        most += p->sets[set].count;
    }
    if (!several)
        return only;
    atl_variable_set all = {.storage = atl_allocate((size_t)most, sizeof *all.storage)};
    if (!all.storage || !ATL_GROW(p->sets, p->set_count, p->set_capacity)) {
        atl_release(all.storage);
        return -1;
    }
    for (int i = 0; i < step->reads; i++) {
        const atl_variable_set *set = &p->sets[p->values[read[i]].depends];
        for (int64_t k = 0; k < set->count; k++) {
            int64_t at = 0;
            while (at < all.count && all.storage[at] != set->storage[k])
                at++;
            if (at == all.count)
                all.storage[all.count++] = set->storage[k];
        }
    }
    p->sets[p->set_count] = all;
    return p->set_count++;
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
    for (int64_t s = 0; s < p->once_count; s++)
        if (p->once[s].bind && !(p->once_bound[s] = p->once[s].bind(&p->once[s])))
            return 0;
    return 1;
}

/* Version 1 is that of a variable that was never assigned: it is newer than a step that never ran. */
static uint64_t newest(const atl_variable_set *set)
{
    uint64_t version = 1;
    for (int64_t i = 0; i < set->count; i++)
        if (set->storage[i]->version > version)
            version = set->storage[i]->version;
    return version;
}

atl_status atl_plan_refresh(atl_plan *p, uint64_t version)
{
    for (int64_t s = 0; s < p->once_count; s++) {
        const atl_plan_step *step = &p->once[s];
        uint64_t needs = newest(&p->sets[p->values[step->write[0]].depends]);
        if (p->once_version[s] >= needs)
            continue;
        if (step->run(step, p->once_table, p->once_bound[s]))
            return atl_failed_status();
        p->once_version[s] = needs;
    }
    atomic_store(&p->seen, version);
    return ATL_OK;
}
