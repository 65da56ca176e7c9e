/* Strided copies.
 *
 * Dimensions that move together are merged first, so that most copies become runs of memory or the transpose of a
 * matrix.  The rest iterates over strips: a strip is some rows of the last two dimensions. */
#include "ops/strided_copy.h"

#include <string.h>

#include "cost/cost.h"
#include "ops/ops.h"
#include "kernels/parallel.h"

atl_strided_copy atl_strided_copy_over(atl_shape shape)
{
    atl_strided_copy desc = {.rank = shape.rank};
    memcpy(desc.size, shape.size, sizeof shape.size);
    atl_strides_of(shape, desc.to);
    atl_strides_of(shape, desc.from);
    return desc;
}

static int64_t count_of(const atl_strided_copy *desc)
{
    int64_t count = 1;
    for (int i = 0; i < desc->rank; i++)
        count *= desc->size[i];
    return count;
}

void atl_copy_doubles(const atl_strided_copy *desc, double *to, const double *from)
{
    int64_t index[ATL_STRIDED_COPY_RANK] = {0}, count = count_of(desc);
    for (int64_t i = 0; i < count; i++) {
        int64_t at = desc->to_start, source = desc->from_start;
        for (int d = 0; d < desc->rank; d++) {
            at += index[d] * desc->to[d];
            source += index[d] * desc->from[d];
        }
        to[at] = from[source];
        for (int d = desc->rank - 1; d >= 0 && ++index[d] == desc->size[d]; d--)
            index[d] = 0;
    }
}

/* Drops dimensions of 1 and merges adjacent ones that form one run in both views.  At least one dimension remains. */
static atl_strided_copy coalesced(const atl_strided_copy *desc)
{
    atl_strided_copy result = {.to_start = desc->to_start, .from_start = desc->from_start};
    for (int i = 0; i < desc->rank; i++) {
        int last = result.rank - 1;
        if (desc->size[i] == 1)
            continue;
        if (last >= 0 && result.to[last] == desc->to[i] * desc->size[i] &&
            result.from[last] == desc->from[i] * desc->size[i])
            result.size[last] *= desc->size[i];
        else
            result.size[last = result.rank++] = desc->size[i];
        result.to[last] = desc->to[i];
        result.from[last] = desc->from[i];
    }
    if (result.rank == 0) {
        result.rank = 1;
        result.size[0] = result.to[0] = result.from[0] = 1;
    }
    return result;
}

static void move_dimension(atl_strided_copy *desc, int from, int to)
{
    int64_t size = desc->size[from], to_step = desc->to[from], from_step = desc->from[from];
    for (int i = from; i < to; i++) {
        desc->size[i] = desc->size[i + 1];
        desc->to[i] = desc->to[i + 1];
        desc->from[i] = desc->from[i + 1];
    }
    desc->size[to] = size;
    desc->to[to] = to_step;
    desc->from[to] = from_step;
}

static void insert_dimension(atl_strided_copy *desc, int at, int64_t size, int64_t to, int64_t from)
{
    for (int i = desc->rank++; i > at; i--) {
        desc->size[i] = desc->size[i - 1];
        desc->to[i] = desc->to[i - 1];
        desc->from[i] = desc->from[i - 1];
    }
    desc->size[at] = size;
    desc->to[at] = to;
    desc->from[at] = from;
}

/* The last two dimensions, `rows` of n words each. */
typedef struct strip {
    int64_t n, to_row, from_row, to, from; /* strides and offsets */
} strip;
typedef void copy_strip(const strip *strip, int64_t rows, uint32_t *restrict to, const uint32_t *restrict from);

static void copy_runs(const strip *s, int64_t rows, uint32_t *restrict to, const uint32_t *restrict from)
{
    for (int64_t i = 0; i < rows; i++, to += s->to_row, from += s->from_row) {
        if (s->n >= 16)
            memcpy(to, from, (size_t)s->n * sizeof *to);
        else
            for (int64_t j = 0; j < s->n; j++)
                to[j] = from[j];
    }
}

