/* Measured times of the ways in which a node can be lowered. */
#ifndef ATLED_COMPILER_LAYOUT_TIMING_H
#define ATLED_COMPILER_LAYOUT_TIMING_H

#include "graph/graph.h"

/* Of each node of a graph. */
typedef struct atl_times {
    char *plain, *blocked; /* the fastest atl_algo in either layout; 0: there is no choice */
    double *gain;          /* seconds that blocks save; NaN: not measured */
} atl_times;

/* Times what has not been timed before. 0 with the error set. */
int atl_time_nodes(atl_times *times_out, const atl_graph *graph, const char *needed, const char *prepackable,
                   int winograd, int bfloat16);
void atl_release_times(atl_times *times);

#endif
