/* Records: a file of JSON lines with what one shard of a command has done.  The first line, the header, says which
 * command with which options, networks and data; each further line is a record: what one finished task gives. */
#ifndef ATLED_TOOLS_RECORDS_H
#define ATLED_TOOLS_RECORDS_H

#include <jansson.h>
#include <stdint.h>

#define RECORDS_FORMAT "atled shard 1"

typedef struct record_file {
    char path[4096];
    json_t *header;
    int64_t tasks;    /* of the whole command */
    json_t **record;  /* by task; null: not done, or of another shard */
    int64_t count;    /* records here */
    int64_t expected; /* tasks of this shard */
} record_file;

/* The shard (from 1) that a task belongs to: each has consecutive tasks, so that it reads data once. */
static inline int64_t shard_of(int64_t task, int64_t tasks, int64_t shards)
{
    return ((task + 1) * shards - 1) / tasks + 1;
}

/* Reads the file; a last line that was cut is dropped.  A missing file: header is null.  Returns 0, or the exit code
 * after an error message; call free_records either way. */
int read_records(const char *command, const char *path, record_file *records_out);
/* Makes it an empty one with that header, which is taken over. */
int start_records(const char *command, const char *path, json_t *header, record_file *records_out);
void free_records(record_file *records);
/* Takes the record over; a second one of a task replaces the first. */
void set_record(record_file *records, int64_t task, json_t *record);
/* Writes all of it in the order of the tasks, beside the old file, and renames. */
int write_records(const char *command, const record_file *records);

/* One line; not 0 on failure, with errno set. */
int write_json_line(FILE *file, const json_t *line);

/* What makes two headers those of different commands, in words: "--eps is '4/255', not '8/255'".  Returns 0 if nothing
 * does: the number of the shard, and where results go, may differ. */
int headers_differ(const json_t *header, const json_t *other, char *text, size_t size);

#endif
