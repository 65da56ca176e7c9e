/* Words of messages. */
#ifndef ATLED_COMMON_PLURAL_H
#define ATLED_COMMON_PLURAL_H

#include <stdint.h>

/* "s", or "" for one: of the word after a number. */
static inline const char *atl_plural(int64_t count) { return count == 1 ? "" : "s"; }

#endif
