/* The work of a command that is made of independent tasks (pictures, targets, batches): all of it in this process, or a
 * shard of it (--shard I/N), whose records `atled merge` joins.
 *
 * A command begins its work when it knows its tasks, does those for which is_task_here, and keeps a record of each.  If
 * the results are here (shows_results), it tells them, and writes what is made of several tasks (a table, a sheet):
 * from what it has done itself, or, in atled merge, from the records of all shards. */
#ifndef ATLED_TOOLS_WORK_H
#define ATLED_TOOLS_WORK_H

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
} work;

/* Checks the form of --shard.  Returns 0, or the exit code after an error message. */
int check_shard_options(const char *command, const shard_options *set);
/* True if begin_work needs the facts. */
int needs_facts(const shard_options *set);
/* facts (taken over; may be null if they are not needed): what else determines the results, such as digests of weights
 * and data.  folder: where records go by default.  Returns 0, or the exit code after an error message; call end_work
 * either way. */
int begin_work(work *w, const char *command, const shard_options *set, int64_t tasks, json_t *facts,
               const char *folder);
/* True if this process is to do the task: it is in its part, and there is no record yet. */
int is_task_here(const work *w, int64_t task);
/* The record of a task that was done before, or by a shard that is merged; else null. */
json_t *record_of(const work *w, int64_t task);
/* Keeps it if that is needed; takes it over.  Null: memory ran out.  The record gets its "task". */
int keep_record(work *w, int64_t task, json_t *record);
/* True if the results of all tasks are told here. */
int shows_results(const work *w);
/* Ends a shard: says how much of it is done.  Returns the exit code. */
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
