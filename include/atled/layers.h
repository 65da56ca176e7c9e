/* Layers: an op with its variables.  NAME/weights and NAME/biases are created in the current scope. */
#ifndef ATLED_LAYERS_H
#define ATLED_LAYERS_H

#include "ops.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef atl_node *atl_activation(atl_node *x);

/* activation(conv2d(image, NAME/weights) + NAME/biases): [n, h, w, in] -> [n, oh, ow, channels].  The number of input
 * channels must be known.  Zero options mean the defaults of atl_conv2d. */
typedef struct atl_conv_layer_args {
    atl_node *image;
    const char *name;
    int channels;  /* of the result */
    int window[2]; /* 0: 1 */
    int stride[2];
    atl_padding padding;
    int pad[4];
    int dilation[2], groups;
    atl_layout layout;
    atl_weight_order weight_order;
    atl_initializer initializer; /* not given: He */
    bool no_bias;
    float decay; /* of the weights: see atl_variable_set_decay */
    atl_activation *activation;
    int end_;
} atl_conv_layer_args;
ATL_API atl_node *atl_conv_layer_with(const atl_conv_layer_args *args);
#define atl_conv_layer(...) atl_conv_layer_with(ATL_OPTIONS_(atl_conv_layer_args, __VA_ARGS__))

/* activation(x NAME/weights + NAME/biases): [n, in] -> [n, width], or [n, tokens, in] -> [n, tokens, width].  `in` must
 * be known.  An image [n, h, w, c], even [n, 1, 1, c], is an error: use atl_flatten first. */
typedef struct atl_dense_layer_args {
    atl_node *x; /* [n, in] or [n, tokens, in] */
    const char *name;
    int width;                     /* of the result */
    atl_weight_order weight_order; /* ATL_OUT_IN: [out, in], as in PyTorch */
    atl_initializer initializer;   /* not given: Glorot */
    bool no_bias;
    float decay; /* of the weights: see atl_variable_set_decay */
    atl_activation *activation;
    int end_;
} atl_dense_layer_args;
ATL_API atl_node *atl_dense_layer_with(const atl_dense_layer_args *args);
#define atl_dense_layer(...) atl_dense_layer_with(ATL_OPTIONS_(atl_dense_layer_args, __VA_ARGS__))

/* Batch normalisation (Ioffe & Szegedy 2015) over all dimensions except the last, with the variables NAME/mean,
 * /variance, /scale, /shift.  Mean and variance are running statistics and never trained.  In training the layer uses
 * the batch's statistics instead, and every step of a later atl_minimize updates the running ones: running <- momentum
 * * running + (1 - momentum) * batch's (the variance over the count minus one). */
typedef struct atl_batch_norm_layer_args {
    atl_node *x;
    const char *name;
    float epsilon; /* 0: 1e-5 */
    bool training;
    float momentum; /* used if .training; 0: 0.9; ATL_ZERO: keeps only the last batch's statistics */
    int end_;
} atl_batch_norm_layer_args;
ATL_API atl_node *atl_batch_norm_layer_with(const atl_batch_norm_layer_args *args);
#define atl_batch_norm_layer(...) atl_batch_norm_layer_with(ATL_OPTIONS_(atl_batch_norm_layer_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
