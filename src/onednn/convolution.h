/* Convolution and its two gradients, lowered to oneDNN's convolution primitive. */
#ifndef ATLED_ONEDNN_CONVOLUTION_H
#define ATLED_ONEDNN_CONVOLUTION_H

#include "onednn/onednn.h"
#include "ops/window.h"

typedef enum onednn_pass {
    ONEDNN_FORWARD,        /* image, filter -> result */
    ONEDNN_INPUT_GRADIENT, /* result gradient, filter -> image gradient */
    ONEDNN_FILTER_GRADIENT /* image, result gradient -> filter gradient */
} onednn_pass;

/* What a forward convolution does to each element before it is written, in this order: + bias, + residual, activation. */
typedef enum onednn_activation {
    ONEDNN_IDENTITY = 0,
    ONEDNN_RELU, /* x > 0 ? x : a * x */
    ONEDNN_ELU,  /* x > 0 ? x : a * (e^x - 1) */
    ONEDNN_TANH,
    ONEDNN_SIGMOID,
    ONEDNN_CLIP /* min(max(x, a), b) */
} onednn_activation;

enum { ONEDNN_NO_INPUT = -1 };

typedef struct onednn_convolution {
    onednn_pass pass;
    atl_shape image;  /* [n, h, w, in] */
    atl_shape filter; /* [fh, fw, in / groups, out] */
    atl_shape result; /* [n, oh, ow, out] */
    atl_window vertical, horizontal;
    int64_t groups;
    /* Which inputs of the node these are; of image, filter and result, the one that is computed is ONEDNN_NO_INPUT. */
    int image_input, filter_input, result_input;
    /* Forward only; ONEDNN_NO_INPUT if there is none. */
    int bias_input;     /* [out] */
    int residual_input; /* the shape of the result */
    onednn_activation activation;
    float a, b; /* of the activation */
} onednn_convolution;

/* Emits the convolution that computes the node being lowered. 1, or 0 with the error set. */
int onednn_lower_convolution(atl_lowering *lowering, const onednn_convolution *convolution);

/* The implementation that would be chosen, for tests and plans: "brgconv:avx512_core". Returns text, "" on failure. */
const char *onednn_convolution_implementation(const onednn_convolution *convolution, char *text, size_t size);

#endif
