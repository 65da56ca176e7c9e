/* Which ranks of MPI_COMM_WORLD still answer.  They form a ring: a thread of each sends a beat to the next rank, and
 * listens to the one before it.  Who hears nothing for too long tells all others that this rank is lost. */
#ifndef ATLED_MPI_WATCH_H
#define ATLED_MPI_WATCH_H

#include <mpi.h>

#include "atled/status.h"

/* Starts the thread.  All ranks call it. */
atl_status start_watch(MPI_Comm own, double patience);
/* All ranks call it. */
void stop_watch(void);

/* With the mutex held: fails, and names it, if that rank is lost; -1: if any is. */
atl_status refuse_lost(int rank);
/* With the mutex held, too; rank -1: is any? */
int is_lost(int rank);

#endif
