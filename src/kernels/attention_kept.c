/* The gradients of attention whose weights P were kept, as exponentials E with P = c E, c of each query: attention.h.
 *
 * dv = P^T dy = E^T (c dy), and the gradient of the scores is S = P (dP - D) = E (c dP - c D), where c dP = (c dy) v^T
 * and c D is, of each query, the sum of c dy y: with a copy of dy times c, P is not needed.  For some heads at a time,
 * whose S the caches hold: first, by rows of queries, S and dq = scale S k; then, by rows of keys, dv and
 * dk = scale S^T q.  Threads share the rows of these heads, and no sum depends on how. */
#include "kernels/attention_blocks.h"

/* Of one worker. */
typedef struct room {
    float *values_t; /* of the head: [value_width, keys] */
    float *copy;     /* of the head: rows of k or q */
    float *dy;       /* of the head, or of a block of queries: c dy */
    float *result;   /* of a block of rows: [QUERIES, width or value_width] */
} room;

static int64_t lay_out(const atl_attention *p, float *from, room *r)
{
    int64_t values = row_of_copy(p->value_width), width = row_of_copy(p->width), at = 0;
    int64_t rows = p->queries > p->keys ? p->queries : p->keys, columns = values > width ? values : width;
    const struct {
        float **place;
        int64_t floats;
    } parts[] = {{&r->values_t, p->value_width * atl_kept_row(p)},
                 {&r->copy, rows * width},
                 {&r->dy, rounded_up(p->queries, QUERIES) * values},
                 {&r->result, QUERIES * columns}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = from ? from + at : NULL;
        at += rounded_up(parts[i].floats, LINE_FLOATS);
    }
    return at;
}

/* S, as the weights lie. */
static int64_t slopes_of_head(const atl_attention *p) { return atl_kept_head(p, 1); }

/* One for each thread: its second-level cache holds E and S. */
static int64_t heads_together(const atl_attention *p)
{
    int64_t all = p->outer * p->heads;
    return p->workers < all ? p->workers : all;
}

int64_t KERNEL(attention_kept_gradient_scratch)(const atl_attention *p)
{
    room r;
    return p->workers * lay_out(p, NULL, &r) + heads_together(p) * slopes_of_head(p) + LINE_FLOATS;
}

/* Some heads, and their S. */
typedef struct heads {
    int64_t first, count;
    float *slopes;
} heads;

/* c dy of some queries of a head, as dense rows. */
static void copy_dy(const atl_attention *p, const atl_attention_arrays *x, int64_t head, int64_t first, int64_t last,
                    float *to)
{
    const float *dy = x->dy + matrix_at(p, &p->dy, head), *share = x->shares + 2 * head * p->queries;
    const int64_t values = row_of_copy(p->value_width);
    for (int64_t i = first; i < last; i++, to += values)
        copy_rows(1, p->value_width, share[2 * i + 1], dy + i * p->dy.row, &p->dy, 1, values, to);
}

static float dot_product(int64_t n, const float *a, const float *b, int64_t step)
{
    vec dot = {0};
    float rest = 0;
    int64_t j = 0;
    for (; j + VECTOR <= n && step == 1; j += VECTOR)
        dot += load(a + j) * load(b + j);
    for (; j < n; j++)
        rest += a[j] * b[j * step];
    return sum_of_vector(dot) + rest;
}

/* c dP of a query becomes S. */
static void weigh(int64_t keys, const float *weight, float dot, float *slope)
{
    for (int64_t j = 0; j < keys; j += VECTOR)
        store(slope + j, load(weight + j) * (load(slope + j) - dot));
}

