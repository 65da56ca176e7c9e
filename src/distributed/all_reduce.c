/* Buckets of tensors, their sums over the parts of this rank, and the exchange with other ranks. */
#include "distributed/all_reduce.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "distributed/exchange.h"
#include "graph/error.h"
#include "graph/memory.h"

enum { DEFAULT_BUCKET_BYTES = 4 << 20 };

/* ---- all of it --------------------------------------------------------------------------------------------------- */

atl_all_reduce *atl_all_reduce_new_with(const atl_all_reduce_args *args)
{
    if (!args)
        return atl_null_argument("atl_all_reduce_new", "the options are"), NULL;
    int size = args->ranks ? args->ranks->size : 1, rank = args->ranks ? args->ranks->rank : 0;
    int64_t parts = args->parts ? args->parts : size;
    if (size < 1 || rank < 0 || rank >= size)
        return atl_set_error(ATL_INVALID, "atl_all_reduce_new: rank %d of %d is none", rank, size), NULL;
    if (parts < size || parts > ATL_MOST_PARTS)
        return atl_set_error(ATL_INVALID,
                             "atl_all_reduce_new: %lld parts for %d ranks; there must be at least one for each rank, "
                             "and at most %lld",
                             (long long)parts, size, (long long)ATL_MOST_PARTS),
               NULL;
    if (args->bucket_bytes < 0)
        return atl_set_error(ATL_INVALID, "atl_all_reduce_new: buckets of %lld bytes", (long long)args->bucket_bytes),
               NULL;
    atl_all_reduce *r = atl_allocate(1, sizeof *r);
    if (!r)
        return atl_out_of_memory(), NULL;
    if (args->ranks)
        r->ranks = *args->ranks;
    r->ranks.size = size;
    r->parts = parts;
    r->any_order = args->any_order && size > 1;
    r->bucket_bytes = args->bucket_bytes ? args->bucket_bytes : DEFAULT_BUCKET_BYTES;
    r->weight = 1;
    r->own_count = atl_parts_of_rank(parts, rank, size, &r->own_first);
    r->most_pieces = r->any_order ? 1 : atl_pieces_of_rank(parts, rank, size, &r->own);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->changed, NULL);
    return r;
}

static void release_memory(atl_bucket *b)
{
    for (int i = 0; i < ATL_MOST_PIECES; i++)
        atl_release(b->memory[i]);
    atl_release(b->mean);
    atl_release(b->reference);
    memset(b->memory, 0, sizeof b->memory);
    b->mean = NULL;
    b->reference = NULL;
}

void atl_all_reduce_free(atl_all_reduce *r)
{
    if (!r)
        return;
    atl_end_exchange(r);
    for (int64_t i = 0; i < r->bucket_count; i++) {
        release_memory(r->buckets[i]);
        atl_release(r->buckets[i]);
    }
    atl_release(r->buckets);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->changed);
    atl_release(r);
}

int64_t atl_all_reduce_parts(const atl_all_reduce *r, int64_t *first_out)
{
    if (!r)
        return atl_null_argument("atl_all_reduce_parts", "what averages is"), 0;
    if (first_out)
        *first_out = r->own_first;
    return r->own_count;
}

atl_status atl_all_reduce_weigh(atl_all_reduce *r, float weight)
{
    if (!r)
        return atl_null_argument("atl_all_reduce_weigh", "what averages is");
    if (!(weight > 0) || isinf(weight))
        return atl_set_error(ATL_INVALID, "a part cannot have the weight %g; skip a part without examples",
                             (double)weight);
    r->weight = weight;
    return ATL_OK;
}

int64_t atl_bucket_floats(const atl_all_reduce *r)
{
    int64_t floats = r->bucket_bytes / (int64_t)sizeof(float);
    return floats > 0 ? floats : 1;
}

int atl_is_one_part(const atl_all_reduce *r) { return r->parts == r->ranks.size; }

double atl_all_reduce_waited(const atl_all_reduce *r) { return r ? r->waited : 0; }

/* ---- buckets ----------------------------------------------------------------------------------------------------- */

int64_t atl_bucket_new(atl_all_reduce *r, int is_within)
{
    if (!ATL_GROW(r->buckets, r->bucket_count, r->bucket_capacity))
        return atl_out_of_memory(), -1;
    atl_bucket *b = atl_allocate(1, sizeof *b);
    if (!b)
        return atl_out_of_memory(), -1;
    b->is_within = is_within;
    r->buckets[r->bucket_count] = b;
    return r->bucket_count++;
}

atl_status atl_bucket_add(atl_all_reduce *r, int64_t count, atl_bucket_slot *slot_out)
{
    atl_bucket *b = r->buckets[r->bucket_count - 1];
    *slot_out = (atl_bucket_slot){r, r->bucket_count - 1, b->count, count};
    if (b->mean)
        return atl_set_error(ATL_INVALID, "nodes that average cannot be added after the first run");
    b->count += count;
    b->tensors++;
    return ATL_OK;
}

/* All memory of a bucket, at its first use. */
static atl_status prepare(const atl_all_reduce *r, atl_bucket *b)
{
    int64_t size = r->ranks.size;
    if (b->mean)
        return ATL_OK;
    b->chunk = (b->count + size - 1) / size;
    size_t padded = (size_t)(b->chunk * size);
    float *mean = atl_allocate(padded, sizeof *mean);
    int ok = mean != NULL;
    for (int i = 0; i < r->most_pieces && ok; i++)
        ok = (b->memory[i] = atl_allocate(padded, sizeof *mean)) != NULL;
    b->mean = mean;
    if (ok)
        return ATL_OK;
    release_memory(b);
    return atl_out_of_memory();
}

