/* Zeros around the image of a convolution, as its padding.  All shapes are known. */
#ifndef ATLED_OPS_CONV_PAD_H
#define ATLED_OPS_CONV_PAD_H

#include "graph/graph.h"

/* conv2d, or its gradient by the filter, whose input 0 is that pad: the same node on what is inside of the pad; null if
 * the pad adds anything but zeros on the four sides, or more than the window allows. */
atl_node *atl_conv_of_pad(atl_node *y, const atl_node *pad);

/* The gradient dx by an image that is a pad: the gradient by what is inside of the pad, under the same conditions. */
atl_node *atl_input_grad_inside_pad(const atl_node *dx, const atl_node *pad);

#endif
