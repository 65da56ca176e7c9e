/* Assignments: a value that a program assigns to a variable is computed in the variable's memory, or copied there at
 * the end of a run. */
#include "compiler/memory/assign.h"

#include <string.h>

#include "graph/memory.h"
#include "graph/tensor.h"
#include "compiler/memory/in_place.h"
#include "compiler/memory/buffers.h"
#include "lowering/op_hooks.h"

static int is_group(const atl_node *node)
{
    return node->op->flags & ATL_OP_ALIAS && node->op->flags & ATL_OP_SIDE_EFFECT;
}

static int is_assignment(const atl_node *node) { return node->op->flags & ATL_OP_ASSIGN || is_group(node); }

void atl_mark_early(const atl_graph *graph, char *needed, int64_t count, atl_node *const *roots)
{
    for (int64_t i = 0; i < count; i++)
        if (!is_assignment(roots[i]))
            needed[roots[i]->index] = 2;
    for (int64_t n = graph->count - 1; n >= 0; n--) {
        const atl_node *node = graph->nodes[n];
        for (int i = 0; needed[n] && i < node->input_count; i++)
            if (atl_reads_input(node, i) && (needed[n] == 2 || (is_group(node) && !is_assignment(node->inputs[i]))))
                needed[node->inputs[i]->index] = 2;
    }
}

static int run_copy(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    memmove(memory[step->write[0]], memory[step->read[0]], (size_t)(intptr_t)step->data);
    return 0;
}

static int copy_to(atl_lowering *l, atl_value_id from, atl_value_id to)
{
    if (from < 0 || to < 0)
        return 0;
    atl_plan_step step = {.implementation = "copy", .run = run_copy, .cannot_fail = 1, .reads = 1, .writes = 1};
    step.data = (void *)(intptr_t)l->plan->values[from].bytes;
    step.read[0] = from;
    step.write[0] = to;
    return atl_compiler_step(l, &step);
}

atl_value_id atl_lower_copy(atl_lowering *l, atl_value_id value)
{
    atl_value_id copy = value < 0 ? value : atl_new_value(l, l->node, l->plan->values[value].bytes, ATL_IN_ARENA);
    return copy_to(l, value, copy) ? copy : -1;
}

static void *memory_of(const atl_node *variable) { return variable->storage->value->data; }

/* A value that this program does not compute is copied now: it may be another variable's. */
int atl_lower_assign(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_value_id value = atl_compiler_input(l, 1);
    if (value >= 0 && p->values[value].space != ATL_IN_ARENA)
        value = atl_lower_copy(l, value);
    if (!atl_compiler_as(l, value) || !atl_storage_value(l->node->inputs[0]->storage))
        return 0;
    if (!ATL_GROW(l->assignments, l->assignment_count, l->assignment_capacity))
        return atl_out_of_memory(), 0;
    l->assignments[l->assignment_count++] = (atl_assignment){l->node, value};
    return 1;
}

/* ---- in place ---------------------------------------------------------------------------------------------------- */

/* The first step after which no step can fail. */
static int64_t first_sure_step(const atl_plan *p)
{
    int64_t s = p->step_count;
    while (s > 0 && p->steps[s - 1].cannot_fail)
        s--;
    return s;
}

/* True if the value can be computed in the variable's memory: no later step can fail, and none reads the old value. */
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
    return copy_to(l, a->value, to);
}

int atl_assign_in_place(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_lifetimes lives = {0};
    if (!l->assignment_count)
        return 1;
    int64_t sure = first_sure_step(p);
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
        a->value = -1;
    }
    atl_release_lifetimes(&lives);
    if (!p->assigned)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; ok && i < l->assignment_count; i++)
        ok = l->assignments[i].value < 0 || copy_at_end(l, &l->assignments[i]);
    return ok;
}

void atl_plan_note_assigned(atl_plan *p, atl_graph *graph)
{
    if (!p->assigned_count)
        return;
    uint64_t before = atomic_fetch_add(&graph->version, 1);
    for (int64_t i = 0; i < p->assigned_count; i++)
        p->assigned[i]->version = before + 1;
    atomic_compare_exchange_strong(&p->seen, &before, before + 1); /* no prepacked value of this plan depends on them */
}
