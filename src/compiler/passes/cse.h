/* Common subexpression elimination: equal nodes of a graph that is being built become one. */
#ifndef ATLED_COMPILER_PASSES_CSE_H
#define ATLED_COMPILER_PASSES_CSE_H

#include "graph/graph.h"

typedef struct atl_cse_entry {
    int32_t node;  /* its index, plus one; 0: the entry is free */
    uint32_t hash; /* of the node: tells most unequal nodes apart without reading them */
} atl_cse_entry;

typedef struct atl_cse_table {
    atl_cse_entry *table; /* open addressing; entries hold node indices plus one */
    uint64_t mask;
    int64_t count;
} atl_cse_table;

/* For about that many nodes.  Returns 0 if out of memory. */
int atl_merging_begin(atl_cse_table *merging, int64_t nodes);
void atl_merging_end(atl_cse_table *merging);

/* Replaces each of the nodes from index `first` on, which have just been built, by an equal earlier node, and updates
 * the inputs of the following nodes.  Returns the replacement of `made`. */
atl_node *atl_cse_new(atl_cse_table *merging, atl_graph *graph, int64_t first, atl_node *made);

#endif
