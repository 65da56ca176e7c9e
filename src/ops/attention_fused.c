/* Attention and its gradients as steps of our own kernels.  Only the compiler creates these ops, and they are never
 * differentiated. */
#include "ops/attention_fused.h"

#include <omp.h>

#include "cost/cost.h"
#include "graph/memory.h"
#include "kernels/kernels.h"
#include "lowering/op_hooks.h"

/* For few queries the keys are not worth copying; with many keys at least memory is won. */
int atl_attention_pays(int64_t queries, int64_t keys)
{
    return queries > ATL_FEW_ROWS &&
           (queries * keys >= atl_costs_in_use()->attention_scores || keys > ATL_ATTENTION_BLOCK);
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static const atl_op fused_op;

typedef struct attention_step {
    atl_attention p;
    int keeps_weights; /* for the gradient */
} attention_step;

typedef struct matrices {
    int64_t outer, heads, rows, columns;
    atl_matrices at;
} matrices;

static matrices matrices_of(atl_shape shape, int merged, int transposed)
{
    int rank = shape.rank;
    matrices m = {.outer = 1, .heads = 1, .rows = shape.size[rank - 2], .columns = shape.size[rank - 1]};
    if (merged) {
        m = (matrices){shape.size[0], shape.size[2], shape.size[1], shape.size[3], {0}};
        m.at = (atl_matrices){m.rows * m.heads * m.columns, m.columns, m.heads * m.columns, 1};
        return m;
    }
    if (rank == 4) {
        m.outer = shape.size[0];
        m.heads = shape.size[1];
    } else
        for (int i = 0; i < rank - 2; i++)
            m.heads *= shape.size[i];
    m.at = (atl_matrices){m.heads * m.rows * m.columns, m.rows * m.columns, m.columns, 1};
    if (transposed) {
        int64_t rows = m.rows;
        m.rows = m.columns;
        m.columns = rows;
        m.at.row = 1;
        m.at.column = m.rows;
    }
    return m;
}

/* The shape of [.., rows, columns] with the leading sizes of `like`, merged or not. */
static atl_shape shape_like(atl_shape like, int like_is_merged, int64_t rows, int64_t columns, int merged)
{
    atl_shape shape = like;
    if (like_is_merged)
        shape.size[1] = like.size[2];
    shape.size[shape.rank - 2] = rows;
    shape.size[shape.rank - 1] = columns;
    if (merged) {
        shape.size[2] = shape.size[1];
        shape.size[1] = rows;
    }
    return shape;
}

int atl_attention_can_mask(atl_shape mask, atl_shape scores)
{
    int missing = scores.rank - mask.rank;
    for (int i = 0; i < mask.rank && missing >= 0; i++)
        if (mask.size[i] != 1 && (mask.size[i] != scores.size[missing + i] || (scores.rank > 4 && i < mask.rank - 2)))
            return 0;
    return missing >= 0;
}

/* Dimension i of the scores, counted from the last one (0), in a mask of that shape: its stride, 0 if it is broadcast.
 */
static int64_t mask_stride(atl_shape shape, int i)
{
    int64_t stride = 1;
    if (i >= shape.rank || shape.size[shape.rank - 1 - i] == 1)
        return 0;
    for (int j = 0; j < i; j++)
        stride *= shape.size[shape.rank - 1 - j];
    return stride;
}

/* Sizes, and how the arrays of a gradient lie; those of the forward node: without the gradients. */
static atl_attention describe(const atl_node *y)
{
    const atl_attention_options *o = y->attributes;
    matrices q = matrices_of(*y->inputs[0]->shape, o->merged & ATL_MERGED_Q, 0),
             k = matrices_of(*y->inputs[1]->shape, o->merged & ATL_MERGED_K, o->transposed_k),
             v = matrices_of(*y->inputs[2]->shape, o->merged & ATL_MERGED_V, 0);
    atl_attention p = {.outer = q.outer,
                       .heads = q.heads,
                       .queries = q.rows,
                       .keys = k.rows,
                       .width = q.columns,
                       .value_width = v.columns,
                       .scale = o->scale,
                       .q = q.at,
                       .k = k.at,
                       .v = v.at};
    atl_shape like = *y->inputs[0]->shape;
    const struct {
        atl_matrices *at;
        int merged;
        int64_t rows, columns;
    } others[] = {{&p.y, ATL_MERGED_Y, p.queries, p.value_width},
                  {&p.dy, ATL_MERGED_DY, p.queries, p.value_width},
                  {&p.dq, ATL_MERGED_DQ, p.queries, p.width},
                  {&p.dk, ATL_MERGED_DK, p.keys, p.width},
                  {&p.dv, ATL_MERGED_DV, p.keys, p.value_width}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        int merged = o->merged & others[i].merged;
        *others[i].at =
            matrices_of(shape_like(like, o->merged & ATL_MERGED_Q, others[i].rows, others[i].columns, merged), merged,
                        0)
                .at;
    }
    if (o->transposed_dk)
        p.dk = (atl_matrices){p.heads * p.keys * p.width, p.keys * p.width, 1, p.keys};
    int mask_input = y->op == &fused_op ? 3 : 5;
    if (o->mask_kind != ATL_MASK_NONE) {
        atl_shape mask = *y->inputs[mask_input]->shape;
        p.mask = (atl_matrices){mask_stride(mask, 3), mask_stride(mask, 2), mask_stride(mask, 1), mask_stride(mask, 0)};
    }
    p.mask_kind = (atl_attention_mask)o->mask_kind;
    p.hidden = o->hidden;
    p.causal = o->causal;
    p.diagonal = o->diagonal;
    p.unseen = o->unseen;
    double flops = 2.0 * (double)(p.outer * p.heads * p.queries) * (double)(p.keys * (p.width + p.value_width));
    p.workers = flops < 2 * atl_costs_in_use()->thread_flops ? 1 : omp_get_max_threads();
    return p;
}

/* A result of [.., rows, columns] with the leading sizes of q, merged if the options have that bit. */
static bool set_type_like_q(atl_node *y, int64_t rows, int64_t columns, int merged)
{
    const atl_attention_options *o = y->attributes;
    return atl_set_type(y, ATL_FLOAT32,
                        shape_like(*y->inputs[0]->shape, o->merged & ATL_MERGED_Q, rows, columns, o->merged & merged));
}

static bool infer_attention(atl_node *y)
{
    atl_attention p = describe(y);
    return set_type_like_q(y, p.queries, p.value_width, ATL_MERGED_Y);
}

static bool infer_attention_grad(atl_node *y)
{
    atl_attention p = describe(y);
    return set_type_like_q(y, p.queries, p.width, ATL_MERGED_DQ);
}

static bool infer_part(atl_node *y)
{
    const atl_node *gradient = y->inputs[0];
    const atl_attention_options *o = gradient->attributes;
    atl_attention p = describe(gradient);
    atl_shape like = *gradient->inputs[0]->shape;
    int of_k = *(const int *)y->attributes == 1, merged = o->merged & (of_k ? ATL_MERGED_DK : ATL_MERGED_DV);
    int64_t rows = of_k && o->transposed_dk ? p.width : p.keys,
            columns = of_k ? (o->transposed_dk ? p.keys : p.width) : p.value_width;
    return atl_set_type(y, ATL_FLOAT32, shape_like(like, o->merged & ATL_MERGED_Q, rows, columns, merged));
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static int64_t floats(int64_t count) { return count * (int64_t)sizeof(float); }

static int64_t rows_of(const atl_attention *p) { return p->outer * p->heads * p->queries; }

/* What y keeps for its gradient: its weights if they are one block, and two numbers of each query. */
static int64_t weights_floats(const attention_step *s) { return s->keeps_weights ? atl_kept_floats(&s->p) : 0; }
static int64_t kept_floats(const attention_step *s) { return weights_floats(s) + 2 * rows_of(&s->p); }

static int run_attention(const atl_plan_step *step, void *const *memory, void *bound)
{
    const attention_step *s = step->data;
    float *kept = memory[step->write[2]];
    (void)bound;
    atl_kernels->attention(&s->p, memory[step->read[0]], memory[step->read[1]], memory[step->read[2]],
                           s->p.mask_kind ? memory[step->read[3]] : NULL, memory[step->write[1]],
                           memory[step->write[0]], kept + weights_floats(s), s->keeps_weights ? kept : NULL);
    return 0;
}

static int run_gradient(const atl_plan_step *step, void *const *memory, void *bound)
{
    const attention_step *s = step->data;
    const atl_attention *p = &s->p;
    const float *kept = memory[step->read[5]];
    const atl_attention_arrays x = {.q = memory[step->read[0]],
                                    .k = memory[step->read[1]],
                                    .v = memory[step->read[2]],
                                    .y = memory[step->read[3]],
                                    .dy = memory[step->read[4]],
                                    .shares = kept + weights_floats(s),
                                    .weights = s->keeps_weights ? kept : NULL,
                                    .dq = memory[step->write[0]],
                                    .dk = memory[step->write[1]],
                                    .dv = memory[step->write[2]],
                                    .mask = p->mask_kind ? memory[step->read[6]] : NULL};
    (void)bound;
    if (s->keeps_weights)
        atl_kernels->attention_kept_gradient(p, &x, memory[step->write[3]]);
    else
        atl_kernels->attention_gradient(p, &x, memory[step->write[3]]);
    return 0;
}

static attention_step *new_step(const atl_node *y)
{
    attention_step *s = atl_allocate(1, sizeof *s);
    if (!s) {
        atl_out_of_memory();
        return NULL;
    }
    s->p = describe(y);
    s->keeps_weights = s->p.keys <= ATL_ATTENTION_BLOCK;
    return s;
}

static int lower_attention(atl_lowering *lowering)
{
    attention_step *s = new_step(atl_lowered_node(lowering));
    if (!s)
        return 0;
    const atl_attention *p = &s->p;
    atl_plan_step step = {
        .implementation = "attention", .run = run_attention, .cannot_fail = 1, .release = atl_release, .data = s};
    int keeps = atl_lower_wants_workspace(lowering);
    step.flops = 2.0 * (double)rows_of(p) * (double)(p->keys * (p->width + p->value_width));
    for (int i = 0; i < atl_lowered_node(lowering)->input_count; i++)
        step.read[step.reads++] = atl_lower_input(lowering, i);
    step.write[step.writes++] = atl_lower_output(lowering);
    step.write[step.writes++] = atl_lower_scratch(lowering, floats(atl_kernels->attention_scratch(p)));
    s->keeps_weights &= keeps;
    int64_t bytes = floats(kept_floats(s));
    step.write[step.writes++] = keeps ? atl_lower_workspace(lowering, bytes) : atl_lower_scratch(lowering, bytes);
    return atl_lower_step(lowering, &step);
}

static int lower_gradient(atl_lowering *lowering)
{
    attention_step *s = new_step(atl_lowered_node(lowering));
    if (!s)
        return 0;
    const atl_attention *p = &s->p;
    atl_plan_step step = {
        .implementation = "attention", .run = run_gradient, .cannot_fail = 1, .release = atl_release, .data = s};
    int64_t products = s->keeps_weights ? 2 * (p->width + p->value_width) : 3 * p->width + 2 * p->value_width;
    step.flops = 2.0 * (double)rows_of(p) * (double)(p->keys * products);
    for (int i = 0; i < 5; i++)
        step.read[step.reads++] = atl_lower_input(lowering, i);
    step.read[step.reads++] = atl_lower_workspace_of(lowering, 3);
    if (p->mask_kind)
        step.read[step.reads++] = atl_lower_input(lowering, 5);
    step.write[step.writes++] = atl_lower_output(lowering);
    int64_t batch = p->outer * p->heads;
    step.write[step.writes++] = atl_lower_part(lowering, 0, floats(batch * p->keys * p->width));
    step.write[step.writes++] = atl_lower_part(lowering, 1, floats(batch * p->keys * p->value_width));
    step.write[step.writes++] =
        atl_lower_scratch(lowering, floats(s->keeps_weights ? atl_kernels->attention_kept_gradient_scratch(p)
                                                            : atl_kernels->attention_gradient_scratch(p)));
    return atl_lower_step(lowering, &step);
}

static int lower_part(atl_lowering *lowering)
{
    const int *part = atl_lowered_node(lowering)->attributes;
    return atl_lower_as(lowering, atl_lower_part_of(lowering, 0, *part - 1));
}

/* ---- descriptors ------------------------------------------------------------------------------------------------- */

static void describe_attention(const atl_node *y, char *text, size_t size)
{
    const atl_attention_options *o = y->attributes;
    static const char *const masks[] = {"", ", a mask added", ", masked", ", masked"};
    snprintf(text, size, "scale %g%s%s", (double)o->scale, masks[o->mask_kind], o->causal ? ", causal" : "");
}

static const atl_op fused_op = {.name = "attention_fused",
                                .arity = ATL_VARIADIC,
                                .attributes = sizeof(atl_attention_options),
                                .infer = infer_attention,
                                .describe = describe_attention,
                                .hooks = &(const atl_op_hooks){.lower = lower_attention}};

static const atl_op fused_grad_op = {.name = "attention_fused_grad",
                                     .arity = ATL_VARIADIC,
                                     .attributes = sizeof(atl_attention_options),
                                     .infer = infer_attention_grad,
                                     .describe = describe_attention,
                                     .hooks =
                                         &(const atl_op_hooks){.lower = lower_gradient, .workspace_inputs = 1 << 3}};

static const atl_op part_op = {.name = "attention_part",
                               .arity = 1,
                               .attributes = sizeof(int),
                               .infer = infer_part,
                               .hooks = &(const atl_op_hooks){.lower = lower_part}};

atl_node *atl_attention_fused(const atl_attention_options *options, atl_node *q, atl_node *k, atl_node *v,
                              atl_node *mask)
{
    atl_node *inputs[] = {q, k, v, mask};
    return atl_apply_with(&fused_op, options, (atl_nodes){mask ? 4 : 3, inputs});
}

atl_node *atl_attention_fused_grad(const atl_attention_options *options, atl_node *q, atl_node *k, atl_node *v,
                                   atl_node *y, atl_node *dy, atl_node *mask)
{
    atl_node *inputs[] = {q, k, v, y, dy, mask};
    return atl_apply_with(&fused_grad_op, options, (atl_nodes){mask ? 6 : 5, inputs});
}

atl_node *atl_attention_fused_part(atl_node *gradient, int part)
{
    return atl_apply_with(&part_op, &part, ATL_NODES(gradient));
}
