/* The message of the last failure on each thread. */
#ifndef ATLED_GRAPH_ERROR_H
#define ATLED_GRAPH_ERROR_H

#include <stdint.h>

#include "atled/status.h"

#define ATL_ERROR_SIZE 2048

atl_status atl_out_of_memory(void);
/* The status given with that message: for a caller that was told of a failure by a null pointer. */
atl_status atl_error_status(void);
/* How many errors this thread has set so far. */
uint64_t atl_error_count(void);
/* For a public call that has failed: the status of the last error that was set since `count` errors had been.  If there is none, the failure
 * has left no message, which is a mistake of ours: then ATL_INTERNAL, and a message that says so. */
atl_status atl_status_since(uint64_t count, const char *call);

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
