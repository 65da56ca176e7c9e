/* Option tables for getopt_long: parsing, and errors with a remedy. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

enum { NO_MEMORY = -1 }; /* returned by a store function instead of 0 */
enum { FIRST_LONG = 256 };

/* ---- values ---- */

/* A usage error; always tells where to find help. */
static int usage_error(const command_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int usage_error(const command_line *line, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    report_error(line->name, EXIT_USAGE, "%s", text);
    fprintf(stderr, "'atled %s --help' lists the options.\n", line->name);
    return 0;
}

static int in_bounds(const command_option *o, double value)
{
    return (o->lowest == 0 && o->highest == 0) || (value >= o->lowest && value <= o->highest);
}

static int out_of_bounds(const command_line *line, const command_option *o, const char *given)
{
    if (o->lowest == 0 && o->highest == 0)
        return usage_error(line, "--%s takes whole numbers of 64 bits, and %s does not fit", o->name, given);
    if (isinf(o->highest))
        return usage_error(line, "--%s must be at least %.9g, not %s", o->name, o->lowest, given);
    return usage_error(line, "--%s must be between %.9g and %.9g, not %s", o->name, o->lowest, o->highest, given);
}

/* The C library's conversions skip white space. */
static int begins_with_space(const char *given) { return isspace((unsigned char)given[0]); }

static int store_whole(const command_line *line, const command_option *o, const char *given)
{
    char *end;
    errno = 0;
    long long value = strtoll(given, &end, 10);
    if (end == given || *end || begins_with_space(given))
        return usage_error(line, "--%s takes a whole number, not '%s'", o->name, given);
    if (errno == ERANGE || !in_bounds(o, (double)value))
        return out_of_bounds(line, o, given);
    *o->whole = value;
    return 1;
}

static int store_real(const command_line *line, const command_option *o, const char *given)
{
    char *end;
    double value = strtod(given, &end);
    if (end == given || *end || !isfinite(value) || begins_with_space(given))
        return usage_error(line, "--%s takes a number, not '%s'", o->name, given);
    if (!in_bounds(o, value))
        return out_of_bounds(line, o, given);
    *o->real = value;
    return 1;
}

/* The index of the word among the choices; -1 after an error message. */
static int choice_of(const command_line *line, const command_option *o, const char *given)
{
    char choices[512];
    for (int i = 0; o->choices[i]; i++)
        if (strcmp(o->choices[i], given) == 0)
            return i;
    const char *closest = closest_word(given, o->choices);
    write_choices(o->choices, choices, sizeof choices);
    if (closest)
        usage_error(line, "--%s has no '%s'; did you mean '%s'?", o->name, given, closest);
    else
        usage_error(line, "--%s takes %s%s%s, not '%s'", o->name, choices, o->or_ending ? ", or a file *" : "",
                    o->or_ending ? o->or_ending : "", given);
    return -1;
}

static int store_choice(const command_line *line, const command_option *o, const char *given)
{
    int choice = choice_of(line, o, given);
    if (choice >= 0)
        *o->choice = choice;
    return choice >= 0;
}

/* "winograd,fuse" */
static int store_several(const command_line *line, const command_option *o, const char *given)
{
    char word[LONGEST_WORD + 1];
    for (;;) {
        size_t length = strcspn(given, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, given);
        int choice = choice_of(line, o, word);
        if (choice < 0)
            return 0;
        *o->several |= 1u << choice;
        if (!given[length])
            return 1;
        given += length + 1; /* another word follows the comma */
    }
}

static int store_text(const command_line *line, const command_option *o, const char *given)
{
    size_t length = strlen(given), ending = o->or_ending ? strlen(o->or_ending) : 0;
    int ends_so = ending && length > ending && strcmp(given + length - ending, o->or_ending) == 0;
    if (o->choices && !ends_so && choice_of(line, o, given) < 0)
        return 0;
    *o->text = given;
    return 1;
}

static int store_another(const command_option *o, const char *given)
{
    option_list *list = o->texts;
    const char **grown = realloc(list->value, ((size_t)list->count + 1) * sizeof *grown);
    if (!grown)
        return NO_MEMORY;
    list->value = grown;
    list->value[list->count++] = given;
    return 1;
}

static int store_value(const command_line *line, const command_option *o, const char *given)
{
    if (o->flag)
        return *o->flag = 1;
    return o->text      ? store_text(line, o, given)
           : o->whole   ? store_whole(line, o, given)
           : o->real    ? store_real(line, o, given)
           : o->choice  ? store_choice(line, o, given)
           : o->several ? store_several(line, o, given)
                        : store_another(o, given);
}

/* ---- the command line as JSON ---- */

static json_t *list_of(int count, char *const *word)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_t *text = json_string(word[i]);
        json_array_append_new(list, text ? text : json_null());
    }
    return list;
}

