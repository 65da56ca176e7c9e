/* Makes a plan: the choices for the whole graph, then lowering, then buffers; and the contexts that run the plan. */
#include "compiler/plan/plan.h"

#include "atled/program.h"
#include "lowering/needed.h"
#include "lowering/op_hooks.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "compiler/memory/assign.h"
#include "compiler/layout/concat_elimination.h"
#include "compiler/layout/layout.h"
#include "compiler/lower/assignments.h"
#include "compiler/lower/dependencies.h"
#include "compiler/memory/buffers.h"
#include "compiler/layout/timing.h"

/* The node in whose memory the value lies. */
static const atl_node *source_of(const atl_node *node)
{
    while (node->op->flags & ATL_OP_ALIAS)
        node = node->inputs[0];
    return node;
}

/* Copies each output that is an input or a variable, perhaps with another shape: the caller may free the feed, and the
 * variable may change, while the value is still in use.  copy[]: for each node of the graph.  Returns 0 with the error
 * set. */
static int copy_sources(atl_lowering *l, int64_t count, atl_node *const *outputs, atl_value_id *copy)
{
    for (int64_t n = 0; n < l->plan->copy.graph->count; n++)
        copy[n] = -1;
    for (int64_t i = 0; i < count; i++) {
        const atl_node *source = source_of(outputs[i]);
        if (copy[source->index] >= 0 || !(source->op->flags & (ATL_OP_INPUT | ATL_OP_VARIABLE)))
            continue;
        l->node = source;
        l->now_once = 0;
        copy[source->index] = atl_lower_copy(l, l->value[source->index]);
        if (copy[source->index] < 0)
            return 0;
    }
    return 1;
}

static int set_outputs(atl_lowering *l, int64_t count, atl_node *const *outputs, const atl_value_id *copy)
{
    atl_plan *p = l->plan;
    p->outputs = atl_allocate((size_t)count, sizeof *p->outputs);
    if (!p->outputs)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; i < count; i++) {
        atl_value_id copied = copy[source_of(outputs[i])->index];
        p->outputs[i] = copied >= 0 ? copied : atl_value_in_layout(l, outputs[i], NULL);
        if (p->outputs[i] < 0)
            return 0;
        p->values[p->outputs[i]].pinned = 1;
    }
    p->output_count = count;
    return 1;
}

/* Lowers all needed nodes: first those that are needed for anything other than assignments.  Copies of sources come
 * before the assignments, too, because those may write the variables. */
static int lower_all(atl_lowering *l, char *needed, int64_t count, atl_node *const *outputs)
{
    const atl_graph *graph = l->plan->copy.graph;
    atl_value_id *copy = atl_allocate((size_t)graph->count, sizeof *copy);
    if (!copy)
        return atl_out_of_memory(), 0;
    atl_mark_early(graph, needed, count, outputs);
    atl_begin_lowering(l, needed);
    int ok = atl_find_phases(l, needed) && atl_lower_marked(l, needed, 2) && copy_sources(l, count, outputs, copy) &&
             atl_lower_marked(l, needed, 1) && set_outputs(l, count, outputs, copy);
    atl_release(copy);
    return ok;
}

/* Chooses layouts and algorithms: by estimates, by measured times, or (while one is being measured) as ordered. */
static int choose_algos(atl_lowering *l, const char *needed, int64_t count, atl_node *const *roots,
                        atl_plan_options options)
{
    const atl_graph *graph = l->plan->copy.graph;
    atl_times times = {0};
    int measures = options.measure != NULL || options.algo;
    if (measures && !(l->algo = atl_allocate((size_t)graph->count, 1)))
        return atl_out_of_memory(), 0;
    if (options.measure &&
        !atl_time_nodes(&times, graph, needed, l->prepack, l->winograd, options.bfloat16, options.measure))
        return 0;
    l->blocked = atl_choose_layouts(graph, needed, count, roots, l->winograd && !options.algo, times.gain);
    for (int64_t n = 0; l->blocked && measures && n < graph->count; n++) {
        if (options.algo && atl_hooks_of(graph->nodes[n])->algos &&
            atl_hooks_of(graph->nodes[n])->algos(graph->nodes[n], l->winograd)) {
            l->algo[n] = (char)options.algo;
            l->blocked[n] = (char)atl_algo_is_blocked(options.algo);
        } else if (options.measure)
            l->algo[n] = l->blocked[n] ? times.blocked[n] : times.plain[n];
    }
    atl_release_times(&times);
    return l->blocked ? 1 : (atl_out_of_memory(), 0);
}

