/* Lifetimes of values: from the first step that writes or reads them to the last. */
#include "compiler/memory/lifetimes.h"

#include "graph/memory.h"

static void use(atl_lifetimes *lives, atl_value_id value, int64_t step)
{
    if (lives->first[value] < 0)
        lives->first[value] = step;
    lives->last[value] = step;
}

/* What the loop reads from before it, and what it writes image by image, lives through all its turns, and a step
 * longer, so that nothing overwrites it in the last one. */
static void extend_over_loop(const atl_plan *p, atl_lifetimes *lives, atl_space space)
{
    const atl_step_loop *loop = &p->loop;
    for (int64_t v = 0; v < p->value_count; v++) {
        atl_value_id root = atl_root_of(p, (atl_value_id)v);
        int64_t *first = &lives->first[root], *last = &lives->last[root];
        if (p->values[v].space != space || *first < 0 || *first >= loop->end || *last < loop->first)
            continue;
        if (p->values[v].turn_bytes && *first > loop->first)
            *first = loop->first;
        if ((p->values[v].turn_bytes || *first < loop->first) && *last < loop->end)
            *last = loop->end;
    }
}

void atl_find_lifetimes(const atl_plan *p, atl_lifetimes *lives, atl_space space)
{
    const atl_plan_step *steps = space == ATL_PREPACKED ? p->prepack : p->steps;
    int64_t count = space == ATL_PREPACKED ? p->prepack_count : p->step_count;
    for (int64_t v = 0; v < p->value_count; v++)
        if (p->values[v].space == space)
            lives->first[v] = lives->last[v] = -1;
    for (int64_t s = 0; s < count; s++) {
        const atl_value_id *read = atl_step_reads(&steps[s]);
        for (int i = 0; i < steps[s].reads; i++)
            if (p->values[read[i]].space == space)
                use(lives, atl_root_of(p, read[i]), s);
        for (int i = 0; i < steps[s].writes; i++)
            if (p->values[steps[s].write[i]].space == space)
                use(lives, atl_root_of(p, steps[s].write[i]), s);
    }
    if (space != ATL_PREPACKED && p->loop.end)
        extend_over_loop(p, lives, space);
    for (int64_t v = 0; v < p->value_count; v++) {
        atl_value_id root = atl_root_of(p, (atl_value_id)v); /* a part of an image may be an output, too */
        if (p->values[v].space != space || space == ATL_STORED || !p->values[v].pinned || lives->first[root] < 0)
            continue;
        lives->last[root] = count;
        if (space == ATL_PREPACKED) /* earlier prepacking steps may run again without it */
            lives->first[root] = 0;
    }
}

int atl_allocate_lifetimes(const atl_plan *p, atl_lifetimes *lives)
{
    lives->first = atl_allocate((size_t)p->value_count, sizeof *lives->first);
    lives->last = atl_allocate((size_t)p->value_count, sizeof *lives->last);
    return (lives->first && lives->last) || (atl_out_of_memory(), 0);
}

void atl_release_lifetimes(atl_lifetimes *lives)
{
    atl_release(lives->first);
    atl_release(lives->last);
}
