/* Running chains of element-wise ops. */
#include "program/chain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/memory.h"
#include "onednn/onednn.h"
#include "ops/fast.h"
#include "ops/parallel.h"
#include "program/guard.h"
#include "program/layout.h"

enum {
    BLOCK = 512,   /* floats: a few registers of this size stay in the first-level cache */
    FLUSH = 64,    /* floats are added up over so many blocks, then doubles */
    PIECE = 16384, /* elements that are worth a thread's while */
    MOST_PIECES = 32,
    MOST_TEMPORARIES = ATL_CHAIN_OPERANDS + ATL_CHAIN_NUMBERS + ATL_CHAIN_LENGTH
};

/* How an operand is read.  The result's dimensions are coalesced: neighbours in which every operand moves alike are one. */
typedef struct operand {
    enum { DENSE, SCALAR, ROW, STRIDED } kind;
    int64_t period;               /* ROW: elements */
    int64_t stride[ATL_MAX_RANK]; /* STRIDED: in the coalesced dimensions; 0 where it is spread */
} operand;

/* STRAIGHT: blocks are taken in order of memory; sums run over no more than a block, and are complete at its end.
 * COLUMNS: they are taken tile by tile, so that the same results are summed up all over a tile. It is [reduced, width] of one
 * [reduced, inner]; a block is some rows of it. */
typedef enum walk { STRAIGHT, COLUMNS } walk;

typedef struct chain_step {
    const atl_chain *chain;
    int64_t count; /* elements of the result */
    int64_t block; /* elements at a time, at most */
    walk walk;
    int64_t tiles, blocks, pieces; /* blocks and pieces of each tile; a piece is one thread's */
    int64_t width;                 /* results of a sum in each tile */
    int64_t across, abreast;       /* COLUMNS: tiles side by side; rows of a block */
    int dimensions;
    int64_t size[ATL_MAX_RANK]; /* coalesced */
    operand *operand;
    int8_t *slot; /* register -> temporary, or -1: read or written where it is */
    int slots;
    int checked;      /* every map's result stands between guards */
    int8_t *last_use; /* of each operand: the last instruction that reads it; -1: none */
    int8_t *result;   /* instruction -> which of the step's results it is, or -1 */
} chain_step;

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

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
        for (int i = 0; joins && i < s->chain->operands; i++)
            joins = s->operand[i].stride[last] == s->operand[i].stride[d] * shape.size[d];
        if (joins) {
            s->size[last] *= shape.size[d];
            for (int i = 0; i < s->chain->operands; i++)
                s->operand[i].stride[last] = s->operand[i].stride[d];
            continue;
        }
        s->size[++last] = shape.size[d];
        for (int i = 0; i < s->chain->operands; i++)
            s->operand[i].stride[last] = s->operand[i].stride[d];
        s->dimensions++;
    }
}