int atl_winograd_use(atl_plan_options options)
{
    return options.disabled_passes & ATL_PASS_WINOGRAD ? ATL_NO_WINOGRAD
           : options.bfloat16                          ? ATL_WINOGRAD_OVER_BFLOAT16
                                                       : ATL_WINOGRAD;
}

/* Makes the choices for the graph as a whole.  Returns 0 with the error set. */
static int choose(atl_lowering *l, const char *needed, int64_t count, atl_node *const *roots, atl_plan_options options)
{
    const atl_graph *graph = l->plan->copy.graph;
    size_t nodes = (size_t)graph->count;
    l->in_place = !(options.disabled_passes & ATL_PASS_IN_PLACE);
    l->post_ops = !(options.disabled_passes & ATL_PASS_POST_OP);
    l->packs = !(options.disabled_passes & ATL_PASS_ARENA);
    l->winograd = atl_winograd_use(options);
    l->wants_workspace = atl_allocate(nodes, 1);
    l->value = atl_allocate(nodes, sizeof *l->value);
    l->workspace = atl_allocate(nodes, sizeof *l->workspace);
    l->prepack =
        options.disabled_passes & ATL_PASS_PREPACK ? atl_allocate(nodes, 1) : atl_mark_prepackable(graph, needed);
    if (!l->wants_workspace || !l->value || !l->workspace || !l->prepack)
        return atl_out_of_memory(), 0;
    if (!choose_algos(l, needed, count, roots, options))
        return 0;
    if (options.disabled_passes & ATL_PASS_CONCAT_ELIMINATION)
        return 1;
    l->sub_buffers = atl_find_sub_buffers(graph, needed, l->prepack, l->blocked, count, roots, l->winograd);
    return l->sub_buffers != NULL || (atl_out_of_memory(), 0);
}

static int make_steps(atl_lowering *l, atl_nodes given, int64_t outputs, atl_plan_options options)
{
    atl_plan *p = l->plan;
    atl_node **roots = atl_allocate((size_t)given.count, sizeof *roots);
    for (int64_t i = 0; roots && i < given.count; i++)
        roots[i] = p->copy.of[given.node[i]->index];
    char *needed = roots ? atl_mark_needed(p->copy.graph, given.count, roots, 0) : NULL;
    int ok = needed ? atl_begin_dependency_sets(p) && choose(l, needed, given.count, roots, options)
                    : (atl_out_of_memory(), 0);
    ok = ok && lower_all(l, needed, outputs, roots) && atl_assign_in_place(l) && atl_assign_buffers(l) &&
         atl_note_turning_values(p);
    atl_release(roots);
    atl_release(needed);
    return ok;
}

static void release_lowering(atl_lowering *l)
{
    atl_release(l->prepack);
    atl_release(l->wants_workspace);
    atl_release(l->blocked);
    atl_release(l->algo);
    atl_release(l->phase);
    atl_release(l->sub_buffers);
    atl_release(l->value);
    atl_release(l->workspace);
    atl_release(l->in_places);
    atl_release(l->assignments);
}

