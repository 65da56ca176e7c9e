/* Assignments: which nodes are lowered before them, and the values that they give to variables. */
#include "compiler/lower/assignments.h"

#include <string.h>

#include "graph/memory.h"
#include "graph/tensor.h"
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

int atl_copy_value(atl_lowering *l, atl_value_id from, atl_value_id to)
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
    return atl_copy_value(l, value, copy) ? copy : -1;
}

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
