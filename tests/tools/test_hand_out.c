/* Tasks that rank 0 hands out: each is done once, whichever ranks there are, also if one stops answering.  The ranks
 * are threads; what they send lies in a mailbox of each. */
#include "support.h"

#include <sched.h>

#include "../../tools/hand_out.c"

enum { MOST_RANKS = 4, MOST_LETTERS = 4096, TASKS = 60 };

/* ---- ranks of threads -------------------------------------------------------------------------------------------- */

typedef struct letter {
    int from;
    size_t size;
    char *bytes;
} letter;

static struct {
    pthread_mutex_t mutex;
    letter letters[MOST_RANKS][MOST_LETTERS];
    int first[MOST_RANKS], count[MOST_RANKS];
    int size, lost /* as the watch finds it; -1: none */, has_lost, awaited;
} post = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local int own_rank;

static atl_status send_letter(void *context, const void *bytes, size_t size, int to)
{
    (void)context;
    pthread_mutex_lock(&post.mutex);
    letter *l = &post.letters[to][post.count[to]++ % MOST_LETTERS];
    *l = (letter){own_rank, size, malloc(size + 1)};
    memcpy(l->bytes, bytes, size);
    pthread_mutex_unlock(&post.mutex);
    return ATL_OK;
}

static atl_status peek_letter(void *context, int *from, size_t *size_out)
{
    (void)context;
    pthread_mutex_lock(&post.mutex);
    int is_there = post.first[own_rank] < post.count[own_rank];
    const letter *l = &post.letters[own_rank][post.first[own_rank] % MOST_LETTERS];
    *from = is_there ? l->from : -1;
    *size_out = is_there ? l->size : 0;
    pthread_mutex_unlock(&post.mutex);
    return ATL_OK;
}

static atl_status receive_letter(void *context, void *bytes, size_t size, int from)
{
    (void)context;
    (void)from;
    pthread_mutex_lock(&post.mutex);
    letter *l = &post.letters[own_rank][post.first[own_rank]++ % MOST_LETTERS];
    memcpy(bytes, l->bytes, size);
    free(l->bytes);
    pthread_mutex_unlock(&post.mutex);
    return ATL_OK;
}

static const atl_ranks ranks_of_threads = {.send = send_letter, .peek = peek_letter, .receive = receive_letter};

/* What hand_out.c calls. */
const atl_ranks *ranks_in_use(void) { return &ranks_of_threads; }
int this_rank(void) { return own_rank; }
int rank_count(void) { return post.size; }
int is_lost_rank(int rank) { return rank == post.lost; }
void lose_ranks(void) { post.has_lost = 1; }
int speaks_for_all(void) { return 1; }
double rank_patience(double usual) { return usual < 1 ? usual : 1; }
int was_interrupted(void) { return 0; }
double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}
long long whole_at(const json_t *object, const char *path, long long missing)
{
    const json_t *number = json_object_get(object, path);
    return json_is_integer(number) ? (long long)json_integer_value(number) : missing;
}
int report_error(const char *command, int code, const char *format, ...)
{
    (void)command;
    (void)format;
    return code;
}
int report_failure(const char *command) { return command ? 4 : 4; }
int report_no_memory(const char *command) { return command ? 4 : 4; }

/* ---- the work of a rank ------------------------------------------------------------------------------------------ */

typedef struct worker {
    int rank, vanishes; /* takes tasks, and is never heard of again */
    int asks_early;     /* for more tasks, before it hands in the records of the last ones */
    hand_out *handed;
    int done[TASKS], code;
} worker;

/* The rank that vanishes has some tasks before the others go on. */
static void meet(const worker *w)
{
    pthread_mutex_lock(&post.mutex);
    post.awaited -= w->vanishes && post.awaited > 0;
    pthread_mutex_unlock(&post.mutex);
    for (int waits = 1; waits && !w->vanishes; sched_yield()) {
        pthread_mutex_lock(&post.mutex);
        waits = post.awaited > 0;
        pthread_mutex_unlock(&post.mutex);
    }
}

static void hand_in_all(worker *w, int64_t count, const int64_t *task)
{
    for (int64_t i = 0; i < count; i++) {
        json_t *record = json_pack("{s:I, s:i}", "task", (json_int_t)task[i], "rank", w->rank);
        w->done[task[i]]++;
        w->code |= hand_in(w->handed, task[i], record);
        json_decref(record);
    }
}

/* Tasks whose records a thread of their own hands in. */
typedef struct late_records {
    worker *w;
    int64_t count, task[TASKS];
} late_records;

