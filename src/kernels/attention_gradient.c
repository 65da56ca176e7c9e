/* The gradients of attention: see attention.h.
 *
 * With the weights P = softmax(scale q k^T), recomputed as e^(scores - most) / sum: dv = P^T dy, and the gradient of
 * the scores is P (dP - D), where dP = dy v^T and D is, of each query, the sum of dy y. */
#include "kernels/attention_blocks.h"

/* Of one worker. */
typedef struct room {
    float *query, *dy, *dot;           /* of the head: [queries, width] scaled, [queries, values], D */
    float *keys_t, *values_t, *key;    /* of a block of keys: [width, block], [values, block], [block, width] */
    float *weights, *slopes, *dk, *dv; /* [QUERIES, block] twice, [block, width], [block, values] */
} room;

static int64_t lay_out(const atl_attention *p, float *from, room *r)
{
    int64_t block = keys_in_block(p), values = row_of_copy(p->value_width), width = row_of_copy(p->width);
    int64_t queries = rounded_up(p->queries, QUERIES), keys = rounded_up(block, ROWS), at = 0;
    const struct {
        float **place;
        int64_t floats;
    } parts[] = {{&r->query, queries * width},
                 {&r->dy, queries * values},
                 {&r->dot, queries},
                 {&r->keys_t, p->width * block},
                 {&r->values_t, p->value_width * block},
                 {&r->key, keys * width},
                 {&r->weights, QUERIES * block + LINE_FLOATS},
                 {&r->slopes, QUERIES * block + LINE_FLOATS},
                 {&r->dk, keys * width},
                 {&r->dv, keys * values}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        *parts[i].place = from ? from + at : NULL;
        at += rounded_up(parts[i].floats, LINE_FLOATS);
    }
    return at;
}

/* Pieces that a head's work is cut into, where there are fewer heads than threads. */
static inline int64_t pieces_of_head(const atl_attention *p, int64_t most)
{
    int64_t heads = p->outer * p->heads, pieces = (p->workers + heads - 1) / heads;
    return pieces < most ? pieces : most;
}

/* Of dq, a piece of a head has sums of its own. */
static int64_t partial_floats(const atl_attention *p)
{
    return rounded_up(p->queries, QUERIES) * row_of_copy(p->width);
}

int64_t KERNEL(attention_gradient_scratch)(const atl_attention *p)
{
    room r;
    int64_t pieces = pieces_of_head(p, blocks_of_keys(p));
    return p->workers * lay_out(p, NULL, &r) + p->outer * p->heads * pieces * partial_floats(p);
}

static void pack_head(const atl_attention *p, const float *q, const float *y, const float *dy, const room *r)
{
    int64_t values = row_of_copy(p->value_width), width = row_of_copy(p->width);
    int64_t queries = rounded_up(p->queries, QUERIES);
    copy_rows(p->queries, p->width, p->scale, q, &p->q, queries, width, r->query);
    copy_rows(p->queries, p->value_width, 1, dy, &p->dy, queries, values, r->dy);
    for (int64_t i = 0; i < p->queries; i++) {
        float dot = 0;
        const float *row = r->dy + i * values, *of_y = y + i * p->y.row;
#pragma omp simd reduction(+ : dot)
        for (int64_t j = 0; j < p->value_width; j++)
            dot += row[j] * of_y[j * p->y.column];
        r->dot[i] = dot;
    }
}

/* The scores of a query with a block of keys become weights, and dP their slopes; zeros behind them. */
static void weigh(int64_t keys, int64_t block, const float *share, float dot, float *weight, float *slope)
{
    const float most = share[0], part = share[1];
    for (int64_t j = 0; j < keys; j += VECTOR) {
        const vec e = exp_below(load(weight + j) - most) * part;
        store(weight + j, e);
        store(slope + j, e * (load(slope + j) - dot));
    }
    for (int64_t j = keys; j < block; j++)
        weight[j] = slope[j] = 0;
}

