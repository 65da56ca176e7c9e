/* The builders of ops on images and signals: convolution, pooling, normalisation, resizing.  ops.h says what holds for
 * all builders, and includes this header. */
#ifndef ATLED_IMAGE_OPS_H
#define ATLED_IMAGE_OPS_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* .padding is not a number of pixels: .padding = 1 is an error.  One pixel on each side is ATL_PAD(1). PyTorch pads
 * both sides equally: its padding=1 for a 3x3 window is ATL_PAD(1).  ATL_SAME gives the same at stride 1.  At stride 2
 * it pads an image of even size at the bottom and right only: the output has the same size but other values. */
typedef enum atl_padding {
    ATL_SAME = 0,     /* output size = ceil(input / stride); an odd pixel goes to the bottom and right (TensorFlow) */
    ATL_VALID = -1,   /* no padding: every window lies inside the image */
    ATL_EXPLICIT = -2 /* .pad = {top, bottom, left, right} */
} atl_padding;
/* That many pixels on each of the four sides of an image: atl_conv2d(image, filter, .stride = {2, 2}, ATL_PAD(1)). */
#define ATL_PAD(pixels) .padding = ATL_EXPLICIT, .pad = {(pixels), (pixels), (pixels), (pixels)}
typedef enum atl_layout { ATL_NHWC = 0, ATL_NCHW } atl_layout;
/* Filters [h, w, in, out] and dense weights [in, out]; or PyTorch's order: [out, in, h, w] and [out, in].  Every op and
 * layer with weights has it as .weight_order. */
typedef enum atl_weight_order { ATL_IN_OUT = 0, ATL_OUT_IN } atl_weight_order;

/* Convolution as cross-correlation (the filter is not flipped): [n, h, w, in] -> [n, oh, ow, out], with oh = ceil(h /
 * stride) for ATL_SAME, otherwise floor((h + top + bottom - extent) / stride) + 1, where the filter's extent is (fh -
 * 1) * dilation + 1; the width likewise.  in and out must be multiples of groups. */
typedef struct atl_conv2d_args {
    atl_node *image;  /* [n, h, w, in] */
    atl_node *filter; /* [fh, fw, in / groups, out]; with ATL_OUT_IN [out, in / groups, fh, fw] */
    int stride[2];    /* vertical, horizontal; 0: 1 */
    atl_padding padding;
    int pad[4];        /* top, bottom, left, right; with ATL_EXPLICIT */
    int dilation[2];   /* 0: 1, adjacent filter elements */
    int groups;        /* 0: 1 */
    atl_layout layout; /* of the image and the result */
    atl_weight_order weight_order;
    int end_;
} atl_conv2d_args;
ATL_API atl_node *atl_conv2d_with(const atl_conv2d_args *args);
#define atl_conv2d(...) atl_conv2d_with(ATL_OPTIONS_(atl_conv2d_args, __VA_ARGS__))

/* [n, h, w, c] -> [n, oh, ow, c], sizes as for conv2d. */
typedef struct atl_pool2d_args {
    atl_node *image;
    int window[2]; /* height, width; {0, 0}: the whole image (global pooling), result [n, 1, 1, c] */
    int stride[2]; /* 0: the window */
    atl_padding padding;
    int pad[4];
    atl_layout layout;
    int end_;
} atl_pool2d_args;
/* Padding is never the maximum and does not count in an average.  At a tie the first element in row order gets the
 * gradient. */
ATL_API atl_node *atl_max_pool2d_with(const atl_pool2d_args *args);
ATL_API atl_node *atl_avg_pool2d_with(const atl_pool2d_args *args);
#define atl_max_pool2d(...) atl_max_pool2d_with(ATL_OPTIONS_(atl_pool2d_args, __VA_ARGS__))
#define atl_avg_pool2d(...) atl_avg_pool2d_with(ATL_OPTIONS_(atl_pool2d_args, __VA_ARGS__))

/* Local response normalisation over channels (Krizhevsky et al. 2012):
 *     x / (bias + alpha * sum of x^2 over the channels c - radius to c + radius)^beta
 * The sum is over the existing channels; the radius may exceed their number.  bias is positive, alpha is not
 * negative. */
typedef struct atl_lrn_args {
    atl_node *image;
    int radius;              /* 0: 5; ATL_ZERO: each channel alone */
    float bias, alpha, beta; /* 0: 1, 1, 0.5, as in TensorFlow; ATL_ZERO for alpha and beta is zero */
    atl_layout layout;
    int end_;
} atl_lrn_args;
ATL_API atl_node *atl_lrn_with(const atl_lrn_args *args);
#define atl_lrn(...) atl_lrn_with(ATL_OPTIONS_(atl_lrn_args, __VA_ARGS__))

/* [.., channels] -> [2, channels]: mean and variance (over the count, not the count minus one) of each channel. */
ATL_API atl_node *atl_moments(atl_node *x);

/* Batch normalisation with given statistics: scale * (x - mean) / sqrt(variance + epsilon) + shift, each [channels]. */
typedef struct atl_batch_norm_args {
    atl_node *x, *mean, *variance, *scale, *shift; /* scale, shift: null for 1 and 0 */
    float epsilon;                                 /* 0: 1e-5 */
    atl_layout layout;
    int end_;
} atl_batch_norm_args;
ATL_API atl_node *atl_batch_norm_with(const atl_batch_norm_args *args);
#define atl_batch_norm(...) atl_batch_norm_with(ATL_OPTIONS_(atl_batch_norm_args, __VA_ARGS__))

/* Layer normalisation (Ba et al. 2016): scale * (x - mean) / sqrt(variance + epsilon) + shift, over the last
 * dimension. */
