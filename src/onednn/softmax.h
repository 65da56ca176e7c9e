/* Softmax with oneDNN. */
#ifndef ATLED_ONEDNN_SOFTMAX_H
#define ATLED_ONEDNN_SOFTMAX_H

#include "onednn/onednn.h"

/* Emits the softmax (or its logarithm) over the last dimension for the node being lowered, whose input has `rows` rows
 * of `width` elements; uses the node's own kernel where oneDNN has only reference loops.  Returns 1, or 0 with the
 * error set. */
int onednn_lower_softmax(atl_lowering *lowering, int64_t rows, int64_t width, int logarithm);

#endif
