/* Running chains of element-wise ops. */
#include "program/chain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/memory.h"
#include "onednn/onednn.h"
#include "ops/parallel.h"
#include "program/guard.h"
#include "program/layout.h"

enum {
    BLOCK = 512, /* floats: a few registers of this size stay in the first-level cache */
    MOST_TEMPORARIES = ATL_CHAIN_OPERANDS + ATL_CHAIN_NUMBERS + ATL_CHAIN_LENGTH
};

/* How an operand is read.  The result's dimensions are coalesced: neighbours in which every operand moves alike are one. */
typedef struct operand {
    enum { DENSE, SCALAR, ROW, STRIDED } kind;
    int64_t period;               /* ROW: elements */
    int64_t stride[ATL_MAX_RANK]; /* STRIDED: in the coalesced dimensions; 0 where it is spread */
} operand;

typedef struct chain_step {
    atl_chain chain;
    int64_t count; /* elements of the result */
    int64_t block; /* elements at a time: a multiple of every short period */
    int dimensions;
    int64_t size[ATL_MAX_RANK]; /* coalesced */
    operand operand[ATL_CHAIN_OPERANDS];
    int slot[MOST_TEMPORARIES]; /* register -> temporary, or -1: read or written where it is */
    int slots;
    int checked;                      /* every map's result stands between guards */
    int last_use[ATL_CHAIN_OPERANDS]; /* the last instruction that reads it; -1: none */
    int result[ATL_CHAIN_LENGTH];     /* instruction -> which of the step's results it is, or -1 */
} chain_step;

/* ---- planning ------------------------------------------------------------------------------------------------------- */

static void set_strides(int64_t *stride, atl_shape from, atl_shape to)
{
    int64_t step = 1;
    memset(stride, 0, ATL_MAX_RANK * sizeof *stride);
    for (int i = 1; i <= from.rank; i++) {
        int64_t size = from.size[from.rank - i];
        stride[to.rank - i] = size == 1 ? 0 : step;
        step *= size;
    }
}

/* Joins dimension d + 1 to d where every operand allows it. */
static void coalesce(chain_step *s, atl_shape shape)
{
    s->dimensions = 0;
    for (int d = 0; d < shape.rank; d++) {
        if (shape.size[d] == 1)
            continue;
        int last = s->dimensions - 1, joins = last >= 0;
        for (int i = 0; joins && i < s->chain.operands; i++)
            joins = s->operand[i].stride[last] == s->operand[i].stride[d] * shape.size[d];
        if (joins) {
            s->size[last] *= shape.size[d];
            for (int i = 0; i < s->chain.operands; i++)
                s->operand[i].stride[last] = s->operand[i].stride[d];
            continue;
        }
        s->size[++last] = shape.size[d];
        for (int i = 0; i < s->chain.operands; i++)
            s->operand[i].stride[last] = s->operand[i].stride[d];
        s->dimensions++;
    }
}

static void classify(chain_step *s, operand *x, int64_t elements)
{
    int outer = 0; /* does it move in any dimension but the innermost? */
    for (int d = 0; d + 1 < s->dimensions; d++)
        outer |= x->stride[d] != 0;
    if (elements == s->count)
        x->kind = DENSE;
    else if (elements == 1)
        x->kind = SCALAR;
    else if (!outer && x->stride[s->dimensions - 1] == 1) {
        x->kind = ROW;
        x->period = s->size[s->dimensions - 1];
    } else
        x->kind = STRIDED;
}

/* The least common multiple of the short periods, as often as it fits. */
static int64_t block_size(const chain_step *s)
{
    int64_t block = BLOCK;
    for (int i = 0; i < s->chain.operands; i++)
        if (s->operand[i].kind == ROW && s->operand[i].period <= BLOCK)
            block = BLOCK / s->operand[i].period * s->operand[i].period; /* all rows have the same, innermost period */
    return block;
}

