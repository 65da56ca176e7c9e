/* What relu_grad needs of its second input: one bit per element, set if the element is above zero.  An image that only
 * a relu's gradient needs is stored as such a mask, with 1/32 of its size.  Both ops exist in compiled copies only. */
#include "ops/mask.h"

#include <math.h>

#include "common/numbers.h"
#include "onednn/onednn.h"
#include "lowering/lowering.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"

/* Bits in the order in which the image lies; a node's numbers are words of 32 of them. */
enum { BLOCK = ATL_MASK_BLOCK, WORDS = BLOCK / 32 };

static void mask_blocks(const void *job, int64_t first, int64_t last) { atl_kernels->mask_blocks(job, first, last); }
static void relu_grad_blocks(const void *job, int64_t first, int64_t last)
{
    atl_kernels->relu_grad_by_mask_blocks(job, first, last);
}

static int64_t blocks_of(int64_t count) { return atl_divide_up(count, BLOCK); }

static int run_mask(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    atl_mask_job job = {.x = memory[step->read[0]],
                        .mask = memory[step->write[0]],
                        .highest = *(const float *)((const atl_node *)step->data)->attributes,
                        .count = atl_shape_count(*((const atl_node *)step->data)->inputs[0]->shape)};
    atl_parallel(blocks_of(job.count), job.count, mask_blocks, &job);
    return 0;
}

static int run_relu_grad(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    atl_mask_job job = {.x = memory[step->read[0]],
                        .by = memory[step->read[1]],
                        .result = memory[step->write[0]],
                        .count = atl_shape_count(*((const atl_node *)step->data)->shape)};
    atl_parallel(blocks_of(job.count), job.count, relu_grad_blocks, &job);
    return 0;
}

/* The layout of image i of the node, unless its padding would need bits, too. */
static const atl_memory_layout *layout_of_image(const atl_lowering *lowering, int i)
{
    const atl_memory_layout *layout = atl_lower_layout_of(lowering, i);
    int64_t bytes = atl_shape_count(*atl_lowered_node(lowering)->inputs[i]->shape) * 4;
    return layout && atl_layout_bytes(layout) == bytes ? layout : NULL;
}

/* The node before may have made the mask of its own relu. */
static int is_made(const atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering), *x = y->inputs[0];
    const float highest = *(const float *)y->attributes;
    return atl_hooks_of(x)->kept_mask && atl_lower_workspace_of(lowering, 0) >= 0 &&
           atl_hooks_of(x)->kept_mask(x) == (highest > 0 ? highest : INFINITY);
}

static int lower_mask(atl_lowering *lowering)
{
    if (is_made(lowering))
        return atl_lower_as(lowering, atl_lower_workspace_of(lowering, 0));
    atl_plan_step step = {.implementation = "bits", .run = run_mask, .cannot_fail = 1, .reads = 1, .writes = 1};
    step.data = (void *)atl_lowered_node(lowering);
    step.read[0] = atl_lower_input_in(lowering, 0, layout_of_image(lowering, 0));
    step.write[0] = atl_lower_output(lowering);
    return atl_lower_step(lowering, &step);
}

static int lower_relu_grad_mask(atl_lowering *lowering)
{
    const atl_memory_layout *layout = layout_of_image(lowering, 2);
    atl_plan_step step = {.implementation = "bits", .run = run_relu_grad, .cannot_fail = 1, .reads = 2, .writes = 1};
    step.data = (void *)atl_lowered_node(lowering);
    step.read[0] = atl_lower_input_in(lowering, 0, layout);
    step.read[1] = atl_lower_input(lowering, 1);
    step.write[0] = atl_lower_output_in(lowering, layout);
    atl_lower_over(lowering, step.write[0], step.read[0]);
    return atl_lower_step(lowering, &step);
}

static bool infer_mask(atl_node *y)
{
    return atl_set_type(y, ATL_INT32, ATL_SHAPE(blocks_of(atl_shape_count(*y->inputs[0]->shape)) * WORDS));
}

static bool infer_relu_grad(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[0]->shape); }

/* Either works as well in the blocked layout. */
static double blocked_benefit(const atl_node *y, unsigned *images)
{
    atl_shape image = *y->inputs[0]->shape;
    *images = 1;
    return image.rank == 4 && image.size[3] % 16 == 0 ? 0 : -INFINITY;
}

/* The attribute is the number that an element must be below, too; 0: none. */
static const atl_op mask_op = {.name = "above_zero",
                               .arity = 1,
                               .attributes = sizeof(float),
                               .infer = infer_mask,
                               .hooks = &(const atl_op_hooks){.workspace_inputs = 1,
                                                              .lower = lower_mask,
                                                              .blocked_benefit = blocked_benefit}};
static const atl_op relu_grad_op = {.name = "relu_grad_by_mask",
                                    .arity = 3,
                                    .shape_inputs = 1 << 2,
                                    .infer = infer_relu_grad,
                                    .hooks = &(const atl_op_hooks){.lower = lower_relu_grad_mask,
                                                                   .blocked_benefit = blocked_benefit}};

static atl_node *mask_below(atl_node *x, float highest) { return ATL_APPLY(&mask_op, &highest, x); }
atl_node *atl_mask_of(atl_node *x) { return mask_below(x, 0); }
atl_node *atl_relu6_mask_of(atl_node *x) { return mask_below(x, 6); }

atl_node *atl_relu_grad_by_mask(const atl_node *relu_grad, atl_node *const *inputs, atl_node *mask)
{
    (void)relu_grad;
    return ATL_APPLY(&relu_grad_op, NULL, inputs[0], mask, inputs[1]);
}
