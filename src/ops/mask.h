/* Bit masks that replace images stored only for a relu's gradient: see relu_grad's descriptor and
 * src/compiler/passes/compress.c. */
#ifndef ATLED_OPS_MASK_H
#define ATLED_OPS_MASK_H

#include "ops/ops.h"

/* Whether each element is above zero, as bits: see kernels/mask.h. */
atl_node *atl_mask_of(atl_node *x);
/* The same of relu6_grad: whether each element is above 0 and below 6. */
atl_node *atl_relu6_mask_of(atl_node *x);
/* relu_grad(inputs[0], inputs[1]) or relu6_grad, where the mask is that of inputs[1], whose value is not used. */
atl_node *atl_relu_grad_by_mask(const atl_node *relu_grad, atl_node *const *inputs, atl_node *mask);

#endif
