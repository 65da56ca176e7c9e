/* A node gets its name when somebody first asks for a name, in order of creation, so names cost nothing in a graph
 * where nobody asks. */
#ifndef ATLED_GRAPH_NAMES_H
#define ATLED_GRAPH_NAMES_H

#include "atled/graph.h"

void atl_names_free(atl_graph *graph);

/* Gives every node its name now.  0: out of memory, and atl_name_of would return the names of ops. */
int atl_give_names(const atl_graph *graph);

#endif
