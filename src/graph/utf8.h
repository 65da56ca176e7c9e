/* UTF-8, as users' names should be and may not be. */
#ifndef ATLED_GRAPH_UTF8_H
#define ATLED_GRAPH_UTF8_H

#include <stddef.h>

/* Bytes of the UTF-8 character that begins here, if it is one that XML allows, else 0 (RFC 3629; XML 1.0, 2.2). */
size_t atl_character_at(const unsigned char *s);

#endif
