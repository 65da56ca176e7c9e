/* The `atled` command: finds the subcommand and hands over. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

/* One line a subcommand; its file is tools/NAME.c. */
static const struct subcommand {
    const char *name;
    const char *about;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"fool", "make a picture that a network takes for what it is not", atled_fool},
    {"train", "make a network from labelled images", atled_train},
    {"eval", "how often a network is right", atled_eval},
    {"dot", "draw a network, with or without its gradient", atled_dot},
    {"profile", "time every step of a network", atled_profile},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

int report_error(const char *command, int code, const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    fprintf(stderr, "atled%s%s: ", command ? " " : "", command ? command : "");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return code;
}

int exit_code_of(atl_status status)
{
    switch (status) {
    case ATL_OK:
        return EXIT_GOAL_MET;
    case ATL_INVALID:
    case ATL_BAD_FILE:
    case ATL_UNSUPPORTED:
        return EXIT_BAD_FILE;
    case ATL_STOPPED:
        return EXIT_GOAL_NOT_MET;
    default:
        return EXIT_INTERNAL;
    }
}

static void write_overview(FILE *file)
{
    fprintf(file,
            "atled %s: symbolic gradients in C, and pictures that fool networks\n\n"
            "usage: atled COMMAND [options]\n\ncommands:\n",
            atl_version());
    for (int i = 0; i < SUBCOMMANDS; i++)
        fprintf(file, "  %-12s%s\n", subcommands[i].name, subcommands[i].about);
    fprintf(file, "\n'atled COMMAND --help' lists the options of a command; 'atled --version' prints the version.\n");
}

static void write_version(void)
{
    const char *wanted = getenv("ATLED_ISA");
    const char *used = atl_isa_name(atl_isa_in_use()), *has = atl_isa_name(atl_isa_of_processor());
    printf("atled %s\ninstruction set: %s, of a processor with %s\n", atl_version(), used, has);
    if (wanted && wanted[0] && strcmp(wanted, used))
        printf("ATLED_ISA is '%s', which is %s\n", wanted,
               strcmp(wanted, "avx512") && strcmp(wanted, "avx2") ? "none of avx512, avx2 and generic"
                                                                  : "more than the processor has");
}

static const struct subcommand *subcommand_of(const char *name)
{
    for (int i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static int refuse_command(const char *name)
{
    const char *names[SUBCOMMANDS + 1] = {0};
    for (int i = 0; i < SUBCOMMANDS; i++)
        names[i] = subcommands[i].name;
    const char *closest = closest_word(name, names);
    if (closest)
        report_error(NULL, EXIT_USAGE, "there is no command '%s'; did you mean '%s'?", name, closest);
    else
        report_error(NULL, EXIT_USAGE, "there is no command '%s'", name);
    fprintf(stderr, "'atled --help' lists the commands.\n");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        write_overview(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    int wants_help = strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0;
    if (strcmp(name, "--version") == 0) {
        write_version();
        return 0;
    }
    if (wants_help && argc == 2) {
        write_overview(stdout);
        return 0;
    }
    if (wants_help) /* atled help dot */
        name = argv[2];
    const struct subcommand *command = subcommand_of(name);
    if (!command)
        return refuse_command(name);
    if (wants_help)
        return command->run(2, (char *[]){(char *)command->name, (char *)"--help", NULL});
    return command->run(argc - 1, argv + 1);
}
