/* A product of many rows with a lasting matrix, a weight, which is packed once for the kernel of 1x1 convolutions:
 * dense layers, and their gradients by their inputs.
 *
 * oneDNN copies a transposed B in each run, and in a network whose weights fill more than the caches it waits for each
 * panel of B; our kernel fetches the next one while it multiplies. */
#include <omp.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "ops/matmul.h"
#include "ops/step_epilogue.h"

typedef struct packed_step {
    atl_pointwise p;
    int transposed;
    atl_step_epilogue end;
} packed_step;

/* With few rows packing costs more than it saves; oneDNN cuts long sums into pieces that stay in the caches; and the
 * copy of a large weight takes much memory. */
int atl_product_is_packed(const atl_matrix_product *p)
{
    const atl_costs *cost = atl_costs_in_use();
    return p->batch == 1 && !p->transpose_a && p->m >= cost->lasting_rows && p->k > ATL_FEW_ROWS &&
           p->k <= cost->lasting_terms && p->n % atl_kernels->vector == 0 && p->k * p->n <= ATL_FAR_FLOATS;
}

static int pack(const atl_plan_step *step, void *const *memory, void *bound)
{
    const packed_step *s = step->data;
    (void)bound;
    atl_kernels->pointwise_pack(&s->p, memory[step->read[0]], s->transposed, memory[step->write[0]]);
    return 0;
}

static int multiply(const atl_plan_step *step, void *const *memory, void *bound)
{
    const packed_step *s = step->data;
    atl_post_op_job job;
    const atl_epilogue end = atl_step_epilogue_at(&s->end, step, memory, &job);
    (void)bound;
    atl_kernels->pointwise_convolve(&s->p, memory[step->read[0]], memory[step->read[1]], &end, memory[step->write[0]]);
    return 0;
}

static packed_step *new_step(const atl_matrix_product *p)
{
    packed_step *s = atl_allocate(1, sizeof *s);
    if (!s) {
        atl_out_of_memory();
        return NULL;
    }
    double flops = 2.0 * (double)p->m * (double)(p->k * p->n);
    *s = (packed_step){.p = {.pixels = p->m,
                             .in = p->k,
                             .out = p->n,
                             .in_pixel_stride = p->k,
                             .out_pixel_stride = p->n,
                             .workers = flops < 2 * atl_costs_in_use()->thread_flops ? 1 : omp_get_max_threads()},
                       .transposed = p->transpose_b};
    return s;
}

static atl_plan_step step_of(packed_step *s)
{
    return (atl_plan_step){.implementation = "packed", .cannot_fail = 1, .release = atl_release, .data = s};
}

static atl_value_id lower_packed_b(atl_lowering *lowering, const atl_matrix_product *p)
{
    packed_step *s = new_step(p);
    if (!s)
        return -1;
    atl_plan_step step = step_of(s);
    step.run = pack;
    return atl_lower_prepared(lowering, 1, p->k * p->n * (int64_t)sizeof(float), &step);
}

/* Input 0, the first matrix, is none. */
static int operand(atl_lowering *lowering, int input, atl_plan_step *step)
{
    return atl_lower_operand(lowering, input ? input : ONEDNN_NO_INPUT, step);
}

int atl_lower_packed_product(atl_lowering *lowering, const atl_matrix_product *p, const atl_product_epilogue *after)
{
    packed_step *s = new_step(p);
    if (!s)
        return 0;
    atl_plan_step step = step_of(s);
    step.run = multiply;
    step.takes_post_op = 1;
    step.flops = 2.0 * (double)p->m * (double)(p->k * p->n);
    step.read[step.reads++] = atl_lower_input(lowering, 0);
    step.read[step.reads++] = lower_packed_b(lowering, p);
    s->end = (atl_step_epilogue){.relu = after->relu, .highest = after->highest, .relu_grad = -1, .addend = -1};
    s->end.bias = operand(lowering, after->bias_input, &step);
    s->end.residual = operand(lowering, after->residual_input, &step);
    s->end.scale = operand(lowering, after->scale_input, &step);
    s->end.factor = operand(lowering, after->factor_input, &step);
    step.write[step.writes++] = atl_lower_output(lowering);
    if (s->end.residual >= 0)
        atl_lower_over(lowering, step.write[0], step.read[s->end.residual]);
    if (s->end.factor >= 0)
        atl_lower_over(lowering, step.write[0], step.read[s->end.factor]);
    return atl_lower_step(lowering, &step);
}
