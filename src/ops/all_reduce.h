/* A mean over ranks in two nodes, between which other nodes run. */
#ifndef ATLED_OPS_ALL_REDUCE_H
#define ATLED_OPS_ALL_REDUCE_H

#include "atled/graph.h"
#include "distributed/all_reduce.h"

/* Adds x to its bucket; returns a token.  token: of a node that must run before, or null. */
atl_node *atl_send(atl_node *x, const atl_bucket_slot *slot, atl_node *token);
/* The mean.  token: of the last send of the same program; null if another program sends. */
atl_node *atl_receive(atl_graph *graph, const atl_bucket_slot *slot, atl_shape shape, atl_node *token);

#endif
