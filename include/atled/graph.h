/* A graph of nodes: each node is one op applied to earlier nodes.
 *
 * Ownership: the graph owns its nodes, variables and constants; atl_graph_free frees them all.  Nodes never change once
 * made, and are kept in the order in which they were made: an input always comes before its user.
 *
 * Errors: a builder that is given something wrong returns the null node and records the first such mistake on the graph.
 * A null node passes quietly through every later builder, and atl_compile fails with that first message.
 *
 * One graph may be built from one thread at a time. */
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
/* With all its nodes, after the programs made of it; null is allowed. */
ATL_API void atl_graph_free(atl_graph *graph);

/* What a program prints is atl_error() (status.h); this tells whether all is well with a graph.
 * The first mistake recorded by a builder; else the last failure of any other call on this graph; null if all is well.  Owned by the
 * graph, and valid until the next failure. */
ATL_API const char *atl_graph_error(const atl_graph *graph);
/* The status of that first mistake; ATL_OK if no builder has made one. */
ATL_API atl_status atl_graph_status(const atl_graph *graph);

ATL_API int64_t atl_graph_node_count(const atl_graph *graph);
ATL_API atl_node *atl_graph_node(const atl_graph *graph,
                                 int64_t index); /* in order of creation; null if out of range */

/* Names.  Nodes made between atl_enter(g, "conv1") and atl_leave(g) are named conv1/...; scopes nest.  Names may hold
 * any printable character; '/' separates scopes.  A name that is taken gets _1, _2, ...  atl_leave without atl_enter is a mistake. */
ATL_API void atl_enter(atl_graph *graph, const char *scope);
ATL_API void atl_leave(atl_graph *graph);

/* Names the node within the current scope, and returns it; to be called right after the node is made, before
 * the node's name has been looked at.  Null passes through. */
ATL_API atl_node *atl_named(atl_node *node, const char *format, ...) ATL_PRINTF(2, 3);

/* A formatted name, for a call that takes one: ATL_NAME("conv%d_%d", block, i).  Lives until the enclosing block ends,
 * in C++ until the expression does.
 * Null, with the reason in atl_error(), if it would be longer than 255 bytes: names made otherwise may be of any length. */
#define ATL_NAME_SIZE 256
#ifdef __cplusplus
struct atl_name_room_ {
    char text[ATL_NAME_SIZE];
};
#define ATL_NAME(...) atl_format_name(const_cast<char *>(atl_address_(atl_name_room_())->text), __VA_ARGS__)
#else
#define ATL_NAME(...) atl_format_name((char[ATL_NAME_SIZE]){0}, __VA_ARGS__)
#endif
ATL_API const char *atl_format_name(char *name, const char *format, ...) ATL_PRINTF(2, 3);

/* The node of that full name, or null. */
ATL_API atl_node *atl_find(const atl_graph *graph, const char *name);

/* About a node.  All of these accept null and return null, 0, or the scalar shape for it.  Names are owned by the graph. */
ATL_API atl_graph *atl_graph_of(const atl_node *node);
ATL_API const char *atl_name_of(const atl_node *node);
ATL_API const atl_op *atl_op_of(const atl_node *node);
ATL_API atl_dtype atl_dtype_of(const atl_node *node);
ATL_API atl_shape atl_shape_of(const atl_node *node);
ATL_API int64_t atl_index_of(const atl_node *node); /* its place in the order of creation */
ATL_API int atl_input_count(const atl_node *node);
ATL_API atl_node *atl_input_of(const atl_node *node, int index); /* null if out of range */
/* The forward node to whose gradient this node belongs, or null for a node of the forward part. */
ATL_API atl_node *atl_forward_of(const atl_node *node);

/* ATL_NODES(a, b, c): a list of nodes, for calls that take one, which copy it.  It lives no longer than its block, in C++ than its
 * expression. */
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
