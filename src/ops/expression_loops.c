/* The loop nest of a fused expression. */
#include <string.h>

#include "ops/expression_step.h"

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

/* Merges dimension d + 1 into d where every operand allows it. */
static void coalesce(expression_step *s, atl_shape shape)
{
    s->dimensions = 0;
    for (int d = 0; d < shape.rank; d++) {
        if (shape.size[d] == 1)
            continue;
        int last = s->dimensions - 1, joins = last >= 0;
        for (int i = 0; joins && i < s->expression->operands; i++)
            joins = s->operand[i].stride[last] == s->operand[i].stride[d] * shape.size[d];
        if (joins) {
            s->size[last] *= shape.size[d];
            for (int i = 0; i < s->expression->operands; i++)
                s->operand[i].stride[last] = s->operand[i].stride[d];
            continue;
        }
        s->size[++last] = shape.size[d];
        for (int i = 0; i < s->expression->operands; i++)
            s->operand[i].stride[last] = s->operand[i].stride[d];
        s->dimensions++;
    }
}

static void classify(expression_step *s, operand *x, atl_shape shape)
{
    int outer = 0; /* true if it moves in any dimension except the innermost */
    for (int d = 0; d + 1 < s->dimensions; d++)
        outer |= x->stride[d] != 0;
    if (atl_shape_count(shape) == s->count)
        x->kind = DENSE;
    else if (atl_shape_count(shape) == 1)
        x->kind = SCALAR;
    else if (!outer && x->stride[s->dimensions - 1] == 1) {
        x->kind = ROW;
        x->period = s->size[s->dimensions - 1];
    } else
        x->kind = STRIDED;
}

static int sums_fit_a_block(const atl_expression *c) { return c->reduced * c->inner <= BLOCK; }

/* Blocks are multiples of this: the longest of the short periods.  The shorter ones divide it, because all are products
 * of the last dimensions. */
static int64_t period_of(const expression_step *s)
{
    const atl_expression *c = s->expression;
    int64_t period = 1;
    for (int i = 0; i < c->operands; i++)
        if (s->operand[i].kind == ROW && s->operand[i].period <= BLOCK)
            period = atl_larger(period, s->operand[i].period);
    if (c->sums && sums_fit_a_block(c))
        period = atl_larger(period, c->reduced * c->inner);
    else if (c->sums && c->inner <= BLOCK)
        period = atl_larger(period, c->inner);
    return period;
}

static void walk_columns(expression_step *s)
{
    const atl_expression *c = s->expression;
    s->desc = COLUMNS;
    s->width = atl_smaller(c->inner, s->block);
    s->across = (c->inner + s->width - 1) / s->width;
    s->rows_per_block = s->across == 1 ? s->block / c->inner : 1;
    s->tiles = c->outer * s->across;
    s->blocks = (c->reduced + s->rows_per_block - 1) / s->rows_per_block;
}

/* Pieces depend on sizes only, so the sums are the same for any number of threads. */
static void choose_copy(expression_step *s)
{
    int64_t period = period_of(s);
    s->block = BLOCK / period * period;
    s->tiles = 1;
    s->blocks = (s->count + s->block - 1) / s->block;
    if (s->expression->sums && !sums_fit_a_block(s->expression))
        walk_columns(s);
    s->pieces = s->tiles < MOST_PIECES && s->desc != STRAIGHT
                    ? atl_smaller(s->count / s->tiles / PIECE, MOST_PIECES / s->tiles)
                    : 1;
    s->pieces = atl_larger(atl_smaller(s->pieces, s->blocks), 1);
}

/* Assigns temporaries to the registers that need one; a temporary is free again after its last use. */
static void allocate_registers(expression_step *s)
{
    int last_use[MOST_TEMPORARIES], free_slots[MOST_TEMPORARIES], free_count = 0;
    const atl_expression *c = s->expression;
    int given = c->operands + c->numbers;
    for (int r = 0; r < given + c->length; r++)
        last_use[r] = -1;
    for (int k = 0; k < c->length; k++) {
        s->result[k] = -1;
        for (int i = 0; i < c->instruction[k].inputs; i++)
            last_use[c->instruction[k].in[i]] = k;
    }
    for (int i = 0; i < c->sums; i++) { /* sums are last */
        last_use[c->sum[i].a] = c->length;
        if (c->sum[i].b >= 0)
            last_use[c->sum[i].b] = c->length;
    }
    for (int i = 0; i < c->arrays; i++)
        s->result[c->array[i]] = (int8_t)i;
    for (int r = 0; r < c->operands; r++) { /* scalars and rows are filled once, so they keep their temporaries */
        s->last_use[r] = (int8_t)last_use[r];
        s->slot[r] = (int8_t)(s->operand[r].kind == DENSE ? -1 : s->slots++);
    }
    for (int r = c->operands; r < given; r++)
        s->slot[r] = (int8_t)s->slots++;
    for (int k = 0; k < c->length; k++) {
        int result = given + k;
        for (int i = 0; i < c->instruction[k].inputs; i++) {
            int r = c->instruction[k].in[i];
            if (last_use[r] == k && r >= given && s->slot[r] >= 0) {
                free_slots[free_count++] = s->slot[r];
                last_use[r] = -1; /* an input that occurs twice is freed once */
            }
        }
        s->slot[result] = (int8_t)(s->result[k] >= 0 ? -1 : free_count ? free_slots[--free_count] : s->slots++);
    }
}

static atl_shape shape_of_operand(const expression_step *s, const atl_node *node, const int *input, int i)
{
    return i == s->expression->product ? s->expression->shape : *node->inputs[input[i]]->shape;
}

void atl_plan_expression(expression_step *s, const atl_node *node, const int *input)
{
    const atl_expression *c = s->expression;
    s->count = atl_shape_count(c->shape);
    for (int i = 0; i < c->operands; i++)
        set_strides(s->operand[i].stride, shape_of_operand(s, node, input, i), c->shape);
    coalesce(s, c->shape);
    for (int i = 0; i < c->operands; i++)
        classify(s, &s->operand[i], shape_of_operand(s, node, input, i));
    choose_copy(s);
    allocate_registers(s);
}
