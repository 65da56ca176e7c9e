/* The message of the last failure on each thread. */
#ifndef ATLED_GRAPH_ERROR_H
#define ATLED_GRAPH_ERROR_H

#include <stdint.h>

#include "atled/status.h"

#define ATL_ERROR_SIZE 2048

atl_status atl_out_of_memory(void);
/* The status stored with that message: for a caller that learns of a failure by a null pointer. */
atl_status atl_error_status(void);
/* The number of errors that this thread has set. */
uint64_t atl_error_count(void);
/* For a public function that has failed: the status of the last error set after the first `count` errors.  If there is
 * none, the failure has set no message, which is a bug in atled: then the result is ATL_INTERNAL, with a message that
 * says so. */
atl_status atl_status_since(uint64_t count, const char *call);

/* For a function that got null for a required argument: ATL_INVALID, "FUNCTION: WHAT null", where `what` is for example
 * "the name is". */
atl_status atl_null_argument(const char *function, const char *what);

/* The same for a null node, which is usually the result of an earlier error: the new message includes that error's
 * message. */
atl_status atl_null_node(const char *function);

/* For a builder that passes a null node on: keeps the message of the failure that made the node null; without one, the
 * message becomes "BUILDER: the node is null".  Returns null. */
void *atl_pass_null(const char *builder);

/* True for an atl_nodes with a count but without nodes: {2, NULL}. */
#define ATL_LIST_IS_NULL(list) ((list).count < 0 || ((list).count > 0 && !(list).node))

struct atl_graph;
struct atl_node;
/* Records that memory ran out as the graph's first error, if it has none.  Returns null, for builders. */
struct atl_node *atl_graph_out_of_memory(struct atl_graph *graph);

#endif
