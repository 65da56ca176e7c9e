/* Names are given when first asked for, in order of creation, so that a graph nobody looks at pays nothing for them. */
#ifndef ATLED_GRAPH_NAMES_H
#define ATLED_GRAPH_NAMES_H

#include "atled/graph.h"

void atl_names_free(atl_graph *graph);

/* Gives every node its name now.  0: out of memory, and atl_name_of would return the names of ops. */
int atl_give_names(const atl_graph *graph);

#endif
