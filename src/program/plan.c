/* Making a plan: the choices for the whole graph, then lowering, then places; and the states that run it. */
#include "program/plan.h"

#include <string.h>

#include "atled/program.h"
#include "graph/memory.h"
#include "graph/tensor.h"
#include "onednn/onednn.h"
#include "program/assign.h"
#include "program/layout.h"
#include "program/lowering_state.h"
#include "program/once.h"
#include "program/parts.h"
#include "program/places.h"
#include "program/timing.h"

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

static int make_steps(atl_lowering *l, atl_nodes wanted, atl_plan_options options)
{
    atl_plan *p = l->plan;
    int64_t count = p->copy.graph->count;
    atl_node **roots = atl_allocate((size_t)wanted.count, sizeof *roots);
    for (int64_t i = 0; roots && i < wanted.count; i++)
        roots[i] = p->copy.of[wanted.node[i]->index];
    char *needed = roots ? atl_mark_needed(p->copy.graph, wanted.count, roots, 0) : NULL;
    l->once = needed ? atl_mark_once(p->copy.graph, needed) : NULL;
    if (l->once && options.without & ATL_PASS_ONCE)
        memset(l->once, 0, (size_t)count);
    l->in_place = !(options.without & ATL_PASS_IN_PLACE);
    l->packs = !(options.without & ATL_PASS_ARENA);
    l->winograd = options.without & ATL_PASS_WINOGRAD ? ATL_NO_WINOGRAD
                  : options.bfloat16                  ? ATL_WINOGRAD_OVER_BFLOAT16
                                                      : ATL_WINOGRAD;
    int chosen = needed && l->once && choose_ways(l, needed, wanted.count, roots, options);
    int finds_parts = l->once && l->blocked && !(options.without & ATL_PASS_CONCAT);
    l->parts = finds_parts
                   ? atl_find_parts(p->copy.graph, needed, l->once, l->blocked, wanted.count, roots, l->winograd)
                   : NULL;
    l->wants_workspace = atl_allocate((size_t)count, 1);
    l->value = atl_allocate((size_t)count, sizeof *l->value);
    l->workspace = atl_allocate((size_t)count, sizeof *l->workspace);
    int ok = chosen && needed && l->once && (l->parts || !finds_parts) && l->wants_workspace && l->value &&
             l->workspace && l->blocked && ATL_GROW(p->sets, 0, p->set_capacity);
    if (ok) {
        p->sets[p->set_count++] = (atl_variable_set){0};
        atl_mark_early(p->copy.graph, needed, wanted.count, roots);
        ok = atl_lower_all(l, needed) && set_wanted(l, wanted) && atl_place_assigned(l) && atl_give_places(l);
    } else if (chosen || !l->once) /* else the choice has failed, and said why */
        atl_out_of_memory();
    atl_release(roots);
    atl_release(needed);
    atl_release(l->once);
    atl_release(l->wants_workspace);
    atl_release(l->blocked);
    atl_release(l->way);
    atl_release(l->parts);
    atl_release(l->value);
    atl_release(l->workspace);
    atl_release(l->in_places);
    atl_release(l->assignments);
    return ok;
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
    if (make_steps(&l, wanted, options) && atl_make_once_memory(p))
        return p;
    atl_plan_free(p);
    return NULL;
}

void atl_plan_free(atl_plan *p)
{
    if (!p)
        return;
    for (int64_t s = 0; s < p->once_count; s++) {
        if (p->once_bound && p->once_bound[s] && p->once[s].unbind)
            p->once[s].unbind(p->once_bound[s]);
        atl_release_step(&p->once[s]);
    }
    for (int64_t s = 0; s < p->step_count; s++)
        atl_release_step(&p->steps[s]);
    for (int64_t v = 0; v < p->value_count; v++)
        atl_layout_free(p->values[v].layout);
    for (int64_t i = 0; i < p->set_count; i++)
        atl_release(p->sets[i].storage);
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
    for (int64_t s = 0; s < p->step_count; s++)
        if (p->steps[s].bind && !(state->bound[s] = p->steps[s].bind(&p->steps[s]))) {
            atl_plan_state_close(state);
            return atl_failed_status();
        }
    return ATL_OK;
}

void atl_plan_state_close(atl_plan_state *state)
{
    atl_plan *p = state->plan;
    for (int64_t s = 0; p && state->bound && s < p->step_count; s++)
        if (state->bound[s] && p->steps[s].unbind)
            p->steps[s].unbind(state->bound[s]);
    for (int64_t i = 0; p && state->wanted && i < p->wanted_count; i++)
        atl_tensor_free(state->wanted[i]);
    atl_release(state->arena);
    atl_release(state->memory);
    atl_release(state->bound);
    atl_release(state->wanted);
    *state = (atl_plan_state){0};
}
