/* Divides what is to be averaged into buckets, and builds the nodes that send and receive it. */
#include "train/averaging.h"

#include <stdlib.h>

#include "graph/error.h"
#include "graph/memory.h"
#include "ops/all_reduce.h"

int atl_average_later(atl_averaging *a, atl_node **place)
{
    if (!ATL_GROW(a->place, a->count, a->capacity))
        return atl_graph_out_of_memory(atl_graph_of(*place)) != NULL;
    a->place[a->count++] = place;
    return 1;
}

/* By the order of creation, in which a program computes them. */
static int compare_places(const void *a, const void *b)
{
    int64_t one = atl_index_of(**(atl_node * *const *)a), other = atl_index_of(**(atl_node * *const *)b);
    return (one > other) - (one < other);
}

/* A bucket ends with the tensor that fills it. */
static int divide(const atl_averaging *a, atl_all_reduce *r, atl_bucket_slot *slot)
{
    int64_t filled = INT64_MAX;
    for (int64_t i = 0; i < a->count; i++) {
        int64_t count = atl_shape_count(atl_shape_of(*a->place[i]));
        if (filled >= atl_bucket_floats(r) && atl_bucket_new(r, 0) < 0)
            return 0;
        filled = filled >= atl_bucket_floats(r) ? 0 : filled;
        if (atl_bucket_add(r, count, &slot[i]))
            return 0;
        filled += count;
    }
    return 1;
}

atl_node *atl_average_now(atl_averaging *a, atl_all_reduce *r, int in_parts)
{
    atl_graph *graph = atl_graph_of(*a->place[0]);
    atl_bucket_slot *slot = atl_allocate((size_t)a->count, sizeof *slot);
    atl_node *token = NULL;
    qsort(a->place, (size_t)a->count, sizeof *a->place, compare_places);
    int ok = slot && divide(a, r, slot);
    if (!ok)
        atl_graph_out_of_memory(graph);
    for (int64_t i = 0; i < a->count && ok; i++)
        ok = (token = atl_send(*a->place[i], &slot[i], token)) != NULL;
    for (int64_t i = 0; i < a->count && ok; i++) {
        *a->place[i] = atl_receive(graph, &slot[i], atl_shape_of(*a->place[i]), in_parts ? NULL : token);
        ok = *a->place[i] != NULL;
    }
    atl_release(slot);
    return ok ? token : NULL;
}

void atl_averaging_end(atl_averaging *a) { atl_release(a->place); }
