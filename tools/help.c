/* The words of an option table: --help, and the texts that manuals share with it. */
#include <math.h>
#include <string.h>

#include "options.h"

enum { HELP_COLUMN = 28, HELP_WIDTH = 80 };

/* The default, as --help shows it; "" if there is none to show. */
static const char *default_text(const command_option *o, char *text, size_t size)
{
    text[0] = 0;
    if (o->text && *o->text)
        snprintf(text, size, " (default: %s)", *o->text);
    else if (o->choice && *o->choice >= 0)
        snprintf(text, size, " (default: %s)", o->choices[*o->choice]);
    else if (o->whole && *o->whole != 0)
        snprintf(text, size, " (default: %lld)", (long long)*o->whole);
    else if (o->real && *o->real != 0 && !isnan(*o->real))
        snprintf(text, size, " (default: %g)", *o->real);
    return text;
}

/* "cross-entropy, logit or margin" */
void write_choices(const char *const *choices, char *text, size_t size)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; choices[i] && at < size; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] ? ", " : " or ";
        at += (size_t)snprintf(text + at, size - at, "%s%s", between, choices[i]);
    }
}

/* Writes the text in lines that end before HELP_WIDTH, each except the first indented.  `column` is the current
 * column. */
static void write_wrapped(FILE *file, const char *text, int column, int indent)
{
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (column > indent && column + 1 + length > HELP_WIDTH) {
            fprintf(file, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fprintf(file, "%.*s", length, text);
        column += length;
        text += length + strspn(text + length, " ");
    }
    fputc('\n', file);
}

void option_text(const command_option *o, char *text, size_t size)
{
    char choices[512], standard[256];
    snprintf(text, size, "%s", o->help ? o->help : "");
    if (o->choices) {
        size_t at = strlen(text);
        write_choices(o->choices, choices, sizeof choices);
        snprintf(text + at, size - at, "%s%s", at ? ": " : "", choices);
    }
    size_t at = strlen(text);
    snprintf(text + at, size - at, "%s", default_text(o, standard, sizeof standard));
}

static void write_option_help(const command_option *o, FILE *file)
{
    char left[96], right[1024];
    if (o->letter)
        snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name);
    else
        snprintf(left, sizeof left, "      --%s", o->name);
    if (takes_argument(o)) {
        size_t at = strlen(left);
        snprintf(left + at, sizeof left - at, " %s", o->argument ? o->argument : "WORD");
    }
    option_text(o, right, sizeof right);
    fputs(left, file);
    int column = (int)strlen(left);
    if (column >= HELP_COLUMN - 1) {
        fputc('\n', file);
        column = 0;
    }
    fprintf(file, "%*s", HELP_COLUMN - column, "");
    write_wrapped(file, right, HELP_COLUMN, HELP_COLUMN);
}

static int asked;
const command_option help_option = {"help", 'h', .flag = &asked, .help = "print this and stop"};

void write_help(const command_line *line, FILE *file)
{
    fprintf(file, "atled %s: %s\n\nusage: atled %s", line->name, line->about, line->name);
    for (const command_option *o = line->options; o->name; o++)
        if (o->required)
            fprintf(file, " --%s %s", o->name, o->argument ? o->argument : "WORD");
    fprintf(file, " [options]%s%s\n\noptions:\n", line->operands ? " " : "", line->operands ? line->operands : "");
    for (const command_option *o = line->options; o->name; o++)
        write_option_help(o, file);
    write_option_help(&help_option, file);
    for (int i = 0; line->examples && line->examples[i]; i += 2)
        fprintf(file, "%s  %s\n      %s\n", i ? "" : "\nexamples:\n", line->examples[i], line->examples[i + 1]);
}