/* Gives temporaries to the registers that need one; a temporary is free again after its last use. */
static void allocate_registers(chain_step *s)
{
    int last_use[MOST_TEMPORARIES], free_slots[MOST_TEMPORARIES], free_count = 0;
    const atl_chain *c = &s->chain;
    int given = c->operands + c->numbers;
    for (int r = 0; r < given + c->length; r++)
        last_use[r] = -1;
    for (int k = 0; k < c->length; k++) {
        s->result[k] = k == c->length - 1 ? 0 : -1;
        for (int i = 0; i < c->instruction[k].inputs; i++)
            last_use[c->instruction[k].in[i]] = k;
    }
    for (int i = 0; i < c->parts; i++)
        s->result[c->part[i]] = i + 1;
    memcpy(s->last_use, last_use, (size_t)c->operands * sizeof *last_use);
    for (int r = 0; r < c->operands; r++) /* scalars and rows are filled once, so they keep theirs */
        s->slot[r] = s->operand[r].kind == DENSE ? -1 : s->slots++;
    for (int r = c->operands; r < given; r++)
        s->slot[r] = s->slots++;
    for (int k = 0; k < c->length; k++) {
        int result = given + k;
        for (int i = 0; i < c->instruction[k].inputs; i++) {
            int r = c->instruction[k].in[i];
            if (last_use[r] == k && r >= given && s->slot[r] >= 0) {
                free_slots[free_count++] = s->slot[r];
                last_use[r] = -1; /* an input that stands twice is freed once */
            }
        }
        s->slot[result] = s->result[k] >= 0 ? -1 : free_count ? free_slots[--free_count] : s->slots++;
    }
}

/* ---- running ---------------------------------------------------------------------------------------------------------- */

/* Elements [start, start + n) of a strided operand. */
static void gather(const chain_step *s, const operand *x, const float *from, int64_t start, int64_t n, float *to)
{
    int64_t at[ATL_MAX_RANK], offset = 0, rest = start;
    int inner = s->dimensions - 1;
    for (int d = inner; d >= 0; d--) {
        at[d] = rest % s->size[d];
        rest /= s->size[d];
        offset += at[d] * x->stride[d];
    }
    while (n > 0) {
        int64_t run = s->size[inner] - at[inner];
        int64_t stride = x->stride[inner];
        if (run > n)
            run = n;
        for (int64_t k = 0; k < run; k++)
            to[k] = from[offset + k * stride];
        to += run;
        n -= run;
        offset += run * stride;
        at[inner] += run;
        for (int d = inner; d > 0 && at[d] == s->size[d]; d--) {
            offset += x->stride[d - 1] - at[d] * x->stride[d];
            at[d] = 0;
            at[d - 1]++;
        }
    }
}

static void fill_row(const float *row, int64_t period, int64_t start, int64_t n, float *to)
{
    int64_t at = start % period;
    while (n > 0) {
        int64_t run = period - at < n ? period - at : n;
        memcpy(to, row + at, (size_t)run * sizeof *to);
        to += run;
        n -= run;
        at = 0;
    }
}

static void fill(float *to, float value, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        to[k] = value;
}

static void map_by_element(const atl_instruction *in, int64_t n, const float *const *x, float *y)
{
    double v[ATL_CHAIN_ARITY];
    for (int64_t k = 0; k < n; k++) {
        for (int i = 0; i < in->inputs; i++)
            v[i] = x[i][k];
        y[k] = (float)(in->op->element ? in->op->element(v, in->attributes) : in->op->function(v[0]));
    }
}

typedef struct chain_job {
    const atl_plan_step *step;
    void *const *memory;
    _Atomic(const atl_op *) *faulty; /* an op whose map was found to write where it should not, or not all */
} chain_job;

static void run_checked_map(const chain_job *job, const atl_instruction *in, int64_t n, const float *const *x, float *y)
{
    _Alignas(64) char memory[BLOCK * sizeof(float) + 2 * ATL_GUARD];
    char text[300];
    float *result = atl_guard(memory, n * 4);
    in->op->map(in->attributes, (size_t)n, x, result);
    const atl_op *none = NULL; /* the first counts: what it left unwritten may show in the results of others */
    if (atl_guard_fault(memory, n * 4, text, sizeof text))
        atomic_compare_exchange_strong(job->faulty, &none, in->op);
    memcpy(y, result, (size_t)n * sizeof *y);
}

