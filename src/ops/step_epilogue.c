/* The epilogue of our own kernels for convolutions and products, as inputs of a step. */
#include "ops/step_epilogue.h"

#include "common/numbers.h"
#include "kernels/kernels.h"

int atl_conv_epilogue_is_simple(const onednn_convolution *c)
{
    return c->activation == ONEDNN_IDENTITY || c->activation == ONEDNN_RELU;
}

int atl_lower_operand(atl_lowering *lowering, int input, atl_plan_step *step)
{
    if (input < 0)
        return -1;
    step->read[step->reads] = atl_lower_input(lowering, input);
    return step->reads++;
}

atl_step_epilogue atl_lower_conv_epilogue(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step)
{
    atl_step_epilogue e = {.relu = c->activation == ONEDNN_RELU,
                           .relu_grad_is_mask = c->relu_grad_is_mask,
                           .highest = c->highest,
                           .factor = -1};
    e.bias = atl_lower_operand(lowering, c->bias_input, step);
    e.residual = atl_lower_operand(lowering, c->residual_input, step);
    e.relu_grad = atl_lower_operand(lowering, c->relu_grad_input, step);
    e.scale = atl_lower_operand(lowering, c->scale_input, step);
    e.addend = c->addend_input < 0 ? -1 : step->reads;
    if (c->addend_input >= 0)
        step->read[step->reads++] = atl_lower_input_strided(lowering, c->addend_input, &e.addend_pixel_stride);
    return e;
}

int atl_conv_makes_mask(const atl_lowering *lowering, const onednn_convolution *c)
{
    const int bytes_hold_vectors = atl_kernels->vector % 8 == 0; /* so that no two threads write one */
    return c->activation == ONEDNN_RELU && bytes_hold_vectors && atl_lower_wants_workspace(lowering);
}

void atl_lower_conv_mask(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step,
                         atl_step_epilogue *end)
{
    if (!atl_conv_makes_mask(lowering, c))
        return;
    end->positive = step->writes;
    step->write[step->writes++] =
        atl_lower_workspace(lowering, atl_round_up(atl_shape_count(c->result), ATL_MASK_BLOCK) / 8);
}

int atl_lower_conv_end(atl_lowering *lowering, const onednn_convolution *c, atl_plan_step *step, atl_step_epilogue *end)
{
    *end = atl_lower_conv_epilogue(lowering, c, step);
    step->write[step->writes++] = atl_lower_output(lowering);
    atl_lower_conv_mask(lowering, c, step, end);
    return atl_lower_step(lowering, step);
}

static const void *operand_at(int read, const atl_plan_step *step, void *const *memory)
{
    return read < 0 ? NULL : memory[step->read[read]];
}

static void run_range(const void *job, int64_t first, int64_t last)
{
    const atl_post_op_job *j = job;
    j->step->run_range(j->step, j->memory, first, last);
}

atl_epilogue atl_step_epilogue_at(const atl_step_epilogue *e, const atl_plan_step *step, void *const *memory,
                                  atl_post_op_job *job_out)
{
    *job_out = (atl_post_op_job){step->post_op ? &step->post_op->step : NULL, memory};
    return (atl_epilogue){.bias = operand_at(e->bias, step, memory),
                          .residual = operand_at(e->residual, step, memory),
                          .relu = e->relu,
                          .highest = e->highest,
                          .relu_grad = e->relu_grad_is_mask ? NULL : operand_at(e->relu_grad, step, memory),
                          .mask = e->relu_grad_is_mask ? operand_at(e->relu_grad, step, memory) : NULL,
                          .positive = e->positive ? memory[step->write[e->positive]] : NULL,
                          .scale = operand_at(e->scale, step, memory),
                          .addend = operand_at(e->addend, step, memory),
                          .addend_pixel_stride = e->addend_pixel_stride,
                          .factor = operand_at(e->factor, step, memory),
                          .post_op = {step->post_op ? run_range : NULL, job_out}};
}
