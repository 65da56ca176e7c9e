/* The message of the last failure on each thread: a fixed buffer, so that it can also report that memory ran out. */
#include "graph/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

static _Thread_local char message[ATL_ERROR_SIZE];
static _Thread_local atl_status kind;
static _Thread_local uint64_t errors;

/* Names come from files, and messages go to terminals, which interpret control characters. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = *text == '\n' ? '\n' : '?';
}

const char *atl_error(void) { return message; }
atl_status atl_error_status(void) { return kind; }
const char *atl_version(void) { return ATLED_VERSION; }

atl_status atl_set_error(atl_status status, const char *format, ...)
{
    char text[ATL_ERROR_SIZE]; /* the arguments may point into the old message */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format ? format : "a failure without a message (the format is null)", arguments);
    va_end(arguments);
    make_printable(text);
    memcpy(message, text, strlen(text) + 1);
    kind = status;
    errors++;
    return status;
}

atl_status atl_out_of_memory(void) { return atl_set_error(ATL_OUT_OF_MEMORY, "out of memory"); }

atl_status atl_null_argument(const char *function, const char *what)
{
    return atl_set_error(ATL_INVALID, "%s: %s null", function, what);
}

atl_status atl_null_node(const char *function)
{
    if (message[0])
        return atl_set_error(ATL_INVALID, "%s: the node is null, after: %.1500s", function, message);
    return atl_null_argument(function, "the node is");
}

void *atl_pass_null(const char *builder)
{
    if (!message[0])
        atl_null_argument(builder, "the node is");
    return NULL;
}

uint64_t atl_error_count(void) { return errors; }

atl_status atl_status_since(uint64_t count, const char *call)
{
    if (errors != count && kind)
        return kind;
    return atl_set_error(ATL_INTERNAL, "%s: failed without a reason, which is a bug in atled", call);
}
