/* The processes that a launcher has started together. */
#define _GNU_SOURCE /* dladdr */
#include "ranks.h"

#include <dlfcn.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "digest.h"
#include "progress.h"
#include "tools.h"

#define MPI_LIBRARY "libatled-mpi.so.0"

enum { MOST_MESSAGE = 1024, USUAL_PATIENCE = 20 /* seconds */ };

/* What each rank tells the others in agree_on. */
typedef struct rank_report {
    int code;
    long process;
    char host[64], text[MOST_MESSAGE];
} rank_report;

static struct {
    const atl_ranks *ranks;
    int has_lost;
    int has_agreed, has_failed; /* all ranks have called agree_on: all are ready, or all end */
    char host[64], prefix[96], held[MOST_MESSAGE];
    atl_status (*begin)(int *argc, char ***argv, const atl_ranks **ranks_out);
    void (*end)(void);
    void (*abort)(int code);
    atl_status (*watch)(double seconds);
    bool (*is_lost)(int rank);
} all;

const atl_ranks *ranks_in_use(void) { return all.ranks; }
int this_rank(void) { return all.ranks ? all.ranks->rank : 0; }
int rank_count(void) { return all.ranks ? all.ranks->size : 1; }

/* The number of processes that the launcher has started; 0: there is no launcher. */
static int launched_ranks(void)
{
    static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *size = getenv(sizes[i]);
        if (size && atoi(size) > 0)
            return atoi(size);
    }
    return getenv("PMIX_RANK") ? 1 : 0;
}

static int wants_ranks(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (strcmp(argv[i], "--distributed") == 0)
            return 1;
    return 0;
}

static int load_library(const char *command)
{
    void *library = dlopen(MPI_LIBRARY, RTLD_NOW | RTLD_GLOBAL); /* global: Open MPI's plug-ins look for its symbols */
    if (library) {
        *(void **)&all.begin = dlsym(library, "atl_mpi_begin");
        *(void **)&all.end = dlsym(library, "atl_mpi_end");
        *(void **)&all.abort = dlsym(library, "atl_mpi_abort");
        *(void **)&all.watch = dlsym(library, "atl_mpi_watch");
        *(void **)&all.is_lost = dlsym(library, "atl_mpi_is_lost");
    }
    if (all.begin && all.end && all.abort && all.watch && all.is_lost)
        return 0;
    return report_error(command, EXIT_BAD_FILE,
                        "%s cannot be loaded: %s; it is built where MPI is found (libopenmpi-dev or libmpich-dev)",
                        MPI_LIBRARY, library ? "it is of another version" : dlerror());
}

/* Until all ranks have agreed, rank 0 speaks for all. */
static int hold_message(const char *text)
{
    size_t length = strlen(all.held);
    if (all.has_agreed)
        return 0;
    snprintf(all.held + length, sizeof all.held - length, "%s%s", length ? "; " : "", text);
    return 1;
}

/* ---- lost ranks -------------------------------------------------------------------------------------------------- */

double rank_patience(double usual)
{
    const char *given = getenv("ATLED_RANK_PATIENCE");
    double seconds = given ? atof(given) : 0;
    return seconds > 0 && seconds < 1e9 ? seconds : usual;
}

void lose_ranks(void) { all.has_lost = 1; }
int is_lost_rank(int rank) { return all.ranks && all.is_lost(rank); }

int speaks_for_all(void)
{
    int first = 0;
    while (first < this_rank() && is_lost_rank(first))
        first++;
    return first == this_rank();
}

/* Ends all ranks.  MPICH's launcher then reads no more, so it gets time to read what was written before. */
static void abort_ranks(int code)
{
    const struct timespec moment = {.tv_nsec = 500000000};
    flush_output();
    nanosleep(&moment, NULL);
    alarm(5); /* MPI_Abort asks the launcher, which may be out of reach */
    all.abort(code);
}

/* The first rank that is left ends all, when it has saved what there is; the others wait for that, but not for ever: it
 * may be cut off from this one. */
static void end_without_lost(int code)
{
    const struct timespec moment = {.tv_nsec = 100000000};
    for (int i = 0; !speaks_for_all() && (i < 100 || code <= EXIT_GOAL_NOT_MET); i++)
        nanosleep(&moment, NULL);
    abort_ranks(code);
}

/* ---- where MPI waits for all ranks, and cannot be told to end ---- */

static char limit_text[256];
static double limit_end; /* when it is reached, as seconds_now tells it */

/* Each rank that waits says so, so that the one that says nothing is known: one that was stopped, and gets its alarm
 * late, when the launcher continues it to end it. */
static void give_up(int signal)
{
    (void)signal;
    if (seconds_now() < limit_end + 1)
        (void)!write(STDERR_FILENO, limit_text, strlen(limit_text));
    sleep(2); /* the launcher ends the others as soon as one has ended */
    _exit(EXIT_BAD_FILE);
}

/* moment: "start" or "end". */
static void begin_limit(const char *moment)
{
    static const char *const numbers[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK"};
    const char *number = NULL;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !number; i++)
        number = getenv(numbers[i]);
    snprintf(limit_text, sizeof limit_text,
             "atled: rank %.20s on %.64s has waited too long in MPI's %s, for a rank that does not print this line\n",
             number ? number : "?", all.host, moment);
    const double seconds = floor(fmin(3 * rank_patience(USUAL_PATIENCE) + 1, 1e9));
    limit_end = seconds_now() + seconds;
    signal(SIGALRM, give_up);
    alarm((unsigned)seconds);
}

