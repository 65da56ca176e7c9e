/* What a long command tells while it works, and Ctrl-C. */
#include "progress.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

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

/* What of a UTF-8 text fits into so many columns; its characters are taken to be one column wide. */
static int bytes_within(const char *text, int columns)
{
    int at = 0;
    for (; text[at]; at++)
        if ((text[at] & 0xC0) != 0x80 && columns-- == 0)
            break;
    return at;
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

void catch_interrupts(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = note_interrupt;
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int was_interrupted(void) { return interrupted; }
