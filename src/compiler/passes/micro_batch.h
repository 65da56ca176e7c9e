/* The nodes at the border of what runs for some images of the batch at a time: see micro_batch.c. */
#ifndef ATLED_COMPILER_PASSES_MICRO_BATCH_H
#define ATLED_COMPILER_PASSES_MICRO_BATCH_H

#include "graph/graph.h"

/* micro_batch(x): some images of x, others in each turn of the loop; the attribute is their number, int64_t. */
extern const atl_op atl_micro_batch_op;
/* whole_batch(y): all images, of which each turn of the loop computes the y of some; the attribute is their number. */
extern const atl_op atl_whole_batch_op;

static inline int atl_enters_loop(const atl_node *node) { return node->op == &atl_micro_batch_op; }

#endif
