/* The gradients of attention whose weights P were kept: see attention.h.
 *
 * dv = P^T dy, and the gradient of the scores is S = P (dP - D), where dP = dy v^T and D is, of each query, the sum of
 * dy y.  For some heads at a time, whose S the caches hold: first, by rows of queries, S and dq = scale S k; then, by
 * rows of keys, dv and dk = scale S^T q.  Threads share the rows of these heads, and no sum depends on how. */
#include "kernels/attention_blocks.h"

#include "kernels/loops.h"

/* Of one worker. */
typedef struct room {
    float *values_t;    /* of the head: [value_width, keys] */
    float *copy;        /* of the head: rows of k, q or dy */
    float *dy, *result; /* of a block of rows: [QUERIES, value_width], [QUERIES, width or value_width] */
} room;

static int64_t lay_out(const atl_attention *p, float *from, room *r)
{
    int64_t values = rounded_up(p->value_width, LINE), width = rounded_up(p->width, LINE), at = 0;
    int64_t rows = p->queries > p->keys ? p->queries : p->keys, columns = values > width ? values : width;
    const struct {
        float **place;
        int64_t floats;
    } parts[] = {{&r->values_t, p->value_width * atl_kept_row(p)},
                 {&r->copy, rows * columns},
                 {&r->dy, QUERIES * values},
                 {&r->result, QUERIES * columns}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = from ? from + at : NULL;
        at += rounded_up(parts[i].floats, LINE);
    }
    return at;
}

/* S, as the weights lie, but for each head whole tiles. */
static int64_t slopes_of_head(const atl_attention *p) { return rounded_up(p->queries, ROWS) * atl_kept_row(p); }

/* Heads whose S fill second-level caches of 512 KB, of all threads, or a quarter of those of 2 MB. */
static int64_t heads_together(const atl_attention *p)
{
    enum { FLOATS = 2 * ATL_NEAR_FLOATS };
    int64_t all = p->outer * p->heads, some = p->workers * FLOATS / slopes_of_head(p);
    return some < 1 ? 1 : some < all ? some : all;
}

int64_t KERNEL(attention_kept_gradient_scratch)(const atl_attention *p)
{
    room r;
    return p->workers * lay_out(p, NULL, &r) + heads_together(p) * slopes_of_head(p) + LINE;
}

/* `step`: floats from one number of b to the next; a loop for whole vectors needs a constant. */
INLINE float dot_product(int64_t n, const float *a, const float *b, const int64_t step)
{
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t j = 0; j < n; j++)
        dot += a[j] * b[j * step];
    return dot;
}

/* dP of a query becomes S. */
static void weigh(int64_t keys, const float *weight, float dot, float *slope)
{
    ATL_LANES
    for (int64_t j = 0; j < rounded_up(keys, VECTOR); j++)
        slope[j] = weight[j] * (slope[j] - dot);
}

