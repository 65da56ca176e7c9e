/* Local response normalisation on oneDNN. */
#ifndef ATLED_ONEDNN_LRN_H
#define ATLED_ONEDNN_LRN_H

#include "onednn/onednn.h"

/* x / (bias + alpha * sum over [c - radius, c + radius] of x^2)^beta */
typedef struct onednn_lrn {
    int gradient;            /* inputs: dy, x, the forward node with its workspace; else x */
    atl_shape image;         /* [n, h, w, c] */
    int64_t radius;          /* 0 or more */
    float bias, alpha, beta; /* bias and alpha above 0 */
} onednn_lrn;

/* Emits the normalisation, or its gradient, for the node being lowered; the node's own kernel where oneDNN has reference loops
 * only, or has left no workspace.  1, or 0 with the error set. */
int onednn_lower_lrn(atl_lowering *lowering, const onednn_lrn *lrn);

#endif
