/* The work of a command that is made of independent tasks (pictures, targets, batches): all of it in this process; a
 * shard of it (--shard I/N), whose records `atled merge` joins; or what rank 0 hands out to this rank (mpirun).
 *
 * A command begins its work when it knows its tasks, takes tasks until there are none, and keeps a record of each.  If
 * the results are here (shows_results), it tells them, and writes what is made of several tasks (a table, a sheet):
 * from what it has done itself, or (recalls_results), in atled merge and on rank 0, from the records of all. */
#ifndef ATLED_TOOLS_WORK_H
#define ATLED_TOOLS_WORK_H

#include "hand_out.h"
#include "options.h"
#include "records.h"

typedef struct shard_options {
    const char *shard, *file; /* null: all of the work; a file with a name of its own */
    json_t *words;            /* of read_options */
} shard_options;

#define SHARD_OPTIONS(set)                                                                                             \
    {"shard", 0, .text = &(set)->shard, .argument = "I/N",                                                             \
     .help =                                                                                                           \
         "do only the I-th of N equal parts, I from 1, and keep records for 'atled merge', which joins the parts; "    \
         "the same command continues an interrupted part"},                                                            \
    {                                                                                                                  \
        "shard-file", 0,                                                                                               \
            .text = &(set)->file, .argument = "FILE",                                                                  \
            .help = "where the records of --shard go; default: shard-I-of-N.jsonl in the folder of the output"         \
    }

typedef struct work {
    const char *command;
    int64_t tasks, here; /* of the command; of this process */
    int64_t shard, shards;
    int is_merged;
    record_file records; /* of a shard, or of all shards that are merged */
    FILE *log;           /* to which records are appended */
    hand_out *ranks;     /* null: this process is alone */
    int64_t next;        /* no task before it is left for this process */
} work;

/* Checks the form of --shard.  Returns 0, or the exit code after an error message. */
int check_shard_options(const char *command, const shard_options *set);
/* True if begin_work needs the facts: for shards and for ranks. */
int needs_facts(const shard_options *set);
/* facts (taken over; may be null if they are not needed): what else determines the results, such as digests of weights
 * and data.  folder: where records go by default.  Returns 0, or the exit code after an error message; call end_work
 * either way. */
int begin_work(work *w, const char *command, const shard_options *set, int64_t tasks, json_t *facts,
               const char *folder);
/* The task was done before, by a run of which the caller has the result.  Returns 0, or the exit code after an error
 * message. */
int skip_task(work *w, int64_t task, json_t *record);
/* The next tasks for this process, in ascending order: `most` at most; of ranks, each takes a part of what is left, but
 * `least` if there are as many.  Returns how many; 0: no more; -1: failure, after an error message. */
int64_t take_tasks(work *w, int64_t least, int64_t most, int64_t *task_out);
/* The record of a task that was done before, or by a shard that is merged; else null. */
json_t *record_of(const work *w, int64_t task);
/* Keeps it if that is needed; takes it over.  Null: memory ran out.  The record gets its "task". */
int keep_record(work *w, int64_t task, json_t *record);
/* Call it when the last task is done or there was a failure (the exit code): ranks wait for each other.  Returns the
 * exit code. */
int stop_tasks(work *w, int code);
/* Rank 0: a task that another rank has done since the last call; -1: none. */
int64_t next_task_of_others(work *w);
/* True if records are needed. */
int keeps_records(const work *w);
/* True if the results of all tasks are told here; true if they are told from records, when all are done. */
int shows_results(const work *w);
int recalls_results(const work *w);
/* Ends a shard, and says how much of it is done; or ends the part of a rank.  Returns the exit code. */
int close_work(work *w);
void end_work(work *w, shard_options *set);

/* The digest of the file, under that name; null: there is none.  facts may be null. */
void add_file_fact(json_t *facts, const char *name, const char *path);

/* In atled merge: the file of a task's result that belongs at `path` is brought from the folder of the shard's records,
 * if that is another one. */
int bring_file(const work *w, int64_t task, const char *path);

/* ---- merging: merge.c sets it, begin_work takes it ---- */

typedef struct merged_shards {
    int64_t count;
    record_file *shard; /* by number - 1 */
} merged_shards;
extern merged_shards *shards_to_merge; /* null: the command runs by itself */

#endif
