/* The epilogue of our own kernels for convolutions and products, as inputs of a step. */
#ifndef ATLED_OPS_STEP_EPILOGUE_H
#define ATLED_OPS_STEP_EPILOGUE_H

#include "onednn/onednn.h"
#include "kernels/epilogue.h"

typedef struct atl_step_epilogue {
    int bias, residual, relu_grad, scale, addend, factor; /* indices into step->read; -1: none */
    int64_t addend_pixel_stride;
    int relu_grad_is_mask, relu;
    int positive;  /* index into step->write of the mask that is made; 0: none */
    float highest; /* of relu or relu_grad; 0: no limit */
} atl_step_epilogue;

/* True if our own kernels support it. */
int atl_conv_epilogue_is_simple(const onednn_convolution *c);

/* Adds an input of the node to the step's reads, if it is not negative, and returns its index there, or -1. */
int atl_lower_operand(atl_lowering *lowering, int input, atl_plan_step *step);

/* Adds the epilogue's inputs to the step's reads. */
atl_step_epilogue atl_lower_conv_epilogue(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step);

/* True if the node's relu's gradient wants its mask, and our own kernels can make it. */
int atl_conv_makes_mask(const atl_lowering *lowering, const onednn_convolution *c);

/* If it is so: adds it to the step's results, after the first. */
void atl_lower_conv_mask(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step,
                         atl_step_epilogue *end);

/* The end of such a step: what the epilogue reads, the result, and its mask.  `end` is of the step's data. */
int atl_lower_conv_end(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step,
                       atl_step_epilogue *end);

/* What a post-op runs on: the step that it is, and the memory of this run. */
typedef struct atl_post_op_job {
    const atl_plan_step *step;
    void *const *memory;
} atl_post_op_job;

/* The addresses of its inputs and of the mask when the step runs, and its post-op, which refers to the job. */
atl_epilogue atl_step_epilogue_at(const atl_step_epilogue *e, const atl_plan_step *step, void *const *memory,
                                  atl_post_op_job *job_out);

#endif
