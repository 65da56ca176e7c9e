/* Ranks of MPI: a library of its own, libatled-mpi, so that nothing else needs MPI.  Link with -latled-mpi, or load it
 * with dlopen, as the atled command does.
 *
 *     #include <mpi.h>
 *     #include "atled/mpi.h"
 *
 *     const atl_ranks *ranks;
 *     atl_mpi_begin(&argc, &argv, &ranks);    unless the program calls MPI_Init_thread itself
 *     ...
 *     atl_mpi_end();
 *
 * A program that includes <mpi.h> first gets the functions that take a communicator, too. */
#ifndef ATLED_MPI_H
#define ATLED_MPI_H

#include "distributed.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ATL_MPI_API __attribute__((visibility("default")))
#else
#define ATL_MPI_API
#endif

/* Initialises MPI, if nobody has, and sets *ranks_out to all processes that the launcher started; it belongs to the
 * library, until atl_mpi_end.  argc and argv may be null.  ATL_UNSUPPORTED if MPI was initialised so
 * that only one thread may call it. */
ATL_MPI_API atl_status atl_mpi_begin(int *argc, char ***argv, const atl_ranks **ranks_out);
/* Detects ranks that are stopped, or that the network has cut off.  A thread of each rank answers for it, also while
 * the rank computes.  A rank from which nothing has come for this many seconds is lost: calls of other ranks that
 * wait for it, such as a run that averages, fail (ATL_UNSUPPORTED) with a message that names it.  Time in which a
 * process is itself stopped is not counted.  All ranks call this, once, with the same number.  It calls MPI from a
 * thread of its own: ATL_UNSUPPORTED unless MPI was initialised by atl_mpi_begin, or with MPI_THREAD_MULTIPLE. */
ATL_MPI_API atl_status atl_mpi_watch(double seconds);
/* True if the rank is lost; -1: if any is.  A rank that was lost and goes on stays lost. */
ATL_MPI_API bool atl_mpi_is_lost(int rank);
/* Frees what this library has made, and finalises MPI if atl_mpi_begin has initialised it.  All ranks call it.  If a
 * rank is lost, MPI is left as it is, for MPI_Finalize would wait: atl_mpi_abort ends the others. */
ATL_MPI_API void atl_mpi_end(void);
/* Ends the processes of all ranks, at once, with this exit code: for a rank that cannot go on while others wait for
 * it. */
ATL_MPI_API void atl_mpi_abort(int code);
/* "Open MPI v4.1.4, ...": one line, static.  "" before MPI is initialised. */
ATL_MPI_API const char *atl_mpi_version(void);

#ifdef MPI_VERSION
/* The ranks of a communicator, of which it uses a copy (MPI_Comm_dup): all its processes call this.  It belongs to the
 * library, until atl_mpi_end; a second call with the same communicator returns the same.  Null on failure. */
ATL_MPI_API const atl_ranks *atl_mpi_ranks(MPI_Comm communicator);
/* What averages over those ranks, with one part for each: atl_minimize(..., .all_reduce = atl_mpi_all_reduce(c)).  It
 * belongs to the library, until atl_mpi_end, before which the graphs that use it must be freed.  Null on failure. */
ATL_MPI_API atl_all_reduce *atl_mpi_all_reduce(MPI_Comm communicator);
#endif

#ifdef __cplusplus
}
#endif
#endif
