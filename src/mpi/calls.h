/* Calls of MPI from several threads, one at a time; and waiting that ends when another rank is lost. */
#ifndef ATLED_MPI_CALLS_H
#define ATLED_MPI_CALLS_H

#include <mpi.h>

#include "atled/status.h"

enum { MESSAGE_TAG = 1, BEAT_TAG = 2 };

/* Around each call of MPI, none of which may block.  What watch.c knows is protected by the same mutex. */
void lock_mpi(void);
void unlock_mpi(void);

/* Sets the error of a call of MPI that has failed. */
atl_status status_of(const char *call, int code);

/* Waits for what a call has begun, with that result.  peer: the rank of MPI_COMM_WORLD that must take part; -1: all. */
atl_status finish(const char *call, int code, MPI_Request *request, int peer);
/* Sleeps between two looks: not at all at first, then a little, so that the processor is left to who computes. */
void pause_before(int look);

#endif