static void copy_repeated(const strip *s, int64_t rows, uint32_t *restrict to, const uint32_t *restrict from)
{
    for (int64_t i = 0; i < rows; i++, to += s->to_row, from += s->from_row) {
        uint32_t value = *from;
        for (int64_t j = 0; j < s->n; j++)
            to[j] = value;
    }
}

static void copy_stepping(const strip *s, int64_t rows, uint32_t *restrict to, const uint32_t *restrict from)
{
    for (int64_t i = 0; i < rows; i++, to += s->to_row, from += s->from_row)
        for (int64_t j = 0; j < s->n; j++)
            to[j * s->to] = from[j * s->from];
}

enum { BLOCK = 16 }; /* a cache line of words */

static inline void transpose_full_block(int64_t to_row, int64_t from_step, uint32_t *restrict to,
                                        const uint32_t *restrict from)
{
    uint32_t block[BLOCK][BLOCK];
    for (int j = 0; j < BLOCK; j++)
        memcpy(block[j], from + j * from_step, sizeof block[j]);
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j < BLOCK; j++)
            to[i * to_row + j] = block[j][i];
}

/* n runs of `from` that take turns in `to`, as channels do when groups are shuffled, or back.  The compiler makes
 * vectors of it where n is known. */
static inline void interleave(int n, int64_t run, int64_t from_step, uint32_t *restrict to,
                              const uint32_t *restrict from)
{
    for (int64_t i = 0; i < run; i++)
        for (int j = 0; j < n; j++)
            to[i * n + j] = from[i + j * from_step];
}
static inline void deinterleave(int n, int64_t run, int64_t to_step, uint32_t *restrict to,
                                const uint32_t *restrict from)
{
    for (int64_t i = 0; i < run; i++)
        for (int j = 0; j < n; j++)
            to[i + j * to_step] = from[i * n + j];
}

/* Two to four runs that lie one number apart on one side; otherwise nothing is copied, and the result is 0. */
static int transpose_few(const strip *s, int64_t rows, uint32_t *restrict to, const uint32_t *restrict from)
{
    if (s->to_row == s->n && s->n == 2)
        interleave(2, rows, s->from, to, from);
    else if (s->to_row == s->n && s->n == 3)
        interleave(3, rows, s->from, to, from);
    else if (s->to_row == s->n && s->n == 4)
        interleave(4, rows, s->from, to, from);
    else if (s->from == rows && rows == 2)
        deinterleave(2, s->n, s->to_row, to, from);
    else if (s->from == rows && rows == 3)
        deinterleave(3, s->n, s->to_row, to, from);
    else if (s->from == rows && rows == 4)
        deinterleave(4, s->n, s->to_row, to, from);
    else
        return 0;
    return 1;
}

/* Rows are columns in `from`, and runs in `to`: copies block by block, so that whole cache lines are read and
 * written. */
static void transpose_strip(const strip *s, int64_t rows, uint32_t *restrict to, const uint32_t *restrict from)
{
    if (transpose_few(s, rows, to, from))
        return;
    for (int64_t j = 0; j < s->n; j += BLOCK)
        for (int64_t i = 0; i < rows; i += BLOCK) {
            int64_t height = rows - i < BLOCK ? rows - i : BLOCK, width = s->n - j < BLOCK ? s->n - j : BLOCK;
            uint32_t *block_to = to + i * s->to_row + j;
            const uint32_t *block_from = from + i + j * s->from;
            if (height == BLOCK && width == BLOCK)
                transpose_full_block(s->to_row, s->from, block_to, block_from);
            else
                for (int64_t k = 0; k < height; k++)
                    for (int64_t l = 0; l < width; l++)
                        block_to[k * s->to_row + l] = block_from[k + l * s->from];
        }
}

