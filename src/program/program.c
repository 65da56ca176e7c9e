/* Programs: compiling, and a plan for each of the last few sets of shapes. */
#include "program/program_state.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lowering/needed.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "program/fed_copies.h"
#include "program/feeds.h"
#include "graph/guard.h"
#include "compiler/plan/plan.h"
#include "compiler/passes/passes.h"
#include "program/threads.h"

/* ---- compiling --------------------------------------------------------------------------------------------------- */

static int has_unknown_size(const atl_node *node)
{
    for (int d = 0; d < node->shape->rank; d++)
        if (node->shape->size[d] == ATL_ANY)
            return 1;
    return 0;
}

/* True if running the node does more than give its value.  A group is no more than the nodes that it holds. */
static int has_side_effect(const atl_node *node)
{
    unsigned flags = node->op->flags;
    return flags & ATL_OP_ASSIGN || (flags & ATL_OP_SIDE_EFFECT && !(flags & (ATL_OP_VARIABLE | ATL_OP_ALIAS)));
}

static atl_status collect_roots(atl_program *program, const char *needed)
{
    const atl_graph *graph = program->graph;
    int64_t count = program->outputs.count;
    for (int64_t n = 0; n < graph->count; n++)
        count += needed[n] && has_side_effect(graph->nodes[n]);
    atl_node **root = atl_allocate((size_t)count, sizeof *root);
    if (!root)
        return atl_out_of_memory();
    memcpy(root, program->outputs.node, (size_t)program->outputs.count * sizeof *root);
    program->roots = (atl_nodes){program->outputs.count, root};
    for (int64_t n = 0; n < graph->count; n++)
        if (needed[n] && has_side_effect(graph->nodes[n]))
            root[program->roots.count++] = graph->nodes[n];
    return ATL_OK;
}

/* Finds the roots.  No variable may be assigned to twice. */
static atl_status find_roots(atl_program *program)
{
    const atl_graph *graph = program->graph;
    char *needed = atl_mark_needed(graph, program->outputs.count, program->outputs.node, 0);
    char *assigned = atl_allocate((size_t)graph->count, 1);
    atl_status status = needed && assigned ? collect_roots(program, needed) : atl_out_of_memory();
    for (int64_t n = 0; !status && n < graph->count; n++) {
        const atl_node *node = graph->nodes[n];
        if (!needed[n] || !(node->op->flags & ATL_OP_ASSIGN))
            continue;
        if (assigned[node->inputs[0]->index]++)
            status = atl_set_error(ATL_INVALID,
                                   "'%s' assigns to the variable '%s', as another output does: one run "
                                   "can give it one value only",
                                   atl_name_of(node), atl_name_of(node->inputs[0]));
    }
    atl_release(needed);
    atl_release(assigned);
    return status;
}

static atl_status find_inputs(atl_program *program)
{
    const atl_graph *graph = program->graph;
    char *needed = atl_mark_needed(graph, program->outputs.count, program->outputs.node, 1);
    int64_t count = 0;
    if (!needed)
        return atl_out_of_memory();
    for (int64_t n = 0; n < graph->count; n++)
        count += needed[n] && graph->nodes[n]->op->flags & ATL_OP_INPUT && has_unknown_size(graph->nodes[n]);
    program->inputs = atl_allocate((size_t)count, sizeof *program->inputs);
    for (int64_t n = 0; program->inputs && n < graph->count; n++)
        if (needed[n] && graph->nodes[n]->op->flags & ATL_OP_INPUT && has_unknown_size(graph->nodes[n]))
            program->inputs[program->input_count++] = graph->nodes[n];
    atl_release(needed);
    return program->inputs ? ATL_OK : atl_out_of_memory();
}

int atl_by_output_index(const void *a, const void *b)
{
    int64_t i = ((const output_index *)a)->node->index, k = ((const output_index *)b)->node->index;
    return (i > k) - (i < k);
}

static atl_status note_places(atl_program *program)
{
    int64_t count = program->outputs.count;
    program->output_indices = atl_allocate((size_t)count, sizeof *program->output_indices);
    for (int64_t i = 0; program->output_indices && i < count; i++)
        program->output_indices[i] = (output_index){program->outputs.node[i], i};
    if (!program->output_indices)
        return atl_out_of_memory();
    qsort(program->output_indices, (size_t)count, sizeof *program->output_indices, atl_by_output_index);
    return ATL_OK;
}

