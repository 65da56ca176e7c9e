/* Error messages of commands, and their exit codes. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "tools.h"

enum { MOST_TEXT = 8192 };

static int output_error; /* errno of the first write to standard output that failed */

void flush_output(void)
{
    if (fflush(stdout) != 0 && !output_error)
        output_error = errno;
}

/* C options that the library's messages mention; they are useless on a command line. */
static const char *const c_options[] = {".allow_missing", ".allow_extra", ".weights_only", ".suffixes"};

/* Of a process that is one of several. */
static struct {
    int (*hold)(const char *text);
    const char *prefix;
} reporting = {NULL, ""};

void report_as(const char *prefix, int (*hold)(const char *text))
{
    reporting.prefix = prefix;
    reporting.hold = hold;
}

static size_t c_option_at(const char *text)
{
    for (size_t i = 0; i < sizeof c_options / sizeof *c_options; i++)
        if (strncmp(text, c_options[i], strlen(c_options[i])) == 0)
            return strlen(c_options[i]);
    return 0;
}

/* Removes " (.allow_missing = 1 keeps ...)", and turns "other .suffixes" into "other suffixes". */
static void remove_c_options(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        size_t hint = strncmp(from, " (", 2) == 0 && c_option_at(from + 2) ? strcspn(from, ")") : 0;
        if (hint && from[hint])
            from += hint + 1;
        else if (c_option_at(from))
            from++;
        else
            *to++ = *from++;
    }
    *to = 0;
}

int report_error(const char *command, int code, const char *format, ...)
{
    char text[MOST_TEXT], shown[3 * MOST_TEXT];
    va_list arguments;
    flush_output();
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    remove_c_options(text);
    if (!reporting.hold || !reporting.hold(text))
        fprintf(stderr, "atled%s%s: %s%s\n", command ? " " : "", command ? command : "", reporting.prefix,
                clean_text(text, shown, sizeof shown));
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

int report_failure(const char *command)
{
    atl_status status = atl_error_status();
    return report_error(command, status ? exit_code_of(status) : EXIT_INTERNAL, "%s",
                        *atl_error() ? atl_error() : "a call of the library failed without a message");
}

int report_graph_failure(const char *command, const atl_graph *graph)
{
    atl_status first = graph ? atl_graph_status(graph) : ATL_OK;
    return first ? report_error(command, exit_code_of(first), "%s", atl_graph_error(graph)) : report_failure(command);
}

int report_no_memory(const char *command) { return report_error(command, EXIT_INTERNAL, "out of memory"); }

int end_output(const char *command, int code)
{
    int failed = ferror(stdout);
    if (fclose(stdout) != 0) {
        failed = 1;
        output_error = output_error ? output_error : errno;
    }
    if (!failed)
        return code;
    report_error(command, 0, "standard output could not be written: %s",
                 output_error ? strerror(output_error) : "a write failed");
    return code == EXIT_GOAL_MET || code == EXIT_GOAL_NOT_MET ? EXIT_BAD_FILE : code;
}
