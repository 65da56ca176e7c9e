/* Threads that run one at a time: the parts of a rank, each of which waits for the others wherever a node averages over
 * all of them. */
#ifndef ATLED_DISTRIBUTED_TURNS_H
#define ATLED_DISTRIBUTED_TURNS_H

#include <pthread.h>
#include <stdint.h>

typedef struct atl_turns {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t count, now; /* threads; the one that runs */
    char *has_ended;    /* by thread */
} atl_turns;

/* Returns 0 out of memory.  Thread 0 comes first. */
int atl_turns_begin(atl_turns *turns, int64_t count);
void atl_turns_end(atl_turns *turns);

/* A thread waits until it is its turn, for the first time. */
void atl_await_turn(atl_turns *turns, int64_t thread);
/* Lets all others run until they do the same, or end; then it goes on. */
void atl_pass_turn(atl_turns *turns, int64_t thread);
/* The thread has come to its end. */
void atl_end_turn(atl_turns *turns, int64_t thread);

#endif
