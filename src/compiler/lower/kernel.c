/* Ops without a lowering of their own: emits a step that calls the op's kernel, or else its reference. */
#include <string.h>

#include "graph/memory.h"
#include "graph/guard.h"
#include "compiler/lower/lower_state.h"

static int run_kernel(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const atl_value_id *read = atl_step_reads(step);
    const void *few[ATL_STEP_VALUES];
    const void **x = bound ? bound : few;
    for (int i = 0; i < y->input_count; i++)
        x[i] = read[i] >= 0 ? memory[read[i]] : NULL;
    y->op->kernel(y, x, memory[step->write[0]]);
    return 0;
}

/* The data of a step that calls an op's kernel. */
typedef struct kernel_call {
    const atl_node *y;
    const void *const *x;
} kernel_call;

static void call_kernel(void *context, void *result)
{
    const kernel_call *call = context;
    call->y->op->kernel(call->y, call->x, result);
}

/* Runs a kernel and checks that it writes its whole result and nothing else.  write[1] is the guarded result. */
static int run_checked_kernel(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const atl_value_id *read = atl_step_reads(step);
    const void *few[ATL_STEP_VALUES];
    const void **x = bound ? bound : few;
    char text[300];
    int64_t bytes = atl_plain_bytes(y);
    void *result = NULL;
    const char *fault = NULL;
    uint64_t sum[2] = {0};
    for (int i = 0; i < y->input_count; i++)
        x[i] = memory[read[i]];
    for (int after = 0; after < 2; after++) {
        for (int i = 0; i < y->input_count; i++)
            if (!atl_is_shape_input(y->op, i))
                sum[after] = atl_checksum(x[i], atl_plain_bytes(y->inputs[i]), sum[after]);
        if (!after)
            fault = atl_call_guarded(memory[step->write[1]], bytes, call_kernel, &(kernel_call){y, x}, &result, text,
                                     sizeof text);
    }
    if (fault || sum[0] != sum[1])
        return atl_report_fault(y, y->op, fault ? fault : "changes one of its inputs, which it may only read");
    memcpy(memory[step->write[0]], result, (size_t)bytes);
    return 0;
}

static void *bind_many(const atl_plan_step *step)
{
    const atl_node *y = step->data;
    void *room = atl_allocate((size_t)y->input_count, sizeof(void *));
    if (!room)
        atl_out_of_memory();
    return room;
}

/* The data of a step that calls an op's reference. */
typedef struct reference_call {
    const atl_node *y;
    const double *const *x;
} reference_call;

static void call_reference(void *context, void *result)
{
    const reference_call *call = context;
    call->y->op->reference(call->y, call->x, result);
}

/* As a cast does it: to the nearest that there is, and 0 of NaN. */
static int32_t to_int32(double x)
{
    return x >= INT32_MAX ? INT32_MAX : x > INT32_MIN ? (int32_t)x : x == x ? INT32_MIN : 0;
}

/* Runs an op that has only a reference: converts to double and back.  The scratch memory holds all operands and the
 * guarded result as doubles. */
static int run_reference(const atl_plan_step *step, void *const *memory, void *bound)
{
    const atl_node *y = step->data;
    const atl_value_id *read = atl_step_reads(step);
    double *to = memory[step->write[1]];
    const double *few[ATL_STEP_VALUES];
    const double **x = bound ? bound : few;
    for (int i = 0; i < y->input_count; i++) {
        int64_t count = atl_is_shape_input(y->op, i) ? 0 : atl_shape_count(*y->inputs[i]->shape);
        const void *from = memory[read[i]];
        x[i] = to;
        for (int64_t k = 0; k < count; k++)
            *to++ = y->inputs[i]->dtype == ATL_INT32 ? ((const int32_t *)from)[k] : (double)((const float *)from)[k];
    }
    int64_t count = atl_shape_count(*y->shape);
    char text[300];
    void *result;
    if (atl_call_guarded(to, count * 8, call_reference, &(reference_call){y, x}, &result, text, sizeof text))
        return atl_report_fault(y, y->op, text);
    to = result;
    for (int64_t k = 0; k < count; k++)
        if (y->dtype == ATL_INT32)
            ((int32_t *)memory[step->write[0]])[k] = to_int32(to[k]);
        else
            ((float *)memory[step->write[0]])[k] = (float)to[k];
    return 0;
}

/* Emits a step that calls the op's kernel, or else its reference. */
int atl_compiler_kernel(atl_lowering *l)
{
    const atl_node *y = l->node;
    int by_kernel = y->op->kernel != NULL, many = y->input_count > ATL_STEP_VALUES, checked = l->checked || !by_kernel;
    atl_plan_step step = {.implementation = by_kernel ? "kernel" : "double",
                          .run = !by_kernel ? run_reference
                                 : checked  ? run_checked_kernel
                                            : run_kernel,
                          .cannot_fail = !checked,
                          .data = (void *)y};
    if (!by_kernel && !y->op->reference) {
        atl_set_error(ATL_UNSUPPORTED, "the op %s ('%s') cannot be computed: it has no kernel", y->op->name,
                      atl_name_of(y));
        return 0;
    }
    if (many) {
        step.more_reads = atl_graph_allocate(y->graph, (size_t)y->input_count * sizeof *step.more_reads);
        step.bind = bind_many;
        step.unbind = atl_release;
        if (!step.more_reads)
            return atl_out_of_memory(), 0;
    }
    atl_value_id *read = many ? step.more_reads : step.read;
    atl_value_id result = atl_compiler_output(l);
    if (result < 0)
        return 0;
    int64_t doubles = atl_shape_count(*y->shape);
    step.reads = y->input_count;
    for (int i = 0; i < y->input_count; i++) {
        int by_shape = atl_is_shape_input(y->op, i);
        read[i] = by_shape ? -1 : atl_compiler_input(l, i);
        doubles += by_shape ? 0 : atl_shape_count(*y->inputs[i]->shape);
    }
    /* Inputs used for their shape only have no value.  Any valid value can replace them. */
    for (int i = 0; i < y->input_count; i++)
        if (read[i] < 0 && !l->failed)
            read[i] = result;
    step.write[step.writes++] = result;
    int64_t bytes = by_kernel ? atl_plain_bytes(y) : atl_times_bytes(doubles, 8);
    if (checked)
        step.write[step.writes++] = atl_compiler_scratch(l, bytes > ATL_MOST_BYTES ? bytes : atl_guarded_bytes(bytes));
    return atl_compiler_step(l, &step);
}
