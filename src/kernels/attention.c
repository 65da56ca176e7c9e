/* Attention: see attention.h. */
#include "kernels/attention_blocks.h"

/* Of one worker. */
typedef struct room {
    float *keys, *values; /* of the head: transposed blocks of keys [width, block], and values [keys, value_width] */
    float *query, *scores,
        *sums; /* of a block of queries: [QUERIES, width], [QUERIES, block], [QUERIES, value_width] */
} room;

static int64_t lay_out(const atl_attention *p, float *from, room *r)
{
    int64_t blocks = blocks_of_keys(p), block = keys_in_block(p), values = row_of_copy(p->value_width), at = 0;
    int64_t width = row_of_copy(p->width);
    const struct {
        float **place;
        int64_t floats;
    } parts[] = {{&r->keys, p->width * blocks * block},
                 {&r->values, p->keys * values},
                 {&r->query, QUERIES * width},
                 {&r->scores, QUERIES * block},
                 {&r->sums, QUERIES * values}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = from ? from + at : NULL;
        at += rounded_up(parts[i].floats, LINE_FLOATS);
    }
    return at;
}

int64_t KERNEL(attention_scratch)(const atl_attention *p)
{
    room r;
    return p->workers * lay_out(p, NULL, &r);
}

/* What the kernel is called with. */
typedef struct arrays {
    const float *q, *k, *v, *mask;
    float *y, *shares, *weights;
} arrays;

static void pack_head(const atl_attention *p, const float *k, const float *v, const room *r)
{
    int64_t block = keys_in_block(p);
    for (int64_t j = 0; j < p->keys; j += block)
        copy_transposed(p->keys - j < block ? p->keys - j : block, p->width, k + j * p->k.row, &p->k, block,
                        r->keys + j * p->width);
    copy_rows(p->keys, p->value_width, 1, v, &p->v, p->keys, row_of_copy(p->value_width), r->values);
}

/* The largest of the scores of a query, or `most`; scores behind the last one, up to a whole vector, become -inf. */
static float largest_score(int64_t keys, float *score, float most)
{
    const int64_t full = keys / VECTOR * VECTOR;
    vec largest[2] = {broadcast(most), broadcast(most)};
    if (full < keys) {
        store(score + full, first_or(load(score + full), (int)(keys - full), -INFINITY));
        largest[0] = larger(load(score + full), largest[0]);
    }
    int64_t j = 0;
    for (; j + 2 * VECTOR <= full; j += 2 * VECTOR) {
        largest[0] = larger(load(score + j), largest[0]);
        largest[1] = larger(load(score + j + VECTOR), largest[1]);
    }
    if (j < full)
        largest[1] = larger(load(score + j), largest[1]);
    return largest_of_vector(larger(largest[0], largest[1]));
}

/* Scores of a query become exponentials below the largest one so far, and zeros behind them; returns their sum. */
static float exponentials(int64_t keys, float *score, float most)
{
    const float base = most == -INFINITY ? 0 : most; /* a row of -inf alone sums to 0, and becomes NaN in the end */
    vec total = {0};
    for (int64_t j = 0; j < keys; j += VECTOR) {
        const vec e = exp_below(load(score + j) - base);
        store(score + j, e);
        total += e;
    }
    return sum_of_vector(total);
}

/* What was summed below a smaller largest score is made smaller. */
static void lower_sums(float less, int64_t columns, float *sums, float *sum)
{
    *sum *= less;
    for (int64_t j = 0; j < columns && less != 1; j++)
        sums[j] *= less;
}

