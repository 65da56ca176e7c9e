/* Text that goes to a file or grows in memory, and the escapes of Graphviz's DOT language. */
#ifndef ATLED_DRAWING_DOT_TEXT_H
#define ATLED_DRAWING_DOT_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "atled/status.h"

typedef struct dot_text {
    FILE *file; /* null: the text grows in memory */
    char *data; /* the caller passes it to atl_release */
    size_t size, capacity;
    atl_status status; /* of the first failure, with the message set; later text is dropped */
} dot_text;

void dot_put_bytes(dot_text *text, const char *bytes, size_t count);
void dot_put(dot_text *text, const char *string);
void dot_print(dot_text *text, const char *format, ...)
    ATL_PRINTF(2, 3); /* for short text such as numbers: cut after 255 bytes */

/* Puts any bytes as the inside of an HTML-like label: escapes markup, turns a newline into a line break, replaces
 * control characters and bytes that are not UTF-8 by U+FFFD, and an empty text by a space. */
void dot_put_label(dot_text *text, const char *string);
/* The same as the inside of a "..." that Graphviz shows: tooltips. */
void dot_put_quoted(dot_text *text, const char *string);

/* Writes the remaining text from memory to the file. */
atl_status dot_finish(dot_text *text);

#endif
