/* The mean over parts of batches and over ranks: what the ops of src/ops/all_reduce.c call.
 *
 * Tensors lie one after another in buckets.  A run of the part's program pushes each tensor once; when a bucket has the
 * tensors of all parts of this rank, a thread exchanges it with the other ranks while the program goes on. */
#ifndef ATLED_DISTRIBUTED_ALL_REDUCE_H
#define ATLED_DISTRIBUTED_ALL_REDUCE_H

#include "atled/distributed.h"

/* A tensor's place. */
typedef struct atl_bucket_slot {
    atl_all_reduce *all_reduce;
    int64_t bucket, tensor, offset, count; /* tensor: its number in the bucket; offset and count: in floats */
} atl_bucket_slot;

/* Makes a new bucket, of no tensors; returns its number, or -1 with the error set.  is_within: a part waits for the
 * other ranks' means itself, so it cannot be skipped. */
int64_t atl_bucket_new(atl_all_reduce *r, int is_within);
/* Adds a tensor of that many floats to the last bucket.  Before the first run only. */
atl_status atl_bucket_add(atl_all_reduce *r, int64_t count, atl_bucket_slot *slot_out);

/* A bucket with this many floats is full; all: the floats of all buckets. */
int64_t atl_bucket_floats(const atl_all_reduce *r, int64_t all);

/* Makes the memory of the tensor's bucket, so that no run has to. */
atl_status atl_bucket_prepare(const atl_bucket_slot *slot);
/* Adds the tensor of the next part; sends the bucket off if that was the last tensor of the last part. */
atl_status atl_bucket_push(const atl_bucket_slot *slot, const float *x);
/* Waits until the bucket's mean is there, and copies the tensor's. */
atl_status atl_bucket_pull(const atl_bucket_slot *slot, float *mean_out);

/* Until the second call this thread runs a part again and again, as a profile does: a batch that is complete makes room
 * for another, though no step has fetched its means.  The second call drops the batch that has begun. */
void atl_begin_repeated_parts(void);
atl_status atl_end_repeated_parts(void);

/* ---- parts of a rank that run together, each in its thread, one at a time ---- */

/* From now on they do; null: no longer.  weights: of each. */
struct atl_turns;
void atl_set_turns(atl_all_reduce *r, struct atl_turns *turns, const float *weights);
/* The calling thread runs this part, when it is its turn, until atl_end_part. */
void atl_begin_part(atl_all_reduce *r, int64_t part);
void atl_end_part(atl_all_reduce *r);
/* The part that runs has pushed its tensor, and waits for those of all others; nothing if they do not run together. */
void atl_let_parts_follow(atl_all_reduce *r);

/* The same in double, at once, for the reference.  Without a failure's message: NaN. */
void atl_bucket_push_reference(const atl_bucket_slot *slot, const double *x);
void atl_bucket_pull_reference(const atl_bucket_slot *slot, double *mean_out);

#endif
