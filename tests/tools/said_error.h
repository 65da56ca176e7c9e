/* Keeps the errors of a command's parts, for tests of these parts by themselves: in place of the command's own
 * functions.  The name of the command is "try". */
#ifndef ATLED_TESTS_TOOLS_SAID_ERROR_H
#define ATLED_TESTS_TOOLS_SAID_ERROR_H

#include <stdarg.h>

#include "support.h"
#include "tools/tools.h"

static char said[1024]; /* the last one */
static int said_count;

int report_error(const char *command, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said, sizeof said, format, arguments);
    va_end(arguments);
    cr_assert_str_eq(command, "try");
    said_count++;
    return code;
}

int report_no_memory(const char *command) { return report_error(command, EXIT_INTERNAL, "out of memory"); }

#endif