static void classify(chain_step *s, operand *x, atl_shape shape)
{
    int outer = 0; /* does it move in any dimension but the innermost? */
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

static int sums_fit_a_block(const atl_chain *c) { return c->reduced * c->inner <= BLOCK; }

/* What blocks are multiples of: the longest of the short periods, which the shorter ones divide, since all are products of the last
 * dimensions. */
static int64_t period_of(const chain_step *s)
{
    const atl_chain *c = s->chain;
    int64_t period = 1;
    for (int i = 0; i < c->operands; i++)
        if (s->operand[i].kind == ROW && s->operand[i].period <= BLOCK)
            period = larger(period, s->operand[i].period);
    if (c->sums && sums_fit_a_block(c))
        period = larger(period, c->reduced * c->inner);
    else if (c->sums && c->inner <= BLOCK)
        period = larger(period, c->inner);
    return period;
}

static void walk_columns(chain_step *s)
{
    const atl_chain *c = s->chain;
    s->walk = COLUMNS;
    s->width = smaller(c->inner, s->block);
    s->across = (c->inner + s->width - 1) / s->width;
    s->abreast = s->across == 1 ? s->block / c->inner : 1;
    s->tiles = c->outer * s->across;
    s->blocks = (c->reduced + s->abreast - 1) / s->abreast;
}

/* Pieces depend on sizes only, so the sums are the same for any number of threads. */
static void choose_walk(chain_step *s)
{
    int64_t period = period_of(s);
    s->block = BLOCK / period * period;
    s->tiles = 1;
    s->blocks = (s->count + s->block - 1) / s->block;
    if (s->chain->sums && !sums_fit_a_block(s->chain))
        walk_columns(s);
    s->pieces = s->tiles < MOST_PIECES && s->walk != STRAIGHT
                    ? smaller(s->count / s->tiles / PIECE, MOST_PIECES / s->tiles)
                    : 1;
    s->pieces = larger(smaller(s->pieces, s->blocks), 1);
}

/* Gives temporaries to the registers that need one; a temporary is free again after its last use. */
static void allocate_registers(chain_step *s)
{
    int last_use[MOST_TEMPORARIES], free_slots[MOST_TEMPORARIES], free_count = 0;
    const atl_chain *c = s->chain;
    int given = c->operands + c->numbers;
    for (int r = 0; r < given + c->length; r++)
        last_use[r] = -1;
    for (int k = 0; k < c->length; k++) {
        s->result[k] = -1;
        for (int i = 0; i < c->instruction[k].inputs; i++)
            last_use[c->instruction[k].in[i]] = k;
    }
    for (int i = 0; i < c->sums; i++) { /* at the end */
        last_use[c->sum[i].a] = c->length;
        if (c->sum[i].b >= 0)
            last_use[c->sum[i].b] = c->length;
    }
    for (int i = 0; i < c->arrays; i++)
        s->result[c->array[i]] = (int8_t)i;
    for (int r = 0; r < c->operands; r++) { /* scalars and rows are filled once, so they keep theirs */
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
                last_use[r] = -1; /* an input that stands twice is freed once */
            }
        }
        s->slot[result] = (int8_t)(s->result[k] >= 0 ? -1 : free_count ? free_slots[--free_count] : s->slots++);
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

/* Where a row longer than a block is read for n elements from start on. */
static const float *long_row(const float *row, int64_t period, int64_t start, int64_t n, float *temporary)
{
    if (start % period + n <= period)
        return row + start % period;
    fill_row(row, period, start, n, temporary);
    return temporary;
}

/* Leads address[] to every register of the block: elements [start, start + n). */
static void run_block(const chain_job *job, int64_t start, int64_t n, float (*temporary)[BLOCK], const float **address)
{
    const atl_plan_step *step = job->step;
    void *const *memory = job->memory;
    const chain_step *s = step->data;
    const atl_chain *c = s->chain;
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
            address[r] = long_row(from, x->period, start, n, temporary[s->slot[r]]);
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

/* ---- sums ---- */

ATL_FAST static void add_to_lanes(float *restrict lanes, const float *a, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        lanes[i] += a[i];
}

ATL_FAST static void add_products_to_lanes(float *restrict lanes, const float *a, const float *b, int64_t n)
{
    ATL_LANES
    for (int64_t i = 0; i < n; i++)
        lanes[i] += a[i] * b[i];
}

/* Of a short run: a[0] + a[stride] + ... */
static double sum_of_run(const float *a, const float *b, int64_t n, int64_t stride)
{
    enum { LANES = 8 };
    double part[LANES] = {0}, total = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int64_t k = 0; k < LANES; k++)
            part[k] += (double)a[(i + k) * stride] * (b ? (double)b[(i + k) * stride] : 1);
    for (; i < n; i++)
        total += (double)a[i * stride] * (b ? (double)b[i * stride] : 1);
    for (int k = 0; k < LANES; k++)
        total += part[k];
    return total;
}

/* Sums that are complete within the block. */
static void write_short_sums(const atl_plan_step *step, void *const *memory, int64_t start, int64_t n,
                             const float *const *address)
{
    const atl_chain *c = ((const chain_step *)step->data)->chain;
    int64_t span = c->reduced * c->inner;
    for (int i = 0; i < c->sums; i++) {
        const float *a = address[c->sum[i].a], *b = c->sum[i].b < 0 ? NULL : address[c->sum[i].b];
        float *result = (float *)memory[step->write[c->arrays + i]] + start / span * c->inner;
        for (int64_t k = 0; k < n; k += span)
            for (int64_t column = 0; column < c->inner; column++)
                *result++ = (float)(c->sum[i].scale *
                                    sum_of_run(a + k + column, b ? b + k + column : NULL, c->reduced, c->inner));
    }
}

/* The sums of a piece of a tile. */
typedef struct tile_sums {
    _Alignas(64) float lanes[ATL_CHAIN_SUMS][BLOCK];
    double total[ATL_CHAIN_SUMS][BLOCK];
} tile_sums;

static void add_block(const chain_step *s, tile_sums *sums, const float *const *address, int64_t n)
{
    for (int i = 0; i < s->chain->sums; i++) {
        const atl_chain_sum *sum = &s->chain->sum[i];
        if (sum->b < 0)
            add_to_lanes(sums->lanes[i], address[sum->a], n);
        else
            add_products_to_lanes(sums->lanes[i], address[sum->a], address[sum->b], n);
    }
}

static void flush_lanes(const chain_step *s, tile_sums *sums)
{
    for (int i = 0; i < s->chain->sums; i++)
        for (int64_t k = 0; k < s->block; k += s->width) /* columns beyond the width are those of later rows */
            for (int64_t column = 0; column < smaller(s->width, s->block - k); column++) {
                sums->total[i][column] += (double)sums->lanes[i][k + column];
                sums->lanes[i][k + column] = 0;
            }
}

static void clear_sums(const chain_step *s, tile_sums *sums)
{
    for (int i = 0; i < s->chain->sums; i++) {
        memset(sums->lanes[i], 0, (size_t)s->block * sizeof(float));
        memset(sums->total[i], 0, (size_t)s->width * sizeof(double));
    }
}

/* The results that the tile sums up: the first, and how many. */
static int64_t results_of(const chain_step *s, int64_t tile, int64_t *count)
{
    const atl_chain *c = s->chain;
    int64_t first = tile % s->across * s->width;
    *count = smaller(s->width, c->inner - first);
    return tile / s->across * c->inner + first;
}

/* Those of the whole tile go to the results, those of a piece of it to the scratch, [tiles][pieces][sums][width]. */
static void store_sums(const atl_plan_step *step, void *const *memory, int64_t tile, int64_t piece,
                       const tile_sums *sums)
{
    const chain_step *s = step->data;
    const atl_chain *c = s->chain;
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
    const chain_step *s = step->data;
    const atl_chain *c = s->chain;
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

/* ---- blocks, one after the other ---- */

/* What is the same in every block. */
static void fill_lasting(const atl_plan_step *step, void *const *memory, float (*temporary)[BLOCK])
{
    const chain_step *s = step->data;
    int64_t n = smaller(s->count, s->block);
    for (int i = 0; i < s->chain->numbers; i++)
        fill(temporary[s->slot[s->chain->operands + i]], s->chain->number[i], n);
    for (int r = 0; r < s->chain->operands; r++) {
        const operand *x = &s->operand[r];
        const float *from = memory[step->read[r]];
        if (x->kind == SCALAR)
            fill(temporary[s->slot[r]], from[0], n);
        else if (x->kind == ROW && x->period <= BLOCK)
            fill_row(from, x->period, 0, n, temporary[s->slot[r]]);
    }
}

/* Blocks first, first + 1, ... before last, of one tile in order of memory. */
static void run_straight(const void *chain_job_of, int64_t first, int64_t last)
{
    const chain_job *job = chain_job_of;
    const chain_step *s = job->step->data;
    const float *address[MOST_TEMPORARIES];
    _Alignas(64) float temporary[MOST_TEMPORARIES][BLOCK]; /* only the first s->slots are touched */
    fill_lasting(job->step, job->memory, temporary);
    for (int64_t b = first; b < last; b++) {
        int64_t start = b * s->block, n = smaller(s->block, s->count - start);
        run_block(job, start, n, temporary, address);
        if (s->chain->sums)
            write_short_sums(job->step, job->memory, start, n, address);
    }
}

/* Where block b of a tile starts, and how long it is. */
static int64_t place_of(const chain_step *s, int64_t tile, int64_t b, int64_t *n)
{
    const atl_chain *c = s->chain;
    int64_t row = b * s->abreast, column = tile % s->across * s->width;
    *n = smaller(s->abreast, c->reduced - row) * smaller(s->width, c->inner - column);
    return (tile / s->across * c->reduced + row) * c->inner + column;
}

/* Pieces first, first + 1, ... before last, of all tiles. */
static void run_tiles(const void *chain_job_of, int64_t first, int64_t last)
{
    const chain_job *job = chain_job_of;
    const atl_plan_step *step = job->step;
    const chain_step *s = step->data;
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

static void run_walk(const chain_job *job)
{
    const chain_step *s = job->step->data;
    int64_t work = s->count * (s->chain->length + s->chain->sums);
    if (s->walk == STRAIGHT) {
        atl_parallel(s->blocks, work, run_straight, job);
        return;
    }
    atl_parallel(s->tiles * s->pieces, work, run_tiles, job);
    if (s->pieces > 1)
        join_pieces(job->step, job->memory);
}

static int run_chain(const atl_plan_step *step, void *const *memory, void *bound)
{
    _Atomic(const atl_op *) faulty = NULL;
    chain_job job = {step, memory, &faulty};
    (void)bound;
    run_walk(&job);
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

static void set_sum(atl_chain *chain, const atl_node *node, const atl_sum_form *form)
{
    chain->shape = *node->inputs[form->a]->shape;
    chain->outer = form->outer;
    chain->reduced = form->reduced;
    chain->inner = form->inner;
    chain->operands = form->b >= 0 && form->b != form->a ? 2 : 1;
    chain->sums = 1;
    chain->sum[0] = (atl_chain_sum){.a = 0,
                                    .b = form->b < 0          ? -1
                                         : form->b == form->a ? 0
                                                              : 1,
                                    .scale = form->scale,
                                    .shape = *node->shape};
}

/* The chain of one element-wise op or one sum. */
static void set_single(atl_chain *chain, const atl_node *node, int *input)
{
    atl_sum_form form;
    if (!atl_is_elementwise(node->op)) {
        node->op->as_sum(node, &form);
        set_sum(chain, node, &form);
        input[0] = form.a;
        input[1] = form.b;
        return;
    }
    chain->shape = *node->shape;
    chain->operands = node->input_count;
    chain->length = chain->arrays = 1;
    chain->array[0] = 0;
    chain->instruction[0] =
        (atl_instruction){.op = node->op, .attributes = node->attributes, .inputs = node->input_count};
    for (int i = 0; i < node->input_count && i < ATL_CHAIN_ARITY; i++)
        chain->instruction[0].in[i] = (uint8_t)i;
}

static size_t attributes_room(const atl_instruction *in) { return (in->op->attributes + 15) / 16 * 16; }

/* A copy in the graph's memory, with all attributes; null, and the graph broken, if there is none. */
static atl_chain *copied_chain(atl_graph *graph, const atl_chain *from)
{
    size_t instructions = (size_t)from->length * sizeof *from->instruction,
           sums = (size_t)from->sums * sizeof *from->sum, numbers = (size_t)from->numbers * sizeof *from->number,
           arrays = (size_t)from->arrays * sizeof *from->array;
    size_t attributes = 0;
    for (int k = 0; k < from->length; k++)
        attributes += attributes_room(&from->instruction[k]);
    char *memory = atl_graph_allocate(graph, attributes + sizeof *from + instructions + sums + numbers + arrays);
    if (!memory)
        return NULL;
    atl_chain *chain = (atl_chain *)(memory + attributes);
    *chain = *from;
    chain->instruction = (atl_instruction *)(chain + 1);
    chain->sum = (atl_chain_sum *)((char *)chain->instruction + instructions);
    chain->number = (float *)((char *)chain->sum + sums);
    chain->array = (int *)((char *)chain->number + numbers);
    memcpy(chain->instruction, from->instruction, instructions);
    memcpy(chain->sum, from->sum, sums);
    memcpy(chain->number, from->number, numbers);
    memcpy(chain->array, from->array, arrays);
    for (int k = 0; k < chain->length; k++) {
        atl_instruction *one = &chain->instruction[k];
        one->attributes = memcpy(memory, one->attributes, one->op->attributes);
        memory += attributes_room(one);
    }
    return chain;
}

/* The chain of any node that this file lowers, and the inputs that are its operands. It lives as long as the node's graph. Null: out of
 * memory. */
static const atl_chain *chain_for(const atl_node *node, int *input)
{
    atl_chain_room room;
    const atl_chain *fused = atl_chain_of(node);
    for (int i = 0; i < ATL_CHAIN_OPERANDS; i++)
        input[i] = i;
    if (fused)
        return fused;
    atl_chain single = atl_chain_in(&room);
    set_single(&single, node, input);
    return copied_chain(node->graph, &single);
}

/* Lives as long as the chain. */
static chain_step *new_chain_step(atl_graph *graph, const atl_chain *chain)
{
    int registers = chain->operands + chain->numbers + chain->length;
    size_t operands = (size_t)chain->operands * sizeof(operand);
    chain_step *s =
        atl_graph_allocate(graph, sizeof *s + operands + (size_t)(registers + chain->operands + chain->length));
    if (!s)
        return NULL;
    s->chain = chain;
    s->operand = (operand *)(s + 1);
    s->slot = (int8_t *)(s + 1) + operands;
    s->last_use = s->slot + registers;
    s->result = s->last_use + chain->operands;
    return s;
}

/* Result k may be written over dense operand i if no later instruction reads that memory any more. */
static int may_write_over(const chain_step *s, const atl_plan_step *step, int k, int i)
{
    for (int j = 0; j < s->chain->operands; j++)
        if (step->read[j] == step->read[i] && s->last_use[j] > s->chain->array[k])
            return 0;
    return s->operand[i].kind == DENSE;
}

static void plan_chain(chain_step *s, const atl_node *node, const int *input)
{
    const atl_chain *c = s->chain;
    s->count = atl_shape_count(c->shape);
    for (int i = 0; i < c->operands; i++)
        set_strides(s->operand[i].stride, *node->inputs[input[i]]->shape, c->shape);
    coalesce(s, c->shape);
    for (int i = 0; i < c->operands; i++)
        classify(s, &s->operand[i], *node->inputs[input[i]]->shape);
    choose_walk(s);
    allocate_registers(s);
}

static void add_results(atl_lowering *lowering, atl_plan_step *step, const atl_memory_layout *layout)
{
    const chain_step *s = step->data;
    const atl_chain *c = s->chain;
    step->write[step->writes++] = atl_lower_output_in(lowering, c->arrays ? layout : NULL);
    for (int k = 1; k < c->arrays + c->sums; k++) {
        int64_t bytes = k < c->arrays ? 0 : atl_shape_count(c->sum[k - c->arrays].shape) * (int64_t)sizeof(float);
        step->write[step->writes++] = atl_lower_part(lowering, k - 1, bytes);
    }
    if (c->sums && s->pieces > 1)
        step->write[step->writes++] =
            atl_lower_scratch(lowering, s->tiles * s->pieces * c->sums * s->width * (int64_t)sizeof(double));
    for (int k = 0; k < c->arrays; k++)
        for (int i = 0; i < c->operands; i++)
            if (may_write_over(s, step, k, i))
                atl_lower_over(lowering, step->write[k], step->read[i]);
}

int atl_lower_chain(atl_lowering *lowering)
{
    const atl_node *node = atl_lowered_node(lowering);
    int input[ATL_CHAIN_OPERANDS], blocked = atl_lower_is_blocked(lowering);
    if (node->input_count > ATL_CHAIN_ARITY && !atl_chain_of(node))
        return atl_set_error(ATL_UNSUPPORTED, "%s: an element-wise op takes at most %d inputs", node->op->name,
                             ATL_CHAIN_ARITY),
               0;
    const atl_chain *chain = chain_for(node, input);
    chain_step *s = chain ? new_chain_step(node->graph, chain) : NULL;
    if (!s)
        return 0;
    plan_chain(s, node, input);
    s->checked = atl_lower_is_checked(lowering);
    atl_memory_layout *layout = NULL; /* every image lies alike, so the order of its elements does not matter */
    if (blocked && !(layout = atl_layout_blocked(chain->shape)))
        return 0;
    atl_plan_step step = {.implementation = chain->length + chain->sums > 1 ? "chain"
                                            : chain->sums                   ? "sum"
                                                                            : "map",
                          .run = run_chain,
                          .cannot_fail = !s->checked,
                          .data = s};
    for (int i = 0; i < chain->operands; i++)
        step.read[step.reads++] = atl_lower_input_in(lowering, input[i], s->operand[i].kind == DENSE ? layout : NULL);
    add_results(lowering, &step, layout);
    atl_layout_free(layout);
    return atl_lower_step(lowering, &step);
}

/* ---- blocked images ------------------------------------------------------------------------------------------------------ */

double atl_chain_blocked_gain(const atl_node *y, unsigned *images)
{
    const atl_chain *chain = atl_chain_of(y);
    atl_shape shape = chain ? chain->shape : *y->shape;
    *images = 0;
    if (shape.rank != 4 || shape.size[3] % 16 || shape.size[3] == 0 || (chain && chain->sums))
        return -INFINITY;
    for (int i = 0; i < y->input_count && i < 32; i++)
        if (atl_shape_equal(*y->inputs[i]->shape, shape))
            *images |= 1u << i;
        else if (atl_shape_count(*y->inputs[i]->shape) != 1)
            return -INFINITY;
    return 0;
}

/* ---- the op ------------------------------------------------------------------------------------------------------------- */

static atl_shape shape_of_result(const atl_chain *c, int k)
{
    return k < c->arrays ? c->shape : c->sum[k - c->arrays].shape;
}

static int infer_fused(atl_node *y) { return atl_set_type(y, ATL_FLOAT32, shape_of_result(atl_chain_of(y), 0)); }

static void describe_fused(const atl_node *y, char *text, size_t size)
{
    const atl_chain *chain = atl_chain_of(y);
    size_t at = 0;
    for (int k = 0; k < chain->length + chain->sums && at < size; k++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", k ? " " : "",
                               k < chain->length ? chain->instruction[k].op->name : "sum");
}

const atl_op atl_fused_op = {.name = "fused",
                             .arity = ATL_VARIADIC,
                             .attributes = sizeof(atl_chain *),
                             .infer = infer_fused,
                             .lower = atl_lower_chain,
                             .blocked_gain = atl_chain_blocked_gain,
                             .describe = describe_fused};

atl_node *atl_fused(const atl_chain *chain, int count, atl_node *const *operands)
{
    const atl_chain *copy = copied_chain(operands[0]->graph, chain);
    return copy ? atl_apply_with(&atl_fused_op, &copy, count, operands) : NULL;
}

/* ---- the results beside the first ------------------------------------------------------------------------------------------ */

static int lower_part(atl_lowering *lowering)
{
    const int *k = atl_lowered_node(lowering)->attributes;
    return atl_lower_as(lowering, atl_lower_part_of(lowering, 0, *k - 1));
}

static int infer_part(atl_node *y)
{
    return atl_set_type(y, ATL_FLOAT32, shape_of_result(atl_chain_of(y->inputs[0]), *(const int *)y->attributes));
}

/* It lies as the chain's results do. */
static double part_blocked_gain(const atl_node *y, unsigned *images)
{
    double gain = atl_chain_blocked_gain(y->inputs[0], images);
    *images = 1;
    return gain;
}

static const atl_op part_op = {.name = "part",
                               .arity = 1,
                               .attributes = sizeof(int),
                               .infer = infer_part,
                               .lower = lower_part,
                               .blocked_gain = part_blocked_gain};

atl_node *atl_fused_part(atl_node *fused, int k) { return k ? atl_apply_with(&part_op, &k, 1, &fused) : fused; }
