/* 1x1 convolutions with filters that the first-level cache keeps, for pointwise.c: all outputs of a tile's pixels are
 * computed one after the other, so that whole pixels are written from first to last, and each is read once.
 *
 * Such sums are short, and the arrays may come from memory: between the terms of a tile the lines are asked for that
 * later tiles read and write. */
#ifndef ATLED_KERNELS_POINTWISE_SMALL_H
#define ATLED_KERNELS_POINTWISE_SMALL_H

#include "common/numbers.h"
#include "cost/cost.h"
#include "kernels/pointwise_tiles.h"

enum { SMALL_FILTER = ATL_CORE_FLOATS }; /* which the first-level cache keeps */

/* ---- lines of later tiles ---------------------------------------------------------------------------------------- */

/* Before some terms a line of each stream is asked for: registers for addresses are as few as this.  Memory answers in
 * the time of about two tiles. */
enum {
    STREAMS = ATL_REGISTERS == 32 ? 3 : 2,
    CHUNK = ATL_REGISTERS == 32 ? 1 : 8,
    LINES = ATL_REGISTERS == 32 ? 1 : 3,
    TERMS_AHEAD = 128,
    MOST_AHEAD = 4
};

/* A stream: a part of the image, the result or an array that the epilogue reads. */
typedef struct stream {
    const float *start; /* of what it fetches during the first tile */
    int64_t pixel;      /* floats from pixel to pixel */
    int64_t panel;      /* and from tile to tile of the same pixels */
} stream;

typedef struct streams {
    stream s[STREAMS];
} streams;

/* Those of tiles with `rows` pixels, for whole arrays that are `panels` tiles wide.  Where a tile's share of an array
 * has more lines than terms, more streams have a part of it each.  The result comes last: no instruction waits for it.
 * Streams that are left over fetch the first one's lines again, which costs less than to skip them.  Pixels that lie
 * apart are left to the processor: a stream would fetch what is between them. */
static streams new_streams(const product *x, int rows, int64_t panels, int64_t chunk)
{
    const int64_t lines = atl_larger(x->p->in / chunk, 1) * LINES;
    const int64_t ahead =
        rows * (1 + atl_smaller(MOST_AHEAD, TERMS_AHEAD / atl_larger(x->p->in * panels, 1))); /* pixels */
    streams all;
    int count = 0;
    for (int k = 0; k <= x->arrays && count < STREAMS; k++) {
        const pixel_array array = k == 0 ? (pixel_array){x->image, x->p->in_pixel_stride} : x->array[k % x->arrays];
        const int64_t width = k == 0 ? x->p->in : x->p->out, share = rows * width / panels;
        const int64_t parts = (share + lines * LINE_FLOATS - 1) / (lines * LINE_FLOATS);
        for (int64_t i = 0; i < parts && count < STREAMS && array.row == width; i++)
            all.s[count++] = (stream){array.from + ahead * width + i * (share / parts), width, share};
    }
    for (; count < STREAMS; count++)
        all.s[count] = count ? all.s[0] : (stream){x->image, x->p->in_pixel_stride, 0};
    return all;
}

typedef const float *stream_lines[STREAMS];

INLINE void lines_of(const streams *all, int64_t pixel, int64_t panel, stream_lines line)
{
    UNROLL
    for (int i = 0; i < STREAMS; i++)
        line[i] = all->s[i].start + pixel * all->s[i].pixel + panel * all->s[i].panel;
}

INLINE void fetch_next(const stream_lines line, int64_t floats)
{
    UNROLL
    for (int i = 0; i < STREAMS * LINES; i++)
        __builtin_prefetch(line[i / LINES] + floats + i % LINES * LINE_FLOATS, 0, 3);
}

/* ---- outputs in whole vectors ------------------------------------------------------------------------------------ */

/* Vectors that a tile has side by side. */
static int small_vectors(int64_t out) { return ATL_REGISTERS == 32 && out % (6 * VECTOR) == 0 ? 6 : tile_vectors(out); }
static int small_rows(int64_t out) { return small_vectors(out) == 6 ? 4 : tile_rows(small_vectors(out)); }

/* sum += a [rows, in] b [in, vectors * VECTOR] */
INLINE void small_terms(const int rows, const int vectors, const product *x, const float *a, const float *b,
                        const stream_lines line, product_tile sum)
{
    const int64_t in = x->p->in, a_row = x->p->in_pixel_stride, panel = vectors * VECTOR;
    int64_t k = 0;
    for (; k + CHUNK <= in; k += CHUNK, a += CHUNK, b += CHUNK * panel) {
        fetch_next(line, k * (LINES * LINE_FLOATS / CHUNK));
        add_to_tile(rows, vectors, CHUNK, a, a_row, 1, b, panel, sum);
    }
    if (CHUNK > 1)
        add_to_tile(rows, vectors, in - k, a, a_row, 1, b, panel, sum);
}

/* Some pixels from `from` on with the whole filter, and then the next ones. */
INLINE void small_range(const int rows, const int vectors, const product *x, int64_t from, int64_t to)
{
    const atl_pointwise *p = x->p;
    const int64_t panel = vectors * VECTOR;
    const streams all = new_streams(x, rows, p->out / panel, CHUNK);
    for (; from + rows <= to; from += rows)
        for (int64_t n = 0, o = 0; o < p->out; n++, o += panel) {
            stream_lines line;
            product_tile sum;
            lines_of(&all, from, n, line);
            clear_tile(rows, vectors, sum);
            small_terms(rows, vectors, x, x->image + from * p->in_pixel_stride, x->packed + o * p->in, line, sum);
            write_tile(rows, vectors, p, from, o, sum, &x->end, x->result);
        }
    for (; from < to; from++)
        for (int64_t o = 0; o < p->out; o += panel) {
            product_tile sum;
            clear_tile(1, vectors, sum);
            add_to_tile(1, vectors, p->in, x->image + from * p->in_pixel_stride, p->in_pixel_stride, 1,
                        x->packed + o * p->in, panel, sum);
            write_tile(1, vectors, p, from, o, sum, &x->end, x->result);
        }
}

static void multiply_small(const product *x, int64_t from, int64_t to)
{
#if ATL_REGISTERS == 32
    if (small_vectors(x->p->out) == 6) {
        small_range(4, 6, x, from, to);
        return;
    }
#endif
    FOR_TILE(x->p->out, small_range, x, from, to)
}

#endif
