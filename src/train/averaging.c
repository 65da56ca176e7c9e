/* Divides what is to be averaged into buckets, and builds the nodes that send and receive it. */
#include "train/averaging.h"

#include <stdlib.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "ops/all_reduce.h"

int atl_average_later(atl_averaging *a, atl_node **place, atl_bucket_slot *slot_out)
{
    if (!ATL_GROW(a->of, a->count, a->capacity))
        return atl_graph_out_of_memory(atl_graph_of(*place)) != NULL;
    a->of[a->count++] = (atl_averaged){.place = place, .slot_out = slot_out};
    return 1;
}

/* By the order of creation, in which a program computes them. */
static int compare_places(const void *a, const void *b)
{
    const atl_averaged *first = a, *second = b;
    int64_t one = atl_index_of(*first->place), other = atl_index_of(*second->place);
    return (one > other) - (one < other);
}

static int64_t floats_of(const atl_averaged *one) { return atl_shape_count(atl_shape_of(*one->place)); }

/* A bucket ends with the tensor that fills it. */
static int divide(const atl_averaging *a, atl_all_reduce *r)
{
    int64_t filled = INT64_MAX, all = 0;
    for (int64_t i = 0; i < a->count; i++)
        all += floats_of(&a->of[i]);
    int64_t full = atl_bucket_floats(r, all);
    for (int64_t i = 0; i < a->count; i++) {
        if (filled >= full && atl_bucket_new(r, 0) < 0)
            return 0;
        filled = filled >= full ? 0 : filled;
        if (atl_bucket_add(r, floats_of(&a->of[i]), &a->of[i].slot))
            return 0;
        filled += floats_of(&a->of[i]);
    }
    return 1;
}

/* Returns 0 with the error on the graph. */
static int receive(const atl_averaged *one, atl_node *token)
{
    if (one->slot_out)
        *one->slot_out = one->slot;
    else
        *one->place = atl_receive(atl_graph_of(*one->place), &one->slot, atl_shape_of(*one->place), token);
    return *one->place != NULL;
}

atl_node *atl_average_now(atl_averaging *a, atl_all_reduce *r, int in_parts)
{
    atl_node *token = NULL;
    qsort(a->of, (size_t)a->count, sizeof *a->of, compare_places);
    int ok = divide(a, r) || atl_graph_out_of_memory(atl_graph_of(*a->of[0].place)) != NULL;
    for (int64_t i = 0; i < a->count && ok; i++)
        ok = (token = atl_send(*a->of[i].place, &a->of[i].slot, token)) != NULL;
    for (int64_t i = 0; i < a->count && ok; i++)
        ok = receive(&a->of[i], in_parts ? NULL : token);
    return ok ? token : NULL;
}

void atl_averaging_end(atl_averaging *a) { atl_release(a->of); }