static void run_block(const chain_job *job, int64_t start, int64_t n, float (*temporary)[BLOCK])
{
    const atl_plan_step *step = job->step;
    void *const *memory = job->memory;
    const float *address[MOST_TEMPORARIES];
    const chain_step *s = step->data;
    const atl_chain *c = &s->chain;
    int given = c->operands + c->numbers;
    for (int r = c->operands; r < given; r++)
        address[r] = temporary[s->slot[r]];
    for (int r = 0; r < c->operands; r++) {
        const operand *x = &s->operand[r];
        const float *from = memory[step->read[r]];
        address[r] = s->slot[r] < 0 ? from + start : temporary[s->slot[r]];
        if (x->kind == STRIDED)
            gather(s, x, from, start, n, temporary[s->slot[r]]);
        else if (x->kind == ROW && x->period > BLOCK)
            fill_row(from, x->period, start, n, temporary[s->slot[r]]);
    }
    for (int k = 0; k < c->length; k++) {
        const atl_instruction *in = &c->instruction[k];
        const float *x[ATL_CHAIN_ARITY];
        int slot = s->slot[given + k];
        float *y = slot < 0 ? (float *)memory[step->write[s->result[k]]] + start : temporary[slot];
        for (int i = 0; i < in->inputs; i++)
            x[i] = address[in->in[i]];
        if (in->op->map && s->checked)
            run_checked_map(job, in, n, x, y);
        else if (in->op->map)
            in->op->map(in->attributes, (size_t)n, x, y);
        else
            map_by_element(in, n, x, y);
        address[given + k] = y;
    }
}

/* Blocks first, first + 1, ... before last. */
static void run_blocks(const void *chain_job_of, int64_t first, int64_t last)
{
    const chain_job *job = chain_job_of;
    const atl_plan_step *step = job->step;
    void *const *memory = job->memory;
    const chain_step *s = step->data;
    _Alignas(64) float temporary[MOST_TEMPORARIES][BLOCK]; /* only the first s->slots are touched */
    int64_t n = s->count < s->block ? s->count : s->block; /* first, what is the same in every block */
    for (int i = 0; i < s->chain.numbers; i++)
        fill(temporary[s->slot[s->chain.operands + i]], s->chain.number[i], n);
    for (int r = 0; r < s->chain.operands; r++) {
        const operand *x = &s->operand[r];
        const float *from = memory[step->read[r]];
        if (x->kind == SCALAR)
            fill(temporary[s->slot[r]], from[0], n);
        else if (x->kind == ROW && x->period <= BLOCK)
            fill_row(from, x->period, 0, n, temporary[s->slot[r]]);
    }
    for (int64_t b = first; b < last; b++) {
        int64_t start = b * s->block;
        n = s->count - start < s->block ? s->count - start : s->block;
        run_block(job, start, n, temporary);
    }
}

static int run_chain(const atl_plan_step *step, void *const *memory, void *bound)
{
    const chain_step *s = step->data;
    _Atomic(const atl_op *) faulty = NULL;
    chain_job job = {step, memory, &faulty};
    (void)bound;
    atl_parallel((s->count + s->block - 1) / s->block, s->count * s->chain.length, run_blocks, &job);
    const atl_op *op = atomic_load(&faulty);
    return op ? atl_report_fault(step->node, op,
                                 "has a map that writes outside its n results, or leaves some unwritten")
              : 0;
}

/* ---- lowering ----------------------------------------------------------------------------------------------------------- */

const atl_chain *atl_chain_of(const atl_node *node)
{
    return node->op == &atl_fused_op ? *(const atl_chain *const *)node->attributes : NULL;
}

static void set_chain(atl_chain *chain, const atl_node *node)
{
    const atl_chain *fused = atl_chain_of(node);
    if (fused) {
        *chain = *fused;
        return;
    }
    chain->operands = node->input_count;
    chain->length = 1;
    chain->parts = 0;
    chain->instruction[0] =
        (atl_instruction){.op = node->op, .attributes = node->attributes, .inputs = node->input_count};
    for (int i = 0; i < node->input_count; i++)
        chain->instruction[0].in[i] = i;
}

/* Result k may be written over dense operand i if no later instruction reads that memory any more. */
static int may_write_over(const chain_step *s, const atl_plan_step *step, int k, int i)
{
    int made = k ? s->chain.part[k - 1] : s->chain.length - 1;
    for (int j = 0; j < s->chain.operands; j++)
        if (step->read[j] == step->read[i] && s->last_use[j] > made)
            return 0;
    return s->operand[i].kind == DENSE;
}

