/* A program may be fed its own value (a recurrence: its output is its next input), or the value of a variable that it
 * assigns.  The run would overwrite such a feed before it reads it, so it reads a copy.  The memory of the copy is
 * allocated at the first such run and kept; other runs compare addresses, and allocate nothing. */
#include "program/fed_copies.h"

#include <string.h>

#include "graph/graph.h"
#include "graph/memory.h"
#include "graph/tensor.h"

static int overlap(const void *a, int64_t a_bytes, const void *b, int64_t b_bytes)
{
    uintptr_t first = (uintptr_t)a, other = (uintptr_t)b;
    return a && b && first < other + (uint64_t)b_bytes && other < first + (uint64_t)a_bytes;
}

static int64_t bytes_of(const atl_tensor *value) { return value->count * (int64_t)atl_dtype_size(value->dtype); }

/* True if a run in this context writes the tensor's memory. */
static int is_written(const atl_plan_context *context, const atl_tensor *value)
{
    const atl_plan *p = context->plan;
    int64_t bytes = bytes_of(value);
    if (overlap(value->data, bytes, context->arena, p->arena_bytes) ||
        overlap(value->data, bytes, p->prepacked_memory, p->prepacked_bytes))
        return 1;
    for (int64_t i = 0; i < p->assigned_count; i++) {
        const atl_tensor *variable = atl_storage_value(p->assigned[i]);
        if (variable && overlap(value->data, bytes, variable->data, bytes_of(variable)))
            return 1;
    }
    return 0;
}

/* Most programs are fed the same memory again and again, and what a run writes stays where it is. */
static int is_known(atl_plan_context *context, int64_t i, const atl_tensor *value, int64_t bytes)
{
    atl_fed_memory *known = &context->fed_unwritten[i];
    if (known->data == value->data && known->bytes == bytes)
        return 1;
    if (is_written(context, value))
        return 0;
    *known = (atl_fed_memory){value->data, bytes};
    return 1;
}

const void *atl_fed_elements(atl_plan_context *context, int64_t i, const atl_tensor *value)
{
    int64_t bytes = bytes_of(value);
    if (is_known(context, i, value, bytes))
        return value->data;
    if (!context->fed_copy)
        context->fed_copy = atl_allocate((size_t)context->plan->feed_count, sizeof *context->fed_copy);
    if (context->fed_copy && !context->fed_copy[i])
        context->fed_copy[i] = atl_allocate_aligned((size_t)bytes);
    if (!context->fed_copy || !context->fed_copy[i]) {
        atl_out_of_memory();
        return NULL;
    }
    return memcpy(context->fed_copy[i], value->data, (size_t)bytes);
}
