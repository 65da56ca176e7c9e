/* UTF-8 validation: users' names should be UTF-8, but may be any bytes. */
#ifndef ATLED_GRAPH_UTF8_H
#define ATLED_GRAPH_UTF8_H

#include <stddef.h>

/* The number of bytes of the UTF-8 character at s if XML allows it, else 0 (RFC 3629; XML 1.0, 2.2). */
size_t atl_character_at(const unsigned char *s);

#endif
