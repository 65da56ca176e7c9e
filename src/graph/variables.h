/* What loading weights and training ask of a graph beyond the public face, without knowing the inside of it. */
#ifndef ATLED_GRAPH_VARIABLES_H
#define ATLED_GRAPH_VARIABLES_H

#include "atled/graph.h"

/* Records that a call on this graph has failed, with the calling thread's message. Returns status. */
atl_status atl_graph_note_failure(atl_graph *graph, atl_status status);

/* Gives the variable a value of its own type and shape, and the tensor with it. Cannot fail, so that of many variables
 * all change or none. */
void atl_variable_adopt(atl_node *variable, atl_tensor *value);

/* Text of any length in the graph's memory.  Null, and the graph broken, when there is none. */
const char *atl_graph_format(atl_graph *graph, const char *format, ...) ATL_PRINTF(2, 3);

#endif
