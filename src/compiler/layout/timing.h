/* Measured times of the algorithms that can compute a node. */
#ifndef ATLED_COMPILER_LAYOUT_TIMING_H
#define ATLED_COMPILER_LAYOUT_TIMING_H

#include "graph/graph.h"

/* Returns the seconds that the node takes by that atl_algo, alone; INFINITY: it cannot be measured; negative with the
 * error set. */
typedef double atl_measure_node(const atl_node *node, int algo, int bfloat16);

/* The choices for each node of a graph. */
typedef struct atl_times {
    char *plain, *blocked; /* the fastest atl_algo in each layout; 0: there is no choice */
    double *gain;          /* seconds that the blocked layout saves; NaN: not measured */
} atl_times;

/* Times what has not been timed before.  Returns 0 with the error set. */
int atl_time_nodes(atl_times *times_out, const atl_graph *graph, const char *needed, const char *prepackable,
                   int winograd, int bfloat16, atl_measure_node *measure);
void atl_release_times(atl_times *times);

#endif
