/* The gradient by the filters of a depthwise convolution as a step of our own. */
#include "ops/conv_depthwise.h"

#include <omp.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"

int atl_conv_prefers_depthwise(const onednn_convolution *c)
{
    const atl_window *v = &c->vertical, *h = &c->horizontal;
    const atl_costs *cost = atl_costs_in_use();
    int64_t channels = c->image.size[3], widest = v->size > h->size ? v->size : h->size;
    double onednn = widest > 3 ? cost->onednn_depthwise_gradient_5 : cost->onednn_depthwise_gradient_3;
    return c->pass == ONEDNN_FILTER_GRADIENT && c->groups == channels && c->result.size[3] == channels &&
           channels % atl_kernels->vector == 0 && widest <= ATL_MAX_DEPTHWISE && v->dilation == 1 && h->dilation == 1 &&
           atl_shape_count(c->image) > 0 && cost->depthwise_gradient > onednn;
}

static int run_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    atl_kernels->depthwise_filter_gradient(step->data, memory[step->read[0]], memory[step->read[1]],
                                           memory[step->write[0]]);
    return 0;
}

int atl_lower_conv_depthwise(atl_lowering *lowering, const onednn_convolution *c)
{
    const atl_window *v = &c->vertical, *h = &c->horizontal;
    double flops = 2.0 * (double)(v->size * h->size) * (double)atl_shape_count(c->result);
    atl_depthwise *d = atl_allocate(1, sizeof *d);
    if (!d) {
        atl_out_of_memory();
        return 0;
    }
    *d = (atl_depthwise){.batch = c->image.size[0],
                         .height = c->image.size[1],
                         .width = c->image.size[2],
                         .result_height = c->result.size[1],
                         .result_width = c->result.size[2],
                         .channels = c->image.size[3],
                         .filter_height = v->size,
                         .filter_width = h->size,
                         .stride_y = v->stride,
                         .stride_x = h->stride,
                         .pad_top = v->pad_before,
                         .pad_left = h->pad_before,
                         .workers = flops < 2 * atl_costs_in_use()->thread_flops ? 1 : omp_get_max_threads()};
    atl_plan_step step = {.implementation = "depthwise",
                          .run = run_gradient,
                          .cannot_fail = 1,
                          .release = atl_release,
                          .data = d,
                          .flops = flops};
    step.read[step.reads++] = atl_lower_input(lowering, c->image_input);
    step.read[step.reads++] = atl_lower_input(lowering, c->result_input);
    step.write[step.writes++] = atl_lower_output(lowering);
    return atl_lower_step(lowering, &step);
}
