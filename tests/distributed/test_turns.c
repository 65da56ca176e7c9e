/* Threads that run one at a time, in turn. */
#include "support.h"
#include "distributed/turns.h"

#include <pthread.h>

enum { THREADS = 5, ROUNDS = 7 };

typedef struct turn_run {
    atl_turns *turns;
    int64_t number, rounds;
    int *order, *count, *running;
} turn_run;

/* Notes its number in each round; nobody else may run meanwhile. */
static void *run_rounds(void *context)
{
    turn_run *t = context;
    atl_await_turn(t->turns, t->number);
    for (int64_t i = 0; i < t->rounds; i++) {
        if (i)
            atl_pass_turn(t->turns, t->number);
        *t->running += 1;
        t->order[(*t->count)++] = *t->running == 1 ? (int)t->number : -1;
        *t->running -= 1;
    }
    atl_end_turn(t->turns, t->number);
    return NULL;
}

/* A thread that ends early is left out: the others go on in their order. */
Test(turns, threads_run_one_at_a_time_in_their_order)
{
    for (int early = 0; early <= THREADS; early++) {
        atl_turns turns;
        turn_run run[THREADS];
        pthread_t thread[THREADS];
        int order[THREADS * ROUNDS], count = 0, running = 0, at = 0;
        cr_assert(atl_turns_begin(&turns, THREADS));
        for (int i = THREADS - 1; i >= 0; i--) { /* the last one is started first */
            run[i] = (turn_run){&turns, i, i == early ? 2 : ROUNDS, order, &count, &running};
            cr_assert_eq(pthread_create(&thread[i], NULL, run_rounds, &run[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        for (int round = 0; round < ROUNDS; round++)
            for (int i = 0; i < THREADS; i++)
                if (round < run[i].rounds)
                    cr_assert_eq(order[at++], i, "early %d, round %d", early, round);
        cr_assert_eq(at, count);
        atl_turns_end(&turns);
    }
}

Test(turns, a_thread_alone_keeps_its_turn)
{
    atl_turns turns;
    cr_assert(atl_turns_begin(&turns, 1));
    atl_await_turn(&turns, 0);
    atl_pass_turn(&turns, 0);
    atl_end_turn(&turns, 0);
    atl_turns_end(&turns);
}
