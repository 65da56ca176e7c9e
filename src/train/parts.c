/* Runs the parts of a rank together: each in a thread of its own, but one at a time, in the order of their numbers, so
 * that sums over them have a fixed order. */
#include <pthread.h>
#include <stdio.h>

#include "atled/train.h"
#include "distributed/all_reduce.h"
#include "distributed/turns.h"
#include "graph/error.h"
#include "graph/memory.h"

typedef struct part_run {
    atl_all_reduce *all_reduce;
    const atl_batch_part *part;
    int64_t number;
    pthread_t thread;
    atl_status status;
    char error[ATL_ERROR_SIZE];
} part_run;

static void *run_part(void *context)
{
    part_run *run = context;
    atl_begin_part(run->all_reduce, run->number);
    run->status = atl_context_run(run->part->context, run->part->feeds);
    if (run->status)
        snprintf(run->error, sizeof run->error, "%s", atl_error());
    atl_end_part(run->all_reduce);
    return NULL;
}

/* Threads that could not be started count as ended, so that the others go on. */
static void run_all(atl_all_reduce *r, atl_turns *turns, const atl_batch_part *parts, int64_t count, part_run *run)
{
    int64_t started = 0;
    for (int64_t i = 0; i < count; i++) {
        run[i] = (part_run){.all_reduce = r, .part = &parts[i], .number = i};
        if (started == i && pthread_create(&run[i].thread, NULL, run_part, &run[i]) == 0) {
            started++;
            continue;
        }
        run[i].status = ATL_OUT_OF_MEMORY;
        snprintf(run[i].error, sizeof run[i].error, "a thread for a part of the batch could not be started");
        atl_end_turn(turns, i);
    }
    for (int64_t i = 0; i < started; i++)
        pthread_join(run[i].thread, NULL);
}

static atl_status run_together(atl_all_reduce *r, const atl_batch_part *parts, int64_t count)
{
    atl_turns turns;
    part_run *run = atl_allocate((size_t)count, sizeof *run);
    float *weights = atl_allocate((size_t)count, sizeof *weights);
    atl_status status = ATL_OK;
    if (!run || !weights || !atl_turns_begin(&turns, count)) {
        atl_release(run);
        atl_release(weights);
        return atl_out_of_memory();
    }
    for (int64_t i = 0; i < count; i++)
        weights[i] = parts[i].weight > 0 ? parts[i].weight : 1;
    atl_set_turns(r, &turns, weights);
    run_all(r, &turns, parts, count, run);
    atl_set_turns(r, NULL, NULL);
    for (int64_t i = 0; i < count && !status; i++)
        if (run[i].status)
            status = atl_set_error(run[i].status, "%s", run[i].error);
    atl_turns_end(&turns);
    atl_release(run);
    atl_release(weights);
    return status;
}

atl_status atl_run_parts(atl_all_reduce *r, const atl_batch_part *parts)
{
    if (!r || !parts)
        return atl_null_argument("atl_run_parts", r ? "the list of parts is" : "what averages is");
    int64_t count = atl_all_reduce_parts(r, NULL);
    for (int64_t i = 0; i < count; i++)
        if (!parts[i].context)
            return atl_null_argument("atl_run_parts", "the context of a part is");
    if (count > 1)
        return run_together(r, parts, count);
    atl_status status = atl_all_reduce_weigh(r, parts->weight > 0 ? parts->weight : 1);
    return status ? status : atl_context_run(parts->context, parts->feeds);
}
