/* The queue of queries: gathers those of many pictures into runs of the network. */
#include "attack/queue.h"

#include <pthread.h>
#include <string.h>

#include "graph/error.h"
#include "graph/memory.h"

enum { MOST_ASKERS = 256 };

/* The queries of one call of atl_query_queue_ask. */
typedef struct request {
    pthread_cond_t answered;
    int64_t left; /* queries without an answer */
} request;

typedef struct entry {
    atl_query *query;
    request *request;
    struct entry *next;
} entry;

typedef struct entry_list {
    entry *first, *last;
    int64_t count;
} entry_list;

struct atl_query_queue {
    atl_attacker *attacker;
    pthread_mutex_t lock;
    pthread_cond_t work; /* something has changed for the workers */
    entry_list list[2];  /* without and with gradients */
    int busy;            /* askers that may still add queries before they wait */
    int closed;
    atl_attack_poll *poll;
    void *context;
    atl_status status;
    char message[ATL_ERROR_SIZE];
    int threads;
    pthread_t *thread;
};

static void append(entry_list *list, entry *e)
{
    if (list->last)
        list->last->next = e;
    else
        list->first = e;
    list->last = e;
    list->count++;
}

static entry *take(entry_list *list)
{
    entry *e = list->first;
    list->first = e->next;
    if (!list->first)
        list->last = NULL;
    list->count--;
    return e;
}

/* The list to run now, -1 to wait: full runs first, and others when nobody can add to them. */
static int choose(const atl_query_queue *q)
{
    int64_t rows = q->attacker->rows;
    if (q->list[1].count >= rows || q->list[0].count >= rows)
        return q->list[1].count >= rows;
    if (q->busy > 0 || q->list[0].count + q->list[1].count == 0)
        return -1;
    return q->list[1].count >= q->list[0].count;
}

static void set_status(atl_query_queue *q, atl_status status)
{
    if (q->status || !status)
        return;
    q->status = status;
    snprintf(q->message, sizeof q->message, "%s", atl_error());
}

/* Runs some queries of the list; called with the lock held, which it releases while the network runs. */
static void run_some(atl_query_queue *q, atl_attack_worker *w, entry_list *list, int64_t most, entry **taken,
                     atl_query **queries)
{
    int64_t count = 0;
    while (list->count && count < most) {
        taken[count] = take(list);
        queries[count] = taken[count]->query;
        count++;
    }
    atl_status status = q->status;
    pthread_mutex_unlock(&q->lock);
    int stops = !status && q->poll && q->poll(q->context);
    if (stops)
        status = atl_set_error(ATL_STOPPED, "the attack was stopped");
    else if (!status)
        status = atl_attack_worker_run(w, count, queries);
    pthread_mutex_lock(&q->lock);
    set_status(q, status);
    for (int64_t i = 0; i < count; i++)
        if (--taken[i]->request->left == 0) {
            q->busy++;
            pthread_cond_signal(&taken[i]->request->answered);
        }
}

static void *work(void *context)
{
    atl_query_queue *q = context;
    size_t rows = (size_t)q->attacker->rows;
    atl_attack_worker w = {0};
    atl_query **queries = atl_allocate(rows, sizeof *queries);
    entry **taken = atl_allocate(rows, sizeof *taken);
    atl_query *one_query;
    entry *one_taken;
    int has_room = queries && taken; /* without it, the queries are still answered, by an error */
    atl_status status = has_room ? atl_attack_worker_begin(q->attacker, &w) : atl_out_of_memory();
    pthread_mutex_lock(&q->lock);
    set_status(q, status);
    for (;;) {
        int which = choose(q);
        if (which >= 0)
            run_some(q, &w, &q->list[which], has_room ? q->attacker->rows : 1, has_room ? taken : &one_taken,
                     has_room ? queries : &one_query);
        else if (q->closed)
            break;
        else
            pthread_cond_wait(&q->work, &q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    atl_attack_worker_end(&w);
    atl_release(queries);
    atl_release(taken);
    return NULL;
}

atl_query_queue *atl_query_queue_new(atl_attacker *attacker, int askers, atl_attack_poll *poll, void *context)
{
    atl_query_queue *q = atl_allocate(1, sizeof *q);
    pthread_t *thread = atl_allocate((size_t)attacker->threads, sizeof *thread);
    if (!q || !thread) {
        atl_release(q);
        atl_release(thread);
        atl_out_of_memory();
        return NULL;
    }
    q->attacker = attacker;
    q->busy = askers;
    q->poll = poll;
    q->context = context;
    q->thread = thread;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
    while (q->threads < attacker->threads && pthread_create(&thread[q->threads], NULL, work, q) == 0)
        q->threads++;
    if (q->threads)
        return q;
    atl_query_queue_free(q);
    atl_set_error(ATL_OUT_OF_MEMORY, "no thread could be started");
    return NULL;
}

void atl_query_queue_free(atl_query_queue *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    q->closed = 1;
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->lock);
    for (int i = 0; i < q->threads; i++)
        pthread_join(q->thread[i], NULL);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
    atl_release(q->thread);
    atl_release(q);
}

atl_status atl_query_queue_ask(atl_query_queue *q, int64_t count, atl_query *queries)
{
    entry few[16], *entries = count <= 16 ? few : atl_allocate((size_t)count, sizeof *entries);
    if (!entries)
        return atl_out_of_memory();
    request r = {.left = count};
    pthread_cond_init(&r.answered, NULL);
    pthread_mutex_lock(&q->lock);
    atl_status status = q->status;
    if (!status) {
        for (int64_t i = 0; i < count; i++) {
            entries[i] = (entry){&queries[i], &r, NULL};
            append(&q->list[queries[i].gradient != NULL], &entries[i]);
        }
        q->busy--;
        pthread_cond_broadcast(&q->work);
        while (r.left > 0)
            pthread_cond_wait(&r.answered, &q->lock);
        status = q->status;
    }
    pthread_mutex_unlock(&q->lock);
    pthread_cond_destroy(&r.answered);
    if (entries != few)
        atl_release(entries);
    return status;
}

void atl_query_queue_leave(atl_query_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->busy--;
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->lock);
}

void atl_query_queue_stop(atl_query_queue *q, atl_status status)
{
    pthread_mutex_lock(&q->lock);
    set_status(q, status);
    pthread_mutex_unlock(&q->lock);
}

atl_status atl_query_queue_status(atl_query_queue *q)
{
    pthread_mutex_lock(&q->lock);
    atl_status status = q->status;
    pthread_mutex_unlock(&q->lock);
    return status;
}

/* ---- the threads that ask ---------------------------------------------------------------------------------------- */

int atl_query_queue_askers(const atl_attacker *attacker, int wanted, int64_t tasks)
{
    int64_t askers = wanted ? wanted : 2 * attacker->rows * attacker->threads;
    askers = askers > MOST_ASKERS ? MOST_ASKERS : askers;
    return (int)(askers > tasks ? tasks : askers);
}

atl_status atl_query_queue_run(atl_query_queue *q, int askers, void *(*ask)(void *context), void *context)
{
    pthread_t thread[MOST_ASKERS];
    int started = 0;
    while (started < askers && pthread_create(&thread[started], NULL, ask, context) == 0)
        started++;
    for (int i = started; i < askers; i++)
        atl_query_queue_leave(q);
    for (int i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    atl_status status = atl_query_queue_status(q);
    if (status)
        return atl_set_error(status, "%s", q->message);
    return started ? ATL_OK : atl_set_error(ATL_OUT_OF_MEMORY, "no thread could be started");
}
