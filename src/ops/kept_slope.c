/* Gelu and its slope as one step.  Only the compiler creates these ops, and they are never differentiated. */
#include "ops/kept_slope.h"

#include "graph/memory.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"

typedef struct slope_job {
    const float *x;
    float *y, *slope;
} slope_job;

static void gelus(const void *job, int64_t first, int64_t last)
{
    const slope_job *j = job;
    atl_kernels->gelu_and_slope(last - first, j->x + first, j->y + first, j->slope + first);
}

static int run_gelu(const atl_plan_step *step, void *const *memory, void *bound)
{
    const int64_t *count = step->data;
    const slope_job job = {memory[step->read[0]], memory[step->write[0]], memory[step->write[1]]};
    (void)bound;
    atl_parallel(*count, 3 * *count, gelus, &job);
    return 0;
}

static void run_gelu_range(const atl_plan_step *step, void *const *memory, int64_t first, int64_t last)
{
    const slope_job job = {memory[step->read[0]], memory[step->write[0]], memory[step->write[1]]};
    gelus(&job, first, last);
}

/* The slope takes the place of x, which is what the gradient would have needed otherwise. */
static int lower_gelu(atl_lowering *lowering)
{
    int64_t *count = atl_allocate(1, sizeof *count);
    if (!count)
        return atl_out_of_memory(), 0;
    *count = atl_shape_count(*atl_lowered_node(lowering)->shape);
    atl_plan_step step = {.implementation = "with slope",
                          .run = run_gelu,
                          .run_range = run_gelu_range,
                          .cannot_fail = 1,
                          .release = atl_release,
                          .data = count};
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.write[step.writes++] = atl_lower_output(lowering);
    step.write[step.writes++] = atl_lower_part(lowering, 0, 0);
    atl_lower_over(lowering, step.write[1], step.read[0]);
    return atl_lower_step(lowering, &step);
}

static int lower_slope(atl_lowering *lowering) { return atl_lower_as(lowering, atl_lower_part_of(lowering, 0, 0)); }

static const atl_op gelu_with_slope_op = {.name = "gelu_with_slope",
                                          .arity = 1,
                                          .infer = atl_infer_same,
                                          .hooks = &(const atl_op_hooks){.lower = lower_gelu}};

static const atl_op kept_slope_op = {.name = "kept_slope",
                                     .arity = 1,
                                     .infer = atl_infer_same,
                                     .hooks = &(const atl_op_hooks){.lower = lower_slope}};

atl_node *atl_gelu_with_slope(atl_node *x) { return ATL_APPLY(&gelu_with_slope_op, NULL, x); }
atl_node *atl_kept_slope(atl_node *gelu_with_slope) { return ATL_APPLY(&kept_slope_op, NULL, gelu_with_slope); }
