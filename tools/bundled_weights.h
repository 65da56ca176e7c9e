/* The weights that ship with atled. */
#ifndef ATLED_TOOLS_SHIPPED_H
#define ATLED_TOOLS_SHIPPED_H

#include <stddef.h>

/* The path of the shipped weights of that network, in path; null if none are found.  They are looked for in $ATLED_MODELS, and
 * beside the program as it is installed or built. */
const char *bundled_weights(const char *model, char *path, size_t size);
/* Says that there are none, and what to do; returns the exit code. */
int report_no_weights(const char *command, const char *model);

#endif
