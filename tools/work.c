/* The work of a command: which tasks are done here, and the records of them. */
#include "work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "certificate.h"
#include "digest.h"
#include "progress.h"
#include "ranks.h"
#include "tools.h"

merged_shards *shards_to_merge;

/* ---- the options ------------------------------------------------------------------------------------------------- */

static int read_shard(const char *text, int64_t *shard_out, int64_t *shards_out)
{
    enum { MOST_SHARDS = 1000000 };
    char *end;
    long long shard = strtoll(text, &end, 10), shards = *end == '/' ? strtoll(end + 1, &end, 10) : 0;
    *shard_out = shard;
    *shards_out = shards;
    return strspn(text, "0123456789/") == strlen(text) && *end == 0 && shard >= 1 && shard <= shards &&
           shards <= MOST_SHARDS;
}

int check_shard_options(const char *command, const shard_options *set)
{
    int64_t shard, shards;
    if (set->shard && !read_shard(set->shard, &shard, &shards))
        return report_error(command, EXIT_USAGE, "--shard takes I/N with I from 1 to N, such as 2/8, not '%s'",
                            set->shard);
    if (set->file && !set->shard && !shards_to_merge)
        return report_error(command, EXIT_USAGE, "--shard-file %s goes with --shard", set->file);
    return 0;
}

int needs_facts(const shard_options *set) { return set->shard || shards_to_merge || rank_count() > 1; }

/* ---- beginning --------------------------------------------------------------------------------------------------- */

/* The words without --shard and --shard-file, for which getopt has shorter forms. */
static json_t *words_without_shard(const json_t *words)
{
    json_t *rest = json_array();
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        size_t length = word ? strcspn(word, "=") : 0;
        int is_shard = length >= 7 && strncmp(word, "--shard-file", length) == 0;
        if (is_shard)
            i += word[length] != '=';
        else
            json_array_append(rest, json_array_get(words, i));
    }
    return rest;
}

static int are_texts(const json_t *words)
{
    for (size_t i = 0; i < json_array_size(words); i++)
        if (!json_is_string(json_array_get(words, i)))
            return 0;
    return 1;
}

static json_t *header_of(const work *w, const shard_options *set, json_t *facts)
{
    json_t *header = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:O, s:O, s:o}", "format", RECORDS_FORMAT, "command",
                               w->command, "shard", (json_int_t)w->shard, "shards", (json_int_t)w->shards, "tasks",
                               (json_int_t)w->tasks, "words", words_without_shard(json_object_get(set->words, "words")),
                               "options", json_object_get(set->words, "options"), "operands",
                               json_object_get(set->words, "operands"), "facts", facts);
    if (header && facts) {
        json_object_set_new(facts, "atled", json_string(atl_version()));
        json_object_set_new(facts, "instruction set", json_string(atl_isa_name(atl_isa_in_use())));
    }
    return header;
}

