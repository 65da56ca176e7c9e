/* The border of the loop over the batch (passes/micro_batch.c): values of which each turn reads or writes some
 * images. */
#include "compiler/lower/lower_state.h"

#include "compiler/lower/assignments.h"
#include "compiler/passes/micro_batch.h"
#include "graph/memory.h"
#include "lowering/op_hooks.h"

int atl_compiler_micro_batch(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_value_id all = atl_compiler_input(l, 0);
    int64_t bytes = atl_plain_bytes(l->node);
    atl_value_id some = all < 0 ? all : atl_new_value(l, l->node, bytes, p->values[all].space);
    if (some >= 0) {
        p->values[some].shares = all;
        p->values[some].turn_bytes = bytes;
        p->loop.turns = l->node->inputs[0]->shape->size[0] / l->node->shape->size[0];
    }
    return atl_compiler_as(l, some);
}

/* What already lies in another value's buffer, or in the caller's memory, is copied. */
int atl_compiler_whole_batch(atl_lowering *l)
{
    atl_plan *p = l->plan;
    atl_value_id some = atl_compiler_input(l, 0);
    if (some >= 0 && (p->values[some].shares >= 0 || p->values[some].space != ATL_IN_ARENA))
        some = atl_lower_copy(l, some);
    atl_value_id all = some < 0 ? some : atl_new_value(l, l->node, atl_plain_bytes(l->node), ATL_IN_ARENA);
    if (all >= 0) {
        p->values[some].shares = all;
        p->values[some].turn_bytes = atl_plain_bytes(l->node->inputs[0]);
    }
    return atl_compiler_as(l, all);
}

int atl_find_phases(atl_lowering *l, const char *needed)
{
    const atl_graph *graph = l->plan->copy.graph;
    if (!(l->phase = atl_allocate((size_t)graph->count, 1)))
        return atl_out_of_memory(), 0;
    for (int64_t n = 0; n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        unsigned reads = 0; /* bit p: a value of phase p */
        for (int i = 0; needed[n] && i < node->input_count; i++)
            if (atl_reads_input(node, i))
                reads |= 1u << (node->inputs[i]->op == &atl_whole_batch_op ? ATL_AFTER_LOOP
                                                                           : l->phase[node->inputs[i]->index]);
        if (atl_enters_loop(node))
            reads |= 1u << ATL_IN_LOOP;
        if (reads >> ATL_AFTER_LOOP && reads >> ATL_IN_LOOP & 1) {
            atl_set_error(ATL_INTERNAL, "plan: '%s' is needed within the loop over the batch, and after it",
                          atl_name_of(node));
            return 0;
        }
        l->phase[n] = reads >> ATL_AFTER_LOOP ? ATL_AFTER_LOOP : reads >> ATL_IN_LOOP ? ATL_IN_LOOP : ATL_BEFORE_LOOP;
    }
    return 1;
}
