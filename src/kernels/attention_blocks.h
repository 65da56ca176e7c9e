/* What attention and its gradient share: blocks of queries and keys, and products of them. */
#ifndef ATLED_KERNELS_ATTENTION_BLOCKS_H
#define ATLED_KERNELS_ATTENTION_BLOCKS_H

#include "cost/cost.h"
#include "kernels/attention.h"
#include "kernels/vectors.h"

/* ROWS rows and PANEL vectors are in registers; blocks of queries are whole numbers of such rows. */
enum { ROWS = 6, PANEL = ATL_REGISTERS == 32 ? 4 : 2, QUERIES = 8 * ROWS, MOST_KEYS = ATL_ATTENTION_BLOCK, LINE = 16 };

static inline int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/* Equal blocks of keys: whole vectors, but for the last. */
static inline int64_t blocks_of_keys(const atl_attention *p) { return (p->keys + MOST_KEYS - 1) / MOST_KEYS; }
static inline int64_t keys_in_block(const atl_attention *p)
{
    int64_t blocks = blocks_of_keys(p);
    return rounded_up((p->keys + blocks - 1) / blocks, LINE);
}

/* Some rows of a head, whole tiles, of the part that a worker has of all rows of some heads. */
typedef struct span {
    int64_t first_head, at, end; /* tiles, of these heads */
    int64_t head, first, last;
} span;

static inline span span_of_worker(const atl_attention *p, int64_t first_head, int64_t heads, int64_t rows, int worker)
{
    int64_t tiles = heads * ((rows + ROWS - 1) / ROWS);
    return (
        span){.first_head = first_head, .at = tiles * worker / p->workers, .end = tiles * (worker + 1) / p->workers};
}

static inline int next_span(int64_t rows, span *s)
{
    int64_t tiles = (rows + ROWS - 1) / ROWS, from = s->at % tiles, left = s->end - s->at;
    int64_t count = left < tiles - from ? left : tiles - from;
    s->head = s->first_head + s->at / tiles;
    s->first = from * ROWS;
    s->last = (from + count) * ROWS < rows ? (from + count) * ROWS : rows;
    s->at += count;
    return count > 0;
}

INLINE void tile_of_product(const int vectors, int64_t depth, const float *a, int64_t a_row, int64_t a_step,
                            const float *b, int64_t b_step, int add, float *c, int64_t c_row)
{
    product_tile sum;
    if (add)
        load_tile(ROWS, vectors, c, c_row, sum);
    else
        clear_tile(ROWS, vectors, sum);
    add_to_tile(ROWS, vectors, depth, a, a_row, a_step, b, b_step, sum);
    store_tile(ROWS, vectors, sum, c, c_row);
}

INLINE void column_of_tiles(const int vectors, int64_t rows, int64_t depth, const float *a, int64_t a_row,
                            int64_t a_step, const float *b, int64_t b_step, int add, float *c, int64_t c_row)
{
    for (int64_t i = 0; i < rows; i += ROWS)
        tile_of_product(vectors, depth, a + i * a_row, a_row, a_step, b, b_step, add, c + i * c_row, c_row);
}

static inline void add_terms(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t a_row,
                             int64_t a_step, const float *b, int64_t b_step, int add, float *c, int64_t c_row)
{
    int64_t left = (columns + VECTOR - 1) / VECTOR;
    for (; left > 0; left -= PANEL, b += PANEL * VECTOR, c += PANEL * VECTOR)
        FOR_VECTORS(left < PANEL ? left : PANEL,
                    column_of_tiles(PANEL, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row),
                    column_of_tiles(3, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row),
                    column_of_tiles(2, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row),
                    column_of_tiles(1, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row))
}

/* c [rows, columns] = a [rows, depth] b [depth, columns], or added to it.  Rows are rounded up to ROWS, columns to
 * vectors: all arrays have room.  So many terms at a time that the first-level cache keeps a panel of b. */
static inline void multiply(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t a_row, int64_t a_step,
                            const float *b, int64_t b_step, int add, float *c, int64_t c_row)
{
    enum { TERMS = ATL_CORE_FLOATS * 7 / 8 / (PANEL * VECTOR) };
    int64_t pieces = (depth + TERMS - 1) / TERMS;
    for (int64_t n = 0; n < pieces; n++) {
        int64_t k = depth * n / pieces, end = depth * (n + 1) / pieces;
        add_terms(rows, columns, end - k, a + k * a_step, a_row, a_step, b + k * b_step, b_step, add || n > 0, c,
                  c_row);
    }
}

/* Rows of a strided matrix, times a factor, as dense rows of `width` floats, the rest of each, and rows up to
 * `all_rows`, zeros. */
static inline void copy_rows(int64_t rows, int64_t columns, float factor, const float *x, const atl_matrices *m,
                             int64_t all_rows, int64_t width, float *to)
{
    for (int64_t i = 0; i < rows; i++, to += width) {
        const float *row = x + i * m->row;
        for (int64_t j = 0; j < columns && m->column == 1; j++)
            to[j] = factor * row[j];
        for (int64_t j = 0; j < columns && m->column != 1; j++)
            to[j] = factor * row[j * m->column];
        for (int64_t j = columns; j < width; j++)
            to[j] = 0;
    }
    memset(to, 0, (size_t)((all_rows - rows) * width) * sizeof *to);
}