static void end_limit(void)
{
    alarm(0);
    signal(SIGALRM, SIG_DFL);
}

int begin_ranks(const char *command, int argc, char **argv)
{
    int launched = launched_ranks(), asked = wants_ranks(argc, argv);
    if (!launched && !asked)
        return 0;
    int code = load_library(command);
    if (code)
        return code;
    if (gethostname(all.host, sizeof all.host - 1))
        strcpy(all.host, "an unknown host");
    begin_limit("start");
    if (all.begin(&argc, &argv, &all.ranks) || all.watch(rank_patience(USUAL_PATIENCE))) {
        all.ranks = NULL;
        return report_failure(command);
    }
    end_limit();
    if (all.ranks->rank == 0)
        return 0;
    snprintf(all.prefix, sizeof all.prefix, "rank %d on %s: ", all.ranks->rank, all.host);
    report_as(all.prefix, hold_message);
    return freopen("/dev/null", "w", stdout) ? 0 : EXIT_INTERNAL;
}

void end_ranks_together(void) { all.has_failed = 1; }

void end_ranks(int code)
{
    if (!all.ranks)
        return;
    if (!all.has_agreed) /* it has failed before that */
        agree_on(NULL, code, NULL);
    if (all.has_lost || is_lost_rank(-1))
        end_without_lost(code);
    if (!all.has_failed && code != EXIT_GOAL_MET && code != EXIT_GOAL_NOT_MET)
        abort_ranks(code);
    char here = 1, *there = calloc((size_t)all.ranks->size, 1);
    if (!there || all.ranks->all_gather(all.ranks->context, &here, there, 1)) /* all have come to the end */
        end_without_lost(code);
    free(there);
    begin_limit("end");
    all.end();
    end_limit();
    all.ranks = NULL;
}

/* ---- what must be the same --------------------------------------------------------------------------------------- */

const char *build_of_rank(void)
{
    static char text[2 * DIGEST_TEXT];
    const char *(*in_library)(void) = atl_version;
    char command[DIGEST_TEXT] = "", found[DIGEST_TEXT] = "";
    Dl_info library;
    void *address;
    memcpy(&address, &in_library, sizeof address);
    digest_of_file("/proc/self/exe", command);
    if (dladdr(address, &library) && library.dli_fname)
        digest_of_file(library.dli_fname, found);
    snprintf(text, sizeof text, "%.16s %.16s", command, found);
    return text;
}

/* The first line in which the two differ, as a message; returns 0 if there is none. */
static int find_difference(const char *own, const char *first, char *text, size_t size)
{
    while (*own || *first) {
        int length = (int)strcspn(own, "\n"), other = (int)strcspn(first, "\n");
        if (length != other || strncmp(own, first, (size_t)length)) {
            snprintf(text, size, "it has '%.*s', but rank 0 has '%.*s'", length, own, other, first);
            return 1;
        }
        own += length + (own[length] == '\n');
        first += other + (first[other] == '\n');
    }
    return 0;
}

/* Compares with the facts of rank 0. */
static atl_status compare_facts(const char *facts, rank_report *own)
{
    const atl_ranks *ranks = all.ranks;
    uint64_t size = strlen(facts) + 1;
    atl_status status = ranks->broadcast(ranks->context, &size, sizeof size, 0);
    char *first = status ? NULL : calloc(size, 1);
    if (status || !first)
        return status ? status : atl_set_error(ATL_OUT_OF_MEMORY, "out of memory");
    if (ranks->rank == 0)
        memcpy(first, facts, size);
    status = ranks->broadcast(ranks->context, first, size, 0);
    if (!status && !own->code && *first && find_difference(facts, first, own->text, sizeof own->text))
        own->code = EXIT_USAGE;
    free(first);
    return status;
}

/* Prints each failure once: ranks that fail like rank 0 add nothing. */
static int judge(const char *command, const rank_report *report, int count)
{
    int code = report[0].code;
    for (int i = 1; i < count; i++) {
        if (!report[i].code || (report[0].code && report[i].code == report[0].code))
            continue;
        code = code ? code : report[i].code;
        if (all.ranks->rank == 0)
            report_error(command, 0, "rank %d on %s: %s", i, report[i].host, report[i].text);
    }
    return code;
}

/* When a rank dies, MPICH's launcher kills the others before they can say which one it was, and tells only the process
 * and its host.  Open MPI's and Slurm's name the rank. */
static void tell_processes(const char *command, const rank_report *report, int count)
{
    if (!getenv("PMI_RANK") || getenv("PMIX_RANK"))
        return;
    for (int i = 0; i < count; i++)
        report_error(command, 0, "rank %d is process %ld on %s", i, report[i].process, report[i].host);
}

int agree_on(const char *command, int code, const char *facts)
{
    const atl_ranks *ranks = all.ranks;
    if (!ranks)
        return code;
    rank_report own = {.code = code, .process = getpid()}, *report = calloc((size_t)ranks->size, sizeof *report);
    if (!report)
        abort_ranks(EXIT_INTERNAL);
    memcpy(own.host, all.host, sizeof own.host);
    memcpy(own.text, all.held, sizeof own.text);
    atl_status status = compare_facts(facts && !code ? facts : "", &own);
    if (!status)
        status = ranks->all_gather(ranks->context, &own, report, sizeof own);
    all.has_agreed = 1;
    int agreed = status ? report_failure(command) : judge(command, report, ranks->size);
    all.has_failed = agreed != 0;
    if (!agreed && ranks->rank == 0 && ranks->size > 1)
        tell_processes(command, report, ranks->size);
    free(report);
    return agreed;
}
