/* Layers: an op with its variables.  NAME/weights and NAME/biases are created in the current scope. */
#ifndef ATLED_LAYERS_H
#define ATLED_LAYERS_H

#include "distributed.h"
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

/* activation(depthwise_conv2d(image, NAME/weights) + NAME/biases): [n, h, w, in] -> [n, oh, ow, in * multiplier].  The
 * weights are [fh, fw, in, multiplier]; with ATL_OUT_IN [in * multiplier, 1, fh, fw], as PyTorch's Conv2d with groups =
 * in.  The number of input channels must be known.  Zero options mean the defaults of atl_depthwise_conv2d. */
typedef struct atl_depthwise_layer_args {
    atl_node *image;
    const char *name;
    int multiplier; /* filters for each channel; 0: 1 */
    int window[2];  /* 0: 1 */
    int stride[2];
    atl_padding padding;
    int pad[4];
    int dilation[2];
    atl_layout layout;
    atl_weight_order weight_order;
    atl_initializer initializer; /* not given: He, of the window's size */
    bool no_bias;
    float decay; /* of the weights: see atl_variable_set_decay */
    atl_activation *activation;
    int end_;
} atl_depthwise_layer_args;
ATL_API atl_node *atl_depthwise_layer_with(const atl_depthwise_layer_args *args);
#define atl_depthwise_layer(...) atl_depthwise_layer_with(ATL_OPTIONS_(atl_depthwise_layer_args, __VA_ARGS__))

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
    float momentum; /* used if .training, so that one function builds both networks; 0: 0.9; ATL_ZERO: no memory */
    /* If not null, the statistics in training are those of all parts of the batch on all ranks (distributed.h), forward
     * and backward; else those of the part that is run.  A rank with several parts runs them by atl_run_parts. */
    atl_all_reduce *all_reduce;
    int end_;
} atl_batch_norm_layer_args;
ATL_API atl_node *atl_batch_norm_layer_with(const atl_batch_norm_layer_args *args);
#define atl_batch_norm_layer(...) atl_batch_norm_layer_with(ATL_OPTIONS_(atl_batch_norm_layer_args, __VA_ARGS__))

/* Layer normalisation (Ba et al. 2016) over the last dimension, whose size must be known, with the variables NAME/scale
 * (ones) and NAME/shift (zeros), both of that size: [.., d] -> [.., d].  PyTorch calls them weight and bias, TensorFlow
 * gamma and beta. */
typedef struct atl_layer_norm_layer_args {
    atl_node *x;
    const char *name;
    float epsilon; /* 0: 1e-5, as in PyTorch; TensorFlow has 1e-3 */
    int end_;
} atl_layer_norm_layer_args;
ATL_API atl_node *atl_layer_norm_layer_with(const atl_layer_norm_layer_args *args);
#define atl_layer_norm_layer(...) atl_layer_norm_layer_with(ATL_OPTIONS_(atl_layer_norm_layer_args, __VA_ARGS__))

/* Replaces each number by a row of NAME/weights [vocabulary, width]: int32 [..] -> [.., width].  A number outside
 * 0..vocabulary-1 gets zeros, and no gradient: -1 can stand for padding. */
typedef struct atl_embedding_layer_args {
    atl_node *ids; /* int32, of any shape */
    const char *name;
    int64_t vocabulary; /* number of rows, 1 or more */
    int width;
    atl_initializer initializer; /* not given: normal with deviation 1, as in PyTorch */
    float decay;                 /* of the weights: see atl_variable_set_decay */
    int end_;
} atl_embedding_layer_args;
ATL_API atl_node *atl_embedding_layer_with(const atl_embedding_layer_args *args);
#define atl_embedding_layer(...) atl_embedding_layer_with(ATL_OPTIONS_(atl_embedding_layer_args, __VA_ARGS__))

/* Multi-head attention (Vaswani et al. 2017): [n, queries, d] -> [n, queries, d].  Dense layers make the queries
 * from x, keys and values from `context`; atl_attention runs for each head; one more dense layer reads all heads.  The
 * variables are NAME/query/weights, NAME/query/biases, and the same of /key, /value and /output.  PyTorch's
 * in_proj_weight [3 d, d] holds the first three one below the other, each in the order ATL_OUT_IN. */
typedef struct atl_attention_layer_args {
    atl_node *x; /* [n, queries, d]; d must be known */
    const char *name;
    int heads;         /* 0: 1 */
    atl_node *context; /* [n, keys, any]; null: x itself (self-attention) */
    int width;         /* of all heads together, a multiple of `heads`; 0: d */
    atl_node *mask;    /* as for atl_attention, against [n, heads, queries, keys] */
    bool causal;       /* query i sees the keys 0..i only */
    atl_weight_order weight_order;
    atl_initializer initializer; /* of all weights; not given: Glorot */
    bool no_bias;
    float decay; /* of all weights: see atl_variable_set_decay */
    int end_;
} atl_attention_layer_args;
ATL_API atl_node *atl_attention_layer_with(const atl_attention_layer_args *args);
#define atl_attention_layer(...) atl_attention_layer_with(ATL_OPTIONS_(atl_attention_layer_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
