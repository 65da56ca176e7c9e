/* Rank 0 hands out tasks and collects records. */
#include "hand_out.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certificate.h"
#include "progress.h"
#include "ranks.h"
#include "tools.h"

/* A message to rank 0 begins with its kind; a request goes on with two numbers, a record with its text.  The answer to
 * a request is a list of tasks, which is empty when there are no more. */
enum { REQUEST = 'r', RECORD = 'd', LEAVING = 'l' };
enum { OPEN = -1, DONE = -2 }; /* of a task, in place of the rank that has it */
enum { WORKING, GONE, LOST };

typedef struct request {
    int64_t least, most;
} request;

struct hand_out {
    const char *command;
    int64_t tasks;
    int has_end;             /* on another rank: it has left, or there are no more tasks */
    pthread_mutex_t talking; /* of the calls of an atl_ranks: by one thread at a time */
    /* Only on rank 0. */
    pthread_t thread;
    pthread_mutex_t mutex; /* of all below */
    int is_started, must_stop, has_failed;
    int *owner; /* by task */
    int64_t open, done, cursor /* no task before it is open */;
    int *state; /* by rank */
    int *asks;  /* it waits for the answer to its request; records of earlier tasks may still come */
    request *wanted;
    int64_t *held;           /* tasks that it has and that are not done */
    double *heard, patience; /* when something came last; seconds */
    json_t **arrived;        /* records that nobody has taken yet */
    int64_t arrived_count;
    int lost;
};

/* ---- waiting for messages ---------------------------------------------------------------------------------------- */

/* Sleeps longer while nothing comes, so that the processor is left to the work. */
static void pause_for(int idle)
{
    const struct timespec time = {.tv_nsec = idle < 20 ? 50000 : 1000000};
    nanosleep(&time, NULL);
}

/* The next message of that rank, or of any (-1), with a 0 added; null: there is none, or a failure. */
static char *receive(hand_out *h, int *from, size_t *size_out, int *failed_out)
{
    const atl_ranks *ranks = ranks_in_use();
    char *text = NULL;
    pthread_mutex_lock(&h->talking);
    *failed_out = ranks->peek(ranks->context, from, size_out) != ATL_OK;
    if (!*failed_out && *from >= 0) {
        text = calloc(*size_out + 1, 1);
        *failed_out = !text || ranks->receive(ranks->context, text, *size_out, *from) != ATL_OK;
    }
    pthread_mutex_unlock(&h->talking);
    if (!*failed_out)
        return text;
    free(text);
    return NULL;
}

static int send_to(hand_out *h, int rank, const void *bytes, size_t size)
{
    const atl_ranks *ranks = ranks_in_use();
    pthread_mutex_lock(&h->talking);
    int failed = ranks->send(ranks->context, bytes, size, rank) != ATL_OK;
    pthread_mutex_unlock(&h->talking);
    return failed;
}

/* ---- rank 0: with the mutex held --------------------------------------------------------------------------------- */

/* Gives a rank its next tasks: fewer as less is left, and equal parts of the last ones, so that all end at about the
 * same time. */
static int64_t deal(hand_out *h, int rank, request wanted, int64_t *task)
{
    int64_t share = h->open / (3 * rank_count()), equal = (h->open + rank_count() - 1) / rank_count(), count = 0;
    int64_t least = wanted.least < equal ? wanted.least : equal;
    share = share < least ? least : share > wanted.most ? wanted.most : share;
    for (; h->cursor < h->tasks && count < share; h->cursor++)
        if (h->owner[h->cursor] == OPEN) {
            h->owner[h->cursor] = rank;
            h->open--;
            h->held[rank]++;
            task[count++] = h->cursor;
        }
    return count;
}

static void reopen(hand_out *h, int rank)
{
    for (int64_t i = 0; i < h->tasks; i++)
        if (h->owner[i] == rank) {
            h->owner[i] = OPEN;
            h->open++;
        }
    h->held[rank] = 0;
    h->cursor = 0;
}

static void set_done(hand_out *h, int64_t task)
{
    if (h->owner[task] == DONE)
        return;
    if (h->owner[task] == OPEN)
        h->open--;
    else
        h->held[h->owner[task]]--;
    h->owner[task] = DONE;
    h->done++;
}

static void take_record(hand_out *h, const char *text, size_t size)
{
    json_t *record = json_loadb(text, size, 0, NULL);
    long long task = whole_at(record, "task", -1);
    if (task < 0 || task >= h->tasks) {
        h->has_failed = 1;
        json_decref(record);
    } else if (h->owner[task] == DONE) /* the rank was taken for lost */
        json_decref(record);
    else {
        set_done(h, task);
        h->arrived[h->arrived_count++] = record;
    }
}

