/* Which images are made where a concat wants them. */
#ifndef ATLED_COMPILER_MEMORY_CONCAT_ELIMINATION_H
#define ATLED_COMPILER_MEMORY_CONCAT_ELIMINATION_H

#include "graph/graph.h"

/* For each node, the node that joins it with others along the channels and in whose memory it is made. */
typedef struct atl_sub_buffer {
    const atl_node *joined; /* null: it is made on its own */
    int64_t first;          /* channel */
} atl_sub_buffer;

/* `needed`, `once` and `blocked` as elsewhere in the compiler; what is wanted stays on its own. Null: out of memory. The caller frees it. */
atl_sub_buffer *atl_find_sub_buffers(const atl_graph *graph, const char *needed, const char *prepackable,
                                     const char *blocked, int64_t count, atl_node *const *outputs, int winograd);

#endif
