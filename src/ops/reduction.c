/* Reductions.
 *
 * Adjacent dimensions that are both kept or both reduced are merged, so that kept and reduced ones alternate.  If the
 * last is reduced, each result is computed from runs of memory; if it is kept, from rows that are added element by
 * element.  Results are computed in tiles of up to TILE; if there are few tiles, threads share the pieces of each tile
 * instead. */
#include "ops/reduction.h"

#include <math.h>
#include <string.h>

#include "common/numbers.h"
#include "cost/cost.h"
#include "kernels/kernels.h"
#include "kernels/parallel.h"
#include "ops/ops.h"

enum { TILE = ATL_BLOCK_FLOATS, NARROW = TILE / 4, PIECE = ATL_CORE_FLOATS, CHUNKS = 32 };

/* How terms are put together: the loops, and the same for single numbers in double. */
typedef struct fold {
    const atl_fold_loops *loops;
    double start;
    double (*step)(double total, double x, double shift);
    double (*finish)(double total, double shift, double count);
} fold;

#define DEFINE_STEP(name, ELEMENT, COMBINE)                                                                            \
    static double name##_step(double total, double x, double shift)                                                    \
    {                                                                                                                  \
        (void)shift;                                                                                                   \
        return COMBINE(total, ELEMENT(x, shift));                                                                      \
    }
#define SHIFTED_EXP(x, shift) exp((x) - (shift))
DEFINE_STEP(sum, FOLD_VALUE, FOLD_ADD)
DEFINE_STEP(max, FOLD_VALUE, FOLD_LARGER)
DEFINE_STEP(min, FOLD_VALUE, FOLD_SMALLER)
DEFINE_STEP(product, FOLD_VALUE, FOLD_MULTIPLY)
DEFINE_STEP(sum_square, FOLD_SQUARE, FOLD_ADD)
DEFINE_STEP(exp_sum, SHIFTED_EXP, FOLD_ADD)

static double finish_plain(double total, double shift, double count)
{
    (void)shift;
    (void)count;
    return total;
}
static double finish_mean(double total, double shift, double count)
{
    (void)shift;
    return total / count;
}
static double finish_norm(double total, double shift, double count)
{
    (void)shift;
    (void)count;
    return sqrt(total);
}
static double finish_log_sum_exp(double total, double shift, double count)
{
    (void)count;
    return shift + log(total);
}

static fold fold_of(atl_fold kind)
{
    static const fold folds[] = {[ATL_FOLD_SUM] = {NULL, 0, sum_step, finish_plain},
                                 [ATL_FOLD_MEAN] = {NULL, 0, sum_step, finish_mean},
                                 [ATL_FOLD_MAX] = {NULL, -INFINITY, max_step, finish_plain},
                                 [ATL_FOLD_MIN] = {NULL, INFINITY, min_step, finish_plain},
                                 [ATL_FOLD_PRODUCT] = {NULL, 1, product_step, finish_plain},
                                 [ATL_FOLD_SUM_SQUARE] = {NULL, 0, sum_square_step, finish_plain},
                                 [ATL_FOLD_NORM] = {NULL, 0, sum_square_step, finish_norm},
                                 [ATL_FOLD_LOG_SUM_EXP] = {NULL, 0, exp_sum_step, finish_log_sum_exp}};
    fold result = folds[kind];
    result.loops = atl_kernels->fold_loops(kind);
    return result;
}

/* e^(x - infinity) is useless: an infinite or NaN maximum is not subtracted. */
static double usable_shift(double maximum) { return isfinite(maximum) ? maximum : 0; }

atl_reduction atl_reduction_over(atl_shape shape, unsigned reduced)
{
    atl_reduction reduction = {.rank = shape.rank, .reduced = reduced};
    memcpy(reduction.size, shape.size, sizeof shape.size);
    return reduction;
}

int atl_sum_over(atl_shape shape, unsigned reduced, atl_sum_form *form_out)
{
    atl_sum_form form = {.b = -1, .outer = 1, .reduced = 1, .inner = 1, .scale = 1};
    int ended = 0;
    for (int i = 0; i < shape.rank; i++) {
        int is_reduced = (reduced >> i) & 1;
        if (shape.size[i] == 1)
            continue;
        if (is_reduced && ended)
            return 0;
        ended |= !is_reduced && form.reduced > 1;
        *(is_reduced ? &form.reduced : ended ? &form.inner : &form.outer) *= shape.size[i];
    }
    *form_out = form;
    return form.reduced > 1 && form.outer * form.inner > 0;
}

/* Some dimensions with their strides, for iteration. */
typedef struct dimensions {
    int rank;
    int64_t count; /* product of sizes */
    int64_t size[ATL_STRIDED_COPY_RANK], stride[ATL_STRIDED_COPY_RANK];
} dimensions;

static void add_dimension(dimensions *d, int64_t size, int64_t stride)
{
    d->size[d->rank] = size;
    d->stride[d->rank++] = stride;
    d->count *= size;
}

