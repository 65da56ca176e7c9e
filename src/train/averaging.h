/* The means over parts and ranks of what a training step needs: gradients, the cost, the values of updates. */
#ifndef ATLED_TRAIN_AVERAGING_H
#define ATLED_TRAIN_AVERAGING_H

#include "atled/graph.h"
#include "distributed/all_reduce.h"

typedef struct atl_averaged {
    atl_node **place;
    atl_bucket_slot slot, *slot_out;
} atl_averaged;

typedef struct atl_averaging {
    atl_averaged *of;
    int64_t count, capacity;
} atl_averaging;

/* Has the node at *place replaced by its mean.  slot_out: null, or the caller receives the mean itself, from the slot
 * that *slot_out becomes.  Returns 0 out of memory, with the error on the graph. */
int atl_average_later(atl_averaging *a, atl_node **place, atl_bucket_slot *slot_out);
/* Builds the nodes, in buckets in the order in which the values are ready.  Returns the token of the last send, or null
 * with the error on the graph.  in_parts: the means are for a program of their own, after those that send. */
atl_node *atl_average_now(atl_averaging *a, atl_all_reduce *r, int in_parts);
void atl_averaging_end(atl_averaging *a);

#endif
