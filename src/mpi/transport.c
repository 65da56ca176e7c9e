/* The functions of an atl_ranks, by MPI.  Only this library is linked to MPI. */
#include <mpi.h>

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "atled/mpi.h"
#include "mpi/calls.h"
#include "mpi/watch.h"

/* One communicator in use.  They are few: a list. */
typedef struct transport {
    atl_ranks ranks;
    MPI_Comm given, own;        /* own: a copy, so that our messages meet no others */
    atl_all_reduce *all_reduce; /* of atl_mpi_all_reduce, or null */
    struct transport *next;
} transport;

static transport *transports;
static int has_begun; /* MPI was initialised here */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* MPI counts in int.  Whole floats are counted as floats: four times as many bytes fit. */
static atl_status count_of(size_t bytes, int *count_out, MPI_Datatype *type_out)
{
    int are_floats = bytes % sizeof(float) == 0;
    size_t count = are_floats ? bytes / sizeof(float) : bytes;
    *type_out = are_floats ? MPI_FLOAT : MPI_BYTE;
    *count_out = (int)count;
    return count <= INT_MAX ? ATL_OK
                            : atl_set_error(ATL_UNSUPPORTED, "a message of %zu bytes is too long for MPI", bytes);
}

/* Begins a call of MPI, and waits for its end; peer: the other rank, or -1. */
#define DO(call, peer, ...)                                                                                            \
    MPI_Request request;                                                                                               \
    lock_mpi();                                                                                                        \
    int code = call(__VA_ARGS__, &request);                                                                            \
    unlock_mpi();                                                                                                      \
    return finish(#call, code, &request, peer)

static atl_status all_to_all(void *context, const void *send, void *received, size_t bytes)
{
    const transport *t = context;
    MPI_Datatype type;
    int count;
    atl_status status = count_of(bytes, &count, &type);
    if (status)
        return status;
    DO(MPI_Ialltoall, -1, send, count, type, received, count, type, t->own);
}

static atl_status all_gather(void *context, const void *send, void *received, size_t bytes)
{
    const transport *t = context;
    MPI_Datatype type;
    int count;
    atl_status status = count_of(bytes, &count, &type);
    if (status)
        return status;
    DO(MPI_Iallgather, -1, send, count, type, received, count, type, t->own);
}

static atl_status all_reduce(void *context, float *values, int64_t count)
{
    const transport *t = context;
    if (count > INT_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "%lld floats are too many for MPI", (long long)count);
    DO(MPI_Iallreduce, -1, MPI_IN_PLACE, values, (int)count, MPI_FLOAT, MPI_SUM, t->own);
}

static atl_status broadcast(void *context, void *bytes, size_t size, int from)
{
    const transport *t = context;
    MPI_Datatype type;
    int count;
    atl_status status = count_of(size, &count, &type);
    if (status)
        return status;
    DO(MPI_Ibcast, -1, bytes, count, type, from, t->own);
}

/* The peer's number in MPI_COMM_WORLD, by which it is watched: that of another communicator is not known to be lost. */
static int watched(const transport *t, int peer) { return t->given == MPI_COMM_WORLD ? peer : INT_MAX; }

static atl_status send_message(void *context, const void *bytes, size_t size, int to)
{
    const transport *t = context;
    if (size > INT_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "a message of %zu bytes is too long for MPI", size);
    DO(MPI_Isend, watched(t, to), bytes, (int)size, MPI_BYTE, to, MESSAGE_TAG, t->own);
}

static atl_status peek_message(void *context, int *from, size_t *size_out)
{
    const transport *t = context;
    MPI_Status found;
    int size = 0, is_there = 0, source = *from < 0 ? MPI_ANY_SOURCE : *from;
    *from = -1;
    lock_mpi();
    atl_status status = status_of("MPI_Iprobe", MPI_Iprobe(source, MESSAGE_TAG, t->own, &is_there, &found));
    if (!status && is_there)
        status = status_of("MPI_Get_count", MPI_Get_count(&found, MPI_BYTE, &size));
    unlock_mpi();
    if (status || !is_there)
        return status;
    *from = found.MPI_SOURCE;
    *size_out = (size_t)size;
    return ATL_OK;
}

static atl_status await_message(void *context, int *from, size_t *size_out)
{
    const transport *t = context;
    int source = *from;
    for (int look = 0;; look++) {
        *from = source;
        atl_status status = peek_message(context, from, size_out);
        if (status || *from >= 0)
            return status;
        lock_mpi();
        status = refuse_lost(source < 0 ? -1 : watched(t, source));
        unlock_mpi();
        if (status)
            return status;
        pause_before(look);
    }
}

static atl_status receive_message(void *context, void *bytes, size_t size, int from)
{
    const transport *t = context;
    if (size > INT_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "a message of %zu bytes is too long for MPI", size);
    DO(MPI_Irecv, watched(t, from), bytes, (int)size, MPI_BYTE, from, MESSAGE_TAG, t->own);
}

static atl_status start(transport *t, MPI_Comm communicator)
{
    *t = (transport){.given = communicator,
                     .ranks = {.context = t,
                               .all_to_all = all_to_all,
                               .all_gather = all_gather,
                               .all_reduce = all_reduce,
                               .broadcast = broadcast,
                               .send = send_message,
                               .await = await_message,
                               .peek = peek_message,
                               .receive = receive_message}};
    atl_status status = status_of("MPI_Comm_dup", MPI_Comm_dup(communicator, &t->own));
    if (status)
        return status;
    MPI_Comm_set_errhandler(t->own, MPI_ERRORS_RETURN);
    MPI_Comm_rank(t->own, &t->ranks.rank);
    MPI_Comm_size(t->own, &t->ranks.size);
    return ATL_OK;
}

/* What MPI says of itself: initialised, not finalised, and any thread may call. */
static atl_status check_mpi(void)
{
    int is_there = 0, has_ended = 0, level = 0;
    MPI_Initialized(&is_there);
    MPI_Finalized(&has_ended);
    if (!is_there || has_ended)
        return atl_set_error(ATL_INVALID, "MPI is not initialised: call atl_mpi_begin or MPI_Init_thread first");
    MPI_Query_thread(&level);
    if (level < MPI_THREAD_SERIALIZED)
        return atl_set_error(ATL_UNSUPPORTED, "MPI lets only one thread call it: initialise it by "
                                              "MPI_Init_thread with MPI_THREAD_SERIALIZED or more");
    return ATL_OK;
}

const atl_ranks *atl_mpi_ranks(MPI_Comm communicator)
{
    transport *found;
    if (check_mpi())
        return NULL;
    pthread_mutex_lock(&mutex);
    for (found = transports; found && found->given != communicator;)
        found = found->next;
    if (!found) {
        found = malloc(sizeof *found);
        if (!found)
            atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
        else if (start(found, communicator)) {
            free(found);
            found = NULL;
        } else {
            found->next = transports;
            transports = found;
        }
    }
    pthread_mutex_unlock(&mutex);
    return found ? &found->ranks : NULL;
}

atl_all_reduce *atl_mpi_all_reduce(MPI_Comm communicator)
{
    const atl_ranks *ranks = atl_mpi_ranks(communicator);
    if (!ranks)
        return NULL;
    transport *t = ranks->context;
    pthread_mutex_lock(&mutex);
    if (!t->all_reduce)
        t->all_reduce = atl_all_reduce_new(ranks);
    pthread_mutex_unlock(&mutex);
    return t->all_reduce;
}

atl_status atl_mpi_begin(int *argc, char ***argv, const atl_ranks **ranks_out)
{
    int is_there = 0, level;
    if (!ranks_out)
        return atl_set_error(ATL_INVALID, "atl_mpi_begin: ranks_out is null");
    *ranks_out = NULL;
    MPI_Initialized(&is_there);
    if (!is_there) {
        atl_status status = status_of("MPI_Init_thread", MPI_Init_thread(argc, argv, MPI_THREAD_SERIALIZED, &level));
        if (status)
            return status;
        has_begun = 1;
    }
    *ranks_out = atl_mpi_ranks(MPI_COMM_WORLD);
    return *ranks_out ? ATL_OK : atl_error_status();
}

atl_status atl_mpi_watch(double seconds)
{
    int level = 0;
    if (!(seconds > 0) || seconds > 1e9)
        return atl_set_error(ATL_INVALID, "atl_mpi_watch: %g seconds; it must be more than 0", seconds);
    const atl_ranks *ranks = atl_mpi_ranks(MPI_COMM_WORLD);
    if (!ranks)
        return atl_error_status();
    MPI_Query_thread(&level);
    if (!has_begun && level < MPI_THREAD_MULTIPLE)
        return atl_set_error(ATL_UNSUPPORTED, "atl_mpi_watch calls MPI from a thread of its own: initialise MPI by "
                                              "atl_mpi_begin, or with MPI_THREAD_MULTIPLE");
    return start_watch(((transport *)ranks->context)->own, seconds);
}

bool atl_mpi_is_lost(int rank)
{
    lock_mpi();
    bool result = is_lost(rank);
    unlock_mpi();
    return result;
}

/* All ranks have come to the end: then MPI_Finalize does not wait for one that is lost. */
static atl_status meet_at_the_end(void) { DO(MPI_Ibarrier, -1, MPI_COMM_WORLD); }

void atl_mpi_end(void)
{
    int is_there = 0, has_ended = 0;
    MPI_Initialized(&is_there);
    MPI_Finalized(&has_ended);
    if (!is_there || has_ended)
        return;
    for (transport *t = transports; t; t = t->next) {
        atl_all_reduce_free(t->all_reduce);
        t->all_reduce = NULL;
    }
    if (has_begun && meet_at_the_end())
        return; /* MPI_Finalize would wait for ever */
    stop_watch();
    while (transports) {
        transport *t = transports;
        transports = t->next;
        MPI_Comm_free(&t->own);
        free(t);
    }
    if (has_begun)
        MPI_Finalize();
    has_begun = 0;
}

void atl_mpi_abort(int code)
{
    int is_there = 0;
    MPI_Initialized(&is_there);
    if (is_there)
        MPI_Abort(MPI_COMM_WORLD, code);
}

const char *atl_mpi_version(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0, is_there = 0;
    MPI_Initialized(&is_there);
    if (is_there && MPI_Get_library_version(text, &length) == MPI_SUCCESS)
        text[strcspn(text, "\r\n")] = 0;
    return text;
}
