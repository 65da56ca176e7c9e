/* SHA-256 digests. */
#ifndef ATLED_TOOLS_DIGEST_H
#define ATLED_TOOLS_DIGEST_H

#include <stddef.h>

enum { DIGEST_TEXT = 65 }; /* 64 hexadecimal digits and a 0 */

void digest_of_bytes(const void *bytes, size_t size, char text[DIGEST_TEXT]);
/* Returns 0, or -1 with errno set if the file cannot be read. */
int digest_of_file(const char *path, char text[DIGEST_TEXT]);

#endif
