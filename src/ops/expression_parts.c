/* The parts of a fused expression: instructions that follow one another and whose ops can run in registers are one. */
#include <string.h>

#include "graph/memory.h"
#include "ops/expression_step.h"

/* LOAD, the instruction, STORE, and for each of them FETCH */
enum { MOST_CODES = 6, MOST_CODE = MOST_CODES * ATL_EXPRESSION_LENGTH };

typedef struct parts {
    const expression_step *step;
    int given;                      /* registers before those of the instructions */
    int uses[MOST_TEMPORARIES];     /* of each register: how many operands and sums read it */
    char fetched[MOST_TEMPORARIES]; /* of each register: it need not be fetched, or no more */
    expression_part part[ATL_EXPRESSION_LENGTH];
    atl_element_code code[MOST_CODE];
    int count, length;
} parts;

static int element_op_of(const atl_instruction *in) { return in->op->hooks ? in->op->hooks->element_op : 0; }

static void count_uses(parts *p)
{
    const atl_expression *c = p->step->expression;
    for (int k = 0; k < c->length; k++)
        for (int i = 0; i < c->instruction[k].inputs; i++)
            p->uses[c->instruction[k].in[i]]++;
    for (int i = 0; i < c->sums; i++) {
        p->uses[c->sum[i].a]++;
        if (c->sum[i].b >= 0)
            p->uses[c->sum[i].b]++;
    }
}

static int reads(const atl_instruction *in, int r)
{
    int times = 0;
    for (int i = 0; i < in->inputs; i++)
        times += in->in[i] == r;
    return times;
}

/* True if nobody but the next instruction reads the result of instruction k, and that one in the same part. */
static int stays_in_registers(const parts *p, int k, int last)
{
    return k < last && p->step->result[k] < 0 && p->uses[p->given + k] == 1 &&
           reads(&p->step->expression->instruction[k + 1], p->given + k);
}

/* The instruction; an array that comes from beyond the caches is fetched, too, once. */
static void emit(parts *p, int op, int array)
{
    p->code[p->length++] = (atl_element_code){(uint8_t)op, (uint8_t)array};
    if (!p->fetched[array])
        p->code[p->length++] =
            (atl_element_code){op == ATL_ELEMENT_STORE ? ATL_ELEMENT_FETCH_TO_WRITE : ATL_ELEMENT_FETCH,
                               (uint8_t)array};
    p->fetched[array] = 1;
}

/* Temporaries are in the first-level cache.  Beside a product the other arrays arrive while its rows are computed. */
static void choose_fetched(parts *p)
{
    const expression_step *s = p->step;
    for (int i = 0; i < p->given + s->expression->length; i++)
        p->fetched[i] = s->slot[i] >= 0 || s->expression->product >= 0 || s->count < ATL_NEAR_FLOATS;
}

/* The code of instructions first to last. */
static void emit_part(parts *p, int first, int last)
{
    int held = -1; /* the register whose value the code has */
    for (int k = first; k <= last; k++) {
        const atl_instruction *in = &p->step->expression->instruction[k];
        int op = element_op_of(in), a = in->in[0], b = in->inputs > 1 ? in->in[1] : a;
        if (held != a && held != b)
            emit(p, ATL_ELEMENT_LOAD, a);
        if (held == b && a != b)
            emit(p, op + 1, a); /* reversed */
        else
            emit(p, op, b);
        held = p->given + k;
        if (!stays_in_registers(p, k, last))
            emit(p, ATL_ELEMENT_STORE, held);
    }
}

/* The last of the instructions from `first` on that can run in registers one after the other; first - 1: none. */
static int end_of_part(const expression_step *s, int first)
{
    int last = first - 1;
    while (!s->checked && last + 1 < s->expression->length && element_op_of(&s->expression->instruction[last + 1]))
        last++;
    return last;
}

static void find_parts(parts *p)
{
    const expression_step *s = p->step;
    for (int k = 0; k < s->expression->length;) {
        int last = end_of_part(s, k), start = p->length;
        expression_part *part = &p->part[p->count++];
        *part = (expression_part){.first = (int8_t)k};
        if (last <= k) { /* alone it would read and write as much as the map does */
            k++;
            continue;
        }
        emit_part(p, k, last);
        part->code = p->code + start;
        part->length = (int16_t)(p->length - start);
        k = last + 1;
    }
}

int atl_plan_parts(expression_step *s, atl_graph *graph)
{
    parts p = {.step = s, .given = s->expression->operands + s->expression->numbers};
    count_uses(&p);
    choose_fetched(&p);
    find_parts(&p);
    size_t room = (size_t)p.count * sizeof *p.part, code = (size_t)p.length * sizeof *p.code;
    s->part = atl_graph_allocate(graph, room + code);
    if (!s->part)
        return 0;
    s->parts = p.count;
    memcpy(s->part, p.part, room);
    atl_element_code *copy = memcpy((char *)s->part + room, p.code, code);
    for (int i = 0; i < p.count; i++)
        if (p.part[i].code)
            s->part[i].code = copy + (p.part[i].code - p.code);
    return 1;
}
