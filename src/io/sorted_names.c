/* Lists of names kept in order. Called by the readers and writers of archives. */
#include "io/sorted_names.h"

#include <stddef.h>
#include <stdlib.h> /* qsort, bsearch */
#include <string.h>

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

void atl_sort_names(const char **names, int64_t count)
{
    if (count > 1)
        qsort(names, (size_t)count, sizeof *names, by_name);
}

const char *atl_find_twin(const char *const *names, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return names[i];
    return NULL;
}

int atl_has_name(const char *const *names, int64_t count, const char *name)
{
    return count > 0 && bsearch(&name, names, (size_t)count, sizeof *names, by_name) != NULL;
}
