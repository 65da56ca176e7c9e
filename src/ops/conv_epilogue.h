/* The epilogue of our own convolution kernels, as inputs of a step. */
#ifndef ATLED_OPS_CONV_EPILOGUE_H
#define ATLED_OPS_CONV_EPILOGUE_H

#include "onednn/onednn.h"
#include "kernels/epilogue.h"

typedef struct atl_conv_epilogue {
    int bias, residual, relu_grad, scale, addend; /* indices into step->read; -1: none */
    int64_t addend_pixel_stride;
    int relu_grad_is_mask, relu;
    float highest; /* of relu or relu_grad; 0: no limit */
} atl_conv_epilogue;

/* True if our own kernels support it. */
int atl_conv_epilogue_is_simple(const onednn_convolution *c);

/* Adds the epilogue's inputs to the step's reads. */
atl_conv_epilogue atl_lower_conv_epilogue(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step);

/* The addresses of its inputs when the step runs. */
atl_epilogue atl_conv_epilogue_at(const atl_conv_epilogue *e, const atl_plan_step *step, void *const *memory);

#endif
