/* Chooses the nodes that work on images in blocks of 16 channels (nChw16c) instead of NHWC. */
#ifndef ATLED_COMPILER_LAYOUT_LAYOUT_H
#define ATLED_COMPILER_LAYOUT_LAYOUT_H

#include "graph/graph.h"

/* Returns blocked[i] for each node of the graph; the caller frees it; null: out of memory.  gain: the measured benefit
 * of the blocked layout for each node in seconds, or NaN to use an estimate; null: estimates only. */
char *atl_choose_layouts(const atl_graph *graph, const char *needed, int64_t count, atl_node *const *outputs,
                         int allowed, const double *gain);

#endif
