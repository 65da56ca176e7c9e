/* Tasks that are handed out to ranks (mpirun): rank 0 gives a rank that has none some of those that are left, and
 * collects the records.  It works, too: a thread of its own answers the others.  A rank from which nothing has come for
 * a long time counts as lost, and its tasks are given to the others. */
#ifndef ATLED_TOOLS_HAND_OUT_H
#define ATLED_TOOLS_HAND_OUT_H

#include <jansson.h>
#include <stdint.h>

typedef struct hand_out hand_out;

/* On rank 0, starts the thread.  Null on failure, after an error message. */
hand_out *start_handing_out(const char *command, int64_t tasks);
/* Call it on all ranks when they take no more tasks, with the exit code so far: 0 or 1 waits for the others; another
 * one will end them.  Says that ranks are lost.  Returns the exit code. */
int stop_handing_out(hand_out *h, int code);
void free_hand_out(hand_out *h); /* null is allowed */

/* Rank 0: the task was done before. */
void note_done(hand_out *h, int64_t task);
/* The next tasks of this rank: at most `most`, and at least `least` but for the last ones.  Waits while others may
 * still lose theirs.  Returns how many; 0: there are none; -1: failure, after an error message. */
int64_t take_handed_out(hand_out *h, int64_t least, int64_t most, int64_t *task_out);
/* A task of this rank is done: sends the record to rank 0.  Returns 0, or the exit code after an error message. */
int hand_in(hand_out *h, int64_t task, const json_t *record);
/* Rank 0: a record that has come from another rank since the last call, to be released; null: none. */
json_t *next_arrived(hand_out *h, int64_t *task_out);

#endif
