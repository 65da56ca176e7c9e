/* Buckets of tensors, their sums over the parts of this rank, and the exchange with other ranks. */
#include "distributed/all_reduce.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "common/plural.h"
#include "distributed/exchange.h"
#include "graph/error.h"
#include "graph/memory.h"

/* The default size of a bucket: a quarter of all, within these bounds.  Smaller ones cost more in messages than they
 * hide. */
enum { LEAST_BUCKET_BYTES = 256 << 10, MOST_BUCKET_BYTES = 4 << 20 };

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
                             "atl_all_reduce_new: %lld parts for %d rank%s; there must be at least one for each rank, "
                             "and at most %lld",
                             (long long)parts, size, atl_plural(size), (long long)ATL_MOST_PARTS),
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
    r->bucket_bytes = args->bucket_bytes;
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
        atl_release(r->buckets[i]->tensor);
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

int64_t atl_all_reduce_all_parts(const atl_all_reduce *r)
{
    return r ? r->parts : (atl_null_argument("atl_all_reduce_all_parts", "what averages is"), 0);
}

int64_t atl_bucket_floats(const atl_all_reduce *r, int64_t all)
{
    const int64_t least = LEAST_BUCKET_BYTES / sizeof(float), most = MOST_BUCKET_BYTES / sizeof(float);
    int64_t floats = r->bucket_bytes / (int64_t)sizeof(float), quarter = all / 4;
    if (!r->bucket_bytes)
        floats = quarter < least ? least : quarter > most ? most : quarter;
    return floats > 0 ? floats : 1;
}

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
    *slot_out = (atl_bucket_slot){r, r->bucket_count - 1, b->tensors, b->count, count};
    if (b->mean)
        return atl_set_error(ATL_INVALID, "nodes that average cannot be added after the first run");
    if (!ATL_GROW(b->tensor, b->tensors, b->capacity))
        return atl_out_of_memory();
    b->tensor[b->tensors++] = (atl_bucket_tensor){b->count, count, 0};
    b->count += count;
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
    b->pushed = 0;
    for (int64_t i = 0; i < b->tensors; i++)
        b->tensor[i].parts = 0;
}

static void add_or_set(float *to, const float *x, float weight, int64_t n, int adds)
{
    if (adds && x) /* a part without examples adds nothing */
        atl_add_weighted(to, x, weight, n);
    for (int64_t i = 0; i < n && !adds; i++)
        to[i] = x ? x[i] * weight : 0;
}

/* Adds the next part of a tensor: to that of its sibling, if that is a single part, too; and then pairs of sums, as
 * long as there are any.  Piece i lies in memory[i]. */
static void add_in_order(const atl_all_reduce *r, const atl_bucket *b, const atl_bucket_tensor *t, const float *x)
{
    atl_pieces pieces;
    atl_piece piece = {.first = r->own_first + t->parts};
    atl_pieces_of_parts(r->own_first, t->parts, &pieces);
    for (int i = 0; i < pieces.count; i++)
        pieces.piece[i].at = b->memory[i] + t->offset;
    int pairs = atl_completes_pair(&pieces, piece.first);
    piece.at = b->memory[pieces.count - pairs] + t->offset;
    add_or_set(piece.at, x, r->weight, t->count, pairs);
    if (pairs) {
        piece = pieces.piece[--pieces.count];
        piece.level++;
    }
    atl_append_piece(&pieces, piece, t->count);
}

static int is_complete(const atl_all_reduce *r, const atl_bucket *b) { return b->pushed == b->tensors * r->own_count; }

static atl_status await_mean(atl_all_reduce *r, atl_bucket *b)
{
    double before = atl_seconds_now();
    atl_status status = atl_await_exchange(r, b);
    r->waited += atl_seconds_now() - before;
    return status;
}

/* Nobody fetches the mean of this batch. */
static atl_status drop_batch(atl_all_reduce *r, atl_bucket *b)
{
    atl_status status = b->pushed && is_complete(r, b) && !b->is_fetched ? await_mean(r, b) : ATL_OK;
    b->is_fetched = 1;
    begin_batch(b);
    return status;
}

/* This thread runs a part again and again, and what it has pushed to last. */
static _Thread_local int repeats;
static _Thread_local atl_all_reduce *repeated;

void atl_begin_repeated_parts(void)
{
    repeats = 1;
    repeated = NULL;
}

