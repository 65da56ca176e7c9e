/* Which nodes a value is computed from, and which of these change from run to run. */
#ifndef ATLED_GRAPH_NEEDED_H
#define ATLED_GRAPH_NEEDED_H

#include "graph/graph.h"

/* needed[i] becomes 1 for the nodes whose values the given ones are computed from, and, with shapes_too, for those whose shapes
 * play a part.  Null out of memory; to be released. */
char *atl_mark_needed(const atl_graph *graph, int64_t count, atl_node *const *outputs, int shapes_too);

/* once[i] becomes 1 for the nodes that depend on constants only, and on variables to which none of the needed nodes assigns: they
 * need computing only when a variable has changed.  Null out of memory; to be released. */
char *atl_mark_prepackable(const atl_graph *graph, const char *needed);

#endif
