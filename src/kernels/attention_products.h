/* Products of attention's blocks, and what is fetched from memory meanwhile. */
#ifndef ATLED_KERNELS_ATTENTION_PRODUCTS_H
#define ATLED_KERNELS_ATTENTION_PRODUCTS_H

#include "cost/cost.h"
#include "kernels/attention.h"
#include "kernels/product_tiles.h"

/* ROWS rows and PANEL vectors are in registers; blocks of queries are whole numbers of such rows. */
enum { ROWS = ATL_ATTENTION_ROWS, PANEL = ATL_REGISTERS == 32 ? 4 : 2, QUERIES = 8 * ROWS };

/* ---- fetching ---------------------------------------------------------------------------------------------------- */

/* What lies beyond the second-level cache and is read or written soon: `rows` pieces of FETCHED floats, `step` apart.
 * All at once would keep the processor waiting; a piece is asked for before each TERMS terms of a product. */
enum { MOST_FETCHED = 24, FETCHED = 4 * LINE_FLOATS, TERMS = ATL_REGISTERS == 32 ? 16 : 32 };
typedef struct fetching {
    struct {
        const float *at;
        int64_t rows, step;
    } part[MOST_FETCHED];
    int parts;
} fetching;

static inline void fetch_later(fetching *f, const float *at, int64_t rows, int64_t width, int64_t step)
{
    for (int64_t j = 0; j < width && rows > 0 && f->parts < MOST_FETCHED; j += FETCHED, f->parts++) {
        f->part[f->parts].at = at + j;
        f->part[f->parts].rows = rows;
        f->part[f->parts].step = step;
    }
}

INLINE void fetch_lines(fetching *f)
{
    if (f->parts == 0)
        return;
    const int last = f->parts - 1;
    const float *at = f->part[last].at;
    UNROLL
    for (int i = 0; i < FETCHED; i += LINE_FLOATS)
        __builtin_prefetch(at + i, 0, 2);
    f->part[last].at = at + f->part[last].step;
    if (--f->part[last].rows == 0)
        f->parts = last;
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* c [rows, columns] = a [rows, depth] b [depth, columns], or added to it; a may lie transposed.  Floats from row to row
 * as they lie.  Rows are rounded up to ROWS, columns to vectors: all arrays have room. */
typedef struct product {
    int64_t rows, columns, depth;
    const float *a;
    int64_t a_row;
    const float *b;
    int64_t b_row;
    float *c;
    int64_t c_row;
    int add;
} product;

INLINE void tile_of_product(const int vectors, const int transposed, const product *p, const float *a, const float *b,
                            float *c, fetching *f)
{
    const int64_t a_row = transposed ? 1 : p->a_row, a_step = transposed ? p->a_row : 1;
    product_tile sum;
    if (p->add)
        load_tile(ROWS, vectors, c, p->c_row, sum);
    else
        clear_tile(ROWS, vectors, sum);
    for (int64_t left = p->depth; left > 0;) {
        const int64_t terms = left < TERMS || f->parts == 0 ? left : TERMS;
        fetch_lines(f);
        add_to_tile(ROWS, vectors, terms, a, a_row, a_step, b, p->b_row, sum);
        a += terms * a_step;
        b += terms * p->b_row;
        left -= terms;
    }
    store_tile(ROWS, vectors, sum, c, p->c_row);
}

INLINE void column_of_tiles(const int vectors, const int transposed, const product *p, int64_t column, fetching *f)
{
    for (int64_t i = 0; i < p->rows; i += ROWS)
        tile_of_product(vectors, transposed, p, p->a + (transposed ? i : i * p->a_row), p->b + column,
                        p->c + i * p->c_row + column, f);
}

/* Panels of columns are nearly equal: a tile of one vector would wait for its own sums. */
INLINE void all_columns(const int transposed, const product *p, fetching *f)
{
    int64_t left = (p->columns + VECTOR - 1) / VECTOR, panels = (left + PANEL - 1) / PANEL, column = 0;
    for (; panels > 0; panels--) {
        const int64_t vectors = (left + panels - 1) / panels;
        FOR_VECTORS(vectors, column_of_tiles(PANEL, transposed, p, column, f),
                    column_of_tiles(3, transposed, p, column, f), column_of_tiles(2, transposed, p, column, f),
                    column_of_tiles(1, transposed, p, column, f))
        left -= vectors;
        column += vectors * VECTOR;
    }
}

/* So many terms at a time that the first-level cache keeps a panel of b, beside what is read of a. */
INLINE void all_terms(const int transposed, const product *p, fetching *f)
{
    enum { MOST_TERMS = ATL_CORE_FLOATS * (ATL_REGISTERS == 32 ? 7 : 4) / 8 / (PANEL * VECTOR) };
    const int64_t pieces = (p->depth + MOST_TERMS - 1) / MOST_TERMS;
    for (int64_t n = 0; n < pieces; n++) {
        int64_t k = p->depth * n / pieces;
        product piece = *p;
        piece.depth = p->depth * (n + 1) / pieces - k;
        piece.a += transposed ? k * p->a_row : k;
        piece.b += k * p->b_row;
        piece.add = p->add || n > 0;
        all_columns(transposed, &piece, f);
    }
}

static inline void multiply(const product *p, fetching *f) { all_terms(0, p, f); }
static inline void multiply_transposed(const product *p, fetching *f) { all_terms(1, p, f); }

#endif
