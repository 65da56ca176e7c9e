/* Which nodes work on images in blocks of 16 channels, in place of NHWC. */
#ifndef ATLED_COMPILER_LAYOUT_LAYOUT_H
#define ATLED_COMPILER_LAYOUT_LAYOUT_H

#include "graph/graph.h"

/* blocked[i] for each node of the graph; null out of memory; to be released.  gain: of each node the seconds that blocks save, as
 * measured, or NaN for an estimate; null: estimates only. */
char *atl_choose_layouts(const atl_graph *graph, const char *needed, int64_t count, atl_node *const *outputs,
                         int allowed, const double *gain);

#endif