static int64_t offset_of(const dimensions *d, int64_t index)
{
    int64_t offset = 0;
    for (int i = d->rank - 1; i >= 0 && index; i--) {
        offset += index % d->size[i] * d->stride[i];
        index /= d->size[i];
    }
    return offset;
}

typedef struct plan {
    fold fold;
    const float *x;
    float *result;
    dimensions kept, blocks;        /* kept dimensions without the last, reduced ones without the last */
    int64_t kept_size, kept_stride; /* the last kept dimension, which is divided into tiles */
    int64_t run_size, run_stride;   /* the last reduced dimension, which is divided into pieces */
    int64_t tile, tiles;            /* results per tile; tiles in the last kept dimension */
    int64_t rows_per_block;         /* short rows that are processed together: they are adjacent in memory */
    int64_t piece, pieces;          /* elements of the last reduced dimension per piece; number of pieces */
    int64_t chunks;                 /* parts of a tile that threads share */
    double count;                   /* terms of each result */
    int shifted;                    /* the results contain the shift */
} plan;

/* Splits the merged dimensions into the four kinds. */
static void sort_dimensions(plan *p, const atl_reduction *reduction)
{
    dimensions kinds[2] = {{.count = 1}, {.count = 1}}; /* kept, reduced; innermost first */
    int64_t stride = 1;
    int last_kind = -1;
    for (int i = reduction->rank - 1; i >= 0; i--) {
        int kind = reduction->reduced >> i & 1;
        dimensions *d = &kinds[kind];
        if (reduction->size[i] == 1)
            continue;
        if (kind == last_kind) {
            d->size[d->rank - 1] *= reduction->size[i];
            d->count *= reduction->size[i];
        } else
            add_dimension(d, reduction->size[i], stride);
        last_kind = kind;
        stride *= reduction->size[i];
    }
    p->count = (double)kinds[1].count;
    p->kept = p->blocks = (dimensions){.count = 1};
    for (int i = kinds[0].rank - 1; i > 0; i--)
        add_dimension(&p->kept, kinds[0].size[i], kinds[0].stride[i]);
    for (int i = kinds[1].rank - 1; i > 0; i--)
        add_dimension(&p->blocks, kinds[1].size[i], kinds[1].stride[i]);
    p->kept_size = kinds[0].rank ? kinds[0].size[0] : 1;
    p->kept_stride = kinds[0].rank ? kinds[0].stride[0] : 1;
    p->run_size = kinds[1].rank ? kinds[1].size[0] : 1;
    p->run_stride = kinds[1].rank ? kinds[1].stride[0] : 1;
}

/* True if rows are added element by element (the last dimension is kept); otherwise runs. */
static int by_rows(const plan *p) { return p->kept_stride == 1 && p->kept_size > 1; }

static void choose_tiles(plan *p)
{
    int64_t longest_run = p->run_size ? p->run_size : 1, pieces;
    int shared = p->kept.count * p->kept_size < 8 * NARROW && p->count * (double)p->kept_size > 4 * PIECE;
    p->rows_per_block = 1;
    p->piece = PIECE;
    if (by_rows(p)) {
        p->tile = atl_smaller(p->kept_size, shared ? NARROW : TILE);
        if (p->kept_size <= NARROW / 2)
            p->rows_per_block = atl_smaller(NARROW / p->kept_size, longest_run);
        p->piece = ATL_FOLD_BLOCK / ATL_FOLD_LANES * p->rows_per_block;
    } else
        p->tile =
            atl_smaller(p->kept_size, longest_run >= 2 * PIECE ? 1 : atl_smaller(NARROW, 2 * PIECE / longest_run));
    p->tiles = (p->kept_size + p->tile - 1) / p->tile;
    p->pieces = (p->run_size + p->piece - 1) / p->piece;
    pieces = p->blocks.count * p->pieces;
    p->chunks = shared && p->kept.count * p->tiles < 8 && pieces > 1 ? atl_smaller(pieces, CHUNKS) : 1;
}

/* One tile of results, or a part of the terms of one. */
typedef struct tile {
    int64_t width, result, x; /* results; the offsets of the results and of their first terms */
    float shift[TILE];        /* repeated for rows processed together */
} tile;

static void place_tile(const plan *p, int64_t index, tile *t)
{
    int64_t outer = index / p->tiles, first = index % p->tiles * p->tile;
    t->width = atl_smaller(p->tile, p->kept_size - first);
    t->result = outer * p->kept_size + first;
    t->x = offset_of(&p->kept, outer) + first * p->kept_stride;
    for (int64_t i = 0; p->shifted && i < t->width; i++)
        t->shift[i] = (float)usable_shift(p->result[t->result + i]);
    for (int64_t i = t->width; p->shifted && i < t->width * p->rows_per_block; i++)
        t->shift[i] = t->shift[i - t->width];
}

