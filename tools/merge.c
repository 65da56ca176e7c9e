/* atled merge: joins the shards of a command.  It runs the command itself, in which the records of the shards take the
 * place of the work: so the results come from the same code as those of one process. */
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "commands.h"
#include "text.h"
#include "work.h"

static int read_merge_options(const char **output, int argc, char **argv, int *first, int *code)
{
    const command_option options[] = {{"output", 'o', .text = output, .argument = "PATH",
                                       .help = "where the joined results go, in place of the --output of the shards"},
                                      {0}};
    static const char *const examples[] = {"atled merge out/shard-*.jsonl",
                                           "the tables and files of an attack with --shard I/N -o out",
                                           "atled merge -o all node*/shard-*.jsonl",
                                           "the same of shards with folders of their own", NULL};
    const command_line line = {"merge",
                               .about = "join the parts of a command that --shard has divided",
                               .operands = "SHARD...",
                               .least_operands = 1,
                               .most_operands = 1000000,
                               .options = options,
                               .examples = examples};
    return read_options(&line, argc, argv, first, code);
}

/* ---- are these all the shards of one command? -------------------------------------------------------------------- */

static int check_against_first(const record_file *first, const record_file *r)
{
    char why[512] = "";
    if (!headers_differ(r->header, first->header, why, sizeof why))
        return 0;
    return report_error("merge", EXIT_BAD_FILE, "%s is no shard of the same command as %s: %s", r->path, first->path,
                        why);
}

/* Reads a file to its place among the shards. */
static int take_shard(const char *path, merged_shards *m)
{
    record_file r;
    int code = read_records("merge", path, &r);
    if (!code && !r.header)
        code = report_error("merge", EXIT_BAD_FILE, "there is no file %s", path);
    if (!code && !m->shard) {
        m->count = whole_at(r.header, "shards", 1);
        m->shard = calloc((size_t)m->count, sizeof *m->shard);
        code = m->shard ? 0 : report_no_memory("merge");
    }
    for (int64_t i = 0; i < m->count && !code; i++)
        if (m->shard[i].header) {
            code = check_against_first(&m->shard[i], &r);
            break;
        }
    record_file *place = code ? NULL : &m->shard[whole_at(r.header, "shard", 1) - 1];
    if (!code && place->header)
        code = report_error("merge", EXIT_BAD_FILE, "shard %lld is there twice: %s and %s",
                            whole_at(r.header, "shard", 1), place->path, path);
    if (!code)
        *place = r;
    else
        free_records(&r);
    return code;
}

/* Says which shards are missing or not finished: all of them, up to a screenful. */
static int check_complete(const merged_shards *m)
{
    enum { MOST_TOLD = 20 };
    int64_t wrong = 0;
    for (int64_t i = 0; i < m->count; i++) {
        const record_file *r = &m->shard[i];
        if (r->header && r->count == r->expected)
            continue;
        if (++wrong > MOST_TOLD)
            continue;
        if (!r->header)
            report_error("merge", 0, "shard %lld of %lld is missing", (long long)i + 1, (long long)m->count);
        else
            report_error("merge", 0, "%s: %lld of the %lld tasks of shard %lld are done: run the same command again",
                         r->path, (long long)r->count, (long long)r->expected, (long long)i + 1);
    }
    if (wrong > MOST_TOLD)
        report_error("merge", 0, "and %lld shard%s more", (long long)(wrong - MOST_TOLD), plural(wrong - MOST_TOLD));
    return wrong ? EXIT_BAD_FILE : 0;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

/* The words of the shards' command line, with another --output, which comes after theirs. */
static char **words_of(const json_t *header, const char *output, int *count_out)
{
    const json_t *words = json_object_get(header, "words");
    size_t count = json_array_size(words), at = 1;
    int is_set = !output;
    char **argv = calloc(count + 4, sizeof *argv);
    if (!argv)
        return NULL;
    argv[0] = (char *)(uintptr_t)text_at(header, "command");
    for (size_t i = 0; i <= count; i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (!is_set && (i == count || (word && strcmp(word, "--") == 0))) {
            argv[at++] = (char *)(uintptr_t) "--output";
            argv[at++] = (char *)(uintptr_t)output;
            is_set = 1;
        }
        if (word)
            argv[at++] = (char *)(uintptr_t)word;
    }
    *count_out = (int)at;
    return argv;
}

static int run_command(merged_shards *m, const char *output)
{
    const json_t *header = m->shard[0].header;
    const char *name = text_at(header, "command");
    const subcommand *command = subcommand_of(name);
    int count;
    if (!command || command->run == atled_merge)
        return report_error("merge", EXIT_BAD_FILE, "%s: there is no command '%s'", m->shard[0].path, name);
    char **argv = words_of(header, output, &count);
    if (!argv)
        return report_no_memory("merge");
    shards_to_merge = m;
    int code = command->run(count, argv);
    shards_to_merge = NULL;
    free(argv);
    return code;
}

int atled_merge(int argc, char **argv)
{
    const char *output = NULL;
    merged_shards m = {0};
    int first, code;
    if (!read_merge_options(&output, argc, argv, &first, &code))
        return code;
    code = 0;
    for (int i = first; i < argc && !code; i++)
        code = take_shard(argv[i], &m);
    if (!code)
        code = check_complete(&m);
    if (!code)
        code = run_command(&m, output);
    for (int64_t i = 0; m.shard && i < m.count; i++)
        free_records(&m.shard[i]);
    free(m.shard);
    return code;
}