/* S and dq of some queries of a head; slopes: of the head. */
static void rows_of_queries(const atl_attention *p, const atl_attention_arrays *x, const span *s, const room *r,
                            float *slopes)
{
    const int64_t kept = atl_kept_row(p), values = rounded_up(p->value_width, LINE), width = rounded_up(p->width, LINE);
    const float *y = x->y + matrix_at(p, &p->y, s->head), *dy = x->dy + matrix_at(p, &p->dy, s->head);
    const float *weights = x->weights + s->head * p->queries * kept;
    const float *mask = x->mask ? x->mask + matrix_at(p, &p->mask, s->head) : NULL;
    float *dq = x->dq + matrix_at(p, &p->dq, s->head);
    int64_t key_row;
    const float *key = whole_rows(p->keys, p->width, x->k + matrix_at(p, &p->k, s->head), &p->k, r->copy, &key_row);
    copy_transposed(p->keys, p->value_width, x->v + matrix_at(p, &p->v, s->head), &p->v, kept, r->values_t);
    for (int64_t i = s->first; i < s->last; i += QUERIES) {
        int64_t rows = s->last - i < QUERIES ? s->last - i : QUERIES;
        float *slope = slopes + i * kept;
        copy_rows(rows, p->value_width, 1, dy + i * p->dy.row, &p->dy, rounded_up(rows, ROWS), values, r->dy);
        multiply(rows, p->keys, p->value_width, r->dy, values, 1, r->values_t, kept, 0, slope, kept);
        for (int64_t n = 0; n < rows; n++) {
            if (i + QUERIES + n < s->last)
                fetch_row(p, weights + (i + QUERIES + n) * kept);
            const float *row = r->dy + n * values, *of_y = y + (i + n) * p->y.row;
            float dot = p->y.column == 1 ? dot_product(p->value_width, row, of_y, 1)
                                         : dot_product(p->value_width, row, of_y, p->y.column);
            weigh(p->keys, weights + (i + n) * kept, dot, slope + n * kept);
            mask_slopes(p, mask, i + n, 0, p->keys, slope + n * kept);
        }
        multiply(rows, p->width, p->keys, slope, kept, 1, key, key_row, 0, r->result, width);
        write_rows(rows, p->width, p->scale, r->result, width, &p->dq, dq + i * p->dq.row);
    }
}

/* Some rows of `factor` a^T b, where a [queries, keys] lies as the weights do, and b has so many columns. */
static void rows_of_keys(const atl_attention *p, const span *s, const room *r, float factor, const float *a,
                         int64_t columns, const float *b, const atl_matrices *of_b, float *to,
                         const atl_matrices *of_to)
{
    int64_t row, width = rounded_up(columns, LINE);
    b = whole_rows(p->queries, columns, b + matrix_at(p, of_b, s->head), of_b, r->copy, &row);
    to += matrix_at(p, of_to, s->head);
    for (int64_t i = s->first; i < s->last; i += QUERIES) {
        int64_t rows = s->last - i < QUERIES ? s->last - i : QUERIES;
        multiply(rows, columns, p->queries, a + i, 1, atl_kept_row(p), b, row, 0, r->result, width);
        write_rows(rows, columns, factor, r->result, width, of_to, to + i * of_to->row);
    }
}

typedef struct heads {
    int64_t first, count;
    float *slopes;
} heads;

static void work_on_queries(const atl_attention *p, const atl_attention_arrays *x, const heads *some, int worker,
                            const room *r)
{
    for (span s = span_of_worker(p, some->first, some->count, p->queries, worker); next_span(p->queries, &s);)
        rows_of_queries(p, x, &s, r, some->slopes + (s.head - some->first) * slopes_of_head(p));
}

static void work_on_keys(const atl_attention *p, const atl_attention_arrays *x, const heads *some, int worker,
                         const room *r)
{
    for (span s = span_of_worker(p, some->first, some->count, p->keys, worker); next_span(p->keys, &s);) {
        const float *weights = x->weights + s.head * p->queries * atl_kept_row(p),
                    *slopes = some->slopes + (s.head - some->first) * slopes_of_head(p);
        rows_of_keys(p, &s, r, 1, weights, p->value_width, x->dy, &p->dy, x->dv, &p->dv);
        rows_of_keys(p, &s, r, p->scale, slopes, p->width, x->q, &p->q, x->dk, &p->dk);
    }
}

void KERNEL(attention_kept_gradient)(const atl_attention *p, const atl_attention_arrays *x, float *scratch)
{
    room r;
    const int64_t floats = lay_out(p, NULL, &r), all = p->outer * p->heads, together = heads_together(p);
#pragma omp parallel num_threads(p->workers) if (p->workers > 1) private(r)
    for (int64_t first = 0; first < all; first += together) {
        const heads some = {first, all - first < together ? all - first : together, scratch + p->workers * floats};
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < p->workers; worker++) {
            lay_out(p, scratch + worker * floats, &r);
            work_on_queries(p, x, &some, worker, &r);
        }
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < p->workers; worker++) {
            lay_out(p, scratch + worker * floats, &r);
            work_on_keys(p, x, &some, worker, &r);
        }
    }
}
