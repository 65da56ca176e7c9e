/* Evaluates fused element-wise expressions, block by block. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "graph/guard.h"
#include "ops/expression_step.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"

static void fill(float *to, float value, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        to[k] = value;
}

static void map_by_element(const atl_instruction *in, int64_t n, const float *const *x, float *y)
{
    double v[ATL_EXPRESSION_ARITY];
    for (int64_t k = 0; k < n; k++) {
        for (int i = 0; i < in->inputs; i++)
            v[i] = x[i][k];
        y[k] = (float)(in->op->element ? in->op->element(v, in->attributes) : in->op->function(v[0]));
    }
}

typedef struct expression_job {
    const atl_plan_step *step;
    void *const *memory;
    _Atomic(const atl_op *) *faulty; /* an op whose map wrote outside its result, or left a part of it unwritten */
    const float *product;            /* of the operand that is one: its elements from `product_start` on */
    int64_t product_start;
} expression_job;

/* A call of an op's map. */
typedef struct map_call {
    const atl_instruction *instruction;
    int64_t n;
    const float *const *x;
} map_call;

static void call_map(void *context, void *result)
{
    const map_call *call = context;
    call->instruction->op->map(call->instruction->attributes, (size_t)call->n, call->x, result);
}

static void run_checked_map(const expression_job *job, const atl_instruction *in, int64_t n, const float *const *x,
                            float *y)
{
    _Alignas(64) char memory[BLOCK * sizeof(float) + 2 * ATL_GUARD];
    char text[300];
    void *result;
    const atl_op *none = NULL; /* keeps the first: unwritten values may spread to other results */
    if (atl_call_guarded(memory, n * 4, call_map, &(map_call){in, n, x}, &result, text, sizeof text))
        atomic_compare_exchange_strong(job->faulty, &none, in->op);
    memcpy(y, result, (size_t)n * sizeof *y);
}

static void run_instruction(const expression_job *job, const atl_instruction *in, int64_t n,
                            const float *const *address, float *y)
{
    const expression_step *s = job->step->data;
    const float *x[ATL_EXPRESSION_ARITY];
    for (int i = 0; i < in->inputs; i++)
        x[i] = address[in->in[i]];
    if (in->op->map && s->checked)
        run_checked_map(job, in, n, x, y);
    else if (in->op->map)
        in->op->map(in->attributes, (size_t)n, x, y);
    else
        map_by_element(in, n, x, y);
}

/* The address from which n elements of a row longer than a block are read, beginning at `start`. */
static const float *long_row(const float *row, int64_t period, int64_t start, int64_t n, float *temporary)
{
    if (start % period + n <= period)
        return row + start % period;
    atl_repeat_row(row, period, start, n, temporary);
    return temporary;
}

/* Computes every register of the block, elements [start, start + n), and sets its address[]. */
static void run_block(const expression_job *job, int64_t start, int64_t n, float (*temporary)[BLOCK],
                      const float **address)
{
    const atl_plan_step *step = job->step;
    void *const *memory = job->memory;
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    int given = c->operands + c->numbers;
    for (int r = c->operands; r < given; r++)
        address[r] = temporary[s->slot[r]];
    for (int r = 0; r < c->operands; r++) {
        const operand *x = &s->operand[r];
        const float *from = memory[step->read[r]];
        if (r == c->product) {
            address[r] = job->product + (start - job->product_start);
            continue;
        }
        address[r] = s->slot[r] < 0 ? from + start : temporary[s->slot[r]];
        if (x->kind == STRIDED)
            atl_gather_operand(s, x, from, start, n, temporary[s->slot[r]]);
        else if (x->kind == ROW && x->period > BLOCK)
            address[r] = long_row(from, x->period, start, n, temporary[s->slot[r]]);
    }
    for (int k = 0; k < c->length; k++) {
        int slot = s->slot[given + k];
        address[given + k] = slot < 0 ? (float *)memory[step->write[s->result[k]]] + start : temporary[slot];
    }
    for (const expression_part *part = s->part; part < s->part + s->parts; part++)
        if (part->code)
            atl_kernels->run_element_code(part->code, part->length, address, n);
        else
            run_instruction(job, &c->instruction[part->first], n, address, (float *)address[given + part->first]);
}

