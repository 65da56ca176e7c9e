/* Records of a shard: which tasks belong to it, files that are read again, cut lines, and headers of other commands. */
#include "support.h"

#include <stdarg.h>
#include <unistd.h>

#include "../../tools/records.c"

/* What records.c calls. */
static char told[512];
int report_error(const char *command, int code, const char *format, ...)
{
    va_list args;
    (void)command;
    va_start(args, format);
    vsnprintf(told, sizeof told, format, args);
    va_end(args);
    return code;
}
int report_failure(const char *command) { return report_error(command, EXIT_BAD_FILE, "%s", atl_error()); }
int report_no_memory(const char *command) { return report_error(command, EXIT_INTERNAL, "out of memory"); }
const char *text_at(const json_t *object, const char *path) { return json_string_value(json_object_get(object, path)); }
long long whole_at(const json_t *object, const char *path, long long missing)
{
    const json_t *number = json_object_get(object, path);
    return json_is_integer(number) ? (long long)json_integer_value(number) : missing;
}

static json_t *header_of(long long shard, long long shards, long long tasks)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:{s:s, s:s}, s:[s], s:{s:s}}", "format", RECORDS_FORMAT, "command",
                     "attack", "shard", (json_int_t)shard, "shards", (json_int_t)shards, "tasks", (json_int_t)tasks,
                     "options", "eps", "8/255", "output", "out", "operands", "a.png", "facts", "atled", "1");
}

static json_t *record_of(int64_t task) { return json_pack("{s:I, s:f}", "task", (json_int_t)task, "x", 0.1); }

/* Each task belongs to one shard, the shards have consecutive tasks, and their numbers of tasks are those expected. */
Test(records, each_task_belongs_to_one_shard)
{
    for (int64_t tasks = 0; tasks < 40; tasks++)
        for (int64_t shards = 1; shards < 45; shards++) {
            int64_t count[45] = {0}, last = 1;
            for (int64_t i = 0; i < tasks; i++) {
                int64_t shard = shard_of(i, tasks, shards);
                cr_assert(shard >= last && shard <= shards, "%lld of %lld", (long long)i, (long long)tasks);
                count[shard - 1]++;
                last = shard;
            }
            for (int64_t s = 1; s <= shards; s++) {
                record_file r;
                cr_assert_eq(start_records("test", "x", header_of(s, shards, tasks), &r), 0);
                cr_assert_eq(r.expected, count[s - 1], "shard %lld of %lld, %lld tasks", (long long)s,
                             (long long)shards, (long long)tasks);
                free_records(&r);
            }
        }
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "ab");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* The second of two shards of ten tasks has 5 to 9. */
Test(records, are_read_again_without_a_cut_line)
{
    const char *path = scratch_file("records.jsonl");
    record_file r, again;
    cr_assert_eq(start_records("test", path, header_of(2, 2, 10), &r), 0);
    for (int64_t task = 9; task >= 7; task--)
        set_record(&r, task, record_of(task));
    set_record(&r, 7, record_of(7)); /* replaces the first */
    cr_assert_eq(r.count, 3);
    cr_assert_eq(write_records("test", &r), 0, "%s", told);
    append(path, "{\"task\":5,\"x\":1}\n{\"task\":6,\"x\"");
    cr_assert_eq(read_records("test", path, &again), 0, "%s", told);
    cr_assert(again.count == 4 && again.expected == 5 && again.tasks == 10);
    cr_assert(again.record[5] && !again.record[6] && json_equal(again.record[8], r.record[8]));
    free_records(&again);
    append(path, "}\n");
    cr_assert_eq(read_records("test", path, &again), EXIT_BAD_FILE);
    cr_assert_mentions(told, "line 6 is no record");
    free_records(&again);
    free_records(&r);
}

Test(records, files_that_are_none_are_told)
{
    const char *path = scratch_file("none.jsonl");
    record_file r;
    unlink(path);
    cr_assert(read_records("test", path, &r) == 0 && !r.header);
    append(path, "");
    cr_assert_eq(read_records("test", path, &r), EXIT_BAD_FILE);
    cr_assert_mentions(told, "is empty");
    append(path, "{}\n");
    cr_assert_eq(read_records("test", path, &r), EXIT_BAD_FILE);
    cr_assert_mentions(told, "not what atled writes");
    free_records(&r);
    /* Another shard's task; and numbers whose product is too large. */
    cr_assert_eq(start_records("test", path, header_of(1, 2, 10), &r), 0);
    cr_assert_eq(write_records("test", &r), 0);
    free_records(&r);
    append(path, "{\"task\":5}\n");
    cr_assert_eq(read_records("test", path, &r), EXIT_BAD_FILE);
    cr_assert_mentions(told, "line 2 is no record");
    free_records(&r);
    const long long large[][3] = {{1000000000, 1000000000, 10}, {1000, 1000, INT64_MAX / 2}, {0, 2, 3}, {3, 2, 3}};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        cr_assert_eq(start_records("test", path, header_of(large[i][0], large[i][1], large[i][2]), &r), EXIT_BAD_FILE);
        free_records(&r);
    }
}

/* Where results go may differ; what determines them may not. */
Test(records, headers_of_other_commands_differ)
{
    static const struct {
        const char *object, *key, *value, *says;
    } changes[] = {{"options", "eps", "4/255", "--eps is '8/255', not '4/255'"},
                   {"options", "steps", "5", "--steps is not given, not '5'"},
                   {"facts", "atled", "2", "atled is '1', not '2'"},
                   {"options", "output", "elsewhere", NULL}};
    json_t *header = header_of(1, 2, 10);
    char why[512] = "";
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        json_t *other = header_of(2, 2, 10);
        json_object_set_new(json_object_get(other, changes[i].object), changes[i].key, json_string(changes[i].value));
        *why = 0;
        cr_assert_eq(headers_differ(header, other, why, sizeof why), changes[i].says != NULL, "%s", why);
        if (changes[i].says)
            cr_assert_mentions(why, changes[i].says);
        json_decref(other);
    }
    json_t *other = header_of(1, 3, 10), *longer = header_of(1, 2, 11);
    cr_assert(headers_differ(header, other, why, sizeof why));
    cr_assert_mentions(why, "the number of shards is 2, not 3");
    cr_assert(headers_differ(header, longer, why, sizeof why));
    cr_assert_mentions(why, "the number of tasks is 10, not 11");
    json_decref(other);
    json_decref(longer);
    json_decref(header);
}
