/* The weights that ship with atled. */
#ifndef ATLED_TOOLS_SHIPPED_H
#define ATLED_TOOLS_SHIPPED_H

#include <stddef.h>

/* Writes the path of that network's bundled weights to path; null if there are none.  Looks in $ATLED_MODELS, and
 * beside the installed or built program. */
const char *bundled_weights(const char *model, char *path, size_t size);
/* Reports that there are none, and the remedy; returns the exit code. */
int report_no_weights(const char *command, const char *model);

#endif
