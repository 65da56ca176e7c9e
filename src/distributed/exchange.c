/* The exchange of buckets.  Each rank makes the sum of its share of a bucket (a chunk), from what all ranks send it,
 * and sends the result to all: as many bytes as any all-reduce takes, in an order of additions that is fixed. */
#define _GNU_SOURCE /* syscall */
#include "distributed/exchange.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "graph/memory.h"

/* ---- one bucket -------------------------------------------------------------------------------------------------- */

static void scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* The largest number of pieces that any rank sends. */
static int pieces_sent(const atl_all_reduce *r)
{
    atl_pieces pieces;
    int most = 1;
    for (int k = 0; k < r->ranks.size; k++) {
        atl_pieces_of_rank(r->parts, k, r->ranks.size, &pieces);
        most = pieces.count > most ? pieces.count : most;
    }
    return most;
}

static atl_status make_room(atl_all_reduce *r, int64_t floats)
{
    if (floats <= r->room)
        return ATL_OK;
    atl_release(r->sent);
    atl_release(r->received);
    r->room = 0;
    r->sent = atl_allocate((size_t)floats, sizeof *r->sent);
    r->received = atl_allocate((size_t)floats, sizeof *r->received);
    if (!r->sent || !r->received)
        return atl_out_of_memory();
    r->room = floats;
    return ATL_OK;
}

/* Sums the chunk of this rank from the pieces of all ranks: [rank][piece][chunk]. */
static float *sum_chunk(atl_all_reduce *r, int most, int64_t chunk)
{
    atl_pieces all = {0}, of_rank;
    for (int k = 0; k < r->ranks.size; k++) {
        atl_pieces_of_rank(r->parts, k, r->ranks.size, &of_rank);
        for (int i = 0; i < of_rank.count; i++) {
            of_rank.piece[i].at = r->received + (k * most + i) * chunk;
            atl_append_piece(&all, of_rank.piece[i], chunk);
        }
    }
    atl_finish_sum(&all, chunk);
    return all.piece[0].at;
}

/* Exchanges pieces for the sum of a chunk, and the chunks for the mean. */
static atl_status exchange_in_order(atl_all_reduce *r, atl_bucket *b)
{
    const atl_ranks *ranks = &r->ranks;
    int most = pieces_sent(r);
    int64_t chunk = b->chunk;
    atl_status status = make_room(r, ranks->size * most * chunk);
    if (status)
        return status;
    for (int k = 0; k < ranks->size; k++)
        for (int i = 0; i < b->pieces.count; i++)
            memcpy(r->sent + (k * most + i) * chunk, b->pieces.piece[i].at + k * chunk,
                   (size_t)chunk * sizeof *r->sent);
    status = ranks->all_to_all(ranks->context, r->sent, r->received, (size_t)(most * chunk) * sizeof *r->sent);
    if (status)
        return status;
    float *sum = sum_chunk(r, most, chunk);
    scale(sum, 1 / (float)r->parts, chunk);
    return ranks->all_gather(ranks->context, sum, b->mean, (size_t)chunk * sizeof *sum);
}

static atl_status exchange(atl_all_reduce *r, atl_bucket *b)
{
    if (r->ranks.size > 1 && !r->any_order)
        return exchange_in_order(r, b);
    atl_finish_sum(&b->pieces, b->count);
    memcpy(b->mean, b->pieces.piece[0].at, (size_t)b->count * sizeof *b->mean);
    scale(b->mean, 1 / (float)r->parts, b->count);
    return r->any_order ? r->ranks.all_reduce(r->ranks.context, b->mean, b->count) : ATL_OK;
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

/* Call it with the mutex held. */
static void exchange_first(atl_all_reduce *r)
{
    atl_bucket *b = r->first;
    atl_status status = r->status;
    if (!status) {
        pthread_mutex_unlock(&r->mutex);
        status = exchange(r, b);
        pthread_mutex_lock(&r->mutex);
    }
    if (status && !r->status) {
        r->status = status;
        snprintf(r->error, sizeof r->error, "%s", atl_error());
    }
    r->first = b->next;
    if (!r->first)
        r->last = NULL;
    b->next = NULL;
    b->is_ready = 1;
    pthread_cond_broadcast(&r->changed);
}

/* This thread wakes often, for a moment.  Where it shares a processor with one that computes, Linux lets it wait for
 * that one's slice to end, several milliseconds, unless its own slices are short (from 6.12 on; elsewhere it changes
 * nothing). */
static void ask_for_short_slices(void)
{
#ifdef SYS_sched_setattr
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t slice, deadline, period; /* nanoseconds */
    } own = {.size = sizeof own};
    const uint64_t shortest = 100000;
    if (syscall(SYS_sched_getattr, 0, &own, sizeof own, 0) || own.policy != SCHED_OTHER)
        return;
    own.slice = shortest;
    syscall(SYS_sched_setattr, 0, &own, 0);
#endif
}

static void *exchange_all(void *context)
{
    atl_all_reduce *r = context;
    ask_for_short_slices();
    pthread_mutex_lock(&r->mutex);
    while (!r->is_ending)
        if (r->first)
            exchange_first(r);
        else
            pthread_cond_wait(&r->changed, &r->mutex);
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

static atl_status start_thread(atl_all_reduce *r)
{
    if (r->has_thread || r->ranks.size == 1)
        return ATL_OK;
    if (pthread_create(&r->thread, NULL, exchange_all, r))
        return atl_set_error(ATL_OUT_OF_MEMORY, "the thread that exchanges gradients could not be started");
    r->has_thread = 1;
    return ATL_OK;
}

atl_status atl_begin_exchange(atl_all_reduce *r, atl_bucket *b)
{
    atl_status status = start_thread(r);
    if (status)
        return status;
    pthread_mutex_lock(&r->mutex);
    b->is_ready = 0;
    *(r->last ? &r->last->next : &r->first) = b;
    r->last = b;
    if (!r->has_thread) /* a process alone */
        exchange_first(r);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->mutex);
    return ATL_OK;
}

atl_status atl_await_exchange(atl_all_reduce *r, atl_bucket *b)
{
    pthread_mutex_lock(&r->mutex);
    while (!b->is_ready)
        pthread_cond_wait(&r->changed, &r->mutex);
    atl_status status = r->status;
    if (status)
        atl_set_error(status, "%s", r->error);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

void atl_end_exchange(atl_all_reduce *r)
{
    if (r->has_thread) {
        pthread_mutex_lock(&r->mutex);
        r->is_ending = 1;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->mutex);
        pthread_join(r->thread, NULL);
    }
    r->has_thread = 0;
    atl_release(r->sent);
    atl_release(r->received);
    r->sent = r->received = NULL;
    r->room = 0;
}
