/* Lists of names kept in order, for looking up and for finding the one that stands twice. */
#ifndef ATLED_IO_SORTED_NAMES_H
#define ATLED_IO_SORTED_NAMES_H

#include <stdint.h>

void atl_sort_names(const char **names, int64_t count);

/* Both want the names sorted. */
const char *atl_find_twin(const char *const *names, int64_t count); /* a name that stands twice, or null */
int atl_has_name(const char *const *names, int64_t count, const char *name);

#endif