/* S and dq of a block of queries. */
static void block_of_queries(const atl_attention *p, const atl_attention_arrays *x, const heads *some, const span *s,
                             const float *key, int64_t key_row, const room *r, fetching *next)
{
    const int64_t kept = atl_kept_row(p), values = row_of_copy(p->value_width), width = row_of_copy(p->width);
    const int64_t rows = s->last - s->first;
    const float *weight = x->weights + atl_kept_head(p, s->head) + s->first * kept;
    const float *y = x->y + matrix_at(p, &p->y, s->head) + s->first * p->y.row;
    const float *mask = x->mask ? x->mask + matrix_at(p, &p->mask, s->head) : NULL;
    float *slope = some->slopes + atl_kept_head(p, s->head - some->first) + s->first * kept;
    copy_dy(p, x, s->head, s->first, s->last, r->dy);
    multiply(&(product){.rows = rows,
                        .columns = p->keys,
                        .depth = p->value_width,
                        .a = r->dy,
                        .a_row = values,
                        .b = r->values_t,
                        .b_row = kept,
                        .c = slope,
                        .c_row = kept},
             next);
    for (int64_t i = 0; i < rows; i++) {
        weigh(p->keys, weight + i * kept,
              dot_product(p->value_width, r->dy + i * values, y + i * p->y.row, p->y.column), slope + i * kept);
        mask_slopes(p, mask, s->first + i, 0, p->keys, slope + i * kept);
    }
    multiply(&(product){.rows = rows,
                        .columns = p->width,
                        .depth = p->keys,
                        .a = slope,
                        .a_row = kept,
                        .b = key,
                        .b_row = key_row,
                        .c = r->result,
                        .c_row = width},
             next);
    write_rows(rows, p->width, p->scale, r->result, width, &p->dq,
               x->dq + matrix_at(p, &p->dq, s->head) + s->first * p->dq.row);
}

/* What a block of queries reads and writes. */
static void fetch_block(const atl_attention *p, const atl_attention_arrays *x, const span *s, fetching *f)
{
    const int64_t kept = atl_kept_row(p);
    fetch_matrix(f, x->dq + matrix_at(p, &p->dq, s->head), &p->dq, s->first, s->last, p->width);
    fetch_later(f, x->weights + atl_kept_head(p, s->head) + s->first * kept, s->last - s->first, kept, kept);
    fetch_matrix(f, x->y + matrix_at(p, &p->y, s->head), &p->y, s->first, s->last, p->value_width);
    fetch_matrix(f, x->dy + matrix_at(p, &p->dy, s->head), &p->dy, s->first, s->last, p->value_width);
}

/* A part of the keys and values of a head, while a block of so many rows of another one is computed. */
static void fetch_keys(const atl_attention *p, const atl_attention_arrays *x, int64_t head, const span *now,
                       int64_t rows, fetching *f)
{
    int64_t first = now->first * p->keys / rows, last = now->last * p->keys / rows;
    fetch_matrix(f, x->k + matrix_at(p, &p->k, head), &p->k, first, last, p->width);
    fetch_matrix(f, x->v + matrix_at(p, &p->v, head), &p->v, first, last, p->value_width);
}

static void work_on_queries(const atl_attention *p, const atl_attention_arrays *x, const heads *some, int worker,
                            const room *r)
{
    const float *key = NULL;
    int64_t key_row = 0;
    span s = span_of_worker(p, some->first, some->count, p->queries, worker);
    for (int64_t head = -1; next_block(p->queries, &s); head = s.head) {
        span next = s;
        fetching f = {.parts = 0};
        fetch_matrix(&f, x->q + matrix_at(p, &p->q, s.head), &p->q, s.first, s.last, p->width);
        if (s.head < last_head(p->queries, &s))
            fetch_keys(p, x, s.head + 1, &s, p->queries, &f);
        if (next_block(p->queries, &next))
            fetch_block(p, x, &next, &f);
        if (s.head != head) {
            key = whole_rows(p->keys, p->width, x->k + matrix_at(p, &p->k, s.head), &p->k, r->copy, &key_row);
            copy_transposed(p->keys, p->value_width, x->v + matrix_at(p, &p->v, s.head), &p->v, atl_kept_row(p),
                            r->values_t);
        }
        block_of_queries(p, x, some, &s, key, key_row, r, &f);
    }
}

