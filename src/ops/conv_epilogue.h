/* What our own convolution kernels do to their results before they are written, as inputs of a step. */
#ifndef ATLED_OPS_CONV_EPILOGUE_H
#define ATLED_OPS_CONV_EPILOGUE_H

#include "onednn/onednn.h"
#include "kernels/epilogue.h"

typedef struct atl_conv_epilogue {
    int bias, residual, relu_grad; /* which of step->read; -1: none */
    int relu_grad_is_mask, relu;
} atl_conv_epilogue;

/* True if our own kernels can do it. */
int atl_conv_epilogue_is_simple(const onednn_convolution *c);

/* Adds what it reads to the step. */
atl_conv_epilogue atl_lower_conv_epilogue(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step);

/* Where it lies when the step runs. */
atl_epilogue atl_conv_epilogue_at(const atl_conv_epilogue *e, const atl_plan_step *step, void *const *memory);

#endif
