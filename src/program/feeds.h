/* What is fed and what is wanted: looking it up and checking it. */
#ifndef ATLED_PROGRAM_FEEDS_H
#define ATLED_PROGRAM_FEEDS_H

#include "atled/program.h"
#include "graph/graph.h"

/* The tensor fed for the node, or null. */
const atl_tensor *atl_fed_value(const atl_feed *feeds, const atl_node *node);
/* The concrete shape of an input: what is fed, else its own. `feeds` is a const atl_feed *. */
atl_shape atl_fed_shape(const atl_node *input, const void *feeds);

/* At least one, none null, all of one graph (of the given one if it is not null), which holds no mistake. */
atl_status atl_check_outputs(atl_graph *graph, atl_nodes outputs);
/* Dtype and shape of one feed against its node; double and variables are allowed for the reference. */
atl_status atl_check_feed(const atl_node *node, const atl_tensor *value, int for_reference);
/* All of them, and that nothing the wanted nodes need is missing. */
atl_status atl_check_feeds(const atl_graph *graph, atl_nodes outputs, const atl_feed *feeds, int for_reference);

#endif