/* Of the keys from `first` on; k and v: of the first of them; mask: of the head. */
static void block_of_keys(const atl_attention *p, const float *k, const float *v, const float *mask,
                          const float *shares, int64_t first, int64_t keys, const room *r, float *dq)
{
    int64_t block = keys_in_block(p), values = row_of_copy(p->value_width), width = row_of_copy(p->width);
    int64_t all = rounded_up(keys, ROWS);
    fetching none = {.parts = 0};
    copy_transposed(keys, p->width, k, &p->k, block, r->keys_t);
    copy_transposed(keys, p->value_width, v, &p->v, block, r->values_t);
    copy_rows(keys, p->width, 1, k, &p->k, keys, width, r->key);
    memset(r->dk, 0, (size_t)(all * width) * sizeof *r->dk);
    memset(r->dv, 0, (size_t)(all * values) * sizeof *r->dv);
    for (int64_t i = 0; i < p->queries; i += QUERIES) {
        int64_t rows = p->queries - i < QUERIES ? p->queries - i : QUERIES;
        const float *query = r->query + i * width, *dy = r->dy + i * values;
        multiply(&(product){rows, keys, p->width, query, width, r->keys_t, block, r->weights, block, 0}, &none);
        multiply(&(product){rows, keys, p->value_width, dy, values, r->values_t, block, r->slopes, block, 0}, &none);
        for (int64_t n = 0; n < rows; n++)
            mask_scores(p, mask, i + n, first, keys, r->weights + n * block);
        for (int64_t n = 0; n < rows; n++)
            weigh(keys, rounded_up(keys, LINE_FLOATS), shares + 2 * (i + n), r->dot[i + n], r->weights + n * block,
                  r->slopes + n * block);
        for (int64_t n = 0; n < rows; n++)
            mask_slopes(p, mask, i + n, first, keys, r->slopes + n * block);
        multiply_transposed(&(product){keys, p->value_width, rows, r->weights, block, dy, values, r->dv, values, 1},
                            &none);
        multiply_transposed(&(product){keys, p->width, rows, r->slopes, block, query, width, r->dk, width, 1}, &none);
        multiply(&(product){rows, p->width, keys, r->slopes, block, r->key, width, dq + i * width, width, 1}, &none);
    }
}

/* Piece `piece` of a head: some blocks of keys; `dq`: the sums of this piece. */
static void piece_of_head(const atl_attention *p, const atl_attention_arrays *x, int64_t head, int64_t piece,
                          int64_t pieces, const room *r, float *dq)
{
    int64_t block = keys_in_block(p), blocks = (p->keys + block - 1) / block;
    memset(dq, 0, (size_t)partial_floats(p) * sizeof *dq);
    for (int64_t b = blocks * piece / pieces; b < blocks * (piece + 1) / pieces; b++) {
        int64_t first = b * block, keys = p->keys - first < block ? p->keys - first : block;
        block_of_keys(p, x->k + matrix_at(p, &p->k, head) + first * p->k.row,
                      x->v + matrix_at(p, &p->v, head) + first * p->v.row,
                      x->mask ? x->mask + matrix_at(p, &p->mask, head) : NULL, x->shares + 2 * head * p->queries, first,
                      keys, r, dq);
        write_rows(keys, p->width, 1, r->dk, row_of_copy(p->width), &p->dk,
                   x->dk + matrix_at(p, &p->dk, head) + first * p->dk.row);
        write_rows(keys, p->value_width, 1, r->dv, row_of_copy(p->value_width), &p->dv,
                   x->dv + matrix_at(p, &p->dv, head) + first * p->dv.row);
    }
}

static void add_pieces(const atl_attention *p, int64_t pieces, float *partial, float *dq)
{
    int64_t floats = partial_floats(p);
    for (int64_t head = 0; head < p->outer * p->heads; head++) {
        float *sum = partial + head * pieces * floats;
        for (int64_t i = floats; i < pieces * floats; i++)
            sum[i % floats] += sum[i];
        write_rows(p->queries, p->width, p->scale, sum, row_of_copy(p->width), &p->dq, dq + matrix_at(p, &p->dq, head));
    }
}

void KERNEL(attention_gradient)(const atl_attention *p, const atl_attention_arrays *x, float *scratch)
{
    room dummy;
    int64_t pieces = pieces_of_head(p, blocks_of_keys(p)), count = p->outer * p->heads * pieces;
    int64_t floats = lay_out(p, NULL, &dummy);
    float *partial = scratch + p->workers * floats;
#pragma omp parallel for num_threads(p->workers) schedule(static, 1) if (p->workers > 1)
    for (int worker = 0; worker < p->workers; worker++) {
        room r;
        lay_out(p, scratch + worker * floats, &r);
        for (int64_t n = count * worker / p->workers; n < count * (worker + 1) / p->workers; n++) {
            int64_t head = n / pieces;
            pack_head(p, x->q + matrix_at(p, &p->q, head), x->y + matrix_at(p, &p->y, head),
                      x->dy + matrix_at(p, &p->dy, head), &r);
            piece_of_head(p, x, head, n % pieces, pieces, &r, partial + n * partial_floats(p));
        }
    }
    add_pieces(p, pieces, partial, x->dq);
}