/* An option that may occur several times has all its values. */
static void note_option(const command_line *line, const command_option *o, const char *given)
{
    if (!line->words_out)
        return;
    json_t *options = json_object_get(*line->words_out, "options");
    json_t *value = o->flag ? json_true() : json_string(given);
    if (!o->texts) {
        json_object_set_new(options, o->name, value ? value : json_null());
        return;
    }
    json_t *all = json_object_get(options, o->name);
    if (!all && (all = json_array()))
        json_object_set_new(options, o->name, all);
    json_array_append_new(all, value ? value : json_null());
}

/* ---- parsing ---- */

/* getopt_long's tables, made from ours: long option i returns FIRST_LONG + i, and --help comes last. */
typedef struct getopt_tables {
    int count; /* without --help */
    char letters[2 * MOST_OPTIONS + 4];
    struct option names[MOST_OPTIONS + 2];
} getopt_tables;

static void make_tables(const command_line *line, getopt_tables *tables)
{
    int at = 0;
    memset(tables, 0, sizeof *tables);
    tables->letters[at++] = ':'; /* distinguishes a missing argument from an unknown option */
    for (const command_option *o = line->options; o->name && tables->count < MOST_OPTIONS; o++) {
        tables->names[tables->count] = (struct option){o->name, takes_argument(o), NULL, FIRST_LONG + tables->count};
        tables->count++;
        if (o->letter) {
            tables->letters[at++] = o->letter;
            if (takes_argument(o))
                tables->letters[at++] = ':';
        }
    }
    tables->letters[at] = 'h';
    tables->names[tables->count] = (struct option){"help", no_argument, NULL, FIRST_LONG + tables->count};
}

/* The index of the option for getopt's code: tables->count for --help, -1 for none. */
static int option_of_code(const command_line *line, const getopt_tables *tables, int code)
{
    if (code >= FIRST_LONG)
        return code - FIRST_LONG;
    for (int i = 0; i < tables->count; i++)
        if (line->options[i].letter == code)
            return i;
    return code == 'h' ? tables->count : -1;
}

/* Reports a long option that getopt rejected: unknown, or an ambiguous prefix. */
static int refuse_long(const command_line *line, const getopt_tables *tables, const char *word)
{
    const char *words[MOST_OPTIONS + 2] = {0};
    char typed[LONGEST_WORD + 1];
    int length = (int)strcspn(word, "=");
    snprintf(typed, sizeof typed, "%.*s", length, word);
    const char *first = NULL;
    for (int i = 0; i <= tables->count; i++) {
        words[i] = tables->names[i].name;
        if (strncmp(words[i], typed, strlen(typed)) == 0) {
            if (first)
                return usage_error(line, "--%s could be --%s or --%s", typed, first, words[i]);
            first = words[i];
        }
    }
    const char *closest = closest_word(typed, words);
    if (closest)
        return usage_error(line, "there is no option --%s; did you mean --%s?", typed, closest);
    return usage_error(line, "there is no option --%s", typed);
}

