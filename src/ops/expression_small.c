/* Fused expressions of a few elements: one block by one thread, whose constants are filled when the step is made.  A
 * step of a tiny network computes some tens of numbers, and finding out how to read them takes longer than computing
 * them. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/expression_step.h"

static int is_small(const expression_step *s)
{
    const atl_expression *c = s->expression;
    int small = !s->checked && c->product < 0 && s->desc == STRAIGHT && s->blocks == 1 && s->pieces == 1 &&
                s->count <= ATL_SMALL_EXPRESSION && s->slots <= ATL_SMALL_SLOTS;
    for (int r = 0; small && r < c->operands; r++)
        small = s->operand[r].kind != STRIDED;
    for (int k = 0; small && k < c->length; k++)
        small = c->instruction[k].op->map != NULL;
    return small;
}

/* One instruction: its inputs are numbers of registers. */
struct atl_small_call {
    atl_map_kernel *map;
    const void *attributes;
    int8_t inputs, in[ATL_EXPRESSION_ARITY];
    int8_t slot, result; /* as in the expression_step */
};

static int make_calls(expression_step *s, atl_graph *graph)
{
    enum { LINE = 64 };
    const atl_expression *c = s->expression;
    size_t calls = (size_t)c->length * sizeof *s->calls;
    char *memory = atl_graph_allocate(graph, calls + (size_t)(c->numbers * s->count) * sizeof(float) + LINE);
    if (!memory)
        return 0;
    s->calls = (atl_small_call *)memory;
    s->filled = (float *)(((uintptr_t)memory + calls + LINE - 1) / LINE * LINE);
    for (int r = 0; r < c->operands; r++)
        s->repeats |= s->operand[r].kind != DENSE;
    for (int i = 0; i < c->numbers; i++)
        atl_kernels->fill_with(s->filled + i * s->count, c->number[i], s->count);
    for (int k = 0; k < c->length; k++) {
        const atl_instruction *in = &c->instruction[k];
        s->calls[k] = (atl_small_call){.map = in->op->map,
                                       .attributes = in->attributes,
                                       .inputs = (int8_t)in->inputs,
                                       .slot = s->slot[c->operands + c->numbers + k],
                                       .result = s->result[k]};
        memcpy(s->calls[k].in, in->in, sizeof in->in);
    }
    return 1;
}

/* Repeats the elements of the operands that are one number, or a row.  Inlined, it would cost the others registers. */
static __attribute__((noinline)) void repeat_operands(const expression_step *s, const float **address,
                                                      float (*temporary)[ATL_SMALL_EXPRESSION])
{
    for (int r = 0; r < s->expression->operands; r++) {
        const operand *x = &s->operand[r];
        if (x->kind == DENSE)
            continue;
        const float *from = address[r];
        float *to = temporary[s->slot[r]];
        if (x->kind == SCALAR)
            atl_kernels->fill_with(to, from[0], s->count);
        else
            for (int64_t k = 0; k < s->count; k += x->period)
                memcpy(to + k, from, (size_t)x->period * sizeof *to);
        address[r] = to;
    }
}

static int run_small(const atl_plan_step *step, void *const *memory, void *bound)
{
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    const float *address[MOST_TEMPORARIES], **next = address, *x[ATL_EXPRESSION_ARITY];
    _Alignas(64) float temporary[ATL_SMALL_SLOTS][ATL_SMALL_EXPRESSION];
    const int64_t n = s->count;
    (void)bound;
    for (int r = 0; r < c->operands; r++)
        *next++ = memory[step->read[r]];
    if (s->repeats)
        repeat_operands(s, address, temporary);
    for (int i = 0; i < c->numbers; i++)
        *next++ = s->filled + i * n;
    for (const atl_small_call *call = s->calls, *end = call + c->length; call < end; call++) {
        float *y = call->slot < 0 ? (float *)memory[step->write[call->result]] : temporary[call->slot];
        x[0] = address[call->in[0]];
        x[1] = address[call->in[1]]; /* of one input: address[0], which nobody reads */
        for (int i = 2; i < call->inputs; i++)
            x[i] = address[call->in[i]];
        call->map(call->attributes, (size_t)n, x, y);
        *next++ = y;
    }
    if (c->sums)
        atl_write_short_sums(step, memory, 0, n, address);
    return 0;
}

/* ---- one or two instructions whose operands are read in place, for example the update of a variable by SGD ------- */

enum { PLAIN_LENGTH = 2, PLAIN_OPERANDS = 2 };

static int is_plain(const expression_step *s)
{
    const atl_expression *c = s->expression;
    int plain =
        c->length >= 1 && c->length <= PLAIN_LENGTH && c->operands <= PLAIN_OPERANDS && c->numbers <= 1 && !c->sums;
    for (int k = 0; plain && k < c->length; k++)
        plain = c->instruction[k].inputs <= 2;
    return plain && !s->repeats;
}

/* `length` is known to the compiler, so there is no loop: one costs as much as the rest of such a step. */
static inline __attribute__((always_inline)) void run_plain(const atl_plan_step *step, void *const *memory, int length)
{
    const expression_step *s = step->data;
    _Alignas(64) float temporary[ATL_SMALL_EXPRESSION];
    const float *address[PLAIN_OPERANDS + 1 + PLAIN_LENGTH] = {memory[step->read[0]], memory[step->read[1]]};
    const float **next = address + s->expression->operands;
    *next = s->filled; /* if there is no number, the first result takes its place */
    next += s->expression->numbers;
    for (int k = 0; k < length; k++) {
        const atl_small_call *call = &s->calls[k];
        const float *x[2] = {address[call->in[0]], address[call->in[1]]};
        float *y = call->slot < 0 ? (float *)memory[step->write[call->result]] : temporary;
        call->map(call->attributes, (size_t)s->count, x, y);
        next[k] = y;
    }
}

static int run_one(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    run_plain(step, memory, 1);
    return 0;
}

static int run_two(const atl_plan_step *step, void *const *memory, void *bound)
{
    (void)bound;
    run_plain(step, memory, 2);
    return 0;
}

atl_step_run *atl_plan_small_expression(expression_step *s, atl_graph *graph)
{
    if (!is_small(s) || !make_calls(s, graph))
        return NULL;
    return !is_plain(s) ? run_small : s->expression->length == 1 ? run_one : run_two;
}
