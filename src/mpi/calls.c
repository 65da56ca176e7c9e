/* Calls of MPI from several threads. */
#include "mpi/calls.h"

#include <pthread.h>
#include <time.h>

#include "mpi/watch.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void lock_mpi(void) { pthread_mutex_lock(&mutex); }
void unlock_mpi(void) { pthread_mutex_unlock(&mutex); }

atl_status status_of(const char *call, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS)
        return ATL_OK;
    MPI_Error_string(code, text, &length);
    return atl_set_error(ATL_UNSUPPORTED, "%s failed: %s", call, text);
}

void pause_before(int look)
{
    enum { EAGER = 16, BRISK = 40 };
    const struct timespec time = {.tv_nsec = look < BRISK ? 50000 : 500000};
    if (look >= EAGER) /* no sched_yield before, for which Linux lets a thread wait long */
        nanosleep(&time, NULL);
}

atl_status finish(const char *call, int code, MPI_Request *request, int peer)
{
    for (int look = 0; code == MPI_SUCCESS; look++) {
        int is_done = 0;
        if (look)
            pause_before(look);
        lock_mpi();
        code = MPI_Test(request, &is_done, MPI_STATUS_IGNORE);
        atl_status status = code || is_done ? ATL_OK : refuse_lost(peer);
        unlock_mpi();
        if (is_done || status)
            return status;
    }
    return status_of(call, code);
}
