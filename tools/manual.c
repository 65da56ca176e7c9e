/* atled manual: manual pages in roff, made of the tables that --help is made of. */
#include <ctype.h>
#include <string.h>

#include "commands.h"

/* Text for roff: a backslash and a hyphen keep their meaning, and no line begins with a control character. */
static void write_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '\n')
            fputs("\n.br\n", stdout);
        else
            putchar(*text);
}

static void write_capitals(const char *text)
{
    for (; *text; text++)
        putchar(toupper((unsigned char)*text));
}

/* .TH and NAME; command null: the page of `atled` itself. */
static void write_title(const char *command, const char *about)
{
    fputs(".TH ATLED", stdout);
    if (command)
        fputs("\\-", stdout), write_capitals(command);
    printf(" 1 \"\" \"atled %s\" \"User Commands\"\n.SH NAME\natled%s%s \\- ", atl_version(), command ? "\\-" : "",
           command ? command : "");
    write_text(about);
    putchar('\n');
}

static void write_option(const command_option *o)
{
    char text[1024];
    fputs(".TP\n", stdout);
    if (o->letter)
        printf("\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", stdout);
    write_text(o->name);
    fputs("\\fR", stdout);
    if (takes_argument(o)) {
        fputs(" \\fI", stdout);
        write_text(o->argument ? o->argument : "WORD");
        fputs("\\fR", stdout);
    }
    putchar('\n');
    option_text(o, text, sizeof text);
    write_text(text);
    putchar('\n');
}

static void write_synopsis(const command_line *line)
{
    fputs(".SH SYNOPSIS\n\\fBatled ", stdout);
    write_text(line->name);
    fputs("\\fR", stdout);
    for (const command_option *o = line->options; o->name; o++)
        if (o->required) {
            fputs(" \\fB\\-\\-", stdout);
            write_text(o->name);
            printf("\\fR \\fI%s\\fR", o->argument ? o->argument : "WORD");
        }
    printf(" [\\fIoptions\\fR]%s%s\n", line->operands ? " " : "", line->operands ? line->operands : "");
}

static void write_examples(const command_line *line)
{
    for (int i = 0; line->examples && line->examples[i]; i += 2) {
        fputs(i ? "" : ".SH EXAMPLES\n", stdout);
        fputs(".TP\n\\fB", stdout);
        write_text(line->examples[i]);
        fputs("\\fR\n", stdout);
        write_text(line->examples[i + 1]);
        putchar('\n');
    }
}

static void write_exit_codes(void)
{
    static const char *const codes[] = {"what was asked for is done, and the goal, where there is one, is met",
                                        "the goal is not met; the best result so far is written",
                                        "the command line is wrong",
                                        "a model, weights, picture or data set is missing or wrong, or a file cannot "
                                        "be written",
                                        "out of memory, or a defect of atled"};
    fputs(".SH EXIT STATUS\n", stdout);
    for (int code = EXIT_GOAL_MET; code <= EXIT_INTERNAL; code++)
        printf(".TP\n\\fB%d\\fR\n%s\n", code, codes[code]);
}

static void write_environment(void)
{
    fputs(
        ".SH ENVIRONMENT\n.TP\n\\fBATLED_ISA\\fR\n"
        "avx512, avx2 or generic: no instructions beyond these are used; any other value is refused\n"
        ".TP\n\\fBATLED_MODELS\\fR\nthe folder of the weights that ship with atled, if they are elsewhere\n"
        ".TP\n\\fBATLED_RANK_PATIENCE\\fR\nunder an MPI launcher: the seconds after which a rank that is silent counts "
        "as lost (20)\n"
        ".TP\n\\fBOMP_NUM_THREADS\\fR\nthe threads that share the work\n"
        ".TP\n\\fBOMP_WAIT_POLICY\\fR\nactive or passive: how threads wait for each other; if it is not set, a command "
        "that finds other processes on its processors starts once more with passive\n",
        stdout);
}

static void write_page(const command_line *line, void *context)
{
    (void)context;
    write_title(line->name, line->about);
    write_synopsis(line);
    fputs(".SH OPTIONS\n", stdout);
    for (const command_option *o = line->options; o->name; o++)
        write_option(o);
    write_option(&help_option);
    write_examples(line);
    write_exit_codes();
    write_environment();
    fputs(".SH SEE ALSO\n.BR atled (1)\n", stdout);
}

/* atled(1) */
static void write_main_page(void)
{
    write_title(NULL, "gradients of networks, and pictures that fool them");
    fputs(".SH SYNOPSIS\n\\fBatled\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH DESCRIPTION\n"
          "atled computes gradients of networks, above all with respect to the input picture.\n"
          "Each command has a page of its own.\n.SH COMMANDS\n",
          stdout);
    for (int i = 0; i < subcommand_count; i++) {
        printf(".TP\n.BR atled\\-%s (1)\n", subcommands[i].name);
        write_text(subcommands[i].about);
        putchar('\n');
    }
    write_exit_codes();
    write_environment();
}

int atled_manual(int argc, char **argv)
{
    const command_option options[] = {{0}};
    static const char *const examples[] = {"atled manual fool | man -l -", "read the page of a command", NULL};
    const command_line line = {"manual",
                               .about = "print the manual page of a command",
                               .operands = "[COMMAND]",
                               .operand_words = subcommand_names(),
                               .most_operands = 1,
                               .options = options,
                               .examples = examples};
    int operand, code;
    if (!read_options(&line, argc, argv, &operand, &code))
        return code;
    if (operand == argc) {
        write_main_page();
        return EXIT_GOAL_MET;
    }
    const subcommand *command = subcommand_of(argv[operand]);
    if (!command)
        return report_error("manual", EXIT_USAGE, "there is no command '%s': 'atled --help' lists them", argv[operand]);
    visit_options(command->run, command->name, write_page, NULL);
    return EXIT_GOAL_MET;
}
