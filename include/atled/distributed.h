/* Processes that work together, each with its own data: ranks, as in MPI.
 *
 * The library knows no MPI.  It calls the functions of an atl_ranks, which somebody else fills in: libatled-mpi does so
 * for an MPI communicator (mpi.h), and a program may do it for anything else. */
#ifndef ATLED_DISTRIBUTED_H
#define ATLED_DISTRIBUTED_H

#include <stddef.h>
#include <stdint.h>

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each function blocks until its part is done.  It returns ATL_OK, or a failure after atl_set_error.  All ranks make
 * the same calls of all_to_all, all_gather, all_reduce and broadcast in the same order.  One thread calls at a time. */
typedef struct atl_ranks {
    int rank; /* of this process: 0 .. size - 1 */
    int size;
    void *context; /* the functions' first argument */
    /* Sends block i of `bytes` bytes to rank i; block i of the result comes from rank i. */
    atl_status (*all_to_all)(void *context, const void *send, void *received_out, size_t bytes);
    /* Sends `bytes` bytes to all ranks; block i of the result comes from rank i. */
    atl_status (*all_gather)(void *context, const void *send, void *received_out, size_t bytes);
    /* Replaces the values by their sums over all ranks, added in any order. */
    atl_status (*all_reduce)(void *context, float *values, int64_t count);
    /* Copies the bytes of rank `from` to all other ranks. */
    atl_status (*broadcast)(void *context, void *bytes, size_t size, int from);
    /* One message from one rank to another. */
    atl_status (*send)(void *context, const void *bytes, size_t size, int to);
    /* Waits for a message: *from_in_out is a rank, or -1 for any, and becomes the sender. */
    atl_status (*await)(void *context, int *from_in_out, size_t *size_out);
    /* The same without waiting: *from_in_out becomes -1 if there is none. */
    atl_status (*peek)(void *context, int *from_in_out, size_t *size_out);
    /* Receives the message that await or peek has found, of that sender and size. */
    atl_status (*receive)(void *context, void *bytes_out, size_t size, int from);
} atl_ranks;

/* The mean of tensors over the parts of a batch.  A batch is divided into a fixed number of parts (micro-batches), and
 * the parts among the ranks: rank r has the parts from parts * r / size to before parts * (r + 1) / size.  The sum over
 * all parts is made along a fixed binary tree, so that it has the same bits for any number of ranks from 1 to the
 * number of parts.
 *
 *     atl_all_reduce *r = atl_all_reduce_new(ranks, .parts = 4);
 *     atl_node *part, *step = atl_minimize(loss, atl_momentum(), .all_reduce = r, .part_out = &part);
 *     for each of its atl_all_reduce_parts(r, &first) parts: run a program of `part` on that part of the batch
 *     run a program of `step`
 *
 * It must outlive the graphs that use it, and serves one run at a time. */
typedef struct atl_all_reduce atl_all_reduce;
typedef struct atl_all_reduce_args {
    const atl_ranks *ranks; /* copied; null: this process alone */
    int64_t parts;          /* of a batch, at least one for each rank; 0: one for each rank */
    /* Lets the ranks add in any order (their all_reduce), as MPI likes it: the bits then depend on the number of ranks
     * and on MPI. */
    bool any_order;
    /* Gradients are sent in pieces of about this size; 0: a quarter of all, but at least 256 KB and at most 4 MB. */
    int64_t bucket_bytes;
    int end_;
} atl_all_reduce_args;
/* Null after an error: more ranks than parts, or no memory.  Free it with atl_all_reduce_free. */
ATL_API atl_all_reduce *atl_all_reduce_new_with(const atl_all_reduce_args *args);
#define atl_all_reduce_new(...) atl_all_reduce_new_with(ATL_OPTIONS_(atl_all_reduce_args, __VA_ARGS__))
ATL_API void atl_all_reduce_free(atl_all_reduce *all_reduce); /* null is allowed */

/* The number of parts of this rank, and the first (first_out may be null). */
ATL_API int64_t atl_all_reduce_parts(const atl_all_reduce *all_reduce, int64_t *first_out);
/* The parts of a batch, of all ranks. */
ATL_API int64_t atl_all_reduce_all_parts(const atl_all_reduce *all_reduce);
/* The weight in the mean of the parts that are run from now on: the part's number of examples * parts / examples in the
 * batch.  At first it is 1. */
ATL_API atl_status atl_all_reduce_weigh(atl_all_reduce *all_reduce, float weight);
/* In place of the run of a part without examples. */
ATL_API atl_status atl_all_reduce_skip(atl_all_reduce *all_reduce);
/* Waits until the first means of the batch are there.  A run of the step does so by itself, and changes no variable
 * before; this lets a program read the variables meanwhile. */
ATL_API atl_status atl_all_reduce_wait(atl_all_reduce *all_reduce);
/* The mean over all parts of a float32 node of known shape: each part gets the same.  Its gradient is the mean over all
 * parts of the gradients: that of the sum of all parts' costs, divided by their number.  All ranks run it in the same
 * order; if a rank has several parts, it runs them by atl_run_parts (train.h). */
ATL_API atl_node *atl_all_reduce_mean(atl_node *x, atl_all_reduce *all_reduce);
/* The seconds in which runs have waited for other ranks. */
ATL_API double atl_all_reduce_waited(const atl_all_reduce *all_reduce);

#ifdef __cplusplus
}
#endif
#endif