static int open_log(work *w)
{
    const char *path = w->records.path;
    int code = write_records(w->command, &w->records);
    if (code)
        return code;
    if (!(w->log = fopen(path, "ab")))
        return report_error(w->command, EXIT_BAD_FILE, "%s: %s", path, strerror(errno));
    if (flock(fileno(w->log), LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return report_error(w->command, EXIT_BAD_FILE, "%s: another process is at work on this shard", path);
    return 0;
}

/* Takes over what an earlier run of the same shard has done. */
static int open_shard(work *w, const shard_options *set, json_t *facts, const char *folder)
{
    char path[4096], why[512] = "";
    read_shard(set->shard, &w->shard, &w->shards);
    json_t *header = header_of(w, set, facts);
    if (!header)
        return report_no_memory(w->command);
    if (set->file)
        snprintf(path, sizeof path, "%s", set->file);
    else
        snprintf(path, sizeof path, "%.4000s/shard-%lld-of-%lld.jsonl", folder, (long long)w->shard,
                 (long long)w->shards);
    int code = are_texts(json_object_get(header, "words"))
                   ? read_records(w->command, path, &w->records)
                   : report_error(w->command, EXIT_USAGE, "--shard: a word of the command line is not UTF-8");
    if (!code && !w->records.header)
        return start_records(w->command, path, header, &w->records) ? EXIT_INTERNAL : open_log(w);
    if (!code && (headers_differ(header, w->records.header, why, sizeof why) ||
                  whole_at(w->records.header, "shard", 0) != w->shard))
        code = report_error(w->command, EXIT_USAGE,
                            "%s holds the records of another command or another shard: %s; give another --shard-file, "
                            "or remove it",
                            path, *why ? why : "the shard is another one");
    json_decref(header);
    if (!code && w->records.count)
        fprintf(stderr, "atled %s: %lld of %lld of this shard are done already\n", w->command,
                (long long)w->records.count, (long long)w->records.expected);
    return code ? code : open_log(w);
}

/* Compares this process's command with those of the shards, which merge.c has found to be the same. */
static int take_merged(work *w, const shard_options *set, json_t *facts)
{
    char why[512] = "";
    const merged_shards *m = shards_to_merge;
    w->is_merged = 1;
    w->shard = 1;
    w->shards = m->count;
    json_t *header = header_of(w, set, facts);
    if (!header)
        return report_no_memory(w->command);
    if (headers_differ(m->shard[0].header, header, why, sizeof why)) {
        json_decref(header);
        return report_error(w->command, EXIT_BAD_FILE, "%s does not belong to what is here now: %s", m->shard[0].path,
                            why);
    }
    int code = start_records(w->command, "", header, &w->records);
    for (int64_t i = 0; i < w->tasks && !code; i++)
        set_record(&w->records, i, json_incref(m->shard[shard_of(i, w->tasks, m->count) - 1].record[i]));
    return code;
}

static void add_lines(FILE *to, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        fprintf(to, "%s: %s\n", key, text ? text : "");
        free(text);
    }
}

/* What all ranks must have in common, for agree_on; to be freed. */
static char *lines_of(const json_t *header)
{
    char *text = NULL;
    size_t size;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return NULL;
    add_lines(memory, json_object_get(header, "options"));
    add_lines(memory, json_object_get(header, "facts"));
    fprintf(memory, "build: %s\ntasks: %lld\n", build_of_rank(), whole_at(header, "tasks", 0));
    if (fclose(memory) == 0)
        return text;
    free(text);
    return NULL;
}

/* All ranks must have the same command, files and build. */
static int join_ranks(work *w, const shard_options *set, json_t *facts)
{
    w->shards = w->shard = 1;
    json_t *header = header_of(w, set, facts);
    if (!header)
        return report_no_memory(w->command);
    int code = start_records(w->command, "", header, &w->records);
    char *text = code ? NULL : lines_of(header);
    if (!text && !code)
        code = report_no_memory(w->command);
    code = agree_on(w->command, code, text);
    free(text);
    if (code)
        return code;
    w->ranks = start_handing_out(w->command, w->tasks);
    return w->ranks ? 0 : EXIT_INTERNAL;
}

int begin_work(work *w, const char *command, const shard_options *set, int64_t tasks, json_t *facts, const char *folder)
{
    *w = (work){.command = command, .tasks = tasks, .here = tasks};
    if (!needs_facts(set)) {
        json_decref(facts);
        return 0;
    }
    if (!facts || !set->words) {
        json_decref(facts);
        return report_no_memory(command);
    }
    if (set->shard && rank_count() > 1) {
        json_decref(facts);
        return report_error(command, EXIT_USAGE, "--shard %s: ranks share all of the work; give one or the other",
                            set->shard);
    }
    int code = shards_to_merge ? take_merged(w, set, facts)
               : set->shard    ? open_shard(w, set, facts, folder)
                               : join_ranks(w, set, facts);
    w->here = w->is_merged ? 0 : w->records.expected;
    return code;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

json_t *record_of(const work *w, int64_t task) { return w->records.record ? w->records.record[task] : NULL; }

static int is_task_here(const work *w, int64_t task)
{
    return !w->is_merged && (!w->shards || shard_of(task, w->tasks, w->shards) == w->shard) && !record_of(w, task);
}

int skip_task(work *w, int64_t task, json_t *record)
{
    record_file *r = &w->records;
    if (!r->record) {
        r->tasks = w->tasks;
        r->record = calloc((size_t)w->tasks, sizeof(json_t *));
    }
    if (!r->record)
        return report_no_memory(w->command);
    set_record(r, task, json_incref(record));
    if (w->ranks)
        note_done(w->ranks, task);
    return 0;
}

int64_t take_tasks(work *w, int64_t least, int64_t most, int64_t *task)
{
    int64_t count = 0;
    if (w->ranks)
        return take_handed_out(w->ranks, least, most, task);
    for (; w->next < w->tasks && count < most && !was_interrupted(); w->next++)
        if (is_task_here(w, w->next))
            task[count++] = w->next;
    return count;
}

int64_t next_task_of_others(work *w)
{
    int64_t task = -1;
    json_t *record = w->ranks ? next_arrived(w->ranks, &task) : NULL;
    if (record)
        set_record(&w->records, task, record);
    return record ? task : -1;
}

int keep_record(work *w, int64_t task, json_t *record)
{
    if (!w->shards) {
        json_decref(record);
        return 0;
    }
    if (!record || json_object_set_new(record, "task", json_integer(task))) {
        json_decref(record);
        return report_no_memory(w->command);
    }
    set_record(&w->records, task, record);
    if (w->ranks)
        return hand_in(w->ranks, task, record);
    if (write_json_line(w->log, record))
        return report_error(w->command, EXIT_BAD_FILE, "%s: %s", w->records.path, strerror(errno));
    return 0;
}

int keeps_records(const work *w) { return w->shards && !w->is_merged; }
int recalls_results(const work *w) { return w->is_merged || (w->ranks && this_rank() == 0); }
int shows_results(const work *w) { return !w->shards || recalls_results(w); }

int stop_tasks(work *w, int code) { return w->ranks ? stop_handing_out(w->ranks, code) : code; }

int close_work(work *w)
{
    if (w->ranks)
        return EXIT_GOAL_MET; /* rank 0 knows whether the goal is met */
    int failed = fclose(w->log);
    w->log = NULL;
    if (failed)
        return report_error(w->command, EXIT_BAD_FILE, "%s: %s", w->records.path, strerror(errno));
    int code = write_records(w->command, &w->records);
    if (code)
        return code;
    printf("%s: shard %lld of %lld, %lld of its %lld tasks done\n", w->records.path, (long long)w->shard,
           (long long)w->shards, (long long)w->records.count, (long long)w->records.expected);
    return w->records.count == w->records.expected ? EXIT_GOAL_MET : EXIT_GOAL_NOT_MET;
}

void end_work(work *w, shard_options *set)
{
    if (w->log)
        fclose(w->log);
    free_hand_out(w->ranks);
    free_records(&w->records);
    json_decref(set->words);
    set->words = NULL;
    w->log = NULL;
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */

void add_file_fact(json_t *facts, const char *name, const char *path)
{
    char text[DIGEST_TEXT];
    if (facts && path && digest_of_file(path, text) == 0)
        json_object_set_new(facts, name, json_string(text));
}

/* ---- files of results -------------------------------------------------------------------------------------------- */

static int copy_file(const char *command, const char *from, const char *to)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(from, "rb"), *memory = file ? open_memstream(&text, &size) : NULL;
    char part[65536];
    int failed = !memory;
    for (size_t got; !failed && (got = fread(part, 1, sizeof part, file)) > 0;)
        failed = fwrite(part, 1, got, memory) != got;
    failed = failed || ferror(file);
    if (memory)
        failed |= fclose(memory) != 0;
    if (file)
        fclose(file);
    int code = failed ? report_error(command, EXIT_BAD_FILE, "%s cannot be read: %s", from, strerror(errno))
               : atl_write_bytes(to, text, size) ? report_failure(command)
                                                 : 0;
    free(text);
    return code;
}

int bring_file(const work *w, int64_t task, const char *path)
{
    char from[4352];
    struct stat there, here;
    if (!w->is_merged)
        return 0;
    const char *records = shards_to_merge->shard[shard_of(task, w->tasks, w->shards) - 1].path,
               *folder = strrchr(records, '/'), *slash = strrchr(path, '/');
    snprintf(from, sizeof from, "%.*s%s", folder ? (int)(folder - records) + 1 : 0, records, slash ? slash + 1 : path);
    int is_there = stat(from, &there) == 0, is_here = stat(path, &here) == 0;
    if (is_there && is_here && there.st_dev == here.st_dev && there.st_ino == here.st_ino)
        return 0;
    if (is_there)
        return copy_file(w->command, from, path);
    return is_here ? 0
                   : report_error(w->command, EXIT_BAD_FILE, "%s, which %s promises, is neither there nor beside it",
                                  path, records);
}
