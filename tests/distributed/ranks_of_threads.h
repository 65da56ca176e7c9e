/* Ranks within one process: threads that exchange bytes through memory, in the place of MPI. */
#ifndef ATLED_TESTS_RANKS_OF_THREADS_H
#define ATLED_TESTS_RANKS_OF_THREADS_H

#include <pthread.h>
#include <string.h>

#include "atled/distributed.h"

enum { MOST_THREAD_RANKS = 8 };

typedef struct meeting {
    int size, fails_at; /* the number of the exchange that fails, from 1; 0: none */
    pthread_barrier_t barrier;
    const void *sent[MOST_THREAD_RANKS];
} meeting;

typedef struct thread_rank {
    meeting *with;
    int rank, exchanges;
} thread_rank;

static atl_status meet(thread_rank *t, const void *send)
{
    if (++t->exchanges == t->with->fails_at)
        return atl_set_error(ATL_UNSUPPORTED, "the network is down");
    t->with->sent[t->rank] = send;
    pthread_barrier_wait(&t->with->barrier);
    return ATL_OK;
}

static void part(thread_rank *t) { pthread_barrier_wait(&t->with->barrier); }

static atl_status all_to_all(void *context, const void *send, void *received, size_t bytes)
{
    thread_rank *t = context;
    atl_status status = meet(t, send);
    if (status)
        return status;
    for (int i = 0; i < t->with->size; i++)
        memcpy((char *)received + (size_t)i * bytes, (const char *)t->with->sent[i] + (size_t)t->rank * bytes, bytes);
    part(t);
    return ATL_OK;
}

static atl_status all_gather(void *context, const void *send, void *received, size_t bytes)
{
    thread_rank *t = context;
    atl_status status = meet(t, send);
    if (status)
        return status;
    for (int i = 0; i < t->with->size; i++)
        memcpy((char *)received + (size_t)i * bytes, t->with->sent[i], bytes);
    part(t);
    return ATL_OK;
}

static atl_status all_reduce(void *context, float *values, int64_t count)
{
    thread_rank *t = context;
    atl_status status = meet(t, values);
    for (int64_t k = 0; k < count && !status; k++) {
        float sum = 0;
        for (int i = 0; i < t->with->size; i++)
            sum += ((const float *)t->with->sent[i])[k];
        part(t);
        values[k] = sum;
        part(t);
    }
    return status;
}

typedef struct rank_run {
    thread_rank thread;
    atl_ranks ranks;
    void (*run)(const atl_ranks *ranks, void *context);
    void *context;
} rank_run;

static void *run_rank(void *context)
{
    rank_run *r = context;
    r->run(&r->ranks, r->context);
    return NULL;
}

/* Calls run(ranks, context[i]) in a thread for each rank. */
static inline void run_ranks(int size, int fails_at, void (*run)(const atl_ranks *ranks, void *context),
                             void *const *context)
{
    meeting with = {.size = size, .fails_at = fails_at};
    rank_run runs[MOST_THREAD_RANKS];
    pthread_t thread[MOST_THREAD_RANKS];
    pthread_barrier_init(&with.barrier, NULL, (unsigned)size);
    for (int i = 0; i < size; i++) {
        runs[i] = (rank_run){.thread = {&with, i, 0}, .run = run, .context = context[i]};
        runs[i].ranks = (atl_ranks){.rank = i,
                                    .size = size,
                                    .context = &runs[i].thread,
                                    .all_to_all = all_to_all,
                                    .all_gather = all_gather,
                                    .all_reduce = all_reduce};
        pthread_create(&thread[i], NULL, run_rank, &runs[i]);
    }
    for (int i = 0; i < size; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&with.barrier);
}

#endif
