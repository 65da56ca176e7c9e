/* Layer normalisation and its gradient with an epilogue, which exist in compiled graphs only. */
#include "graph/memory.h"
#include "ops/layer_norm.h"

/* normalize_rows_fused(x [, scale] [, shift] [, addend]): normalize_rows(x) * scale + shift + addend, with any of
 * these; normalize_rows_grad_fused(dy, x, addend): normalize_rows_grad(dy, x) + addend.  Only the compiler creates
 * them, and they are never differentiated. */
typedef struct fused_options {
    float epsilon; /* the only attribute of the ops without an epilogue */
    int32_t has_scale, has_shift, has_addend;
} fused_options;

static int lower_fused(atl_lowering *lowering);
static unsigned fused_by_image(const atl_node *y);

static bool infer_fused(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, *y->inputs[0]->shape); }

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const fused_options *o = y->attributes;
    snprintf(text, size, "epsilon %g%s%s%s", (double)o->epsilon, o->has_scale ? " * scale" : "",
             o->has_shift ? " + shift" : "", o->has_addend ? " + addend" : "");
}

static const atl_op rows_fused_op = {.name = "normalize_rows_fused",
                                     .arity = ATL_VARIADIC,
                                     .attributes = sizeof(fused_options),
                                     .infer = infer_fused,
                                     .describe = describe_fused,
                                     .hooks = &(const atl_op_hooks){.by_image = fused_by_image,
                                                                    .lower = lower_fused,
                                                                    .with_epilogue = atl_rows_with_epilogue,
                                                                    .multiplied = atl_rows_multiplied}};

static const atl_op grad_fused_op = {.name = "normalize_rows_grad_fused",
                                     .arity = 3,
                                     .attributes = sizeof(fused_options),
                                     .infer = infer_fused,
                                     .describe = describe_fused,
                                     .hooks = &(const atl_op_hooks){.by_image = fused_by_image, .lower = lower_fused}};

/* The inputs before those of the epilogue. */
static int own_inputs(const atl_node *y)
{
    const fused_options *o = y->attributes;
    return y->op->attributes == sizeof(float) ? y->input_count
                                              : y->input_count - o->has_scale - o->has_shift - o->has_addend;
}

/* Not scale and shift. */
static unsigned fused_by_image(const atl_node *y)
{
    const fused_options *o = y->attributes;
    unsigned arrays = (1u << own_inputs(y)) - 1;
    if (o->has_addend)
        arrays |= 1u << (y->input_count - 1);
    return y->shape->rank > 1 ? arrays : 0;
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

typedef struct fused_step {
    atl_rows_job job; /* without the arrays */
    int is_gradient, has_scale, has_shift, has_addend;
} fused_step;

static int run_fused(const atl_plan_step *step, void *const *memory, void *bound)
{
    const fused_step *s = step->data;
    atl_rows_job job = s->job;
    int next = 0;
    (void)bound;
    if (s->is_gradient)
        job.dy = memory[step->read[next++]];
    job.x = memory[step->read[next++]];
    if (s->has_scale)
        job.scale = memory[step->read[next++]];
    if (s->has_shift)
        job.shift = memory[step->read[next++]];
    if (s->has_addend)
        job.addend = memory[step->read[next++]];
    job.result = memory[step->write[0]];
    atl_normalize_rows(&job);
    return 0;
}

static int lower_fused(atl_lowering *lowering)
{
    const atl_node *y = atl_lowered_node(lowering);
    const fused_options *o = y->attributes;
    fused_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        return atl_out_of_memory(), 0;
    *s = (fused_step){.job = atl_rows_job_of(y, o->epsilon),
                      .is_gradient = own_inputs(y) == 2,
                      .has_scale = o->has_scale,
                      .has_shift = o->has_shift,
                      .has_addend = o->has_addend};
    atl_plan_step step = {
        .implementation = "rows", .run = run_fused, .cannot_fail = 1, .release = atl_release, .data = s};
    for (int i = 0; i < y->input_count; i++)
        step.read[step.reads++] = atl_lower_input(lowering, i);
    step.write[step.writes++] = atl_lower_output(lowering);
    for (int i = 0; i < own_inputs(y); i++)
        atl_lower_in_place(lowering, i);
    if (o->has_addend)
        atl_lower_in_place(lowering, y->input_count - 1);
    return atl_lower_step(lowering, &step);
}

/* ---- what the pass "epilogue" asks for --------------------------------------------------------------------------- */

static fused_options options_of(const atl_node *y)
{
    fused_options options = {0};
    memcpy(&options, y->attributes, y->op->attributes);
    return options;
}

/* y with one more input. */
static atl_node *with_input(atl_node *y, const fused_options *options, atl_node *input)
{
    atl_node *inputs[4];
    int count = y->input_count;
    memcpy(inputs, y->inputs, (size_t)count * sizeof *inputs);
    inputs[count++] = input;
    return atl_apply_with(own_inputs(y) == 2 ? &grad_fused_op : &rows_fused_op, options, (atl_nodes){count, inputs});
}

/* In this order: scale, shift, addend; an epilogue in another order is not fused. */
atl_node *atl_rows_with_epilogue(atl_node *y, atl_node *shift, atl_node *addend, float relu)
{
    fused_options options = options_of(y);
    if (relu > 0 || options.has_addend || (shift && (options.has_shift || own_inputs(y) == 2)))
        return NULL;
    options.has_shift |= shift != NULL;
    options.has_addend |= addend != NULL;
    return with_input(y, &options, shift ? shift : addend);
}

atl_node *atl_rows_multiplied(atl_node *y, atl_node *scale, atl_node *factor)
{
    fused_options options = options_of(y);
    if (factor || options.has_scale || options.has_shift || options.has_addend)
        return NULL;
    options.has_scale = 1;
    return with_input(y, &options, scale);
}