/* ---- sums ---- */

void atl_write_short_sums(const atl_plan_step *step, void *const *memory, int64_t start, int64_t n,
                          const float *const *address)
{
    const atl_expression *c = ((const expression_step *)step->data)->expression;
    int64_t span = c->reduced * c->inner;
    for (int i = 0; i < c->sums; i++) {
        const float *a = address[c->sum[i].a], *b = c->sum[i].b < 0 ? NULL : address[c->sum[i].b];
        float *result = (float *)memory[step->write[c->arrays + i]] + start / span * c->inner;
        atl_kernels->sum_runs(a, b, n / span, c->reduced, c->inner, c->sum[i].scale, result);
    }
}

/* The sums of a piece of a tile. */
typedef struct tile_sums {
    _Alignas(64) float lanes[ATL_EXPRESSION_SUMS][BLOCK];
    double total[ATL_EXPRESSION_SUMS][BLOCK];
} tile_sums;

static void add_block(const expression_step *s, tile_sums *sums, const float *const *address, int64_t n)
{
    for (int i = 0; i < s->expression->sums; i++) {
        const atl_expression_sum *sum = &s->expression->sum[i];
        if (sum->b < 0)
            atl_kernels->add_to_sums(sums->lanes[i], address[sum->a], n);
        else
            atl_kernels->add_products_to_sums(sums->lanes[i], address[sum->a], address[sum->b], n);
    }
}

static void flush_lanes(const expression_step *s, tile_sums *sums)
{
    for (int i = 0; i < s->expression->sums; i++) /* columns beyond the width belong to later rows */
        atl_kernels->flush_sums(sums->lanes[i], sums->total[i], s->width, s->block);
}

static void clear_sums(const expression_step *s, tile_sums *sums)
{
    for (int i = 0; i < s->expression->sums; i++) {
        memset(sums->lanes[i], 0, (size_t)s->block * sizeof(float));
        memset(sums->total[i], 0, (size_t)s->width * sizeof(double));
    }
}

/* The first result that the tile sums, and their number. */
static int64_t results_of(const expression_step *s, int64_t tile, int64_t *count)
{
    const atl_expression *c = s->expression;
    int64_t first = tile % s->across * s->width;
    *count = atl_smaller(s->width, c->inner - first);
    return tile / s->across * c->inner + first;
}

/* Stores the sums of a whole tile in the results, and those of a piece of a tile in the scratch memory,
 * [tiles][pieces][sums][width]. */
static void store_sums(const atl_plan_step *step, void *const *memory, int64_t tile, int64_t piece,
                       const tile_sums *sums)
{
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    int64_t count, first = results_of(s, tile, &count);
    for (int i = 0; i < c->sums; i++) {
        if (s->pieces > 1) {
            double *partial = memory[step->write[c->arrays + c->sums]];
            memcpy(partial + ((tile * s->pieces + piece) * c->sums + i) * s->width, sums->total[i],
                   (size_t)s->width * sizeof(double));
            continue;
        }
        float *result = (float *)memory[step->write[c->arrays + i]] + first;
        for (int64_t k = 0; k < count; k++)
            result[k] = (float)(c->sum[i].scale * sums->total[i][k]);
    }
}

