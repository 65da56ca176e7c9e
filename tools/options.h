/* Command-line options from a table: each subcommand declares its options once.  The table determines the parsing,
 * --help, and errors that name the option and the remedy.  Usage:
 *     const char *model = NULL;
 *     int64_t steps = 500;
 *     const command_option options[] = {
 *         {"model", 'm', .text = &model, .argument = "NAME", .required = 1, .help = "the network"},
 *         {"steps", 0, .whole = &steps, .argument = "N", .lowest = 1, .highest = 1e6, .help = "training steps at
 *         most"},
 *         {0}};
 *     const command_line line = {"train", .about = "train a network", .options = options};
 *     int code;
 *     if (!read_options(&line, argc, argv, NULL, &code))
 *         return code; */
#ifndef ATLED_TOOLS_OPTIONS_H
#define ATLED_TOOLS_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

typedef struct option_list {
    int count;
    const char **value; /* point into argv; to be freed with free() */
} option_list;

typedef struct command_option {
    const char *name; /* without the dashes; null ends the table */
    char letter;      /* its short form, or 0 */
    /* The destination of the value: set exactly one.  Its value before parsing is the default, which --help shows. */
    int *flag;         /* no argument: set to 1 */
    const char **text; /* points into argv; one of the choices, if there are any */
    int64_t *whole;
    double *real;
    int *choice;                /* index into choices */
    unsigned *several;          /* one or more choices with commas between: bit i for each */
    option_list *texts;         /* the option may occur several times */
    const char *const *choices; /* the allowed words, ending with null */
    const char *or_ending;      /* of text: a name with this ending is allowed, too: ".onnx" */
    const char *argument;       /* the argument's name in --help: "FILE" */
    const char *help;           /* may be long: --help wraps it */
    double lowest, highest;     /* of a number; both 0: any; highest may be INFINITY */
    int required;
} command_option;

/* Bit i: option i of the table was given. */
typedef unsigned long long given_options;
int is_given(const command_option *options, given_options given, const char *name);

typedef struct command_line {
    const char *name;                 /* of the subcommand */
    const char *about;                /* one line */
    const char *operands;             /* the name of the operands in --help: "FILE..."; null: there are none */
    const char *const *operand_words; /* what an operand may be, beside the FILE of `operands`; null: a file */
    int least_operands, most_operands;
    const command_option *options;
    const command_option *shared; /* further options that several commands share; null: none */
    const char *const *examples;  /* command and comment in turn, ending with null; or null */
    given_options *given_out;     /* which of `options` were given; may be null */
    /* The command line as JSON, to be released with json_decref: {"words": [...], as typed, "options": {"eps": "8/255",
     * "quiet": true, ...}, "operands": [...]}.  A word that is not UTF-8 is null.  Null: not needed. */
    struct json_t **words_out;
} command_line;

/* Returns 1 with the values stored and argv permuted so that the operands are last.  Otherwise returns 0 with *code_out
 * set to the exit code: 0 after --help (written to stdout), 2 after a usage error (reported on stderr), 4 if memory ran
 * out.  operands_out: the index of the first operand in argv; may be null. */
int read_options(const command_line *line, int argc, char **argv, int *operands_out, int *code_out);

void write_help(const command_line *line, FILE *file);

/* What manuals and completions are made of. */
enum { MOST_OPTIONS = 64 };              /* of a command, with the shared ones */
extern const command_option help_option; /* --help, which every command has beside its table */
static inline int takes_argument(const command_option *o) { return !o->flag; }
/* "cross-entropy, logit or margin" */
void write_choices(const char *const *choices, char *text, size_t size);
/* An option's help with its choices and its default, as --help shows it. */
void option_text(const command_option *o, char *text, size_t size);
/* Starts the command, and stops it where it reads its options: visit gets its table, the shared options at the end. */
void visit_options(int (*run)(int argc, char **argv), const char *name,
                   void (*visit)(const command_line *line, void *context), void *context);

enum { LONGEST_WORD = 64 }; /* of the words that can be suggested */
/* The word of the list (ending with null) that is closest to the typed one, or null if none is close. */
const char *closest_word(const char *typed, const char *const *words);

#endif
