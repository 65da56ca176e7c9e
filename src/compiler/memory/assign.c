/* A value that a program assigns to a variable is computed in the variable's memory, or copied there at the end of a
 * run. */
#include "compiler/memory/assign.h"

#include "graph/memory.h"
#include "graph/tensor.h"
#include "compiler/lower/assignments.h"
#include "compiler/memory/in_place.h"

static void *memory_of(const atl_node *variable) { return variable->storage->value->data; }

/* The first step from which on variables may be written.  A step that waits for other ranks ends the program if it
 * fails, so that the assignments before it need not wait for it: note_failure in context.c. */
static int64_t first_sure_step(const atl_plan *p)
{
    int64_t s = p->step_count;
    while (s > 0 && (p->steps[s - 1].cannot_fail || p->steps[s - 1].waits_for_ranks))
        s--;
    return s;
}

/* True if the value can be computed in the variable's memory: no later step undoes it, and none reads the old value. */
static int can_be_made_in_place(const atl_lowering *l, const atl_lifetimes *lives, const atl_assignment *a,
                                int64_t sure)
{
    atl_value_id old = l->value[a->node->inputs[0]->index];
    int64_t made = lives->first[a->value], read = old < 0 ? -1 : lives->last[old];
    return l->in_place && l->plan->values[a->value].space == ATL_IN_ARENA && made >= sure &&
           (read < made || (read == made && atl_may_write_over(l, made, a->value, old)));
}

/* Adds a step at the end that copies the value to its variable. */
static int copy_at_end(atl_lowering *l, const atl_assignment *a)
{
    const atl_node *variable = a->node->inputs[0];
    l->node = a->node;
    l->now_once = 0;
    atl_value_id to = atl_new_value(l, variable, l->plan->values[a->value].bytes, ATL_STORED);
    if (to >= 0)
        l->plan->values[to].stored = memory_of(variable);
    return atl_copy_value(l, a->value, to);
}

int atl_assign_in_place(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_lifetimes lives = {0};
    if (!l->assignment_count)
        return 1;
    int64_t sure = first_sure_step(p);
    p->first_assigned = p->step_count;
    p->assigned = atl_allocate((size_t)l->assignment_count, sizeof *p->assigned);
    int ok = atl_allocate_lifetimes(p, &lives) && p->assigned;
    if (ok) {
        atl_find_lifetimes(p, &lives, ATL_STORED);
        atl_find_lifetimes(p, &lives, ATL_IN_ARENA);
    }
    for (int64_t i = 0; ok && i < l->assignment_count; i++) {
        atl_assignment *a = &l->assignments[i];
        p->assigned[p->assigned_count++] = a->node->inputs[0]->storage;
        if (!can_be_made_in_place(l, &lives, a, sure))
            continue;
        p->values[a->value].space = ATL_STORED;
        p->values[a->value].stored = memory_of(a->node->inputs[0]);
        if (lives.first[a->value] < p->first_assigned)
            p->first_assigned = lives.first[a->value];
        a->value = -1;
    }
    atl_release_lifetimes(&lives);
    if (!p->assigned)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; ok && i < l->assignment_count; i++)
        ok = l->assignments[i].value < 0 || copy_at_end(l, &l->assignments[i]);
    return ok;
}