static void join_pieces(const atl_plan_step *step, void *const *memory)
{
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    const double *partial = memory[step->write[c->arrays + c->sums]];
    for (int64_t tile = 0; tile < s->tiles; tile++) {
        int64_t count, first = results_of(s, tile, &count), next = c->sums * s->width;
        for (int i = 0; i < c->sums; i++) {
            const double *from = partial + tile * s->pieces * next + i * s->width;
            float *result = (float *)memory[step->write[c->arrays + i]] + first;
            for (int64_t k = 0; k < count; k++) {
                double total = 0;
                for (int64_t piece = 0; piece < s->pieces; piece++)
                    total += from[piece * next + k];
                result[k] = (float)(c->sum[i].scale * total);
            }
        }
    }
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* Fills the registers that are the same in every block. */
static void fill_lasting(const atl_plan_step *step, void *const *memory, float (*temporary)[BLOCK])
{
    const expression_step *s = step->data;
    int64_t n = atl_smaller(s->count, s->block);
    for (int i = 0; i < s->expression->numbers; i++)
        fill(temporary[s->slot[s->expression->operands + i]], s->expression->number[i], n);
    for (int r = 0; r < s->expression->operands; r++) {
        const operand *x = &s->operand[r];
        const float *from = memory[step->read[r]];
        if (x->kind == SCALAR)
            fill(temporary[s->slot[r]], from[0], n);
        else if (x->kind == ROW && x->period <= BLOCK)
            atl_repeat_row(from, x->period, 0, n, temporary[s->slot[r]]);
    }
}

/* Elements from..to-1, in order of memory; `from` is the start of a block, or of a row of a product. */
static void run_elements(const expression_job *job, int64_t from, int64_t to, float (*temporary)[BLOCK])
{
    const expression_step *s = job->step->data;
    const float *address[MOST_TEMPORARIES];
    for (; from < to; from += s->block) {
        int64_t n = atl_smaller(s->block, to - from);
        run_block(job, from, n, temporary, address);
        if (s->expression->sums)
            atl_write_short_sums(job->step, job->memory, from, n, address);
    }
}

/* Runs blocks first to last - 1 of one tile. */
static void run_straight(const void *expression_job_of, int64_t first, int64_t last)
{
    const expression_job *job = expression_job_of;
    const expression_step *s = job->step->data;
    _Alignas(64) float temporary[MOST_TEMPORARIES][BLOCK]; /* only the first s->slots are used */
    fill_lasting(job->step, job->memory, temporary);
    run_elements(job, first * s->block, atl_smaller(last * s->block, s->count), temporary);
}

/* Some rows of the first matrix.  Of a transposed one they are copied: its columns may be a power of two apart, so that
 * all lie in the same few lines of the cache. */
static const float *rows_of_first(const float *a, atl_product *p, float *copy)
{
    if (p->a_column == 1)
        return a;
    for (int64_t k = 0; k < p->k; k++)
        memcpy(copy + k * PRODUCT_ROWS, a + k * p->a_column, (size_t)p->m * sizeof *copy);
    p->a_column = PRODUCT_ROWS;
    return copy;
}

/* One thread's rows of a product: some of them are computed, and then the elements that they belong to. */
static void run_rows(const expression_job *shared, int worker)
{
    const atl_plan_step *step = shared->step;
    const expression_step *s = step->data;
    const atl_expression *c = s->expression;
    const int64_t columns = c->rows.columns, groups = (c->rows.rows + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
    const float *a = shared->memory[step->read[c->product]], *b = shared->memory[step->read[c->operands]];
    float *packed = (float *)shared->memory[step->write[c->arrays]] + worker * atl_product_room(c),
          *rows = packed + c->rows.terms * columns, *first = rows + PRODUCT_ROWS * columns;
    const atl_product whole = {c->rows.rows, columns, c->rows.terms, c->rows.a_row, c->rows.a_column, 0};
    expression_job job = *shared;
    _Alignas(64) float temporary[MOST_TEMPORARIES][BLOCK];
    fill_lasting(step, shared->memory, temporary);
    atl_kernels->panel_pack(&whole, b, packed);
    job.product = rows;
    for (int64_t g = groups * worker / s->workers; g < groups * (worker + 1) / s->workers; g++) {
        const int64_t row = g * PRODUCT_ROWS;
        atl_product p = whole;
        p.m = atl_smaller(PRODUCT_ROWS, whole.m - row);
        job.product_start = row * columns;
        atl_kernels->panel_rows(&p, rows_of_first(a + row * p.a_row, &p, first), packed, rows);
        run_elements(&job, row * columns, (row + p.m) * columns, temporary);
    }
}

/* The start and the length of block b of a tile. */
static int64_t place_of(const expression_step *s, int64_t tile, int64_t b, int64_t *n)
{
    const atl_expression *c = s->expression;
    int64_t row = b * s->rows_per_block, column = tile % s->across * s->width;
    *n = atl_smaller(s->rows_per_block, c->reduced - row) * atl_smaller(s->width, c->inner - column);
    return (tile / s->across * c->reduced + row) * c->inner + column;
}

/* Runs pieces first to last - 1 of all tiles. */
static void run_tiles(const void *expression_job_of, int64_t first, int64_t last)
{
    const expression_job *job = expression_job_of;
    const atl_plan_step *step = job->step;
    const expression_step *s = step->data;
    const float *address[MOST_TEMPORARIES];
    _Alignas(64) float temporary[MOST_TEMPORARIES][BLOCK];
    tile_sums sums;
    fill_lasting(step, job->memory, temporary);
    for (int64_t k = first; k < last; k++) {
        int64_t tile = k / s->pieces, piece = k % s->pieces, end = s->blocks * (piece + 1) / s->pieces;
        clear_sums(s, &sums);
        int64_t begin = s->blocks * piece / s->pieces;
        for (int64_t b = begin; b < end; b++) {
            int64_t n, start = place_of(s, tile, b, &n);
            run_block(job, start, n, temporary, address);
            add_block(s, &sums, address, n);
            if ((b - begin) % FLUSH == FLUSH - 1 || b + 1 == end)
                flush_lanes(s, &sums);
        }
        store_sums(step, job->memory, tile, piece, &sums);
    }
}

int atl_expression_has_ranges(const expression_step *s)
{
    for (int r = 0; r < s->expression->operands; r++)
        if (s->operand[r].kind != DENSE && s->operand[r].kind != SCALAR)
            return 0;
    return !s->checked && s->expression->arrays > 0 && s->expression->sums == 0 && s->expression->product < 0;
}

/* The map of one op needs no registers. */
static int is_one_map(const expression_step *s)
{
    int dense = 1;
    for (int r = 0; r < s->expression->operands; r++)
        dense = dense && s->operand[r].kind == DENSE;
    return dense && s->expression->length == 1 && s->parts == 1 && !s->part->code &&
           s->expression->instruction->op->map;
}

void atl_run_expression_range(const atl_plan_step *step, void *const *memory, int64_t first, int64_t last)
{
    const expression_step *s = step->data;
    if (is_one_map(s)) {
        const atl_instruction *only = s->expression->instruction;
        const float *x[ATL_EXPRESSION_ARITY];
        for (int i = 0; i < only->inputs; i++)
            x[i] = (const float *)memory[step->read[only->in[i]]] + first;
        only->op->map(only->attributes, (size_t)(last - first), x, (float *)memory[step->write[0]] + first);
        return;
    }
    const expression_job job = {.step = step, .memory = memory};
    _Alignas(64) float temporary[MOST_TEMPORARIES][BLOCK];
    fill_lasting(step, memory, temporary);
    run_elements(&job, first, last, temporary);
}

static void run_copy(const expression_job *job)
{
    const expression_step *s = job->step->data;
    if (s->expression->product >= 0) {
#pragma omp parallel for num_threads(s->workers) schedule(static, 1) if (s->workers > 1)
        for (int worker = 0; worker < s->workers; worker++)
            run_rows(job, worker);
        return;
    }
    int64_t work = s->count * (s->expression->length + s->expression->sums);
    if (s->desc == STRAIGHT) {
        atl_parallel(s->blocks, work, run_straight, job);
        return;
    }
    atl_parallel(s->tiles * s->pieces, work, run_tiles, job);
    if (s->pieces > 1)
        join_pieces(job->step, job->memory);
}

int atl_run_expression(const atl_plan_step *step, void *const *memory, void *bound)
{
    _Atomic(const atl_op *) faulty = NULL;
    expression_job job = {.step = step, .memory = memory, .faulty = &faulty};
    (void)bound;
    run_copy(&job);
    const atl_op *op = atomic_load(&faulty);
    return op ? atl_report_fault(step->node, op,
                                 "has a map that writes outside its n results, or leaves some unwritten")
              : 0;
}
