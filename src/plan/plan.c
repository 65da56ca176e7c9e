/* Making a plan: the choices for the whole graph, then lowering, then places; and the states that run it. */
#include "plan/plan.h"

#include "atled/program.h"
#include "graph/needed.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "plan/assign.h"
#include "plan/layout.h"
#include "plan/lowering_state.h"
#include "plan/once.h"
#include "plan/parts.h"
#include "plan/places.h"
#include "plan/timing.h"

static int set_wanted(atl_lowering *l, atl_nodes wanted)
{
    atl_plan *p = l->plan;
    p->wanted = atl_allocate((size_t)wanted.count, sizeof *p->wanted);
    if (!p->wanted)
        return atl_out_of_memory(), 0;
    for (int64_t i = 0; i < wanted.count; i++) {
        p->wanted[i] = atl_value_in_layout(l, p->copy.of[wanted.node[i]->index], NULL);
        if (p->wanted[i] < 0)
            return 0;
        p->values[p->wanted[i]].pinned = 1;
    }
    p->wanted_count = wanted.count;
    return 1;
}

/* Layouts, and with them ways: as estimated, as measured, or (to measure one) as ordered. */
static int choose_ways(atl_lowering *l, const char *needed, int64_t count, atl_node *const *roots,
                       atl_plan_options options)
{
    const atl_graph *graph = l->plan->copy.graph;
    atl_times times = {0};
    int measures = options.timing || options.way;
    if (measures && !(l->way = atl_allocate((size_t)graph->count, 1)))
        return atl_out_of_memory(), 0;
    if (options.timing && !atl_time_nodes(&times, graph, needed, l->once, l->winograd, options.bfloat16))
        return 0;
    l->blocked = atl_choose_layouts(graph, needed, count, roots, l->winograd && !options.way, times.gain);
    for (int64_t n = 0; l->blocked && measures && n < graph->count; n++) {
        if (options.way && graph->nodes[n]->op->ways && graph->nodes[n]->op->ways(graph->nodes[n], l->winograd)) {
            l->way[n] = (char)options.way;
            l->blocked[n] = options.way >= ATL_WAY_BLOCKED;
        } else if (options.timing)
            l->way[n] = l->blocked[n] ? times.blocked[n] : times.plain[n];
    }
    atl_release_times(&times);
    return l->blocked ? 1 : (atl_out_of_memory(), 0);
}

int atl_winograd_use(atl_plan_options options)
{
    return options.without & ATL_PASS_WINOGRAD ? ATL_NO_WINOGRAD
           : options.bfloat16                  ? ATL_WINOGRAD_OVER_BFLOAT16
                                               : ATL_WINOGRAD;
}

/* What is to be decided for the graph as a whole: 0 with the error set. */
static int choose(atl_lowering *l, const char *needed, int64_t count, atl_node *const *roots, atl_plan_options options)
{
    const atl_graph *graph = l->plan->copy.graph;
    size_t nodes = (size_t)graph->count;
    l->in_place = !(options.without & ATL_PASS_IN_PLACE);
    l->packs = !(options.without & ATL_PASS_ARENA);
    l->winograd = atl_winograd_use(options);
    l->wants_workspace = atl_allocate(nodes, 1);
    l->value = atl_allocate(nodes, sizeof *l->value);
    l->workspace = atl_allocate(nodes, sizeof *l->workspace);
    l->once = options.without & ATL_PASS_ONCE ? atl_allocate(nodes, 1) : atl_mark_once(graph, needed);
    if (!l->wants_workspace || !l->value || !l->workspace || !l->once)
        return atl_out_of_memory(), 0;
    if (!choose_ways(l, needed, count, roots, options))
        return 0;
    if (options.without & ATL_PASS_CONCAT)
        return 1;
    l->parts = atl_find_parts(graph, needed, l->once, l->blocked, count, roots, l->winograd);
    return l->parts != NULL || (atl_out_of_memory(), 0);
}