/* Of a block of queries; what `next` needs is fetched meanwhile. */
static void block_of_queries(const atl_attention *p, const arrays *x, const span *s, const room *r, fetching *next)
{
    float most[QUERIES], sum[QUERIES];
    const int64_t block = keys_in_block(p), values = row_of_copy(p->value_width);
    const int64_t width = row_of_copy(p->width), rows = s->last - s->first, at = s->head * p->queries + s->first;
    const float *mask = x->mask ? x->mask + matrix_at(p, &p->mask, s->head) : NULL;
    const int64_t row = x->weights ? atl_kept_row(p) : block;
    float *scores = x->weights ? x->weights + atl_kept_head(p, s->head) + s->first * row : r->scores;
    float *y = x->y + matrix_at(p, &p->y, s->head) + s->first * p->y.row, *shares = x->shares + 2 * at;
    copy_rows(rows, p->width, p->scale, x->q + matrix_at(p, &p->q, s->head) + s->first * p->q.row, &p->q,
              rounded_up(rows, ROWS), width, r->query);
    for (int64_t i = 0; i < rows; i++)
        most[i] = -INFINITY, sum[i] = 0;
    for (int64_t j = 0; j < p->keys; j += block) {
        int64_t keys = p->keys - j < block ? p->keys - j : block;
        multiply(&(product){.rows = rows,
                            .columns = keys,
                            .depth = p->width,
                            .a = r->query,
                            .a_row = width,
                            .b = r->keys + j * p->width,
                            .b_row = block,
                            .c = scores,
                            .c_row = row},
                 next);
        for (int64_t i = 0; i < rows; i++) {
            float before = most[i];
            mask_scores(p, mask, s->first + i, j, keys, scores + i * row);
            most[i] = largest_score(keys, scores + i * row, before);
            if (sum[i] != 0) /* NaN included */
                lower_sums(exp_below(broadcast(before - most[i]))[0], p->value_width, r->sums + i * values, &sum[i]);
        }
        for (int64_t i = 0; i < rows; i++)
            sum[i] += exponentials(keys, scores + i * row, most[i]);
        multiply(&(product){.rows = rows,
                            .columns = p->value_width,
                            .depth = keys,
                            .a = scores,
                            .a_row = row,
                            .b = r->values + j * values,
                            .b_row = values,
                            .c = r->sums,
                            .c_row = values,
                            .add = j > 0},
                 next);
    }
    for (int64_t i = 0; i < rows; i++) {
        write_rows(1, p->value_width, 1 / sum[i], r->sums + i * values, values, &p->y, y + i * p->y.row);
        shares[2 * i] = most[i];
        shares[2 * i + 1] = 1 / sum[i];
    }
}

/* What the next block reads and writes, and a part of the keys and values of the head behind this one. */
static void fetch_for_next(const atl_attention *p, const arrays *x, const span *now, const span *next, fetching *f)
{
    *f = (fetching){.parts = 0};
    fetch_matrix(f, x->y + matrix_at(p, &p->y, next->head), &p->y, next->first, next->last, p->value_width);
    if (now->head < last_head(p->queries, now)) {
        int64_t first = now->first * p->keys / p->queries, last = now->last * p->keys / p->queries;
        fetch_matrix(f, x->v + matrix_at(p, &p->v, now->head + 1), &p->v, first, last, p->value_width);
        fetch_matrix(f, x->k + matrix_at(p, &p->k, now->head + 1), &p->k, first, last, p->width);
    }
    fetch_matrix(f, x->q + matrix_at(p, &p->q, next->head), &p->q, next->first, next->last, p->width);
    if (x->weights)
        fetch_later(f, x->weights + atl_kept_head(p, next->head) + next->first * atl_kept_row(p),
                    next->last - next->first, atl_kept_row(p), atl_kept_row(p));
}

static void work(const atl_attention *p, const arrays *x, int worker, const room *r)
{
    span s = span_of_worker(p, 0, p->outer * p->heads, p->queries, worker);
    for (int64_t head = -1; next_block(p->queries, &s); head = s.head) {
        span next = s;
        fetching f = {.parts = 0};
        if (next_block(p->queries, &next))
            fetch_for_next(p, x, &s, &next, &f);
        if (s.head != head)
            pack_head(p, x->k + matrix_at(p, &p->k, s.head), x->v + matrix_at(p, &p->v, s.head), r);
        block_of_queries(p, x, &s, r, &f);
    }
}

void KERNEL(attention)(const atl_attention *p, const float *q, const float *k, const float *v, const float *mask,
                       float *scratch, float *y, float *shares, float *weights)
{
    const arrays x = {q, k, v, mask, y, shares, weights};
    room dummy;
    int64_t floats = lay_out(p, NULL, &dummy);
#pragma omp parallel for num_threads(p->workers) schedule(static, 1) if (p->workers > 1)
    for (int worker = 0; worker < p->workers; worker++) {
        room r;
        lay_out(p, scratch + worker * floats, &r);
        work(p, &x, worker, &r);
    }
}
