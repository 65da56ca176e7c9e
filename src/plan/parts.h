/* Which images are made where a concat wants them. */
#ifndef ATLED_PLAN_PARTS_H
#define ATLED_PLAN_PARTS_H

#include "graph/graph.h"

/* For each node, the node that joins it with others along the channels and in whose memory it is made. */
typedef struct atl_part {
    const atl_node *joined; /* null: it is made on its own */
    int64_t first;          /* channel */
} atl_part;

/* `needed`, `once` and `blocked` as elsewhere in the compiler; what is wanted stays on its own. Null: out of memory. The caller frees it. */
atl_part *atl_find_parts(const atl_graph *graph, const char *needed, const char *once, const char *blocked,
                         int64_t count, atl_node *const *wanted, int winograd);

#endif
