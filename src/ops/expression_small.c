/* Fused expressions of a few elements: one block by one thread, whose constants are filled when the step is made.  A
 * step of a tiny network computes some tens of numbers, and finding out how to read them takes longer than computing
 * them. */
#include <string.h>

#include "kernels/kernels.h"
#include "ops/expression_step.h"

static int is_small(const expression_step *s)
{
    const atl_expression *c = s->expression;
    int small = !s->checked && s->desc == STRAIGHT && s->blocks == 1 && s->pieces == 1 &&
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
};

int atl_plan_small_expression(expression_step *s, atl_graph *graph)
{
    enum { LINE = 64 };
    const atl_expression *c = s->expression;
    if (!is_small(s))
        return 0;
    size_t calls = (size_t)c->length * sizeof *s->calls;
    char *memory = atl_graph_allocate(graph, calls + (size_t)(c->numbers * s->count) * sizeof(float) + LINE);
    if (!memory)
        return 0;
    s->calls = (atl_small_call *)memory;
    s->filled = (float *)(((uintptr_t)memory + calls + LINE - 1) / LINE * LINE);
    for (int i = 0; i < c->numbers; i++)
        atl_kernels->fill_with(s->filled + i * s->count, c->number[i], s->count);
    for (int k = 0; k < c->length; k++) {
        const atl_instruction *in = &c->instruction[k];
        s->calls[k] = (atl_small_call){.map = in->op->map, .attributes = in->attributes, .inputs = (int8_t)in->inputs};
        memcpy(s->calls[k].in, in->in, sizeof in->in);
    }
    return 1;
}

/* Repeats the operand's elements: one number, or a row. */
static const float *repeated(const operand *x, const float *from, int64_t n, float *to)
{
    if (x->kind == SCALAR)
        atl_kernels->fill_with(to, from[0], n);
    else
        for (int64_t k = 0; k < n; k += x->period)
            memcpy(to + k, from, (size_t)x->period * sizeof *to);
    return to;
}

int atl_run_small_expression(const atl_plan_step *step, void *const *memory, void *bound)
{
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    const float *address[MOST_TEMPORARIES], *x[ATL_EXPRESSION_ARITY];
    _Alignas(64) float temporary[ATL_SMALL_SLOTS][ATL_SMALL_EXPRESSION];
    const float **next = address;
    const int64_t n = s->count;
    (void)bound;
    for (int r = 0; r < c->operands; r++) {
        const float *from = memory[step->read[r]];
        *next++ = s->operand[r].kind == DENSE ? from : repeated(&s->operand[r], from, n, temporary[s->slot[r]]);
    }
    for (int i = 0; i < c->numbers; i++)
        *next++ = s->filled + i * n;
    const int8_t *slot = s->slot + (next - address);
    for (int k = 0; k < c->length; k++) {
        const atl_small_call *call = &s->calls[k];
        float *y = slot[k] < 0 ? (float *)memory[step->write[s->result[k]]] : temporary[slot[k]];
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
