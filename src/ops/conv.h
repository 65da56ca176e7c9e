/* Declarations shared by the files about convolutions.  conv2d, conv2d_input_grad and conv2d_filter_grad: see
 * conv.c. */
#ifndef ATLED_OPS_CONV_H
#define ATLED_OPS_CONV_H

#include "onednn/onednn.h"
#include "ops/window.h"

typedef struct conv_options {
    window_options window;
    int32_t groups;
} conv_options;

/* ---- conv_shapes.c ---- */

bool atl_infer_conv2d(atl_node *y);      /* image, filter, ... */
bool atl_infer_input_grad(atl_node *y);  /* dy, filter, like the image, ... */
bool atl_infer_filter_grad(atl_node *y); /* image, dy, like the filter */

typedef struct conv_geometry {
    atl_shape image, filter, result;
    atl_window vertical, horizontal;
    int64_t groups;
} conv_geometry;

/* For a node with conv_options (or options that begin with them), when all shapes are known. */
conv_geometry atl_conv_geometry_of(const atl_node *y, const atl_node *image, const atl_node *filter,
                                   const atl_node *result);

/* "3x3, stride 2, 4 groups" */
void atl_describe_conv(const atl_node *y, const atl_node *filter, char *text, size_t size);

/* ---- conv_reference.c ---- */

void atl_conv2d_reference(const atl_node *y, const double *const *x, double *result);
void atl_input_grad_reference(const atl_node *y, const double *const *x, double *result);
void atl_filter_grad_reference(const atl_node *y, const double *const *x, double *result);

/* ---- conv_algorithm.c ---- */

/* Inputs of the node, with ONEDNN_NO_INPUT for what it computes. */
onednn_convolution atl_convolution_of(onednn_pass pass, const conv_geometry *g, int image, int filter, int result);

/* Emits the step with the algorithm that is estimated, or was measured, to be the fastest. */
int atl_lower_conv_best(atl_lowering *lowering, onednn_convolution *c, const conv_geometry *g);
int atl_conv_prefers_winograd(const onednn_convolution *c, const conv_geometry *g, int allowed);
double atl_conv_blocked_benefit(onednn_pass pass, const conv_geometry *g);

/* The hooks of the three ops: see op_hooks.h. */
int atl_lower_conv2d(atl_lowering *lowering);
int atl_lower_input_grad(atl_lowering *lowering);
int atl_lower_filter_grad(atl_lowering *lowering);
int atl_conv2d_writes_strided(const atl_node *y, int winograd);
double atl_conv2d_blocked_benefit(const atl_node *y, unsigned *images);
double atl_input_grad_blocked_benefit(const atl_node *y, unsigned *images);
double atl_filter_grad_blocked_benefit(const atl_node *y, unsigned *images);
unsigned atl_conv2d_algos(const atl_node *y, int winograd);
unsigned atl_input_grad_algos(const atl_node *y, int winograd);
unsigned atl_filter_grad_algos(const atl_node *y, int winograd);

/* ---- conv_patches.c ---- */

/* The gradient by the image as a product, where that is faster; else null. */
atl_node *atl_input_grad_of_patches(atl_node *dx);

/* ---- conv_fused.c ---- */

atl_node *atl_conv2d_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, float relu);
atl_node *atl_input_grad_with_relu_grad(atl_node *y, atl_node *other, atl_node *by, float limit, int winograd);

#endif
