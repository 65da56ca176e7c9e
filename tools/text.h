/* Foreign text (names of classes, files, entries), made safe for a terminal and for drawings. */
#ifndef ATLED_TOOLS_TEXT_H
#define ATLED_TOOLS_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Copies `from` to `to`, which has room for `size` bytes.  Bytes that are not UTF-8 and control characters (escape
 * sequences of a terminal, marks that change the direction of writing) become U+FFFD.  A text that is too long ends
 * after a whole character.  Returns to. */
char *clean_text(const char *from, char *to, size_t size);

/* The number of bytes of the first `columns` characters of a UTF-8 text; each character counts as one column. */
int bytes_within(const char *text, int columns);

/* Prints the clean text in exactly `columns` columns, at the right: cut or filled with spaces. */
void print_column(const char *text, int columns);

/* "s", or "" for one: of the word after a number. */
const char *plural(int64_t count);

/* A duration with its unit and four digits: "83.1 us", "205.1 ms", "10.83 s".  Returns to. */
char *duration_text(double microseconds, char *to, size_t size);

#endif
