/* Threads that run one at a time. */
#include "distributed/turns.h"

#include "graph/memory.h"

int atl_turns_begin(atl_turns *t, int64_t count)
{
    t->count = count;
    t->now = 0;
    t->has_ended = atl_allocate((size_t)count, 1);
    if (!t->has_ended)
        return 0;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
    return 1;
}

void atl_turns_end(atl_turns *t)
{
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->changed);
    atl_release(t->has_ended);
}

/* With the mutex held.  After the last thread, nobody is next. */
static void give_turn(atl_turns *t, int64_t after)
{
    for (int64_t i = 1; i <= t->count; i++) {
        t->now = (after + i) % t->count;
        if (!t->has_ended[t->now])
            break;
    }
    pthread_cond_broadcast(&t->changed);
}

static void wait_for_turn(atl_turns *t, int64_t thread)
{
    while (t->now != thread)
        pthread_cond_wait(&t->changed, &t->mutex);
}

void atl_await_turn(atl_turns *t, int64_t thread)
{
    pthread_mutex_lock(&t->mutex);
    wait_for_turn(t, thread);
    pthread_mutex_unlock(&t->mutex);
}

void atl_pass_turn(atl_turns *t, int64_t thread)
{
    pthread_mutex_lock(&t->mutex);
    give_turn(t, thread);
    wait_for_turn(t, thread);
    pthread_mutex_unlock(&t->mutex);
}

void atl_end_turn(atl_turns *t, int64_t thread)
{
    pthread_mutex_lock(&t->mutex);
    t->has_ended[thread] = 1;
    give_turn(t, thread);
    pthread_mutex_unlock(&t->mutex);
}
