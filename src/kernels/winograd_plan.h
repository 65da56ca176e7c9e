/* Winograd's method: how tiles share the results of an image.  Included by the sources of the kernel only. */
#ifndef ATLED_KERNELS_WINOGRAD_PLAN_H
#define ATLED_KERNELS_WINOGRAD_PLAN_H

#include "common/numbers.h"
#include "kernels/product_tiles.h"
#include "kernels/winograd.h"

enum { TILE = 4, SHORT_TILE = 2, SHORT_SIDE = 4 };
enum { MAX_KERNEL_SIZE = 5, MAX_SIDE = MAX_KERNEL_SIZE + 3, MAX_POINTS = MAX_SIDE * MAX_SIDE, PADDING = 16 };

static inline int64_t clamp(int64_t x, int64_t most) { return x < 0 ? 0 : x < most ? x : most; }

/* The fewest steps that reach `distance` or more. */
static inline int64_t steps_over(int64_t distance, int64_t step)
{
    return distance <= 0 ? 0 : step == 1 ? distance : atl_divide_up(distance, step);
}

/* ---- one direction ----------------------------------------------------------------------------------------------- */

/* The rows or the columns of tiles of an image.  The results of a dilated convolution that are `dilation` apart are
 * those of a dense convolution of pixels that are as far apart: one such class of results begins at each of the first
 * `dilation` results, and has tiles of its own.  Where the results are no multiple of the dilation, the first classes
 * have one result more than the others. */
typedef struct lines {
    int64_t dilation;
    int64_t longer;      /* classes that have one result more; the index is 0 for these, and 1 for the others: */
    int64_t whole_of[2]; /* whole tiles of a class */
    int64_t short_of[2]; /* short tiles of a class, behind the whole ones: 0 or 1 */
    int64_t wholes, shorts, all; /* of all classes */
} lines;

static inline lines lines_of(int64_t results, int64_t dilation, int may_be_short)
{
    lines l = {.dilation = dilation, .longer = results % dilation};
    for (int i = 0; i < 2; i++) {
        const int64_t of_class = results / dilation + (i == 0), rest = of_class % TILE;
        const int64_t classes = i == 0 ? l.longer : dilation - l.longer;
        l.short_of[i] = may_be_short && rest > 0 && rest <= SHORT_TILE;
        l.whole_of[i] = atl_divide_up(of_class, TILE) - l.short_of[i];
        l.wholes += classes * l.whole_of[i];
        l.shorts += classes * l.short_of[i];
    }
    l.all = l.wholes + l.shorts;
    return l;
}

/* The first result of a whole or a short tile, counted among their like.  With dilation it is a call, so that the loops
 * over tiles without it stay small. */
static __attribute__((noinline)) int64_t first_of_dilated(const lines *l, int is_short, int64_t line)
{
    const int64_t *of_class = is_short ? l->short_of : l->whole_of, of_longer = l->longer * of_class[0];
    const int kind = line >= of_longer;
    const int64_t at = line - (kind ? of_longer : 0), class = (kind ? l->longer : 0) + at / of_class[kind];
    return class + (is_short ? l->whole_of[kind] : at % of_class[kind]) * TILE * l->dilation;
}
static inline int64_t first_result(const lines *l, int is_short, int64_t line)
{
    return l->dilation > 1 ? first_of_dilated(l, is_short, line) : (is_short ? l->whole_of[1] : line) * TILE;
}

/* ---- both directions --------------------------------------------------------------------------------------------- */

/* Kinds of tiles, in the order in which all tiles of a batch lie: so those that have a point lie side by side. */
enum { SHORT_DOWN, WHOLE, SHORT_ACROSS, SHORT_BOTH, KINDS };

typedef struct plan {
    int64_t tile_points;        /* in both directions */
    lines down, across;         /* of an image */
    int64_t first[KINDS + 1];   /* tile of each kind, in the whole batch; and the number of all */
    int64_t tiles;              /* of the whole batch */
    int64_t block;              /* tiles that are worked on at once */
    int64_t parts, part;        /* the outputs are shared among so many workers; outputs of each */
    int64_t depth;              /* inputs of a slice of the block's x */
    int64_t x_stride, y_stride; /* floats from point to point of a block */
} plan;

static inline int64_t dilation_down(const atl_winograd *w) { return w->dilation_y ? w->dilation_y : 1; }
static inline int64_t dilation_across(const atl_winograd *w) { return w->dilation_x ? w->dilation_x : 1; }