int atl_lower_chain(atl_lowering *lowering)
{
    const atl_node *node = atl_lowered_node(lowering);
    if (node->input_count > ATL_CHAIN_ARITY && !atl_chain_of(node))
        return atl_set_error(ATL_UNSUPPORTED, "%s: an element-wise op takes at most %d inputs", node->op->name,
                             ATL_CHAIN_ARITY),
               0;
    chain_step *s = atl_allocate(1, sizeof *s);
    if (!s)
        return atl_out_of_memory(), 0;
    set_chain(&s->chain, node);
    s->count = atl_shape_count(node->shape);
    for (int i = 0; i < s->chain.operands; i++)
        set_strides(s->operand[i].stride, node->inputs[i]->shape, node->shape);
    coalesce(s, node->shape);
    for (int i = 0; i < s->chain.operands; i++)
        classify(s, &s->operand[i], atl_shape_count(node->inputs[i]->shape));
    s->block = block_size(s);
    s->checked = atl_lower_is_checked(lowering);
    allocate_registers(s);

    atl_memory_layout *layout = NULL; /* every image lies alike, so the order of its elements does not matter */
    if (atl_lower_is_blocked(lowering) && !(layout = atl_layout_blocked(node->shape))) {
        atl_release(s);
        return 0;
    }
    atl_plan_step step = {.implementation = s->chain.length > 1 ? "chain" : "map",
                          .run = run_chain,
                          .cannot_fail = !s->checked,
                          .release = atl_release,
                          .data = s};
    for (int i = 0; i < s->chain.operands; i++)
        step.read[step.reads++] = atl_lower_input_in(lowering, i, s->operand[i].kind == DENSE ? layout : NULL);
    step.write[step.writes++] = atl_lower_output_in(lowering, layout);
    atl_layout_free(layout);
    for (int k = 0; k < s->chain.parts; k++)
        step.write[step.writes++] = atl_lower_part(lowering, k);
    for (int k = 0; k < step.writes; k++)
        for (int i = 0; i < s->chain.operands; i++)
            if (may_write_over(s, &step, k, i))
                atl_lower_over(lowering, step.write[k], step.read[i]);
    return atl_lower_step(lowering, &step);
}

/* ---- the op ------------------------------------------------------------------------------------------------------------- */

static int infer_fused(atl_node *y)
{
    atl_shape shape = y->inputs[0]->shape;
    for (int i = 1; i < y->input_count; i++)
        if (!atl_broadcast_shapes(shape, y->inputs[i]->shape, &shape))
            return atl_fail(y, "fused ops of shapes that do not go together");
    return atl_set_type(y, ATL_FLOAT32, shape);
}

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const atl_chain *chain = atl_chain_of(y);
    size_t at = 0;
    for (int k = 0; k < chain->length && at < size; k++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", k ? " " : "", chain->instruction[k].op->name);
}

static double fused_blocked_gain(const atl_node *y, unsigned *images)
{
    if (!atl_can_map_blocks(y))
        return -INFINITY;
    for (int i = 0; i < y->input_count; i++)
        *images |= atl_shape_equal(y->inputs[i]->shape, y->shape) ? 1u << i : 0;
    return 0;
}

const atl_op atl_fused_op = {.name = "fused",
                             .arity = ATL_VARIADIC,
                             .attributes = sizeof(atl_chain *),
                             .infer = infer_fused,
                             .lower = atl_lower_chain,
                             .blocked_gain = fused_blocked_gain,
                             .describe = describe_fused};

atl_node *atl_fused(const atl_chain *chain, int count, atl_node *const *operands)
{
    return atl_apply_with(&atl_fused_op, &chain, count, operands);
}

/* The chain and its attributes belong to the graph. */
atl_node *atl_fused_again(atl_graph *graph, const atl_node *fused, atl_node *const *operands)
{
    atl_chain *chain = atl_graph_allocate(graph, sizeof *chain);
    if (!chain)
        return NULL;
    *chain = *atl_chain_of(fused);
    for (int k = 0; k < chain->length; k++) {
        atl_instruction *one = &chain->instruction[k];
        void *attributes = one->op->attributes ? atl_graph_allocate(graph, one->op->attributes) : NULL;
        if (!attributes && one->op->attributes)
            return NULL;
        if (attributes)
            memcpy(attributes, one->attributes, one->op->attributes);
        one->attributes = attributes;
    }
    return atl_fused(chain, fused->input_count, operands);
}

/* ---- the results beside the first ------------------------------------------------------------------------------------------ */

static int lower_part(atl_lowering *lowering)
{
    const int *part = atl_lowered_node(lowering)->attributes;
    return atl_lower_as(lowering, atl_lower_part_of(lowering, 0, *part));
}

static int infer_part(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, y->inputs[0]->shape); }

static const atl_op part_op = {
    .name = "part", .arity = 1, .attributes = sizeof(int), .infer = infer_part, .lower = lower_part};

atl_node *atl_fused_part(atl_node *fused, int k) { return atl_apply_with(&part_op, &k, 1, &fused); }