atl_status atl_bucket_prepare(const atl_bucket_slot *slot)
{
    return prepare(slot->all_reduce, slot->all_reduce->buckets[slot->bucket]);
}

/* The mean of the last batch has been fetched: another begins. */
static void begin_batch(atl_bucket *b)
{
    if (!b->is_fetched)
        return;
    b->is_fetched = 0;
    b->done = b->pushed = 0;
    b->pieces.count = 0;
}

/* Where the next part of the bucket is added up: the place of its sibling, if that is a single part, too. */
static float *place_of_part(const atl_all_reduce *r, const atl_bucket *b, int *adds)
{
    int at = b->pieces.count;
    *adds = r->any_order ? b->done > 0 : atl_completes_pair(&b->pieces, r->own_first + b->done);
    return b->memory[r->any_order ? 0 : at - *adds];
}

/* All tensors of a part are there. */
static atl_status end_part(atl_all_reduce *r, atl_bucket *b)
{
    atl_piece piece = {r->own_first + b->done, 0, b->memory[b->pieces.count]};
    b->pushed = 0;
    if (!r->any_order && atl_completes_pair(&b->pieces, piece.first)) {
        /* It has been added to its sibling: the pair is what is appended. */
        piece = b->pieces.piece[--b->pieces.count];
        piece.level++;
    }
    if (r->any_order)
        b->pieces = (atl_pieces){1, {{0, 0, b->memory[0]}}};
    else
        atl_append_piece(&b->pieces, piece, b->count);
    b->done++;
    return b->done == r->own_count ? atl_begin_exchange(r, b) : ATL_OK;
}

atl_status atl_bucket_push(const atl_bucket_slot *slot, const float *x)
{
    atl_all_reduce *r = slot->all_reduce;
    atl_bucket *b = r->buckets[slot->bucket];
    atl_status status = prepare(r, b);
    int adds;
    if (status)
        return status;
    begin_batch(b);
    if (b->done == r->own_count)
        return atl_set_error(ATL_INVALID,
                             "the batch has only %lld parts for this rank, and all have been run: run the "
                             "step, which averages them",
                             (long long)r->own_count);
    float *to = place_of_part(r, b, &adds) + slot->offset;
    if (adds)
        atl_add_weighted(to, x, r->weight, slot->count);
    else
        for (int64_t i = 0; i < slot->count; i++)
            to[i] = x ? x[i] * r->weight : 0;
    return ++b->pushed == b->tensors ? end_part(r, b) : ATL_OK;
}

atl_status atl_all_reduce_skip(atl_all_reduce *r)
{
    if (!r)
        return atl_null_argument("atl_all_reduce_skip", "what averages is");
    for (int64_t i = 0; i < r->bucket_count; i++) {
        atl_bucket *b = r->buckets[i];
        atl_status status = prepare(r, b);
        int adds;
        if (b->is_within)
            return atl_set_error(ATL_INVALID,
                                 "a part without examples cannot be skipped: other ranks wait for this one "
                                 "in atl_all_reduce_mean");
        if (status)
            return status;
        begin_batch(b);
        if (b->done == r->own_count)
            return atl_set_error(ATL_INVALID, "all parts of the batch have been run");
        float *to = place_of_part(r, b, &adds);
        if (!adds)
            memset(to, 0, (size_t)b->count * sizeof *to);
        status = end_part(r, b);
        if (status)
            return status;
    }
    return ATL_OK;
}

/* ---- the mean ---------------------------------------------------------------------------------------------------- */

atl_status atl_bucket_pull(const atl_bucket_slot *slot, float *mean)
{
    atl_all_reduce *r = slot->all_reduce;
    atl_bucket *b = r->buckets[slot->bucket];
    if (b->done < r->own_count)
        return atl_set_error(ATL_INVALID,
                             "%lld of the batch's %lld parts of this rank have been run: run the others "
                             "before the step",
                             (long long)b->done, (long long)r->own_count);
    double before = atl_seconds_now();
    atl_status status = atl_await_exchange(r, b);
    r->waited += atl_seconds_now() - before;
    if (status)
        return status;
    memcpy(mean, b->mean + slot->offset, (size_t)slot->count * sizeof *mean);
    b->is_fetched = 1;
    return ATL_OK;
}

/* ---- reference --------------------------------------------------------------------------------------------------- */

void atl_bucket_push_reference(const atl_bucket_slot *slot, const double *x)
{
    atl_all_reduce *r = slot->all_reduce;
    atl_bucket *b = r->buckets[slot->bucket];
    if (!b->reference)
        b->reference = atl_allocate((size_t)b->count, sizeof *b->reference);
    for (int64_t i = 0; b->reference && i < slot->count; i++)
        b->reference[slot->offset + i] += x[i] * (double)r->weight;
}

void atl_bucket_pull_reference(const atl_bucket_slot *slot, double *mean)
{
    atl_all_reduce *r = slot->all_reduce;
    const atl_ranks *ranks = &r->ranks;
    atl_bucket *b = r->buckets[slot->bucket];
    size_t count = (size_t)slot->count;
    double *all = atl_allocate(count * (size_t)ranks->size, sizeof *all);
    double *own = b->reference ? b->reference + slot->offset : NULL;
    int ok = all && own && (ranks->size == 1 || !ranks->all_gather(ranks->context, own, all, count * sizeof *all));
    if (ok && ranks->size == 1)
        memcpy(all, own, count * sizeof *all);
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; ok && k < ranks->size; k++)
            sum += all[(size_t)k * count + i];
        mean[i] = ok ? sum / (double)r->parts : NAN;
    }
    if (own)
        memset(own, 0, count * sizeof *own);
    atl_release(all);
}