static int make_steps(atl_lowering *l, atl_nodes wanted, atl_plan_options options)
{
    atl_plan *p = l->plan;
    atl_node **roots = atl_allocate((size_t)wanted.count, sizeof *roots);
    for (int64_t i = 0; roots && i < wanted.count; i++)
        roots[i] = p->copy.of[wanted.node[i]->index];
    char *needed = roots ? atl_mark_needed(p->copy.graph, wanted.count, roots, 0) : NULL;
    int ok = needed ? atl_begin_sets(p) && choose(l, needed, wanted.count, roots, options) : (atl_out_of_memory(), 0);
    if (ok) {
        atl_mark_early(p->copy.graph, needed, wanted.count, roots);
        ok = atl_lower_all(l, needed) && set_wanted(l, wanted) && atl_place_assigned(l) && atl_give_places(l);
    }
    atl_release(roots);
    atl_release(needed);
    return ok;
}

static void release_lowering(atl_lowering *l)
{
    atl_release(l->once);
    atl_release(l->wants_workspace);
    atl_release(l->blocked);
    atl_release(l->way);
    atl_release(l->parts);
    atl_release(l->value);
    atl_release(l->workspace);
    atl_release(l->in_places);
    atl_release(l->assignments);
}

atl_plan *atl_plan_new(atl_copy *copy, atl_nodes wanted, atl_plan_options options)
{
    atl_plan *p = atl_allocate(1, sizeof *p);
    if (!p) {
        atl_copy_free(copy);
        atl_out_of_memory();
        return NULL;
    }
    p->copy = *copy;
    atl_lowering l = {.plan = p, .bfloat16 = options.bfloat16, .checked = options.checked};
    int ok = make_steps(&l, wanted, options) && atl_make_once_memory(p);
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
    unbind_steps(p->once, p->once_count, p->once_bound);
    for (int64_t s = 0; s < p->once_count; s++)
        atl_release_step(&p->once[s]);
    for (int64_t s = 0; s < p->step_count; s++)
        atl_release_step(&p->steps[s]);
    for (int64_t v = 0; v < p->value_count; v++)
        atl_layout_free(p->values[v].layout);
    for (int64_t i = 0; i < p->set_count; i++)
        atl_release(p->sets[i].part);
    atl_release(p->once_memory);
    atl_release(p->once_table);
    atl_release(p->once_bound);
    atl_release(p->once_version);
    atl_release(p->values);
    atl_release(p->steps);
    atl_release(p->once);
    atl_release(p->sets);
    atl_release(p->feeds);
    atl_release(p->assigned);
    atl_release(p->wanted);
    atl_release(p->input_shape);
    atl_release(p->microseconds);
    atl_copy_free(&p->copy);
    atl_release(p);
}

/* ---- states ------------------------------------------------------------------------------------------------------------------- */

atl_status atl_plan_state_open(atl_plan_state *state, atl_plan *p)
{
    *state = (atl_plan_state){.plan = p};
    state->arena = atl_allocate_aligned((size_t)p->arena_bytes);
    state->memory = atl_allocate((size_t)p->value_count, sizeof *state->memory);
    state->bound = atl_allocate((size_t)p->step_count, sizeof *state->bound);
    state->wanted = atl_allocate((size_t)p->wanted_count, sizeof *state->wanted);
    if (!state->arena || !state->memory || !state->bound || !state->wanted) {
        atl_plan_state_close(state);
        return atl_out_of_memory();
    }
    for (int64_t v = 0; v < p->value_count; v++)
        state->memory[v] = atl_address_of(p, (atl_value_id)v, state->arena);
    if (atl_bind_steps(p->steps, p->step_count, state->bound))
        return ATL_OK;
    atl_plan_state_close(state);
    return atl_failed_status();
}

void atl_plan_state_close(atl_plan_state *state)
{
    atl_plan *p = state->plan;
    if (p)
        unbind_steps(p->steps, p->step_count, state->bound);
    for (int64_t i = 0; p && state->wanted && i < p->wanted_count; i++)
        atl_tensor_free(state->wanted[i]);
    atl_release(state->arena);
    atl_release(state->memory);
    atl_release(state->bound);
    atl_release(state->wanted);
    *state = (atl_plan_state){0};
}
