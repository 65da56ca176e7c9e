/* The message of the last failure on each thread. */
#ifndef ATLED_GRAPH_ERROR_H
#define ATLED_GRAPH_ERROR_H

#include "atled/status.h"

#define ATL_ERROR_SIZE 2048

atl_status atl_out_of_memory(void);
/* The status given with that message: for a caller that was told of a failure by a null pointer. */
atl_status atl_error_status(void);

/* For a call that was given null in place of what it cannot do without: ATL_INVALID, "FUNCTION: WHAT is null". */
atl_status atl_null_argument(const char *function, const char *what);

/* The same of a null node, which is mostly the result of an earlier mistake: that message is kept behind it. */
atl_status atl_null_node(const char *function);

/* True of an atl_nodes that says it has nodes, and has none: {2, NULL}. */
#define ATL_LIST_IS_NULL(list) ((list).count < 0 || ((list).count > 0 && !(list).node))

struct atl_graph;
struct atl_node;
/* The graph's first mistake, if it has none yet, is that memory ran out.  Returns null, for builders. */
struct atl_node *atl_graph_out_of_memory(struct atl_graph *graph);

#endif
