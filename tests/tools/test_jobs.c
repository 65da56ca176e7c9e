/* Jobs that threads of their own do: each once, and so many that compute at a time. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "../../tools/jobs.c"

enum { JOBS = 200, COMPUTING = 2 };

static struct {
    pthread_mutex_t mutex;
    job_queue *queue;
    int done[JOBS], computing, most_computing;
} all = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void change(int *count, int by)
{
    pthread_mutex_lock(&all.mutex);
    *count += by;
    if (all.computing > all.most_computing)
        all.most_computing = all.computing;
    pthread_mutex_unlock(&all.mutex);
}

static void do_one(void *context, void *job)
{
    job_queue **queue = context;
    int number = *(int *)job;
    begin_computing(*queue);
    change(&all.computing, 1);
    nanosleep(&(const struct timespec){.tv_nsec = 200000}, NULL); /* so that others could compute, too */
    change(&all.computing, -1);
    end_computing(*queue);
    change(&all.done[number], 1);
    free(job);
}

Test(jobs, each_is_done_once_and_few_compute_at_a_time)
{
    all.queue = start_jobs(COMPUTING, do_one, &all.queue);
    cr_assert_not_null(all.queue);
    for (int i = 0; i < JOBS; i++) {
        int *job = malloc(sizeof *job);
        *job = i;
        add_job(all.queue, job);
    }
    finish_jobs(all.queue);
    for (int i = 0; i < JOBS; i++)
        cr_assert_eq(all.done[i], 1, "job %d is done %d times", i, all.done[i]);
    cr_assert_leq(all.most_computing, COMPUTING);
}

Test(jobs, a_queue_without_jobs_ends)
{
    finish_jobs(NULL);
    finish_jobs(start_jobs(0, do_one, &all.queue));
}
