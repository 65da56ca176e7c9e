/* Which ranks still answer. */
#include "mpi/watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "mpi/calls.h"

enum { BEAT = -1, HOST_SIZE = 64 }; /* a message is BEAT, or the number of a rank that is lost */

static struct {
    MPI_Comm own;
    int rank, size, runs;
    double patience, interval, last; /* seconds; last: when the thread looked last */
    double silent;                   /* how long nothing has come from the rank before this one */
    int *number;                     /* of each rank: what is sent must stay where it is */
    char *is_lost, (*host)[HOST_SIZE];
    int lost;
    MPI_Request beat; /* the last one, until it is sent */
    pthread_t thread;
    pthread_mutex_t mutex; /* of must_end */
    pthread_cond_t changed;
    int must_end;
} watch;

/* The next rank in that direction that is not lost. */
static int neighbour(int direction)
{
    int rank = watch.rank;
    do
        rank = (rank + direction + watch.size) % watch.size;
    while (rank != watch.rank && watch.is_lost[rank]);
    return rank;
}

static void set_lost(int rank)
{
    watch.lost += !watch.is_lost[rank];
    watch.is_lost[rank] = 1;
    watch.silent = 0;
}

/* The lost rank is told, too: it may go on some day. */
static void tell_all(int lost)
{
    MPI_Request request;
    for (int rank = 0; rank < watch.size; rank++)
        if (rank != watch.rank && !MPI_Isend(&watch.number[lost], 1, MPI_INT, rank, BEAT_TAG, watch.own, &request))
            MPI_Request_free(&request);
}

static void listen(void)
{
    MPI_Status found;
    for (int is_there = 1, message; is_there;) {
        if (MPI_Iprobe(MPI_ANY_SOURCE, BEAT_TAG, watch.own, &is_there, &found) || !is_there ||
            MPI_Recv(&message, 1, MPI_INT, found.MPI_SOURCE, BEAT_TAG, watch.own, MPI_STATUS_IGNORE))
            return;
        if (message >= 0 && message < watch.size)
            set_lost(message);
        else if (found.MPI_SOURCE == neighbour(-1))
            watch.silent = 0;
    }
}

/* The last one may still be on its way: no more are sent to a rank that takes none. */
static void send_beat(void)
{
    static const int beat = BEAT;
    int is_sent = 1;
    if (watch.beat != MPI_REQUEST_NULL && (MPI_Test(&watch.beat, &is_sent, MPI_STATUS_IGNORE) || !is_sent))
        return;
    if (MPI_Isend(&beat, 1, MPI_INT, neighbour(1), BEAT_TAG, watch.own, &watch.beat))
        watch.beat = MPI_REQUEST_NULL;
}

/* Time in which this process itself did not run is not held against another. */
static void look(void)
{
    double passed = atl_seconds_now() - watch.last;
    watch.last += passed;
    watch.silent += passed < 2 * watch.interval ? passed : 2 * watch.interval;
    listen();
    if (watch.is_lost[watch.rank] || neighbour(-1) == watch.rank)
        return;
    send_beat();
    if (watch.silent > watch.patience) {
        int lost = neighbour(-1);
        set_lost(lost);
        tell_all(lost);
    }
}

/* Waits for the next look, but not when stop_watch has been called; returns whether it has. */
static int await_end(void)
{
    const double until = atl_seconds_now() + watch.interval;
    const struct timespec time = {.tv_sec = (time_t)until, .tv_nsec = (long)(1e9 * (until - (double)(time_t)until))};
    pthread_mutex_lock(&watch.mutex);
    for (int code = 0; !watch.must_end && !code;)
        code = pthread_cond_timedwait(&watch.changed, &watch.mutex, &time);
    int ends = watch.must_end;
    pthread_mutex_unlock(&watch.mutex);
    return ends;
}

static void *watch_others(void *unused)
{
    do {
        lock_mpi();
        look();
        unlock_mpi();
    } while (!await_end());
    return unused;
}

static int start_thread(void)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&watch.mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* that of atl_seconds_now */
    pthread_cond_init(&watch.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pthread_create(&watch.thread, NULL, watch_others, NULL) == 0;
}

static atl_status gather_hosts(void)
{
    char host[MPI_MAX_PROCESSOR_NAME + HOST_SIZE] = "";
    int length;
    MPI_Request request;
    MPI_Get_processor_name(host, &length);
    host[HOST_SIZE - 1] = 0;
    lock_mpi();
    int code = MPI_Iallgather(host, HOST_SIZE, MPI_CHAR, watch.host, HOST_SIZE, MPI_CHAR, watch.own, &request);
    unlock_mpi();
    return finish("MPI_Iallgather", code, &request, -1);
}

static void free_watch(void)
{
    free(watch.number);
    free(watch.is_lost);
    free(watch.host);
    memset(&watch, 0, sizeof watch);
}

atl_status start_watch(MPI_Comm own, double patience)
{
    if (watch.runs)
        return atl_set_error(ATL_INVALID, "atl_mpi_watch: the ranks are watched already");
    MPI_Comm_rank(own, &watch.rank);
    MPI_Comm_size(own, &watch.size);
    if (watch.size == 1)
        return ATL_OK;
    watch.own = own;
    watch.beat = MPI_REQUEST_NULL;
    watch.patience = patience;
    watch.interval = patience < 10 ? patience / 10 : 1;
    watch.last = atl_seconds_now();
    watch.number = malloc((size_t)watch.size * sizeof *watch.number);
    watch.is_lost = calloc((size_t)watch.size, 1);
    watch.host = calloc((size_t)watch.size, sizeof *watch.host);
    int fits = watch.number && watch.is_lost && watch.host;
    for (int i = 0; i < watch.size && fits; i++)
        watch.number[i] = i;
    atl_status status = fits ? gather_hosts() : atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
    if (!status && !start_thread())
        status = atl_set_error(ATL_OUT_OF_MEMORY, "the thread that watches the other ranks could not be started");
    watch.runs = !status;
    if (status)
        free_watch();
    return status;
}

void stop_watch(void)
{
    MPI_Request request;
    if (!watch.runs)
        return;
    pthread_mutex_lock(&watch.mutex);
    watch.must_end = 1;
    pthread_cond_signal(&watch.changed);
    pthread_mutex_unlock(&watch.mutex);
    pthread_join(watch.thread, NULL);
    pthread_mutex_destroy(&watch.mutex);
    pthread_cond_destroy(&watch.changed);
    /* Now all ranks have sent their last beat; one that nobody takes, MPICH tells the user of. */
    if (!finish("MPI_Ibarrier", MPI_Ibarrier(watch.own, &request), &request, -1))
        listen();
    if (watch.beat != MPI_REQUEST_NULL)
        MPI_Request_free(&watch.beat);
    free_watch();
}

int is_lost(int rank) { return rank < 0 ? watch.lost > 0 : rank < watch.size && watch.lost && watch.is_lost[rank]; }

atl_status refuse_lost(int rank)
{
    if (!is_lost(rank))
        return ATL_OK;
    for (int i = 0; i < watch.size && rank < 0; i++)
        rank = watch.is_lost[i] ? i : rank;
    if (rank == watch.rank)
        return atl_set_error(ATL_UNSUPPORTED,
                             "this rank, %d on %s, did not answer for %g seconds, and the others have given it up",
                             rank, watch.host[rank], watch.patience);
    return atl_set_error(ATL_UNSUPPORTED, "rank %d on %s has not answered for %g seconds: it is stopped, or cut off",
                         rank, watch.host[rank], watch.patience);
}