atl_plan *atl_plan_new(atl_copy *copy, atl_nodes roots, int64_t outputs, atl_plan_options options)
{
    atl_plan *p = atl_allocate(1, sizeof *p);
    if (!p) {
        atl_copy_free(copy);
        atl_out_of_memory();
        return NULL;
    }
    p->copy = *copy;
    atl_lowering l = {.calls = &atl_compiler_calls,
                      .plan = p,
                      .bfloat16 = options.bfloat16,
                      .checked = options.checked};
    int ok = make_steps(&l, roots, outputs, options) && atl_make_prepacked_memory(p);
    release_lowering(&l);
    if (ok)
        return p;
    atl_plan_free(p);
    return NULL;
}

int atl_bind_steps(const atl_plan_step *steps, int64_t count, void **bound)
{
    for (int64_t s = 0; s < count; s++)
        if (steps[s].bind && !(bound[s] = steps[s].bind(&steps[s])))
            return 0;
    return 1;
}

static void unbind_steps(const atl_plan_step *steps, int64_t count, void **bound)
{
    for (int64_t s = 0; bound && s < count; s++)
        if (bound[s] && steps[s].unbind)
            steps[s].unbind(bound[s]);
}

void atl_plan_free(atl_plan *p)
{
    if (!p)
        return;
    unbind_steps(p->prepack, p->prepack_count, p->prepack_bound);
    for (int64_t s = 0; s < p->prepack_count; s++)
        atl_release_step(&p->prepack[s]);
    for (int64_t s = 0; s < p->step_count; s++)
        atl_release_step(&p->steps[s]);
    for (int64_t v = 0; v < p->value_count; v++)
        atl_layout_free(p->values[v].layout);
    for (int64_t i = 0; i < p->dependency_set_count; i++)
        atl_release(p->dependency_sets[i].part);
    atl_release(p->prepacked_memory);
    atl_release(p->prepack_table);
    atl_release(p->prepack_bound);
    atl_release(p->prepack_version);
    atl_release(p->loop.values);
    atl_release(p->values);
    atl_release(p->steps);
    atl_release(p->prepack);
    atl_release(p->dependency_sets);
    atl_release(p->feeds);
    atl_release(p->assigned);
    atl_release(p->outputs);
    atl_release(p->input_shape);
    atl_release(p->microseconds);
    atl_copy_free(&p->copy);
    atl_release(p);
}

/* ---- contexts ---------------------------------------------------------------------------------------------------- */

atl_status atl_plan_context_open(atl_plan_context *context, atl_plan *p)
{
    *context = (atl_plan_context){.plan = p};
    context->arena = atl_allocate_aligned((size_t)p->arena_bytes);
    context->memory = atl_allocate((size_t)p->value_count, sizeof *context->memory);
    context->bound = atl_allocate((size_t)p->step_count, sizeof *context->bound);
    context->outputs = atl_allocate((size_t)p->output_count, sizeof *context->outputs);
    context->fed_unwritten = atl_allocate((size_t)p->feed_count, sizeof *context->fed_unwritten);
    if (!context->arena || !context->memory || !context->bound || !context->outputs || !context->fed_unwritten) {
        atl_plan_context_close(context);
        return atl_out_of_memory();
    }
    for (int64_t v = 0; v < p->value_count; v++)
        context->memory[v] = atl_address_of(p, (atl_value_id)v, context->arena);
    if (atl_bind_steps(p->steps, p->step_count, context->bound))
        return ATL_OK;
    atl_plan_context_close(context);
    return atl_failed_status();
}

void atl_plan_context_close(atl_plan_context *context)
{
    atl_plan *p = context->plan;
    if (p)
        unbind_steps(p->steps, p->step_count, context->bound);
    for (int64_t i = 0; p && context->outputs && i < p->output_count; i++)
        atl_tensor_free(context->outputs[i]);
    for (int64_t i = 0; p && context->fed_copy && i < p->feed_count; i++)
        atl_release(context->fed_copy[i]);
    atl_release(context->fed_copy);
    atl_release(context->fed_unwritten);
    atl_release(context->arena);
    atl_release(context->memory);
    atl_release(context->bound);
    atl_release(context->outputs);
    *context = (atl_plan_context){0};
}
