/* The queue between the threads that attack pictures and the threads that run the network: queries of many pictures go
 * into one run. */
#ifndef ATLED_ATTACK_QUEUE_H
#define ATLED_ATTACK_QUEUE_H

#include "attack/attacker.h"

typedef struct atl_query_queue atl_query_queue;

/* Starts the attacker's threads.  `askers`: the number of threads that will ask; poll: see atl_attack_poll. */
atl_query_queue *atl_query_queue_new(atl_attacker *attacker, int askers, atl_attack_poll *poll, void *context);
void atl_query_queue_free(atl_query_queue *queue); /* after the askers have left; null is allowed */

/* Waits until all queries are answered.  All of them have a gradient, or none has. */
atl_status atl_query_queue_ask(atl_query_queue *queue, int64_t count, atl_query *queries);
/* The calling thread will ask no more. */
void atl_query_queue_leave(atl_query_queue *queue);
/* Makes every query from now on fail with the status and the message of the calling thread's last error. */
void atl_query_queue_stop(atl_query_queue *queue, atl_status status);
atl_status atl_query_queue_status(atl_query_queue *queue);

/* How many threads should ask for so many tasks: `wanted`, or if that is 0, enough to keep the attacker's threads busy,
 * with a run for each and the next one filling. */
int atl_query_queue_askers(const atl_attacker *attacker, int wanted, int64_t tasks);
/* Runs `ask` in so many threads, each of which ends with atl_query_queue_leave; waits for them.  Returns the status of
 * the queue, with its message as the calling thread's error. */
atl_status atl_query_queue_run(atl_query_queue *queue, int askers, void *(*ask)(void *context), void *context);

#endif
