/* Looks up and checks feeds and outputs. */
#ifndef ATLED_PROGRAM_FEEDS_H
#define ATLED_PROGRAM_FEEDS_H

#include "atled/program.h"
#include "graph/graph.h"

/* The tensor fed for the node, or null. */
const atl_tensor *atl_fed_value(const atl_feed *feeds, const atl_node *node);
/* The concrete shape of an input: that of its feed, else its own.  `feeds` is a const atl_feed *. */
atl_shape atl_fed_shape(const atl_node *input, const void *feeds);

/* Checks the outputs: at least one, none null, all of one graph (of the given one if it is not null), which has no
 * error. */
atl_status atl_check_outputs(atl_graph *graph, atl_nodes outputs);
/* Checks dtype and shape of one feed against its node; the reference may also be fed doubles and variables. */
atl_status atl_check_feed(const atl_node *node, const atl_tensor *value, int for_reference);
/* An input that is fed twice is an error: which of the two was meant? */
atl_status atl_check_fed_once(const atl_feed *feeds);
/* The first input in the graph's order that the outputs need and that is not fed; null: none is missing. */
atl_status atl_find_missing(const atl_graph *graph, atl_nodes outputs, const atl_feed *feeds,
                            const atl_node **missing_out);
/* Sets the error for such an input, and returns its status. */
atl_status atl_not_fed(const atl_node *input);
/* Checks all feeds, and that everything the outputs need is fed. */
atl_status atl_check_feeds(const atl_graph *graph, atl_nodes outputs, const atl_feed *feeds, int for_reference);

#endif
