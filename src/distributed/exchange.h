/* The inside of an atl_all_reduce, and the thread that exchanges its buckets with other ranks. */
#ifndef ATLED_DISTRIBUTED_EXCHANGE_H
#define ATLED_DISTRIBUTED_EXCHANGE_H

#include <pthread.h>

#include "atled/distributed.h"
#include "distributed/ordered_sum.h"
#include "distributed/turns.h"
#include "graph/error.h"

#define ATL_MOST_PARTS ((int64_t)1 << 24)

typedef struct atl_bucket_tensor {
    int64_t offset, count; /* in floats */
    int64_t parts;         /* of this batch, that have been added */
} atl_bucket_tensor;

typedef struct atl_bucket {
    int64_t count; /* floats in it */
    atl_bucket_tensor *tensor;
    int64_t tensors, capacity;
    int64_t chunk;                  /* floats of which each rank makes the sum */
    int64_t pushed;                 /* tensors of all parts of this batch so far */
    int is_fetched, is_within;      /* the mean has been; see atl_bucket_new */
    atl_pieces pieces;              /* of this rank: sums of its parts, when all are there */
    float *memory[ATL_MOST_PIECES]; /* for them */
    float *mean;
    double *reference;
    struct atl_bucket *next; /* in the queue */
    int is_ready;            /* the mean is there */
} atl_bucket;

struct atl_all_reduce {
    atl_ranks ranks;
    int any_order;
    int64_t parts, bucket_bytes;
    int64_t own_first, own_count; /* the parts of this rank */
    atl_pieces own;               /* the pieces that remain of them */
    int most_pieces;              /* at a time */
    float weight;                 /* of a part */
    atl_turns *turns;             /* of its parts, if they run together */
    const float *weights;         /* then: of each */
    atl_bucket **buckets;
    int64_t bucket_count, bucket_capacity;
    double waited;

    pthread_t thread;
    int has_thread, is_ending;
    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t changed;
    atl_bucket *first, *last; /* the queue: sent in the order in which they are ready */
    atl_status status;        /* of the first failure, after which nothing is exchanged any more */
    char error[ATL_ERROR_SIZE];
    float *sent, *received; /* the thread's */
    int64_t room;
};

/* The bucket has the sums of all parts of this rank: sends it off. */
atl_status atl_begin_exchange(atl_all_reduce *r, atl_bucket *b);
/* Waits until its mean is there. */
atl_status atl_await_exchange(atl_all_reduce *r, atl_bucket *b);
/* Ends the thread. */
void atl_end_exchange(atl_all_reduce *r);

#endif
