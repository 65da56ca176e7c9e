/* Finds the images that are computed directly into the result of a concat. */
#ifndef ATLED_COMPILER_LAYOUT_CONCAT_ELIMINATION_H
#define ATLED_COMPILER_LAYOUT_CONCAT_ELIMINATION_H

#include "graph/graph.h"

/* For each node, the concat along the channels in whose result it is computed. */
typedef struct atl_sub_buffer {
    const atl_node *joined; /* null: the node has its own memory */
    int64_t first;          /* first channel */
} atl_sub_buffer;

/* `needed`, `once` and `blocked`: as elsewhere in the compiler.  Outputs keep their own memory.  Null: out of memory.
 * The caller frees the result. */
atl_sub_buffer *atl_find_sub_buffers(const atl_graph *graph, const char *needed, const char *prepackable,
                                     const char *blocked, int64_t count, atl_node *const *outputs, int winograd);

#endif
