/* The `atled` command: finds the subcommand and calls it. */
#include <fcntl.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "ranks.h"
#include "waiting.h"

static void write_overview(FILE *file)
{
    fprintf(file,
            "atled %s: symbolic gradients in C, and pictures that fool networks\n\n"
            "usage: atled COMMAND [options]\n\ncommands:\n",
            atl_version());
    for (int i = 0; i < subcommand_count; i++)
        fprintf(file, "  %-12s%s\n", subcommands[i].name, subcommands[i].about);
    fprintf(file, "\n'atled COMMAND --help' lists the options of a command; 'atled --version' prints the version.\n");
}

/* The value of $ATLED_ISA, if the library ignores it because it names no instruction set; otherwise null. */
static const char *ignored_isa(void)
{
    const char *requested = getenv("ATLED_ISA");
    if (!requested || !requested[0])
        return NULL;
    for (int i = ATL_ISA_GENERIC; i <= ATL_ISA_AVX512; i++)
        if (!strcmp(requested, atl_isa_name((atl_isa)i)))
            return NULL;
    return requested;
}

#define NO_ISA "ATLED_ISA is '%s', which is none of avx512, avx2 and generic"

static void write_version(void)
{
    const char *requested = getenv("ATLED_ISA"), *ignored = ignored_isa();
    const char *used = atl_isa_name(atl_isa_in_use()), *has = atl_isa_name(atl_isa_of_processor());
    printf("atled %s\n%s\nthreads: %d\ninstruction set: %s, of a processor with %s\n", atl_version(),
           atl_backend_version(), omp_get_max_threads(), used, has);
    if (ignored)
        printf(NO_ISA "\n", ignored);
    else if (requested && requested[0] && strcmp(requested, used))
        printf("ATLED_ISA is '%s', which is more than the processor has\n", requested);
}

static int refuse_command(const char *name)
{
    const char *names[MOST_SUBCOMMANDS + 1] = {0};
    for (int i = 0; i < subcommand_count; i++)
        names[i] = subcommands[i].name;
    const char *closest = closest_word(name, names);
    if (closest)
        report_error(NULL, EXIT_USAGE, "there is no command '%s'; did you mean '%s'?", name, closest);
    else
        report_error(NULL, EXIT_USAGE, "there is no command '%s'", name);
    fprintf(stderr, "'atled --help' lists the commands.\n");
    return EXIT_USAGE;
}

/* If the caller has closed a standard stream, the first file that is opened would get its number, and printed text
 * would end up in that file.  /dev/null, opened for the wrong direction, keeps the number: writing fails, and the
 * failure is reported. */
static void keep_standard_streams(void)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (fcntl(stream, F_GETFD) < 0)
            (void)!open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int run(int argc, char **argv)
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
    const subcommand *command = subcommand_of(name);
    if (!command)
        return refuse_command(name);
    if (wants_help)
        return command->run(2, (char *[]){(char *)command->name, (char *)"--help", NULL});
    if (ignored_isa())
        return report_error(NULL, EXIT_USAGE, NO_ISA, ignored_isa());
    int code = command->splits ? begin_ranks(command->name, argc - 1, argv + 1) : 0;
    if (!code)
        code = command->run(argc - 1, argv + 1);
    end_ranks(code);
    return code;
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    const subcommand *command = argc > 1 ? subcommand_of(argv[1]) : NULL;
    if (command)
        wait_asleep_if_crowded(argv);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is told as a full disk is: the write fails */
    int code = run(argc, argv);
    return end_output(command ? command->name : NULL, code);
}