/* A prepared copy: the last dimension is the strip's n, the one before it its rows; there are `strips` of them. */
typedef struct plan {
    atl_strided_copy desc;
    strip strip;
    copy_strip *copy;
    int64_t strip_rows, strips;
    uint32_t *to;
    const uint32_t *from;
} plan;

/* Splits a copy of rank 1 into rows for the threads; returns how many elements at the end are left over. */
static int64_t give_rows(atl_strided_copy *desc)
{
    enum { ROW = ATL_PIECE_FLOATS };
    int64_t n = desc->size[0], rest = n > 2 * ROW ? n % ROW : 0;
    int64_t row = n > 2 * ROW ? ROW : n;
    insert_dimension(desc, 0, row ? n / row : 0, row * desc->to[0], row * desc->from[0]);
    desc->size[1] = row;
    return rest;
}

static void choose_strips(plan *p)
{
    atl_strided_copy *desc = &p->desc;
    int last = desc->rank - 1, side = -1;
    for (int i = 0; i < last; i++)
        if (desc->from[i] == 1)
            side = i;
    p->copy = copy_stepping;
    if (desc->to[last] == 1 && desc->from[last] == 1)
        p->copy = copy_runs;
    else if (desc->to[last] == 1 && desc->from[last] == 0)
        p->copy = copy_repeated;
    else if (desc->to[last] == 1 && side >= 0) {
        p->copy = transpose_strip;
        move_dimension(desc, side, last - 1);
    }
    p->strip = (strip){desc->size[last], desc->to[last - 1], desc->from[last - 1], desc->to[last], desc->from[last]};
    p->strip_rows = (ATL_CORE_FLOATS / 2 / desc->size[last] + BLOCK) / BLOCK * BLOCK;
    if (p->copy == transpose_strip && p->strip_rows < 4 * BLOCK)
        p->strip_rows = 4 * BLOCK; /* so that a page that is read yields more than one line */
    p->strips = (desc->size[last - 1] + p->strip_rows - 1) / p->strip_rows;
}

static void copy_strips(const void *job, int64_t first, int64_t end)
{
    const plan *p = job;
    const atl_strided_copy *desc = &p->desc;
    int outer = desc->rank - 2;
    int64_t index[ATL_STRIDED_COPY_RANK] = {0}, rest = first / p->strips, at = desc->to_start,
            source = desc->from_start;
    int64_t strip_index = first % p->strips;
    for (int d = outer - 1; d >= 0; d--) {
        index[d] = rest % desc->size[d];
        rest /= desc->size[d];
        at += index[d] * desc->to[d];
        source += index[d] * desc->from[d];
    }
    for (int64_t i = first; i < end; i++) {
        int64_t row = strip_index * p->strip_rows, left = desc->size[outer] - row;
        p->copy(&p->strip, left < p->strip_rows ? left : p->strip_rows, p->to + at + row * p->strip.to_row,
                p->from + source + row * p->strip.from_row);
        if (++strip_index < p->strips)
            continue;
        strip_index = 0;
        for (int d = outer - 1; d >= 0; d--) {
            at += desc->to[d];
            source += desc->from[d];
            if (++index[d] < desc->size[d])
                break;
            index[d] = 0;
            at -= desc->size[d] * desc->to[d];
            source -= desc->size[d] * desc->from[d];
        }
    }
}

void atl_copy_words(const atl_strided_copy *desc, void *to, const void *from)
{
    plan p = {.desc = coalesced(desc), .to = to, .from = from};
    int64_t count = count_of(&p.desc), rest = 0, end = p.desc.size[0], items = 1;
    if (count == 0)
        return;
    if (p.desc.rank == 1)
        rest = give_rows(&p.desc);
    choose_strips(&p);
    for (int d = 0; d < p.desc.rank - 2; d++)
        items *= p.desc.size[d];
    atl_parallel(items * p.strips, count, copy_strips, &p);
    for (int64_t i = end - rest; i < end; i++) /* only of a copy with one dimension */
        p.to[p.desc.to_start + i * p.strip.to] = p.from[p.desc.from_start + i * p.strip.from];
}
