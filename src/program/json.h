/* Writes JSON (RFC 8259), independent of the locale and of the bytes in a name. */
#ifndef ATLED_PROGRAM_JSON_H
#define ATLED_PROGRAM_JSON_H

#include <stdio.h>

/* A string.  Each byte that is not UTF-8 becomes U+FFFD, because JSON allows no others; "<" becomes
 * \u003c, so that the text can stand in a page. */
void atl_write_json_text(FILE *file, const char *text);

/* A number with that many decimals, up to 9; null if it is not finite, because JSON has no such numbers. */
void atl_write_json_number(FILE *file, double number, int decimals);

#endif
