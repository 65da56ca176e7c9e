/* A graph of nodes: each node is one op applied to earlier nodes.
 *
 * Ownership: the graph owns its nodes, variables and constants; atl_graph_free frees them all.  Nodes are immutable,
 * and stored in order of creation: an input always comes before its user.
 *
 * Errors: a builder with an invalid argument returns null and records the first such error on the graph.  Later
 * builders pass null through, and atl_compile fails with that first message.
 *
 * Only one thread at a time may build a graph. */
#ifndef ATLED_GRAPH_H
#define ATLED_GRAPH_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atl_graph atl_graph;
typedef struct atl_node atl_node;
typedef struct atl_op atl_op;

/* Null if out of memory. */
ATL_API atl_graph *atl_graph_new(void);
/* Frees the graph with all its nodes; free the programs made from it first.  Null is allowed. */
ATL_API void atl_graph_free(atl_graph *graph);

/* A program should print atl_error() (status.h), which has the message of every failure.  This function tells what is
 * wrong with a graph: the first error recorded by a builder; otherwise the last failure of any other function on this
 * graph; "" if there was none.  Never null.  Owned by the graph, and valid until the next failure. */
ATL_API const char *atl_graph_error(const atl_graph *graph);
/* The status of the first error recorded by a builder; ATL_OK if there was none. */
ATL_API atl_status atl_graph_status(const atl_graph *graph);

ATL_API int64_t atl_graph_node_count(const atl_graph *graph); /* 0 for null */
/* The node at that place in the order of creation; null if out of range. */
ATL_API atl_node *atl_graph_node(const atl_graph *graph, int64_t index);

/* Names.  Nodes created between atl_enter(g, "conv1") and atl_leave(g) are named conv1/...; scopes nest.  Names may
 * contain any printable character; '/' separates scopes.  A duplicate name gets the suffix _1, _2, ...  atl_leave
 * without atl_enter is an error. */
ATL_API void atl_enter(atl_graph *graph, const char *scope);
ATL_API void atl_leave(atl_graph *graph);

/* Names the node within the current scope, and returns it.  Call it right after the node is created, before anything
 * reads its name.  Null passes through. */
ATL_API atl_node *atl_named(atl_node *node, const char *format, ...) ATL_PRINTF(2, 3);

/* A formatted name, as an argument: ATL_NAME("conv%d_%d", block, i).  It lives until the enclosing block ends, in C++
 * until the full expression does.  Null, with the reason in atl_error(), if it would be longer than 255 bytes; names
 * created otherwise may have any length. */
#define ATL_NAME_SIZE 256
#ifdef __cplusplus
struct atl_name_room_ {
    char text[ATL_NAME_SIZE];
};
#define ATL_NAME(...) atl_format_name(const_cast<char *>(atl_address_(atl_name_room_())->text), __VA_ARGS__)
#else
#define ATL_NAME(...) atl_format_name((char[ATL_NAME_SIZE]){0}, __VA_ARGS__)
#endif
ATL_API const char *atl_format_name(char *name_out, const char *format, ...) ATL_PRINTF(2, 3);

/* The node with that full name, or null. */
ATL_API atl_node *atl_find(const atl_graph *graph, const char *name);

/* Properties of a node.  All of these functions accept null, and return null, 0, or the scalar shape for it.  The graph
 * owns the names. */
ATL_API atl_graph *atl_graph_of(const atl_node *node);
ATL_API const char *atl_name_of(const atl_node *node);
ATL_API const atl_op *atl_op_of(const atl_node *node);
ATL_API atl_dtype atl_dtype_of(const atl_node *node);
ATL_API atl_shape atl_shape_of(const atl_node *node);
ATL_API int64_t atl_index_of(const atl_node *node); /* its position in the order of creation */
ATL_API int64_t atl_input_count(const atl_node *node);
ATL_API atl_node *atl_input_of(const atl_node *node, int64_t index); /* null if out of range */
/* The forward node to whose gradient this node belongs, or null for a forward node. */
ATL_API atl_node *atl_forward_of(const atl_node *node);

/* ATL_NODES(a, b, c): a list of nodes, as an argument; functions copy it.  It lives until its block ends, in C++ until
 * its full expression does. */
typedef struct atl_nodes {
    int64_t count;
    atl_node *const *node;
} atl_nodes;
#define ATL_NODES(...)                                                                                                 \
    (ATL_LITERAL_(atl_nodes){(int64_t)ATL_COUNT_(atl_node *, __VA_ARGS__), ATL_ARRAY_(atl_node *, __VA_ARGS__)})

#ifdef __cplusplus
}
#endif
#endif
