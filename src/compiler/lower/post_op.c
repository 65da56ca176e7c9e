/* Post-ops: an element-wise step that reads the result of one of our own convolutions or products, as an activation
 * does, runs within its step.  The kernel calls it for each range of its result that it has written, while the caches
 * hold it, so that the result is not read from memory again.  The values are the same bits. */
#include "compiler/lower/post_op.h"

#include <stdio.h>
#include <string.h>

#include "cost/cost.h"
#include "graph/memory.h"

enum { REACH = 4 }; /* steps between the two, at most */

void atl_release_step(atl_plan_step *step)
{
    if (step->post_op)
        atl_release_step(&step->post_op->step);
    atl_release(step->post_op);
    if (step->release)
        step->release(step->data);
}

static int reads_value(const atl_plan_step *step, atl_value_id value)
{
    for (int i = 0; i < step->reads; i++)
        if (step->read[i] == value)
            return 1;
    return 0;
}

/* The value's memory, or a part of it, as of a concat. */
static int reads_memory_of(const atl_plan *p, const atl_plan_step *step, atl_value_id value)
{
    for (int i = 0; i < step->reads; i++)
        if (atl_root_of(p, step->read[i]) == atl_root_of(p, value))
            return 1;
    return 0;
}

/* The last step before this one that writes something that it reads, in the same phase; -1: it is too far away. */
static int64_t last_writer(const atl_lowering *l, const atl_plan_step *step)
{
    const atl_plan *p = l->plan;
    for (int64_t k = p->step_count - 1; k >= l->first_of_phase && k >= p->step_count - 1 - REACH; k--)
        for (int i = 0; i < p->steps[k].writes; i++)
            if (reads_memory_of(p, step, p->steps[k].write[i]))
                return k;
    return -1;
}

/* The new step's entries follow those of step k, for entries are in order of their steps. */
static void move_in_places(atl_lowering *l, int64_t k)
{
    int64_t first = l->in_place_count, to;
    while (first > 0 && l->in_places[first - 1].step == l->plan->step_count)
        first--;
    for (to = first; to > 0 && l->in_places[to - 1].step > k;)
        to--;
    for (int64_t i = first; i < l->in_place_count; i++, to++) {
        atl_in_place moved = l->in_places[i];
        memmove(&l->in_places[to + 1], &l->in_places[to], (size_t)(i - to) * sizeof moved);
        moved.step = k;
        l->in_places[to] = moved;
    }
}

/* True if the two together name no more values than a step can. */
static int has_room(const atl_plan_step *first, const atl_plan_step *step)
{
    return !first->more_reads && !step->more_reads && first->reads + step->reads <= ATL_STEP_VALUES &&
           first->writes + step->writes <= ATL_STEP_VALUES;
}

/* What a range reads beside the result comes from afar, and each range begins anew with it: a step of its own, which
 * reads it in order, is faster. */
static int reads_only(const atl_plan *p, const atl_plan_step *step, atl_value_id value)
{
    for (int i = 0; i < step->reads; i++)
        if (step->read[i] != value && p->values[step->read[i]].bytes > atl_costs_in_use()->core_cache)
            return 0;
    return 1;
}

/* The whole result, dense, is what the step reads: part of no other image.  Of a smaller one the second-level cache
 * holds everything until the next step reads it. */
static int is_worth_it(const atl_plan *p, const atl_plan_step *first, const atl_plan_step *step)
{
    const atl_plan_value *made = &p->values[first->write[0]], *result = &p->values[step->write[0]];
    return reads_value(step, first->write[0]) && !made->layout && !made->pixel_stride && made->bytes == result->bytes &&
           made->bytes > atl_costs_in_use()->core_cache && reads_only(p, step, first->write[0]);
}

int atl_as_post_op(atl_lowering *l, const atl_plan_step *step)
{
    atl_plan *p = l->plan;
    if (!l->post_ops || l->failed || l->now_once || !step->run_range)
        return 0;
    const int64_t k = last_writer(l, step);
    atl_plan_step *first = k < 0 ? NULL : &p->steps[k];
    if (!first || !first->takes_post_op || first->post_op || !has_room(first, step) || !is_worth_it(p, first, step))
        return 0;
    first->post_op = atl_allocate(1, sizeof *first->post_op);
    if (!first->post_op)
        return 0; /* the step runs alone */
    first->post_op->step = *step;
    snprintf(first->post_op->implementation, sizeof first->post_op->implementation, "%s, %s", first->implementation,
             step->node->op->name);
    first->implementation = first->post_op->implementation;
    memcpy(first->read + first->reads, step->read, (size_t)step->reads * sizeof *step->read);
    memcpy(first->write + first->writes, step->write, (size_t)step->writes * sizeof *step->write);
    first->reads += step->reads;
    first->writes += step->writes;
    move_in_places(l, k);
    return 1;
}