static void take_message(hand_out *h, int from, const char *text, size_t size)
{
    h->heard[from] = seconds_now();
    if (h->state[from] == LOST) {
        h->lost--;
        h->state[from] = WORKING;
    }
    if (text[0] == REQUEST && size == 1 + sizeof(request)) {
        memcpy(&h->wanted[from], text + 1, sizeof(request));
        h->asks[from] = 1;
    } else if (text[0] == RECORD)
        take_record(h, text + 1, size - 1);
    else {
        reopen(h, from);
        h->state[from] = GONE;
    }
}

static int is_over(const hand_out *h)
{
    return h->done == h->tasks || h->must_stop || h->has_failed || was_interrupted();
}

/* Answers who waits, if there is something to say. */
static void answer(hand_out *h, int64_t *task)
{
    for (int rank = 1; rank < rank_count(); rank++) {
        if (!h->asks[rank] || h->state[rank] != WORKING)
            continue;
        int64_t count = is_over(h) ? 0 : deal(h, rank, h->wanted[rank], task);
        if (!count && !is_over(h))
            continue;
        h->asks[rank] = 0;
        h->state[rank] = count ? WORKING : GONE;
        h->heard[rank] = seconds_now();
        h->has_failed |= send_to(h, rank, task, (size_t)count * sizeof *task);
    }
}

/* One that does not answer, or that answers and brings no result.  One that was stopped and goes on may bring some. */
static void find_lost(hand_out *h)
{
    enum { MOMENT = 3 };
    for (int rank = 1; rank < rank_count(); rank++) {
        double patience = is_lost_rank(rank) ? MOMENT : h->asks[rank] && !h->held[rank] ? INFINITY : h->patience;
        if (h->state[rank] == WORKING && seconds_now() - h->heard[rank] > patience) {
            h->state[rank] = LOST;
            h->lost++;
            reopen(h, rank);
        }
    }
}

static int all_are_gone(const hand_out *h)
{
    for (int rank = 1; rank < rank_count(); rank++)
        if (h->state[rank] != GONE && h->state[rank] != LOST)
            return 0;
    return h->done == h->tasks || is_over(h);
}

static void *serve(void *context)
{
    hand_out *h = context;
    int64_t *task = malloc((size_t)(h->tasks ? h->tasks : 1) * sizeof *task);
    for (int idle = 0, is_over_now = 0; !is_over_now; idle++) {
        int from = -1, failed;
        size_t size;
        char *text = receive(h, &from, &size, &failed);
        pthread_mutex_lock(&h->mutex);
        h->has_failed |= failed || !task;
        if (text && size)
            take_message(h, from, text, size);
        find_lost(h);
        if (task)
            answer(h, task);
        is_over_now = all_are_gone(h) || failed || !task;
        pthread_mutex_unlock(&h->mutex);
        idle = text ? 0 : idle;
        free(text);
        if (idle)
            pause_for(idle);
    }
    free(task);
    return NULL;
}

/* ---- all ranks --------------------------------------------------------------------------------------------------- */

static int start_rank_0(hand_out *h)
{
    enum { PATIENCE = 300 };
    size_t tasks = (size_t)(h->tasks ? h->tasks : 1), ranks = (size_t)rank_count();
    h->patience = rank_patience(PATIENCE);
    h->owner = malloc(tasks * sizeof *h->owner);
    h->arrived = malloc(tasks * sizeof(json_t *));
    h->state = calloc(ranks, sizeof *h->state);
    h->asks = calloc(ranks, sizeof *h->asks);
    h->wanted = calloc(ranks, sizeof *h->wanted);
    h->held = calloc(ranks, sizeof *h->held);
    h->heard = calloc(ranks, sizeof *h->heard);
    if (!h->owner || !h->arrived || !h->state || !h->asks || !h->wanted || !h->held || !h->heard)
        return 0;
    for (int64_t i = 0; i < h->tasks; i++)
        h->owner[i] = OPEN;
    for (size_t i = 0; i < ranks; i++)
        h->heard[i] = seconds_now();
    h->open = h->tasks;
    pthread_mutex_init(&h->mutex, NULL);
    return 1;
}

void free_hand_out(hand_out *h)
{
    if (!h)
        return;
    if (h->is_started) /* after a failure: the thread still uses it, until end_ranks ends all */
        return;
    for (int64_t i = 0; i < h->arrived_count; i++)
        json_decref(h->arrived[i]);
    free(h->owner);
    free(h->arrived);
    free(h->state);
    free(h->asks);
    free(h->wanted);
    free(h->held);
    free(h->heard);
    pthread_mutex_destroy(&h->talking);
    free(h);
}

