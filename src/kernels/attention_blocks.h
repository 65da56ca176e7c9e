/* What attention and its gradient share: blocks of queries and keys, and products of them. */
#ifndef ATLED_KERNELS_ATTENTION_BLOCKS_H
#define ATLED_KERNELS_ATTENTION_BLOCKS_H

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

/* Pieces that a head's work is cut into, where there are fewer heads than threads. */
static inline int64_t pieces_of_head(const atl_attention *p, int64_t most)
{
    int64_t heads = p->outer * p->heads, pieces = (p->workers + heads - 1) / heads;
    return pieces < most ? pieces : most;
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

/* c [rows, columns] = a [rows, depth] b [depth, columns], or added to it.  Rows are rounded up to ROWS, columns to
 * vectors: all arrays have room. */
static void multiply(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t a_row, int64_t a_step,
                     const float *b, int64_t b_step, int add, float *c, int64_t c_row)
{
    int64_t left = (columns + VECTOR - 1) / VECTOR;
    for (; left > 0; left -= PANEL, b += PANEL * VECTOR, c += PANEL * VECTOR)
        FOR_VECTORS(left < PANEL ? left : PANEL,
                    column_of_tiles(PANEL, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row),
                    column_of_tiles(3, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row),
                    column_of_tiles(2, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row),
                    column_of_tiles(1, rows, depth, a, a_row, a_step, b, b_step, add, c, c_row))
}

/* Rows of a strided matrix, times a factor, as dense rows of `width` floats, the rest of each, and rows up to
 * `all_rows`, zeros. */
static void copy_rows(int64_t rows, int64_t columns, float factor, const float *x, const atl_matrices *m,
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

/* The same, transposed: [columns, width], with zeros behind the rows; some rows at a time, so that what is written to
 * stays in the first-level cache. */
static void copy_transposed(int64_t rows, int64_t columns, const float *x, const atl_matrices *m, int64_t width,
                            float *to)
{
    enum { TOGETHER = 8 };
    for (int64_t i = 0; i < rows; i += TOGETHER) {
        const float *from = x + i * m->row;
        int64_t count = rows - i < TOGETHER ? rows - i : TOGETHER;
        for (int64_t j = 0; j < columns && count == TOGETHER; j++)
            UNROLL
        for (int n = 0; n < TOGETHER; n++)
            to[j * width + i + n] = from[n * m->row + j * m->column];
        for (int64_t j = 0; j < columns && count < TOGETHER; j++)
            for (int64_t n = 0; n < count; n++)
                to[j * width + i + n] = from[n * m->row + j * m->column];
    }
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = rows; i < width; i++)
            to[j * width + i] = 0;
}

/* Dense rows of `width` floats, times a factor, into a strided matrix. */
static void write_rows(int64_t rows, int64_t columns, float factor, const float *from, int64_t width,
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

static inline int64_t matrix_at(const atl_attention *p, const atl_matrices *m, int64_t head)
{
    return head / p->heads * m->outer + head % p->heads * m->head;
}

#endif
