/* Internal functions of graphs for loading weights, for training and for reading files; they do not need the structure
 * of graphs. */
#ifndef ATLED_GRAPH_VARIABLES_H
#define ATLED_GRAPH_VARIABLES_H

#include "atled/graph.h"

/* Records that a function has failed on this graph, with the calling thread's message.  Returns status. */
atl_status atl_graph_note_failure(atl_graph *graph, atl_status status);

/* Replaces the variable's value by one of its own type and shape, and takes ownership of the tensor.  It cannot fail,
 * so that a caller changes either all of many variables or none. */
void atl_variable_adopt(atl_node *variable, atl_tensor *value);

/* The value of a constant, owned by the graph; null for any other node. */
const atl_tensor *atl_constant_value(const atl_node *node);

/* Fails if the variable belongs to a step that has failed half way, and has got no value since then: its value must not
 * be saved. */
atl_status atl_check_settled(const atl_node *variable);

/* Text of any length in the graph's memory.  Null, with the error recorded on the graph, if memory runs out. */
const char *atl_graph_format(atl_graph *graph, const char *format, ...) ATL_PRINTF(2, 3);

#endif