static void fold_rows(const plan *p, const tile *t, const float *x, int64_t rows, double *total)
{
    double part[TILE]; /* of floats, if the fold's loops are not wide */
    p->fold.loops->begin(part, p->rows_per_block * t->width);
    for (int64_t i = 0; i < rows; i += p->rows_per_block)
        p->fold.loops->rows(part, x + i * p->run_stride, t->shift, atl_smaller(p->rows_per_block, rows - i) * t->width);
    for (int64_t i = 0; i < p->rows_per_block; i++)
        p->fold.loops->flush(total, part, i * t->width, t->width);
}

static void fold_runs(const plan *p, const tile *t, const float *x, int64_t n, double *total)
{
    p->fold.loops->runs(total, x, p->kept_stride, n, t->shift, t->width);
}

/* The terms of one chunk: total[width]. */
static void fold_chunk(const plan *p, const tile *t, int64_t chunk, double *total)
{
    int64_t pieces = p->blocks.count * p->pieces;
    int64_t first = pieces * chunk / p->chunks, last = pieces * (chunk + 1) / p->chunks;
    for (int64_t i = 0; i < t->width; i++)
        total[i] = p->fold.start;
    for (int64_t i = first; i < last; i++) {
        int64_t from = i % p->pieces * p->piece, n = atl_smaller(p->piece, p->run_size - from);
        const float *x = p->x + t->x + offset_of(&p->blocks, i / p->pieces) + from * p->run_stride;
        (by_rows(p) ? fold_rows : fold_runs)(p, t, x, n, total);
    }
}

static void finish_tile(const plan *p, const tile *t, const double *total)
{
    for (int64_t i = 0; i < t->width; i++)
        p->result[t->result + i] = (float)p->fold.finish(total[i], p->shifted ? t->shift[i] : 0, p->count);
}

static void reduce_tiles(const void *job, int64_t first, int64_t last)
{
    const plan *p = job;
    double total[TILE];
    for (int64_t i = first; i < last; i++) {
        tile t;
        place_tile(p, i, &t);
        fold_chunk(p, &t, 0, total);
        finish_tile(p, &t, total);
    }
}

/* A tile whose terms the threads share. */
typedef struct shared_tile {
    const plan *plan;
    tile tile;
    double total[CHUNKS][NARROW];
} shared_tile;

static void fold_chunks(const void *job, int64_t first, int64_t last)
{
    const shared_tile *shared = job;
    for (int64_t i = first; i < last; i++)
        fold_chunk(shared->plan, &shared->tile, i, (double *)shared->total[i]);
}

static void reduce_shared_tile(const plan *p, int64_t index)
{
    shared_tile shared;
    shared.plan = p;
    place_tile(p, index, &shared.tile);
    atl_parallel(p->chunks, (int64_t)p->count * shared.tile.width, fold_chunks, &shared);
    for (int64_t i = 1; i < p->chunks; i++)
        p->fold.loops->join(shared.total[0], shared.total[i], shared.tile.width);
    finish_tile(p, &shared.tile, shared.total[0]);
}

void atl_reduce_floats(const atl_reduction *reduction, atl_fold kind, const float *x, float *result)
{
    plan p = {.fold = fold_of(kind), .x = x, .result = result};
    if (kind == ATL_FOLD_LOG_SUM_EXP) {
        atl_reduce_floats(reduction, ATL_FOLD_MAX, x, result);
        p.shifted = 1;
    }
    sort_dimensions(&p, reduction);
    if (p.kept.count * p.kept_size == 0)
        return;
    choose_tiles(&p);
    int64_t tiles = p.kept.count * p.tiles;
    if (p.chunks == 1)
        atl_parallel(tiles, tiles * p.tile * (int64_t)p.count, reduce_tiles, &p);
    else
        for (int64_t i = 0; i < tiles; i++)
            reduce_shared_tile(&p, i);
}

void atl_reduce_doubles(const atl_reduction *reduction, atl_fold kind, const double *x, double *result)
{
    fold how = fold_of(kind);
    dimensions kept = {.count = 1}, reduced = {.count = 1};
    int64_t stride[ATL_STRIDED_COPY_RANK], next = 1;
    for (int i = reduction->rank - 1; i >= 0; next *= reduction->size[i--])
        stride[i] = next;
    for (int i = 0; i < reduction->rank; i++)
        add_dimension(reduction->reduced >> i & 1 ? &reduced : &kept, reduction->size[i], stride[i]);
    if (kind == ATL_FOLD_LOG_SUM_EXP)
        atl_reduce_doubles(reduction, ATL_FOLD_MAX, x, result);
    for (int64_t i = 0; i < kept.count; i++) {
        const double *first = x + offset_of(&kept, i);
        double total = how.start, shift = kind == ATL_FOLD_LOG_SUM_EXP ? usable_shift(result[i]) : 0;
        for (int64_t j = 0; j < reduced.count; j++)
            total = how.step(total, first[offset_of(&reduced, j)], shift);
        result[i] = how.finish(total, shift, (double)reduced.count);
    }
}