atl_status atl_end_repeated_parts(void)
{
    atl_status status = ATL_OK;
    for (int64_t i = 0; repeated && i < repeated->bucket_count && !status; i++)
        status = drop_batch(repeated, repeated->buckets[i]);
    repeats = 0;
    return status;
}

/* x: null for a part without examples. */
static atl_status push(atl_all_reduce *r, atl_bucket *b, atl_bucket_tensor *t, const float *x)
{
    repeated = repeats ? r : NULL;
    atl_status status = repeats && is_complete(r, b) ? drop_batch(r, b) : ATL_OK;
    if (status)
        return status;
    begin_batch(b);
    if (t->parts == r->own_count)
        return atl_set_error(ATL_INVALID,
                             "the batch has only %lld part%s for this rank, and all have been run: run the "
                             "step, which averages them",
                             (long long)r->own_count, atl_plural(r->own_count));
    if (r->any_order)
        add_or_set(b->memory[0] + t->offset, x, r->weight, t->count, t->parts > 0);
    else
        add_in_order(r, b, t, x);
    t->parts++;
    b->pushed++;
    if (!is_complete(r, b))
        return ATL_OK;
    if (r->any_order)
        b->pieces = (atl_pieces){.count = 1};
    else
        b->pieces = r->own;
    for (int i = 0; i < b->pieces.count; i++)
        b->pieces.piece[i].at = b->memory[i];
    return atl_begin_exchange(r, b);
}

atl_status atl_bucket_push(const atl_bucket_slot *slot, const float *x)
{
    atl_all_reduce *r = slot->all_reduce;
    atl_bucket *b = r->buckets[slot->bucket];
    atl_status status = prepare(r, b);
    return status ? status : push(r, b, &b->tensor[slot->tensor], x);
}

atl_status atl_all_reduce_skip(atl_all_reduce *r)
{
    if (!r)
        return atl_null_argument("atl_all_reduce_skip", "what averages is");
    for (int64_t i = 0; i < r->bucket_count; i++) {
        atl_bucket *b = r->buckets[i];
        if (b->is_within)
            return atl_set_error(ATL_INVALID,
                                 "a part without examples cannot be skipped: other ranks wait for this one "
                                 "in atl_all_reduce_mean");
        atl_status status = prepare(r, b);
        for (int64_t k = 0; k < b->tensors && !status; k++)
            status = push(r, b, &b->tensor[k], NULL);
        if (status)
            return status;
    }
    return ATL_OK;
}

/* ---- parts that run together ------------------------------------------------------------------------------------- */

static _Thread_local int64_t own_part = -1; /* that this thread runs */

void atl_begin_part(atl_all_reduce *r, int64_t part)
{
    own_part = part;
    atl_await_turn(r->turns, part);
    r->weight = r->weights[part];
}

void atl_end_part(atl_all_reduce *r) { atl_end_turn(r->turns, own_part); }

void atl_let_parts_follow(atl_all_reduce *r)
{
    if (!r->turns)
        return;
    atl_pass_turn(r->turns, own_part);
    r->weight = r->weights[own_part];
}

void atl_set_turns(atl_all_reduce *r, atl_turns *turns, const float *weights)
{
    r->turns = turns;
    r->weights = weights;
}

/* ---- the mean ---------------------------------------------------------------------------------------------------- */

atl_status atl_all_reduce_wait(atl_all_reduce *r)
{
    if (!r)
        return atl_null_argument("atl_all_reduce_wait", "what averages is");
    for (int64_t i = 0; i < r->bucket_count; i++) {
        atl_bucket *b = r->buckets[i];
        if (!b->is_within && b->pushed && is_complete(r, b))
            return await_mean(r, b);
    }
    return ATL_OK;
}

atl_status atl_bucket_pull(const atl_bucket_slot *slot, float *mean)
{
    atl_all_reduce *r = slot->all_reduce;
    atl_bucket *b = r->buckets[slot->bucket];
    if (!is_complete(r, b))
        return atl_set_error(ATL_INVALID, "%lld of the batch's %lld parts of this rank have been run: %s",
                             (long long)(b->pushed / b->tensors), (long long)r->own_count,
                             b->is_within ? "a node averages over all of them, so run them by atl_run_parts"
                                          : "run the others before the step");
    atl_status status = await_mean(r, b);
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