/* Such rows without a copy where they are whole vectors: where they start, and floats from one to the next. */
static inline const float *whole_rows(int64_t rows, int64_t columns, const float *x, const atl_matrices *m, float *copy,
                                      int64_t *row)
{
    *row = m->row;
    if (m->column == 1 && columns % VECTOR == 0)
        return x;
    *row = rounded_up(columns, LINE);
    copy_rows(rows, columns, 1, x, m, rows, *row, copy);
    return copy;
}

/* The rows first..last-1, some columns of them, become columns of `to`. */
INLINE void turn_numbers(int64_t first, int64_t last, int64_t from, int64_t end, const float *x, const atl_matrices *m,
                         int64_t width, float *to)
{
    for (int64_t j = from; j < end; j++)
        for (int64_t i = first; i < last; i++)
            to[j * width + i] = x[i * m->row + j * m->column];
}

/* The same, transposed: [columns, width], with zeros behind the rows. */
static inline void copy_transposed(int64_t rows, int64_t columns, const float *x, const atl_matrices *m, int64_t width,
                                   float *to)
{
    int64_t i = 0, squares = m->column == 1 ? columns / VECTOR * VECTOR : 0;
    for (; i + VECTOR <= rows; i += VECTOR) {
        for (int64_t j = 0; j < squares; j += VECTOR) {
            vec square[VECTOR];
            UNROLL
            for (int n = 0; n < VECTOR; n++)
                square[n] = load(x + (i + n) * m->row + j);
            turn_square(square);
            UNROLL
            for (int n = 0; n < VECTOR; n++)
                store(to + (j + n) * width + i, square[n]);
        }
        turn_numbers(i, i + VECTOR, squares, columns, x, m, width, to);
    }
    turn_numbers(i, rows, 0, columns, x, m, width, to);
    for (int64_t j = 0; j < columns; j++)
        for (i = rows; i < width; i++)
            to[j * width + i] = 0;
}

/* Dense rows of `width` floats, times a factor, into a strided matrix. */
static inline void write_rows(int64_t rows, int64_t columns, float factor, const float *from, int64_t width,
                              const atl_matrices *m, float *x)
{
    for (int64_t i = 0; i < rows; i++, from += width) {
        float *row = x + i * m->row;
        for (int64_t j = 0; j < columns && m->column == 1; j++)
            row[j] = factor * from[j];
        for (int64_t j = 0; j < columns && m->column != 1; j++)
            row[j * m->column] = factor * from[j];
    }
}

/* Applies the mask of a head to the scores of a query with the keys from `first` on. */
static inline void mask_scores(const atl_attention *p, const float *mask, int64_t query, int64_t first, int64_t keys,
                               float *score)
{
    const float *m = mask ? mask + query * p->mask.row + first * p->mask.column : NULL;
    const int64_t step = p->mask.column, seen = query + p->diagonal + 1 - first;
    const float hidden = p->hidden;
    if (p->mask_kind == ATL_MASK_ADDED)
        for (int64_t j = 0; j < keys; j++)
            score[j] += m[j * step];
    else if (p->mask_kind != ATL_MASK_NONE)
        for (int64_t j = 0; j < keys; j++)
            score[j] = (m[j * step] != 0) == (p->mask_kind == ATL_MASK_KEEPS) ? score[j] : hidden;
    for (int64_t j = seen > 0 ? seen : 0; p->causal && j < keys; j++)
        score[j] = p->unseen;
}

/* The gradients of hidden scores become zeros. */
static inline void mask_slopes(const atl_attention *p, const float *mask, int64_t query, int64_t first, int64_t keys,
                               float *slope)
{
    const float *m = mask ? mask + query * p->mask.row + first * p->mask.column : NULL;
    const int64_t step = p->mask.column, seen = query + p->diagonal + 1 - first;
    if (p->mask_kind == ATL_MASK_KEEPS || p->mask_kind == ATL_MASK_HIDES)
        for (int64_t j = 0; j < keys; j++)
            slope[j] = (m[j * step] != 0) == (p->mask_kind == ATL_MASK_KEEPS) ? slope[j] : 0;
    for (int64_t j = seen > 0 ? seen : 0; p->causal && j < keys; j++)
        slope[j] = 0;
}

/* Fetches a row of kept weights, which lies beyond the second-level cache, for later. */
static inline void fetch_row(const atl_attention *p, const float *row)
{
    for (int64_t j = 0; j < atl_kept_row(p); j += LINE)
        __builtin_prefetch(row + j, 0, 2);
}

static inline int64_t matrix_at(const atl_attention *p, const atl_matrices *m, int64_t head)
{
    return head / p->heads * m->outer + head % p->heads * m->head;
}

#endif
