/* Ranks: the processes that a launcher (mpirun, srun) has started together, each with a part of the work.  Rank 0
 * writes files and standard output.  MPI comes from libatled-mpi, which is loaded only if a launcher has started this
 * process or --distributed is given; otherwise there is one rank, and nothing here does anything. */
#ifndef ATLED_TOOLS_RANKS_H
#define ATLED_TOOLS_RANKS_H

#include <stddef.h>

#include "atled/distributed.h"

/* Loads MPI if it is wanted.  Rank 0 alone keeps its standard output; the error messages of the others are held until
 * agree_on.  Returns 0, or the exit code after an error message. */
int begin_ranks(const char *command, int argc, char **argv);
/* Ends MPI.  Call it last: a failure that the other ranks do not know of (any code but 0 and 1, after agree_on) ends
 * them, too. */
void end_ranks(int code);

/* All ranks have done their part, but the command fails: end_ranks waits for them whatever the code is. */
void end_ranks_together(void);
/* Some ranks do not answer any more: end_ranks does not wait for them. */
void lose_ranks(void);
/* True if nothing has come from that rank's process for too long (atl_mpi_watch); -1: from any. */
int is_lost_rank(int rank);
/* True on rank 0, or on the first rank that is not lost: it tells what has happened. */
int speaks_for_all(void);
/* $ATLED_RANK_PATIENCE, in seconds. */
double rank_patience(double usual);

/* Null if this process is alone. */
const atl_ranks *ranks_in_use(void);
int this_rank(void);  /* 0 if alone */
int rank_count(void); /* 1 if alone */

/* A line for the facts of agree_on: digests of the command and of the library that it has found. */
const char *build_of_rank(void);

/* All ranks call this once, when each is ready to begin or has failed with `code`.  facts: what must be the same on all
 * ranks, as lines "NAME: VALUE"; null after a failure.  Returns 0 if all are ready, otherwise the exit code, after rank
 * 0 has printed what is wrong with which rank. */
int agree_on(const char *command, int code, const char *facts);

#endif
