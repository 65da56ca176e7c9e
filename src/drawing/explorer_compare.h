/* A graph as JSON, and such a file beside the graph in the explorer's page. */
#ifndef ATLED_DRAWING_EXPLORER_COMPARE_H
#define ATLED_DRAWING_EXPLORER_COMPARE_H

#include <stdio.h>

#include "atled/dot.h"

/* Each drawn node with its name, op, attributes, shape and the names of its inputs. */
atl_status explorer_write_json(const atl_dot_args *args, FILE *file);
/* "other":{"title":...,"nodes":[[name, op, attributes, shape], ...]} of such a file, whose
 * title is its name; null without a path. */
atl_status explorer_write_other(const char *path, FILE *file);

#endif