hand_out *start_handing_out(const char *command, int64_t tasks)
{
    hand_out *h = calloc(1, sizeof *h);
    if (h) {
        h->command = command;
        h->tasks = tasks;
        pthread_mutex_init(&h->talking, NULL);
    }
    if (h && (this_rank() || start_rank_0(h)))
        return h;
    if (h)
        free_hand_out(h);
    report_no_memory(command);
    return NULL;
}

void note_done(hand_out *h, int64_t task) { set_done(h, task); }

/* Its first tasks: by now it is known what was done before. */
static int start_thread(hand_out *h)
{
    if (!h->is_started && pthread_create(&h->thread, NULL, serve, h) == 0)
        h->is_started = 1;
    return h->is_started;
}

static int64_t take_on_rank_0(hand_out *h, request wanted, int64_t *task)
{
    int64_t count = 0;
    if (!start_thread(h))
        return report_error(h->command, -1, "a thread cannot be started");
    for (int idle = 0, is_over_now = 0; !count && !is_over_now; idle++) {
        if (idle)
            pause_for(idle);
        pthread_mutex_lock(&h->mutex);
        is_over_now = is_over(h);
        count = is_over_now ? 0 : deal(h, 0, wanted, task);
        pthread_mutex_unlock(&h->mutex);
    }
    return count;
}

/* Nobody else knows what is done. */
static int64_t lose_rank_0(const hand_out *h)
{
    if (speaks_for_all())
        report_error(h->command, 0, "rank 0, which collects the results, does not answer any more");
    return -1;
}

static int64_t take_from_rank_0(hand_out *h, request wanted, int64_t *task)
{
    char message[1 + sizeof wanted] = {REQUEST}, *text = NULL;
    if (was_interrupted())
        return 0; /* stop_handing_out says so */
    memcpy(message + 1, &wanted, sizeof wanted);
    int failed = send_to(h, 0, message, sizeof message), from;
    size_t size = 0;
    for (int idle = 1; !text && !failed; idle++) {
        from = 0;
        text = receive(h, &from, &size, &failed);
        if (!text && !failed && is_lost_rank(0))
            return lose_rank_0(h);
        if (!text)
            pause_for(idle);
    }
    if (failed) {
        report_failure(h->command);
        return -1;
    }
    memcpy(task, text, size);
    free(text);
    h->has_end = size == 0;
    return (int64_t)(size / sizeof *task);
}

int64_t take_handed_out(hand_out *h, int64_t least, int64_t most, int64_t *task)
{
    const request wanted = {least, most};
    return this_rank() ? take_from_rank_0(h, wanted, task) : take_on_rank_0(h, wanted, task);
}

int hand_in(hand_out *h, int64_t task, const json_t *record)
{
    if (this_rank() == 0) {
        pthread_mutex_lock(&h->mutex);
        set_done(h, task);
        pthread_mutex_unlock(&h->mutex);
        return 0;
    }
    char *text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(17));
    size_t size = text ? strlen(text) : 0;
    char *message = text ? malloc(size + 2) : NULL;
    if (!message) {
        free(text);
        return report_no_memory(h->command);
    }
    message[0] = RECORD;
    memcpy(message + 1, text, size + 1);
    int failed = send_to(h, 0, message, size + 1);
    free(message);
    free(text);
    return failed ? report_failure(h->command) : 0;
}

json_t *next_arrived(hand_out *h, int64_t *task)
{
    json_t *record = NULL;
    if (this_rank())
        return NULL;
    pthread_mutex_lock(&h->mutex);
    if (h->arrived_count)
        record = h->arrived[--h->arrived_count];
    pthread_mutex_unlock(&h->mutex);
    *task = whole_at(record, "task", -1);
    return record;
}

int stop_handing_out(hand_out *h, int code)
{
    if (code > EXIT_GOAL_NOT_MET)
        return code;
    if (this_rank() && !h->has_end)
        send_to(h, 0, &(const char){LEAVING}, 1);
    if (!h->is_started)
        return code;
    pthread_mutex_lock(&h->mutex);
    h->must_stop |= code != 0;
    pthread_mutex_unlock(&h->mutex);
    pthread_join(h->thread, NULL);
    h->is_started = 0;
    if (h->has_failed && !code)
        code = report_error(h->command, EXIT_INTERNAL, "a message between the ranks was lost");
    if (h->lost) {
        report_error(h->command, 0, "%d of %d ranks did not answer any more: the others have done their part", h->lost,
                     rank_count());
        lose_ranks();
    }
    return code;
}
