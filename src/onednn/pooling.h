/* Pooling on oneDNN. */
#ifndef ATLED_ONEDNN_POOLING_H
#define ATLED_ONEDNN_POOLING_H

#include "onednn/onednn.h"

typedef struct onednn_pooling {
    int average;  /* the mean of what lies inside of the image; else the largest */
    int gradient; /* of the result with respect to the image */
    atl_shape image, result;
    atl_window window[2];
    /* Which inputs of the node these are. A maximum's gradient has the image (whose layout counts, not its value) and the forward
     * node with its workspace; a mean's has neither. */
    int image_input, adjoint_input, forward_input;
} onednn_pooling;

/* Emits the pooling, or its gradient, for the node being lowered; the node's own kernel where oneDNN has reference loops only.
 * A maximum leaves the positions for its gradient if that is wanted.  1, or 0 with the error set. */
int onednn_lower_pooling(atl_lowering *lowering, const onednn_pooling *pooling);

#endif