/* Some rows of `factor` a^T b, where a [queries, keys] lies as the weights do, and b has so many columns. */
static void block_of_keys(const atl_attention *p, const span *s, const room *r, float factor, const float *a,
                          int64_t columns, const float *b, int64_t b_row, float *to, const atl_matrices *of_to,
                          fetching *next)
{
    const int64_t width = row_of_copy(columns), rows = s->last - s->first;
    multiply_transposed(&(product){.rows = rows,
                                   .columns = columns,
                                   .depth = p->queries,
                                   .a = a + s->first,
                                   .a_row = atl_kept_row(p),
                                   .b = b,
                                   .b_row = b_row,
                                   .c = r->result,
                                   .c_row = width},
                        next);
    write_rows(rows, columns, factor, r->result, width, of_to,
               to + matrix_at(p, of_to, s->head) + s->first * of_to->row);
}

/* Meanwhile, what this worker needs of the heads behind these is fetched: `then` is its first block of queries. */
static void work_on_keys(const atl_attention *p, const atl_attention_arrays *x, const heads *some, int worker,
                         const span *then, const room *r)
{
    const float *query = NULL;
    int64_t query_row = 0;
    span s = span_of_worker(p, some->first, some->count, p->keys, worker);
    for (int64_t head = -1; next_block(p->keys, &s); head = s.head) {
        span next = s;
        fetching f = {.parts = 0};
        int more = next_block(p->keys, &next);
        if (then && s.head == last_head(p->keys, &s))
            fetch_keys(p, x, then->head, &s, p->keys, &f);
        if (then && !more)
            fetch_block(p, x, then, &f);
        if (more) {
            fetch_matrix(&f, x->dk + matrix_at(p, &p->dk, next.head), &p->dk, next.first, next.last, p->width);
            fetch_matrix(&f, x->dv + matrix_at(p, &p->dv, next.head), &p->dv, next.first, next.last, p->value_width);
        }
        if (s.head != head) {
            copy_dy(p, x, s.head, 0, p->queries, r->dy);
            query = whole_rows(p->queries, p->width, x->q + matrix_at(p, &p->q, s.head), &p->q, r->copy, &query_row);
        }
        block_of_keys(p, &s, r, 1, x->weights + atl_kept_head(p, s.head), p->value_width, r->dy,
                      row_of_copy(p->value_width), x->dv, &p->dv, &f);
        block_of_keys(p, &s, r, p->scale, some->slopes + atl_kept_head(p, s.head - some->first), p->width, query,
                      query_row, x->dk, &p->dk, &f);
    }
}

static heads heads_from(const atl_attention *p, int64_t first, float *slopes)
{
    int64_t left = p->outer * p->heads - first, together = heads_together(p);
    return (heads){first, left < together ? left : together, slopes};
}

void KERNEL(attention_kept_gradient)(const atl_attention *p, const atl_attention_arrays *x, float *scratch)
{
    room r;
    const int64_t floats = lay_out(p, NULL, &r), all = p->outer * p->heads;
#pragma omp parallel num_threads(p->workers) if (p->workers > 1) private(r)
    for (int64_t first = 0; first < all; first += heads_together(p)) {
        const heads some = heads_from(p, first, scratch + p->workers * floats);
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < p->workers; worker++) {
            lay_out(p, scratch + worker * floats, &r);
            work_on_queries(p, x, &some, worker, &r);
        }
#pragma omp for schedule(static, 1)
        for (int worker = 0; worker < p->workers; worker++) {
            const heads behind = heads_from(p, first + some.count, NULL);
            span then = span_of_worker(p, behind.first, behind.count, p->queries, worker);
            lay_out(p, scratch + worker * floats, &r);
            work_on_keys(p, x, &some, worker, behind.count > 0 && next_block(p->queries, &then) ? &then : NULL, &r);
        }
    }
}
