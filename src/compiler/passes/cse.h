/* Common subexpressions: equal nodes of a graph that is being built become one. */
#ifndef ATLED_COMPILER_PASSES_CSE_H
#define ATLED_COMPILER_PASSES_CSE_H

#include "graph/graph.h"

typedef struct atl_cse_entry {
    int32_t node;  /* its index, plus one; 0: the place is free */
    uint32_t hash; /* of the node: most others are told apart without a look at them */
} atl_cse_entry;

typedef struct atl_cse_table {
    atl_cse_entry *table; /* open addressing: indices of nodes, plus one */
    uint64_t mask;
    int64_t count;
} atl_cse_table;

/* For so many nodes, about. 0: out of memory. */
int atl_merging_begin(atl_cse_table *merging, int64_t nodes);
void atl_merging_end(atl_cse_table *merging);

/* Of the nodes from index `first` on, which have just been built, equal ones are replaced by those that came before, each in the
 * inputs of the next.  Returns what stands for `made`. */
atl_node *atl_cse_new(atl_cse_table *merging, atl_graph *graph, int64_t first, atl_node *made);

#endif