/* getopt has returned '?' for this word. */
static int refuse(const command_line *line, const getopt_tables *tables, const char *word)
{
    if (optopt >= FIRST_LONG)
        return usage_error(line, "--%s takes no value", tables->names[optopt - FIRST_LONG].name);
    if (optopt == 0)
        return refuse_long(line, tables, word + 2);
    return usage_error(line, "there is no option -%c", optopt);
}

static int check_operands(const command_line *line, int argc, char **argv)
{
    int count = argc - optind;
    if (count > 0 && line->most_operands == 0)
        return usage_error(line, "'%s' is not expected: every value belongs to an option", argv[optind]);
    if (count > line->most_operands)
        return usage_error(line, "'%s' is too much: %d of %s at most", argv[optind + line->most_operands],
                           line->most_operands, line->operands);
    if (count < line->least_operands)
        return usage_error(line, "%s is missing", line->operands);
    return 1;
}

static int check_required(const command_line *line, given_options given)
{
    for (int i = 0; line->options[i].name; i++) {
        const command_option *o = &line->options[i];
        char choices[512] = "";
        if (o->choices)
            write_choices(o->choices, choices, sizeof choices);
        if (o->required && !(given >> i & 1))
            return usage_error(line, "--%s %s is missing: %s%s%s", o->name, o->argument ? o->argument : "WORD", o->help,
                               *choices ? ": " : "", choices);
    }
    return 1;
}

static int parse(const command_line *line, int argc, char **argv, int *operands_out, int *code_out)
{
    getopt_tables tables;
    given_options given = 0;
    int code;
    make_tables(line, &tables);
    *code_out = EXIT_USAGE;
    opterr = 0;
    optind = 0; /* glibc: start afresh */
    while ((code = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
        if (code == '?')
            return refuse(line, &tables, argv[optind - 1]);
        int i = option_of_code(line, &tables, code == ':' ? optopt : code);
        if (i == tables.count) {
            write_help(line, stdout);
            *code_out = EXIT_GOAL_MET;
            return 0;
        }
        if (code == ':')
            return usage_error(line, "--%s needs its %s", line->options[i].name,
                               line->options[i].argument ? line->options[i].argument : "value");
        int stored = store_value(line, &line->options[i], optarg);
        if (stored == NO_MEMORY)
            *code_out = report_no_memory(line->name);
        if (stored != 1)
            return 0;
        note_option(line, &line->options[i], optarg);
        given |= 1ull << i;
    }
    if (line->words_out)
        json_object_set_new(*line->words_out, "operands", list_of(argc - optind, argv + optind));
    if (line->given_out)
        *line->given_out = given;
    if (operands_out)
        *operands_out = optind;
    return check_required(line, given) && check_operands(line, argc, argv);
}

int is_given(const command_option *options, given_options given, const char *name)
{
    for (int i = 0; options[i].name; i++)
        if (strcmp(options[i].name, name) == 0)
            return given >> i & 1;
    return 0;
}

static void (*visitor)(const command_line *line, void *context);
static void *visitor_context;

void visit_options(int (*run)(int argc, char **argv), const char *name,
                   void (*visit)(const command_line *line, void *context), void *context)
{
    visitor = visit;
    visitor_context = context;
    run(1, (char *[]){(char *)name, NULL});
    visitor = NULL;
}

int read_options(const command_line *line, int argc, char **argv, int *operands_out, int *code_out)
{
    command_option all[MOST_OPTIONS + 1];
    const command_option *const tables[] = {line->options, line->shared};
    int count = 0;
    for (int i = 0; i < 2; i++)
        for (const command_option *o = tables[i]; o && o->name && count < MOST_OPTIONS; o++)
            all[count++] = *o;
    all[count] = (command_option){.name = NULL};
    command_line joined = *line;
    joined.options = all;
    joined.shared = NULL;
    if (visitor) {
        visitor(&joined, visitor_context);
        *code_out = EXIT_GOAL_MET;
        return 0;
    }
    if (joined.words_out) /* before getopt changes the order */
        *joined.words_out = json_pack("{s:o, s:{}}", "words", list_of(argc - 1, argv + 1), "options");
    return parse(&joined, argc, argv, operands_out, code_out);
}
