/* Common subexpressions: equal nodes of a graph that is being built become one. */
#ifndef ATLED_PASSES_MERGE_H
#define ATLED_PASSES_MERGE_H

#include "graph/graph.h"

typedef struct atl_merge_entry {
    int32_t node;  /* its index, plus one; 0: the place is free */
    uint32_t hash; /* of the node: most others are told apart without a look at them */
} atl_merge_entry;

typedef struct atl_merging {
    atl_merge_entry *table; /* open addressing: indices of nodes, plus one */
    uint64_t mask;
    int64_t count;
} atl_merging;

/* For so many nodes, about. 0: out of memory. */
int atl_merging_begin(atl_merging *merging, int64_t nodes);
void atl_merging_end(atl_merging *merging);

/* Of the nodes from index `first` on, which have just been built, equal ones are replaced by those that came before, each in the
 * inputs of the next.  Returns what stands for `made`. */
atl_node *atl_merge_new(atl_merging *merging, atl_graph *graph, int64_t first, atl_node *made);

#endif
