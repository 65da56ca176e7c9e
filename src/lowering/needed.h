/* Which nodes a value depends on, and which of these change from run to run. */
#ifndef ATLED_GRAPH_NEEDED_H
#define ATLED_GRAPH_NEEDED_H

#include "graph/graph.h"

/* Sets needed[i] to 1 for the nodes on whose values the given ones depend, and with shapes_too for those whose shapes
 * they use.  Null: out of memory; the caller frees it. */
char *atl_mark_needed(const atl_graph *graph, int64_t count, atl_node *const *outputs, int shapes_too);

/* Sets once[i] to 1 for the nodes that depend only on constants and on variables to which no needed node assigns: they
 * must be computed only when a variable has changed.  Null: out of memory; the caller frees it. */
char *atl_mark_prepackable(const atl_graph *graph, const char *needed);

#endif
