/* Processes that work together, each with its own data: ranks, as in MPI.
 *
 * The library knows no MPI.  It calls the functions of an atl_ranks, which somebody else fills in: libatled-mpi does so
 * for an MPI communicator (mpi.h), and a program may do it for anything else. */
#ifndef ATLED_DISTRIBUTED_H
#define ATLED_DISTRIBUTED_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

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

#ifdef __cplusplus
}
#endif
#endif
