/* Jobs that threads of their own do. */
#include "jobs.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST_WAITING = 16, AT_THE_DISK = 4, MOST_THREADS = 64 };

struct job_queue {
    do_job *run;
    void *context;
    pthread_t thread[MOST_THREADS];
    int threads;
    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    void *waiting[MOST_WAITING]; /* a ring */
    int first, count, must_end, free_processors;
};

static void *do_jobs(void *context)
{
    job_queue *q = context;
    pthread_mutex_lock(&q->mutex);
    for (;;) {
        while (!q->count && !q->must_end)
            pthread_cond_wait(&q->changed, &q->mutex);
        if (!q->count)
            break;
        void *job = q->waiting[q->first];
        q->first = (q->first + 1) % MOST_WAITING;
        q->count--;
        pthread_cond_broadcast(&q->changed);
        pthread_mutex_unlock(&q->mutex);
        q->run(q->context, job);
        pthread_mutex_lock(&q->mutex);
    }
    pthread_mutex_unlock(&q->mutex);
    return NULL;
}

job_queue *start_jobs(int computing, do_job *run, void *context)
{
    job_queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    computing = computing < 1 ? 1 : computing;
    q->run = run;
    q->context = context;
    q->free_processors = computing;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_cond_init(&q->changed, NULL);
    int wanted = computing + AT_THE_DISK < MOST_THREADS ? computing + AT_THE_DISK : MOST_THREADS;
    while (q->threads < wanted && pthread_create(&q->thread[q->threads], NULL, do_jobs, q) == 0)
        q->threads++;
    if (q->threads)
        return q;
    finish_jobs(q);
    return NULL;
}

void add_job(job_queue *q, void *job)
{
    pthread_mutex_lock(&q->mutex);
    while (q->count == MOST_WAITING)
        pthread_cond_wait(&q->changed, &q->mutex);
    q->waiting[(q->first + q->count++) % MOST_WAITING] = job;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}

void finish_jobs(job_queue *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->mutex);
    q->must_end = 1;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
    for (int i = 0; i < q->threads; i++)
        pthread_join(q->thread[i], NULL);
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

void begin_computing(job_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    while (!q->free_processors)
        pthread_cond_wait(&q->changed, &q->mutex);
    q->free_processors--;
    pthread_mutex_unlock(&q->mutex);
}

void end_computing(job_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->free_processors++;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->mutex);
}
