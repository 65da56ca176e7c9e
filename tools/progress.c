/* The progress line of a long command, and Ctrl-C. */
#include "progress.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

double seconds_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

progress_line start_progress(int quiet)
{
    return (progress_line){.quiet = quiet, .terminal = isatty(STDERR_FILENO), .last = -1};
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void show_progress(progress_line *progress, int always, const char *format, ...)
{
    char text[512];
    double time = seconds_now(), pause = progress->terminal ? 0.1 : 2;
    if (progress->quiet || (!always && progress->last >= 0 && time - progress->last < pause))
        return;
    progress->last = time;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (progress->terminal)
        fprintf(stderr, "\r%.*s\033[K", bytes_within(text, terminal_width() - 1), text);
    else
        fprintf(stderr, "%s\n", text);
    fflush(stderr);
    progress->drawn = progress->terminal;
}

void end_progress(progress_line *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->drawn = 0;
    progress->last = -1;
}

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* A signal that the parent process ignores (nohup, a background job) stays ignored. */
static void catch_signal(int number, void (*handler)(int), int flags)
{
    struct sigaction action, before;
    if (sigaction(number, NULL, &before) != 0 || before.sa_handler == SIG_IGN)
        return;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, NULL);
}

void catch_interrupts(void)
{
    catch_signal(SIGINT, note_interrupt, (int)SA_RESETHAND | SA_RESTART);
    catch_signal(SIGTERM, note_interrupt, (int)SA_RESETHAND | SA_RESTART);
    /* A closed terminal sends it more than once: from the shell and from the kernel. */
    catch_signal(SIGHUP, note_interrupt, SA_RESTART);
    /* The reader of the output may end before the work does: the work continues, and the failed write is reported at
     * the end. */
    catch_signal(SIGPIPE, SIG_IGN, 0);
}

int was_interrupted(void) { return interrupted; }
