/* Attention: see attention.h. */
#include "kernels/attention_blocks.h"

#include "kernels/loops.h"
#include "kernels/vector_math.h"

/* Of one worker. */
typedef struct room {
    float *keys, *values; /* of the head: transposed blocks of keys [width, block], and values [keys, value_width] */
    float *query, *scores,
        *sums; /* of a block of queries: [QUERIES, width], [QUERIES, block], [QUERIES, value_width] */
} room;

static int64_t lay_out(const atl_attention *p, float *from, room *r)
{
    int64_t blocks = blocks_of_keys(p), block = keys_in_block(p), values = rounded_up(p->value_width, LINE), at = 0;
    int64_t width = rounded_up(p->width, LINE);
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
        at += rounded_up(parts[i].floats, LINE);
    }
    return at;
}

int64_t KERNEL(attention_scratch)(const atl_attention *p)
{
    room r;
    return p->workers * lay_out(p, NULL, &r);
}

static void pack_head(const atl_attention *p, const float *k, const float *v, const room *r)
{
    int64_t block = keys_in_block(p);
    for (int64_t j = 0; j < p->keys; j += block)
        copy_transposed(p->keys - j < block ? p->keys - j : block, p->width, k + j * p->k.row, &p->k, block,
                        r->keys + j * p->width);
    copy_rows(p->keys, p->value_width, 1, v, &p->v, p->keys, rounded_up(p->value_width, LINE), r->values);
}

/* One query and one block of keys: scores become exponentials below the largest score so far, and zeros behind them;
 * what was summed before for a smaller one is made smaller.  A row of -inf alone sums to 0, and becomes NaN in the end.
 */
static void exponentials(int64_t keys, float *score, int64_t columns, float *sums, float *most, float *sum)
{
    const int64_t all = rounded_up(keys, VECTOR); /* no rest of a vector is left to a loop of single numbers */
    float largest = *most, total = 0;
    for (int64_t j = keys; j < all; j++)
        score[j] = score[0];
#pragma omp simd reduction(max : largest)
    for (int64_t j = 0; j < all; j++)
        largest = score[j] > largest ? score[j] : largest;
    const float base = largest == -INFINITY ? 0 : largest;
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < all; j++) {
        const float e = single_exp_below(score[j] - base, 0), counted = j < keys ? e : 0;
        score[j] = counted;
        total += counted;
    }
    if (*sum != 0) { /* NaN included */
        const float less = single_exp_below(*most - base, 0);
        total += less * *sum;
        for (int64_t j = 0; j < columns && less != 1; j++)
            sums[j] *= less;
    }
    *most = largest;
    *sum = total;
}

/* Of some queries from `first` on; mask: of the head, or null; weights: of the first of them, or null. */
static void block_of_queries(const atl_attention *p, const float *q, const float *mask, const room *r, int64_t first,
                             int64_t rows, float *y, float *shares, float *weights)
{
    float most[QUERIES], sum[QUERIES];
    int64_t block = keys_in_block(p), values = rounded_up(p->value_width, LINE), width = rounded_up(p->width, LINE);
    copy_rows(rows, p->width, p->scale, q, &p->q, rounded_up(rows, ROWS), width, r->query);
    memset(r->sums, 0, (size_t)(QUERIES * values) * sizeof *r->sums);
    for (int64_t i = 0; i < rows; i++)
        most[i] = -INFINITY, sum[i] = 0;
    for (int64_t j = 0; j < p->keys; j += block) {
        int64_t keys = p->keys - j < block ? p->keys - j : block;
        multiply(rows, keys, p->width, r->query, width, 1, r->keys + j * p->width, block, 0, r->scores, block);
        for (int64_t i = 0; i < rows; i++)
            mask_scores(p, mask, first + i, j, keys, r->scores + i * block);
        for (int64_t i = 0; i < rows; i++) {
            if (weights)
                fetch_row(p, weights + i * atl_kept_row(p));
            exponentials(keys, r->scores + i * block, p->value_width, r->sums + i * values, &most[i], &sum[i]);
        }
        multiply(rows, p->value_width, keys, r->scores, block, 1, r->values + j * values, values, 1, r->sums, values);
    }
    for (int64_t i = 0; i < rows; i++) {
        write_rows(1, p->value_width, 1 / sum[i], r->sums + i * values, values, &p->y, y + i * p->y.row);
        shares[2 * i] = most[i];
        shares[2 * i + 1] = 1 / sum[i];
        for (int64_t j = 0; weights && j < rounded_up(p->keys, VECTOR); j++)
            weights[i * atl_kept_row(p) + j] = r->scores[i * block + j] * (1 / sum[i]);
    }
}

void KERNEL(attention)(const atl_attention *p, const float *q, const float *k, const float *v, const float *mask,
                       float *scratch, float *y, float *shares, float *weights)
{
    room dummy;
    int64_t floats = lay_out(p, NULL, &dummy);
#pragma omp parallel for num_threads(p->workers) schedule(static, 1) if (p->workers > 1)
    for (int worker = 0; worker < p->workers; worker++) {
        room r;
        lay_out(p, scratch + worker * floats, &r);
        for (span s = span_of_worker(p, 0, p->outer * p->heads, p->queries, worker); next_span(p->queries, &s);) {
            pack_head(p, k + matrix_at(p, &p->k, s.head), v + matrix_at(p, &p->v, s.head), &r);
            for (int64_t first = s.first; first < s.last; first += QUERIES) {
                int64_t rows = s.last - first < QUERIES ? s.last - first : QUERIES;
                int64_t at = s.head * p->queries + first;
                block_of_queries(p, q + matrix_at(p, &p->q, s.head) + first * p->q.row,
                                 mask ? mask + matrix_at(p, &p->mask, s.head) : NULL, &r, first, rows,
                                 y + matrix_at(p, &p->y, s.head) + first * p->y.row, shares + 2 * at,
                                 weights ? weights + at * atl_kept_row(p) : NULL);
            }
        }
    }
}