static inline plan plan_of_tiles(const atl_winograd *w, int may_be_short)
{
    plan p = {.tile_points = (w->kernel_size + 3) * (w->kernel_size + 3), .parts = 1, .part = w->out, .depth = w->in};
    p.down = lines_of(w->result_height, dilation_down(w), may_be_short);
    p.across = lines_of(w->result_width, dilation_across(w), may_be_short);
    p.tiles = w->batch * p.down.all * p.across.all;
    p.first[WHOLE] = w->batch * p.down.shorts * p.across.wholes;
    p.first[SHORT_ACROSS] = p.first[WHOLE] + w->batch * p.down.wholes * p.across.wholes;
    p.first[SHORT_BOTH] = p.first[SHORT_ACROSS] + w->batch * p.down.wholes * p.across.shorts;
    p.first[KINDS] = p.tiles;
    return p;
}

static inline plan tiles_of(const atl_winograd *w) { return plan_of_tiles(w, 0); }

/* The same, with short tiles at the edges where one or two results are left over and a tile has 3x3 windows. */
static inline plan mixed_tiles_of(const atl_winograd *w) { return plan_of_tiles(w, w->kernel_size == 3); }

/* Rows of a block of tiles: those that have a point, from <= t < to, in `rows` at a time up to `end`. */
typedef struct point_rows {
    int64_t from, to, end;
} point_rows;

/* `first`: the first of the block's `tiles`. */
static inline point_rows rows_with_point(const plan *p, int64_t point, int64_t first, int64_t tiles, int64_t rows)
{
    const int64_t side = p->tile_points == 36 ? 6 : 8, v = point / side, h = point % side;
    const int whole_down = side == 6 && (v == 3 || v == 4), whole_across = side == 6 && (h == 3 || h == 4);
    const int64_t from = p->first[whole_down ? WHOLE : SHORT_DOWN] - first;
    const int64_t to = p->first[whole_across ? SHORT_ACROSS : whole_down ? SHORT_BOTH : KINDS] - first;
    point_rows r = {clamp(from, tiles), clamp(to, tiles), 0};
    r.end = r.from + atl_round_up(r.to - r.from, rows);
    return r;
}

/* Rows that are allocated for a block of tiles: those with a point may begin anywhere. */
static inline int64_t allocated_rows(const plan *p, int64_t rows)
{
    return p->block + (p->first[SHORT_ACROSS] - p->first[WHOLE] < p->tiles ? rows : 0);
}

/* Floats from point to point of a transformed filter, or of the sums for one. */
static inline int64_t filter_stride(const atl_winograd *w) { return w->in * w->out + PADDING; }

/* ---- the place of a tile ----------------------------------------------------------------------------------------- */

typedef struct place { /* of a tile: its example, and its first result */
    int64_t n, y, x;
    int64_t row, column; /* among the tiles of its kind */
    int kind;
} place;

static inline int is_low(int kind) { return kind == SHORT_DOWN || kind == SHORT_BOTH; } /* at the edge */
static inline int is_right(int kind) { return kind >= SHORT_ACROSS; }
static inline int64_t rows_of(const plan *p, int kind) { return is_low(kind) ? p->down.shorts : p->down.wholes; }
static inline int64_t columns_of(const plan *p, int kind)
{
    return is_right(kind) ? p->across.shorts : p->across.wholes;
}

static inline place place_of(const plan *p, int64_t tile)
{
    if (tile == p->tiles) /* behind the last one */
        return (place){0};
    const int kind = (tile >= p->first[WHOLE]) + (tile >= p->first[SHORT_ACROSS]) + (tile >= p->first[SHORT_BOTH]);
    const int64_t t = tile - p->first[kind], down = rows_of(p, kind), across = columns_of(p, kind);
    place at = {.n = t / (down * across), .row = t / across % down, .column = t % across, .kind = kind};
    at.y = first_result(&p->down, is_low(kind), at.row);
    at.x = first_result(&p->across, is_right(kind), at.column);
    return at;
}

/* The same, if `at` is the place of the tile before. */
static inline void to_next_place(const plan *p, int64_t tile, place *at)
{
    if (tile == p->first[at->kind + 1]) {
        *at = place_of(p, tile);
        return;
    }
    if (++at->column == columns_of(p, at->kind)) {
        at->column = 0;
        if (++at->row == rows_of(p, at->kind)) {
            at->row = 0;
            at->n++;
        }
        at->y = first_result(&p->down, is_low(at->kind), at->row);
    }
    at->x = first_result(&p->across, is_right(at->kind), at->column);
}

#endif
