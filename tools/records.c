/* Records of finished tasks: reading, writing, comparing. */
#include "records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "tools.h"

/* ---- in memory --------------------------------------------------------------------------------------------------- */

void free_records(record_file *r)
{
    for (int64_t i = 0; r->record && i < r->tasks; i++)
        json_decref(r->record[i]);
    free(r->record);
    json_decref(r->header);
    *r = (record_file){0};
}

void set_record(record_file *r, int64_t task, json_t *record)
{
    if (r->record[task])
        json_decref(r->record[task]);
    else
        r->count++;
    r->record[task] = record;
}

/* Whether the header makes sense: then there is room for its records. */
static int take_header(const char *command, record_file *r, json_t *header)
{
    const char *format = text_at(header, "format");
    long long shard = whole_at(header, "shard", 0), shards = whole_at(header, "shards", 0),
              tasks = whole_at(header, "tasks", -1);
    enum { MOST_SHARDS = 1000000 };
    const long long most_tasks = 1000000000000; /* their product with the shards fits */
    int is_shard = format && strcmp(format, RECORDS_FORMAT) == 0 && shard >= 1 && shard <= shards && tasks >= 0 &&
                   shards <= MOST_SHARDS && tasks <= most_tasks && text_at(header, "command") &&
                   json_is_object(json_object_get(header, "options")) &&
                   json_is_object(json_object_get(header, "facts"));
    r->header = header;
    if (!is_shard)
        return report_error(command, EXIT_BAD_FILE,
                            "%s is not what atled writes with --shard: its first line is no '%s'", r->path,
                            RECORDS_FORMAT);
    r->tasks = tasks;
    r->expected = shard * tasks / shards - (shard - 1) * tasks / shards;
    r->record = calloc(tasks ? (size_t)tasks : 1, sizeof(json_t *));
    return r->record ? 0 : report_no_memory(command);
}

int start_records(const char *command, const char *path, json_t *header, record_file *r)
{
    *r = (record_file){0};
    snprintf(r->path, sizeof r->path, "%s", path);
    if (!header)
        return report_no_memory(command);
    return take_header(command, r, header);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

int write_json_line(FILE *file, const json_t *line)
{
    return json_dumpf(line, file, JSON_COMPACT | JSON_REAL_PRECISION(17)) || fputc('\n', file) == EOF || fflush(file);
}

static int read_lines(const char *command, FILE *file, record_file *r)
{
    char *line = NULL;
    size_t room = 0;
    int code = 0;
    for (long number = 1; !code && getline(&line, &room, file) > 0; number++) {
        size_t length = strlen(line);
        int is_cut = !length || line[length - 1] != '\n';
        json_t *value = is_cut ? NULL : json_loads(line, 0, NULL);
        if (number == 1) {
            code = take_header(command, r, value);
            continue;
        }
        long long task = whole_at(value, "task", -1), shards = whole_at(r->header, "shards", 1);
        if (value && task >= 0 && task < r->tasks &&
            shard_of(task, r->tasks, shards) == whole_at(r->header, "shard", 1))
            set_record(r, task, value);
        else {
            json_decref(value);
            if (!is_cut) /* else the process ended within this line: the task is done again */
                code = report_error(command, EXIT_BAD_FILE, "%s: line %ld is no record of this shard", r->path, number);
        }
    }
    free(line);
    return code;
}

int read_records(const char *command, const char *path, record_file *r)
{
    *r = (record_file){0};
    snprintf(r->path, sizeof r->path, "%s", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return errno == ENOENT ? 0 : report_error(command, EXIT_BAD_FILE, "%s: %s", path, strerror(errno));
    int code = read_lines(command, file, r);
    if (!code && ferror(file))
        code = report_error(command, EXIT_BAD_FILE, "%s: %s", path, strerror(errno));
    if (!code && !r->header)
        code = report_error(command, EXIT_BAD_FILE, "%s is empty", path);
    fclose(file);
    return code;
}

int write_records(const char *command, const record_file *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    int failed = !memory || write_json_line(memory, r->header);
    for (int64_t i = 0; i < r->tasks && !failed; i++)
        failed = r->record[i] && write_json_line(memory, r->record[i]);
    failed = (memory && fclose(memory)) || failed;
    int code = failed ? report_no_memory(command) : atl_write_bytes(r->path, text, size) ? report_failure(command) : 0;
    free(text);
    return code;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

/* Where results go, and which part this is: the results do not depend on it. */
static int may_differ(const char *option)
{
    static const char *const names[] = {"output", "quiet", "shard", "shard-file"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(option, names[i]) == 0)
            return 1;
    return 0;
}

/* "'x'", or "not given"; to be freed. */
static char *shown(const json_t *value)
{
    char *text = NULL;
    if (!value)
        return strdup("not given");
    if (json_is_true(value))
        return strdup("given");
    if (!json_is_string(value))
        return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    size_t size = json_string_length(value) + 3;
    if ((text = malloc(size)))
        snprintf(text, size, "'%s'", json_string_value(value));
    return text;
}

static int tell(const char *prefix, const char *key, const json_t *a, const json_t *b, char *text, size_t size)
{
    char *one = shown(a), *two = shown(b);
    snprintf(text, size, "%s%s is %.200s, not %.200s", prefix, key, one ? one : "", two ? two : "");
    free(one);
    free(two);
    return 1;
}

static int objects_differ(const char *prefix, const json_t *a, const json_t *b, char *text, size_t size)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key,
                        value) if (!may_differ(key) &&
                                   !json_equal(value, json_object_get(b, key))) return tell(prefix, key, value,
                                                                                            json_object_get(b, key),
                                                                                            text, size);
    json_object_foreach((json_t *)(uintptr_t)b, key,
                        value) if (!may_differ(key) && !json_object_get(a, key)) return tell(prefix, key, NULL, value,
                                                                                             text, size);
    return 0;
}

int headers_differ(const json_t *a, const json_t *b, char *text, size_t size)
{
    static const char *const keys[] = {"command", "shards"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
            return tell("", i ? "the number of shards" : "the command", json_object_get(a, keys[i]),
                        json_object_get(b, keys[i]), text, size);
    if (objects_differ("--", json_object_get(a, "options"), json_object_get(b, "options"), text, size) ||
        !json_equal(json_object_get(a, "operands"), json_object_get(b, "operands")))
        return *text ? 1
                     : tell("", "the list of files", json_object_get(a, "operands"), json_object_get(b, "operands"),
                            text, size);
    if (objects_differ("", json_object_get(a, "facts"), json_object_get(b, "facts"), text, size))
        return 1;
    if (whole_at(a, "tasks", -1) == whole_at(b, "tasks", -1))
        return 0;
    return tell("", "the number of tasks", json_object_get(a, "tasks"), json_object_get(b, "tasks"), text, size);
}
