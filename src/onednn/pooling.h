/* Pooling with oneDNN. */
#ifndef ATLED_ONEDNN_POOLING_H
#define ATLED_ONEDNN_POOLING_H

#include "onednn/onednn.h"

typedef struct onednn_pooling {
    int average;  /* the mean of the pixels inside the image; otherwise the maximum */
    int gradient; /* of the result with respect to the image */
    atl_shape image, result;
    atl_window window[2];
    /* Indices of the node's inputs.  A maximum's gradient has the image (for its layout, not its value) and the forward
     * node with its workspace; a mean's has neither. */
    int image_input, adjoint_input, forward_input;
} onednn_pooling;

/* Emits the pooling, or its gradient, for the node being lowered; uses the node's own kernel where oneDNN has only
 * reference loops.  A maximum stores the positions if its gradient needs them.  Returns 1, or 0 with the error set. */
int onednn_lower_pooling(atl_lowering *lowering, const onednn_pooling *pooling);

#endif