atl_plan *atl_new_plan(atl_program *program, const atl_feed *feeds)
{
    atl_copy copy;
    int winograd = program->options.measure ? ATL_NO_WINOGRAD : atl_winograd_use(program->options);
    atl_pass_options passes = {.disabled = program->options.disabled_passes,
                               .winograd = winograd,
                               .packs_weights =
                                   !program->options.bfloat16 && !(program->options.disabled_passes & ATL_PASS_PREPACK),
                               .micro_batch = program->options.micro_batch};
    if (atl_run_passes(program->roots, atl_fed_shape, feeds, passes, &copy))
        return NULL;
    atl_plan *plan = atl_plan_new(&copy, program->roots, program->outputs.count, program->options);
    atl_shape *shape = plan ? atl_allocate((size_t)program->input_count, sizeof *shape) : NULL;
    for (int64_t i = 0; shape && i < program->input_count; i++)
        shape[i] = atl_fed_shape(program->inputs[i], feeds);
    if (plan && !shape) {
        atl_out_of_memory();
        atl_plan_free(plan);
        return NULL;
    }
    if (plan) {
        plan->input_shape = shape;
        plan->references = 1; /* by the program */
    }
    return plan;
}

atl_program *atl_new_program(atl_graph *graph, const atl_compile_args *args, int way)
{
    atl_nodes outputs = args->outputs;
    atl_program *program = atl_allocate(1, sizeof *program);
    atl_node **nodes = atl_allocate((size_t)outputs.count, sizeof *nodes);
    if (!program || !nodes) {
        atl_release(program);
        atl_release(nodes);
        atl_out_of_memory();
        return NULL;
    }
    memcpy(nodes, outputs.node, (size_t)outputs.count * sizeof *nodes);
    program->graph = graph;
    program->options = (atl_plan_options){.disabled_passes = args->disabled_passes,
                                          .bfloat16 = args->bfloat16 && atl_has_bfloat16(),
                                          .measure = args->timing ? atl_measure_algo : NULL,
                                          .algo = way,
                                          .micro_batch = args->micro_batch,
                                          .checked = args->check ? args->check > 0 : ATL_CHECKED_BUILD};
    program->threads = omp_get_max_threads(); /* set by atl_compile_with */
    program->may_share = program->threads > 1 && atl_can_share();
    program->outputs = (atl_nodes){outputs.count, nodes};
    pthread_mutex_init(&program->lock, NULL);
    program->own = atl_new_context(program);
    if (program->own && !find_roots(program) && !find_inputs(program) && !note_places(program) &&
        (program->input_count || (program->plans[0] = atl_new_plan(program, ATL_NO_FEEDS))))
        return program;
    atl_program_free(program);
    return NULL;
}

atl_program *atl_compile_with(const atl_compile_args *args)
{
    if (!args)
        return atl_null_argument("atl_compile", "the options are"), NULL;
    atl_program *program = NULL;
    uint64_t errors = atl_error_count();
    if (args->threads < 0 || args->threads > MOST_THREADS)
        atl_set_error(ATL_INVALID, "compile: %d threads; it must be 1 to %d, or 0 for as many as OpenMP has",
                      args->threads, MOST_THREADS);
    else if (args->check < -1 || args->check > 1)
        atl_set_error(ATL_INVALID, "compile: .check is %d; it must be 1 (always), -1 (never) or 0 (the default)",
                      args->check);
    else if (args->micro_batch < 0)
        atl_set_error(ATL_INVALID, "compile: .micro_batch is %d images; it must be positive, or 0 for the default",
                      args->micro_batch);
    else if (!atl_check_outputs(args->graph, args->outputs)) {
        int threads = args->threads ? args->threads : omp_get_max_threads(), limit = omp_get_thread_limit();
        atl_threads before = atl_use_threads(threads < limit ? threads : limit);
        program = atl_new_program(args->outputs.node[0]->graph, args, 0);
        atl_restore_threads(before);
    }
    if (!program)
        atl_graph_note_failure(args->graph, atl_status_since(errors, "compile"));
    return program;
}

void atl_program_free(atl_program *program)
{
    if (!program)
        return;
    atl_context_free(program->own);
    for (int i = 0; i < KEPT_PLANS; i++)
        atl_plan_free(program->plans[i]);
    pthread_mutex_destroy(&program->lock);
    atl_release(program->inputs);
    atl_release(program->output_indices);
    atl_release((void *)program->outputs.node);
    atl_release((void *)program->roots.node);
    atl_release(program);
}

/* ---- for report.c ------------------------------------------------------------------------------------------------ */

atl_plan *atl_program_plan(const atl_program *program)
{
    if (!program)
        return NULL;
    return program->own->current >= 0 ? program->own->kept[program->own->current].plan : program->plans[0];
}

atl_plan_context *atl_program_context(const atl_program *program)
{
    return program && program->own->current >= 0 ? &program->own->kept[program->own->current] : NULL;
}