typedef struct atl_layer_norm_args {
    atl_node *x, *scale, *shift; /* scale, shift [last dimension]; null for 1 and 0 */
    float epsilon;               /* 0: 1e-5 */
    int end_;
} atl_layer_norm_args;
ATL_API atl_node *atl_layer_norm_with(const atl_layer_norm_args *args);
#define atl_layer_norm(...) atl_layer_norm_with(ATL_OPTIONS_(atl_layer_norm_args, __VA_ARGS__))

/* Convolves each channel with its own filters: [n, h, w, in] -> [n, oh, ow, in * multiplier]. */
typedef struct atl_depthwise_conv2d_args {
    atl_node *image;
    atl_node *filter; /* [fh, fw, in, multiplier]; with ATL_OUT_IN [in * multiplier, 1, fh, fw] */
    int stride[2];    /* 0: 1 */
    atl_padding padding;
    int pad[4];
    int dilation[2]; /* 0: 1 */
    atl_layout layout;
    atl_weight_order weight_order;
    int end_;
} atl_depthwise_conv2d_args;
ATL_API atl_node *atl_depthwise_conv2d_with(const atl_depthwise_conv2d_args *args);
#define atl_depthwise_conv2d(...) atl_depthwise_conv2d_with(ATL_OPTIONS_(atl_depthwise_conv2d_args, __VA_ARGS__))

/* The gradient of conv2d with respect to its image, as an op: [n, h, w, in] -> [n, oh, ow, out].  oh = h * stride with
 * ATL_SAME, otherwise (h - 1) * stride + the filter's extent - the padding. */
typedef struct atl_conv2d_transpose_args {
    atl_node *image;
    /* [fh, fw, out / groups, in]: the filter of the conv2d from the result to the image; with ATL_OUT_IN
     * [in, out / groups, fh, fw], as in PyTorch's ConvTranspose2d */
    atl_node *filter;
    int stride[2]; /* 0: 1 */
    atl_padding padding;
    int pad[4];
    int dilation[2]; /* 0: 1 */
    atl_layout layout;
    atl_weight_order weight_order;
    int groups; /* 0: 1 */
    int end_;
} atl_conv2d_transpose_args;
ATL_API atl_node *atl_conv2d_transpose_with(const atl_conv2d_transpose_args *args);
#define atl_conv2d_transpose(...) atl_conv2d_transpose_with(ATL_OPTIONS_(atl_conv2d_transpose_args, __VA_ARGS__))

/* Convolution along one dimension: signals [n, width, channels]. */
typedef struct atl_conv1d_args {
    atl_node *signal;
    atl_node *filter; /* [fw, in / groups, out]; with ATL_OUT_IN [out, in / groups, fw] */
    int stride;       /* 0: 1 */
    atl_padding padding;
    int pad[2];   /* before, after; with ATL_EXPLICIT */
    int dilation; /* 0: 1 */
    int groups;   /* 0: 1 */
    atl_weight_order weight_order;
    int end_;
} atl_conv1d_args;
ATL_API atl_node *atl_conv1d_with(const atl_conv1d_args *args);
#define atl_conv1d(...) atl_conv1d_with(ATL_OPTIONS_(atl_conv1d_args, __VA_ARGS__))

/* [n, width, channels] -> [n, ow, channels]; padding and ties as for pool2d. */
typedef struct atl_pool1d_args {
    atl_node *signal;
    int window; /* 0: the whole width, result [n, 1, channels] */
    int stride; /* 0: the window */
    atl_padding padding;
    int pad[2];
    int end_;
} atl_pool1d_args;
ATL_API atl_node *atl_max_pool1d_with(const atl_pool1d_args *args);
ATL_API atl_node *atl_avg_pool1d_with(const atl_pool1d_args *args);
#define atl_max_pool1d(...) atl_max_pool1d_with(ATL_OPTIONS_(atl_pool1d_args, __VA_ARGS__))
#define atl_avg_pool1d(...) atl_avg_pool1d_with(ATL_OPTIONS_(atl_pool1d_args, __VA_ARGS__))

/* Resizes images.  The outer edges of both images coincide: pixel i of the result is at (i + 1/2) * input / output -
 * 1/2. */
typedef struct atl_resize_args {
    atl_node *image; /* height and width must be known when the graph is built */
    int height, width;
    atl_layout layout;
    int end_;
} atl_resize_args;
ATL_API atl_node *atl_resize_nearest_with(const atl_resize_args *args);
/* Does not smooth an image before it makes it smaller. */
ATL_API atl_node *atl_resize_bilinear_with(const atl_resize_args *args);
#define atl_resize_nearest(...)  atl_resize_nearest_with(ATL_OPTIONS_(atl_resize_args, __VA_ARGS__))
#define atl_resize_bilinear(...) atl_resize_bilinear_with(ATL_OPTIONS_(atl_resize_args, __VA_ARGS__))

/* Sum of |difference| of vertically and horizontally adjacent pixels: [n, h, w, c] -> [n]. */
ATL_API atl_node *atl_total_variation(atl_node *image);

/* Blurs each channel; a constant image stays constant, except near the border. */
typedef struct atl_gaussian_blur_args {
    atl_node *image; /* the number of channels must be known when the graph is built */
    float deviation; /* in pixels; positive */
    int radius;      /* of the window; 0: three deviations; ATL_ZERO: no blur */
    atl_layout layout;
    int end_;
} atl_gaussian_blur_args;
ATL_API atl_node *atl_gaussian_blur_with(const atl_gaussian_blur_args *args);
#define atl_gaussian_blur(...) atl_gaussian_blur_with(ATL_OPTIONS_(atl_gaussian_blur_args, __VA_ARGS__))

#ifdef __cplusplus
}
#endif
#endif
