/* The functions of an atl_ranks, by MPI.  Only this library is linked to MPI. */
#include <mpi.h>

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "atled/mpi.h"

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

enum { MESSAGE_TAG = 1 };

/* Sets the error of a call of MPI that has failed. */
static atl_status status_of(const char *call, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS)
        return ATL_OK;
    MPI_Error_string(code, text, &length);
    return atl_set_error(ATL_UNSUPPORTED, "%s failed: %s", call, text);
}

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

static atl_status all_to_all(void *context, const void *send, void *received, size_t bytes)
{
    const transport *t = context;
    MPI_Datatype type;
    int count;
    atl_status status = count_of(bytes, &count, &type);
    return status ? status : status_of("MPI_Alltoall", MPI_Alltoall(send, count, type, received, count, type, t->own));
}

static atl_status all_gather(void *context, const void *send, void *received, size_t bytes)
{
    const transport *t = context;
    MPI_Datatype type;
    int count;
    atl_status status = count_of(bytes, &count, &type);
    return status ? status
                  : status_of("MPI_Allgather", MPI_Allgather(send, count, type, received, count, type, t->own));
}

static atl_status all_reduce(void *context, float *values, int64_t count)
{
    const transport *t = context;
    if (count > INT_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "%lld floats are too many for MPI", (long long)count);
    return status_of("MPI_Allreduce", MPI_Allreduce(MPI_IN_PLACE, values, (int)count, MPI_FLOAT, MPI_SUM, t->own));
}

static atl_status broadcast(void *context, void *bytes, size_t size, int from)
{
    const transport *t = context;
    MPI_Datatype type;
    int count;
    atl_status status = count_of(size, &count, &type);
    return status ? status : status_of("MPI_Bcast", MPI_Bcast(bytes, count, type, from, t->own));
}

static atl_status send_message(void *context, const void *bytes, size_t size, int to)
{
    const transport *t = context;
    if (size > INT_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "a message of %zu bytes is too long for MPI", size);
    return status_of("MPI_Send", MPI_Send(bytes, (int)size, MPI_BYTE, to, MESSAGE_TAG, t->own));
}

static atl_status await_message(void *context, int *from, size_t *size_out)
{
    const transport *t = context;
    MPI_Status found;
    int size = 0, source = *from < 0 ? MPI_ANY_SOURCE : *from;
    atl_status status = status_of("MPI_Probe", MPI_Probe(source, MESSAGE_TAG, t->own, &found));
    if (!status)
        status = status_of("MPI_Get_count", MPI_Get_count(&found, MPI_BYTE, &size));
    if (status)
        return status;
    *from = found.MPI_SOURCE;
    *size_out = (size_t)size;
    return ATL_OK;
}

static atl_status peek_message(void *context, int *from, size_t *size_out)
{
    const transport *t = context;
    MPI_Status found;
    int size = 0, is_there = 0, source = *from < 0 ? MPI_ANY_SOURCE : *from;
    *from = -1;
    atl_status status = status_of("MPI_Iprobe", MPI_Iprobe(source, MESSAGE_TAG, t->own, &is_there, &found));
    if (status || !is_there)
        return status;
    *from = found.MPI_SOURCE;
    status = status_of("MPI_Get_count", MPI_Get_count(&found, MPI_BYTE, &size));
    *size_out = (size_t)size;
    return status;
}

static atl_status receive_message(void *context, void *bytes, size_t size, int from)
{
    const transport *t = context;
    if (size > INT_MAX)
        return atl_set_error(ATL_UNSUPPORTED, "a message of %zu bytes is too long for MPI", size);
    return status_of("MPI_Recv", MPI_Recv(bytes, (int)size, MPI_BYTE, from, MESSAGE_TAG, t->own, MPI_STATUS_IGNORE));
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

void atl_mpi_end(void)
{
    int is_there = 0, has_ended = 0;
    MPI_Initialized(&is_there);
    MPI_Finalized(&has_ended);
    if (!is_there || has_ended)
        return;
    while (transports) {
        transport *t = transports;
        transports = t->next;
        atl_all_reduce_free(t->all_reduce);
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