static void *hand_in_late(void *context)
{
    const late_records *late = context;
    own_rank = late->w->rank;
    nanosleep(&(const struct timespec){.tv_nsec = 5000000}, NULL);
    hand_in_all(late->w, late->count, late->task);
    return NULL;
}

static int64_t take_early(worker *w, late_records *late, int64_t *task)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, hand_in_late, late), 0);
    int64_t count = take_handed_out(w->handed, 1, 8, task);
    pthread_join(thread, NULL);
    return count;
}

static void do_tasks(worker *w)
{
    int64_t task[TASKS], count = take_handed_out(w->handed, 1, 8, task);
    while (count > 0 && (meet(w), !w->vanishes)) {
        late_records late = {.w = w, .count = count};
        memcpy(late.task, task, sizeof task);
        if (w->asks_early) {
            count = take_early(w, &late, task);
            continue;
        }
        hand_in_all(w, count, task);
        count = take_handed_out(w->handed, 1, 8, task);
    }
    w->code |= count < 0;
    if (!w->vanishes)
        w->code |= stop_handing_out(w->handed, 0);
}

static void *work_as(void *context)
{
    worker *w = context;
    own_rank = w->rank;
    w->handed = start_handing_out("test", TASKS);
    for (int64_t i = 0; i < 5 && w->rank == 0; i++)
        note_done(w->handed, 7 * i);
    if (w->handed)
        do_tasks(w);
    return NULL;
}

/* Runs all; the first five multiples of 7 were done before. */
static void work_with(int size, int vanishes, int is_watched, int asks_early)
{
    worker w[MOST_RANKS] = {{0}};
    pthread_t thread[MOST_RANKS];
    int64_t task;
    int done[TASKS] = {0}, arrived[TASKS] = {0};
    memset(post.first, 0, sizeof post.first);
    memset(post.count, 0, sizeof post.count);
    post.size = size;
    post.lost = is_watched ? vanishes : -1;
    post.has_lost = 0;
    post.awaited = vanishes > 0;
    for (int i = 0; i < size; i++) {
        w[i] = (worker){.rank = i, .vanishes = i == vanishes, .asks_early = asks_early};
        cr_assert_eq(pthread_create(&thread[i], NULL, work_as, &w[i]), 0);
    }
    for (int i = 0; i < size; i++)
        pthread_join(thread[i], NULL);
    own_rank = 0;
    for (json_t *record; (record = next_arrived(w[0].handed, &task)); json_decref(record)) {
        arrived[task]++;
        cr_assert_eq(w[whole_at(record, "rank", 0)].done[task], 1);
    }
    for (int i = 0; i < size; i++) {
        cr_assert_eq(w[i].code, 0, "rank %d of %d", i, size);
        for (int k = 0; k < TASKS; k++)
            done[k] += w[i].done[k];
        own_rank = i;
        free_hand_out(w[i].handed);
    }
    own_rank = 0;
    for (int k = 0; k < TASKS; k++) {
        int was_done = k % 7 == 0 && k < 35;
        cr_assert_eq(done[k], !was_done, "task %d is done %d times", k, done[k]);
        cr_assert_eq(arrived[k], !was_done && !w[0].done[k], "task %d", k);
    }
    cr_assert_eq(post.has_lost, vanishes > 0);
}

Test(hand_out, each_task_is_done_once)
{
    for (int size = 1; size <= MOST_RANKS; size++)
        work_with(size, -1, 0, 0);
}

/* By rank 0's patience, which is a second here. */
Test(hand_out, others_do_the_tasks_of_a_rank_that_brings_nothing) { work_with(3, 1, 0, 0); }

Test(hand_out, others_do_the_tasks_of_a_rank_that_does_not_answer) { work_with(4, 2, 1, 0); }

/* Records that come after a request do not take its place. */
Test(hand_out, ranks_ask_for_tasks_before_the_last_are_done)
{
    for (int size = 1; size <= MOST_RANKS; size++)
        work_with(size, -1, 0, 1);
    work_with(3, 1, 0, 1);
}

Test(hand_out, without_rank_0_others_do_not_wait)
{
    int64_t task[TASKS];
    post.size = 2;
    post.lost = 0;
    own_rank = 1;
    hand_out *handed = start_handing_out("test", TASKS);
    cr_assert_eq(take_handed_out(handed, 1, 8, task), -1);
    free_hand_out(handed);
    free(post.letters[0][0].bytes); /* its request, which nobody has read */
}
