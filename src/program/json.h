/* Writing JSON (RFC 8259), whatever the locale and whatever bytes a name has. */
#ifndef ATLED_PROGRAM_JSON_H
#define ATLED_PROGRAM_JSON_H

#include <stdio.h>

/* A string.  Bytes that are not UTF-8 become U+FFFD each: JSON has no others. */
void atl_write_json_text(FILE *file, const char *text);

/* A number with so many decimals, up to 9; null if it is not finite: JSON has no such numbers. */
void atl_write_json_number(FILE *file, double number, int decimals);

#endif
