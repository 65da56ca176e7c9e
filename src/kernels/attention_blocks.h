/* What attention and its gradient share: blocks of queries and keys. */
#ifndef ATLED_KERNELS_ATTENTION_BLOCKS_H
#define ATLED_KERNELS_ATTENTION_BLOCKS_H

#include "kernels/attention.h"
#include "kernels/attention_products.h"

enum { MOST_KEYS = ATL_ATTENTION_BLOCK };

static inline int64_t rounded_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/* Floats from row to row of a copy: whole lines, and an odd number of them, so that the caches hold a column. */
static inline int64_t row_of_copy(int64_t columns)
{
    return (rounded_up(columns, LINE_FLOATS) / LINE_FLOATS | 1) * LINE_FLOATS;
}

/* Equal blocks of keys: whole vectors, but for the last. */
static inline int64_t blocks_of_keys(const atl_attention *p) { return (p->keys + MOST_KEYS - 1) / MOST_KEYS; }
static inline int64_t keys_in_block(const atl_attention *p)
{
    int64_t blocks = blocks_of_keys(p);
    return row_of_copy((p->keys + blocks - 1) / blocks);
}

/* The rows first..last-1 of a head: a block, whole tiles, of the part that a worker has of all rows of some heads. */
typedef struct span {
    int64_t first_head, at, end; /* tiles, of these heads */
    int64_t head, first, last;
} span;

static inline span span_of_worker(const atl_attention *p, int64_t first_head, int64_t heads, int64_t rows, int worker)
{
    int64_t tiles = heads * ((rows + ROWS - 1) / ROWS);
    return (span){.first_head = first_head,
                  .at = tiles * worker / p->workers,
                  .end = tiles * (worker + 1) / p->workers,
                  .head = -1};
}

/* The next block; blocks of a head are nearly equal. */
static inline int next_block(int64_t rows, span *s)
{
    int64_t tiles = (rows + ROWS - 1) / ROWS, from = s->at % tiles, left = s->end - s->at;
    int64_t count = left < tiles - from ? left : tiles - from, blocks = (count * ROWS + QUERIES - 1) / QUERIES;
    if (left <= 0)
        return 0;
    count = (count + blocks - 1) / blocks;
    s->head = s->first_head + s->at / tiles;
    s->first = from * ROWS;
    s->last = (from + count) * ROWS < rows ? (from + count) * ROWS : rows;
    s->at += count;
    return 1;
}

static inline int64_t last_head(int64_t rows, const span *s)
{
    return s->first_head + (s->end - 1) / ((rows + ROWS - 1) / ROWS);
}

/* Fetches rows of a head's matrix for later; x: of its first row. */
static inline void fetch_matrix(fetching *f, const float *x, const atl_matrices *m, int64_t first, int64_t last,
                                int64_t columns)
{
    if (m->column == 1)
        fetch_later(f, x + first * m->row, last - first, columns, m->row);
    else
        fetch_later(f, x + first * m->row, columns, last - first, m->column);
}

/* Rows of a strided matrix, times a factor, as dense rows of `width` floats, the rest of each, and rows up to
 * `all_rows`, zeros. */
static inline void copy_rows(int64_t rows, int64_t columns, float factor, const float *x, const atl_matrices *m,
                             int64_t all_rows, int64_t width, float *to)
{
    for (int64_t i = 0; i < rows; i++, to += width) {
        const float *row = x + i * m->row;
        int64_t j = 0;
        for (; j + VECTOR <= columns && m->column == 1; j += VECTOR)
            store(to + j, factor * load(row + j));
        for (; j < columns; j++)
            to[j] = factor * row[j * m->column];
        for (; j < width; j++)
            to[j] = 0;
    }
    memset(to, 0, (size_t)((all_rows - rows) * width) * sizeof *to);
}

/* Such rows without a copy where they are whole vectors: where they start, and floats from one to the next. */
static inline const float *whole_rows(int64_t rows, int64_t columns, const float *x, const atl_matrices *m, float *copy,
                                      int64_t *row)
{
    *row = m->row;
    if (m->column == 1 && columns % VECTOR == 0 && m->row / LINE_FLOATS % 2)
        return x;
    *row = row_of_copy(columns);
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
        int64_t j = 0;
        for (; j + VECTOR <= columns && m->column == 1; j += VECTOR)
            store(row + j, factor * load(from + j));
        for (; j < columns; j++)
            row[j * m->column] = factor * from[j];
    }
}

/* e^x for x <= 0, or NaN, to about one unit in the last place; 0 where that is below all normal floats, because
 * products of others are slow. */
INLINE vec exp_below(vec x)
{
    const float head = 0.693359375f, tail = -2.12194440e-4f; /* together ln 2 */
    const vec rounder = broadcast(0x1.8p23f + 127);          /* so that the lowest bits are the exponent of 2^n */
    x = larger(broadcast(-88), x);
    const vec rounded = x * 1.44269504f + rounder, n = rounded - rounder, r = (x - n * head) - n * tail;
    vec power = 1.9875691e-4f * r + 1.3981999e-3f; /* e^r on [-ln 2 / 2, ln 2 / 2] */
    power = power * r + 8.3334519e-3f;
    power = power * r + 4.1665795e-2f;
    power = power * r + 1.6666665e-1f;
    power = power * r + 0.5f;
    power = power * r + 1;
    power = power * r + 1;
    return power * (vec)((vec_int)rounded << 23);
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
