/* Attention and its gradients against loops in double, for sizes that fill no vector and no block. */
#include "isas.h"

typedef struct sizes {
    int64_t outer, heads, queries, keys, width, value_width;
    int merged, transposed_k, workers, keep;
} sizes;

/* [outer, heads, rows, columns], or merged [outer, rows, heads, columns]. */
static atl_matrices lie(const sizes *s, int64_t rows, int64_t columns)
{
    return s->merged ? (atl_matrices){rows * s->heads * columns, columns, s->heads * columns, 1}
                     : (atl_matrices){s->heads * rows * columns, rows * columns, columns, 1};
}

static float at(const float *x, const atl_matrices *m, int64_t n, int64_t h, int64_t row, int64_t column)
{
    return x[n * m->outer + h * m->head + row * m->row + column * m->column];
}

enum { Q, K, V, DY, Y, DQ, DK, DV, ARRAYS };

/* What the kernels have written, beside what one head should be. */
static void check_head(const atl_attention *p, float *const *x, int64_t n, int64_t h)
{
    int64_t t = p->queries, keys = p->keys, d = p->width, e = p->value_width;
    double *weight = calloc((size_t)(t * keys), sizeof *weight), *slope = calloc((size_t)(t * keys), sizeof *slope);
    double scale = (double)p->scale, bound = 1e-5;
    cr_assert(weight && slope);
    for (int64_t i = 0; i < t; i++) {
        double most = -INFINITY, sum = 0, dot = 0, *w = weight + i * keys;
        for (int64_t j = 0; j < keys; j++) {
            for (int64_t c = 0; c < d; c++)
                w[j] += scale * (double)at(x[Q], &p->q, n, h, i, c) * (double)at(x[K], &p->k, n, h, j, c);
            most = fmax(most, w[j]);
        }
        for (int64_t j = 0; j < keys; j++)
            sum += exp(w[j] - most);
        for (int64_t j = 0; j < keys; j++)
            w[j] = exp(w[j] - most) / sum;
        for (int64_t c = 0; c < e; c++) {
            double y = 0;
            for (int64_t j = 0; j < keys; j++)
                y += w[j] * (double)at(x[V], &p->v, n, h, j, c);
            cr_assert_float_eq((double)at(x[Y], &p->y, n, h, i, c), y, bound, "y %d %d", (int)i, (int)c);
            dot += y * (double)at(x[DY], &p->dy, n, h, i, c);
        }
        for (int64_t j = 0; j < keys; j++) {
            for (int64_t c = 0; c < e; c++)
                slope[i * keys + j] += (double)at(x[DY], &p->dy, n, h, i, c) * (double)at(x[V], &p->v, n, h, j, c);
            slope[i * keys + j] = scale * w[j] * (slope[i * keys + j] - dot);
        }
        for (int64_t c = 0; c < d; c++) {
            double dq = 0;
            for (int64_t j = 0; j < keys; j++)
                dq += slope[i * keys + j] * (double)at(x[K], &p->k, n, h, j, c);
            cr_assert_float_eq((double)at(x[DQ], &p->dq, n, h, i, c), dq, bound, "dq %d %d", (int)i, (int)c);
        }
    }
    for (int64_t j = 0; j < keys; j++) {
        for (int64_t c = 0; c < d; c++) {
            double dk = 0;
            for (int64_t i = 0; i < t; i++)
                dk += slope[i * keys + j] * (double)at(x[Q], &p->q, n, h, i, c);
            cr_assert_float_eq((double)at(x[DK], &p->dk, n, h, j, c), dk, bound, "dk %d %d", (int)j, (int)c);
        }
        for (int64_t c = 0; c < e; c++) {
            double dv = 0;
            for (int64_t i = 0; i < t; i++)
                dv += weight[i * keys + j] * (double)at(x[DY], &p->dy, n, h, i, c);
            cr_assert_float_eq((double)at(x[DV], &p->dv, n, h, j, c), dv, bound, "dv %d %d", (int)j, (int)c);
        }
    }
    free(weight);
    free(slope);
}

static void check(const atl_kernel_table *k, const sizes *s)
{
    int64_t d = s->width, e = s->value_width, batch = s->outer * s->heads;
    const int64_t rows[ARRAYS] = {s->queries, s->keys, s->keys, s->queries, s->queries, s->queries, s->keys, s->keys};
    const int64_t columns[ARRAYS] = {d, d, e, e, e, d, d, e};
    atl_matrices m[ARRAYS];
    float *x[ARRAYS];
    for (int i = 0; i < ARRAYS; i++) {
        m[i] = lie(s, rows[i], columns[i]);
        if (s->transposed_k && (i == K || i == DK))
            m[i] = (atl_matrices){s->heads * s->keys * d, s->keys * d, 1, s->keys};
        x[i] = random_floats(batch * rows[i] * columns[i]);
    }
    const atl_attention p = {.outer = s->outer,
                             .heads = s->heads,
                             .queries = s->queries,
                             .keys = s->keys,
                             .width = d,
                             .value_width = e,
                             .scale = 0.7f,
                             .workers = s->workers,
                             .q = m[Q],
                             .k = m[K],
                             .v = m[V],
                             .y = m[Y],
                             .dy = m[DY],
                             .dq = m[DQ],
                             .dk = m[DK],
                             .dv = m[DV]};
    float *shares = random_floats(2 * batch * s->queries),
          *weights = s->keep ? random_floats(atl_kept_floats(&p)) : NULL;
    float *scratch = random_floats(k->attention_scratch(&p)),
          *more = random_floats(s->keep ? k->attention_kept_gradient_scratch(&p) : k->attention_gradient_scratch(&p));
    k->attention(&p, x[Q], x[K], x[V], NULL, scratch, x[Y], shares, weights);
    const atl_attention_arrays arrays = {x[Q], x[K], x[V], x[Y], shares, weights, x[DY], x[DQ], x[DK], x[DV], NULL};
    if (s->keep)
        k->attention_kept_gradient(&p, &arrays, more);
    else
        k->attention_gradient(&p, &arrays, more);
    for (int64_t n = 0; n < s->outer; n++)
        for (int64_t h = 0; h < s->heads; h++)
            check_head(&p, x, n, h);
    for (int i = 0; i < ARRAYS; i++)
        free(x[i]);
    free(shares);
    free(weights);
    free(scratch);
    free(more);
}

ISA_TEST(attention, sizes_strides_workers)
{
    static const int64_t some[][4] = {{1, 1, 1, 1},      {7, 3, 5, 1},    {49, 17, 16, 16},  {6, 48, 64, 8},
                                      {100, 50, 32, 33}, {3, 400, 7, 16}, {50, 383, 16, 20}, {130, 197, 16, 16}};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        for (int way = 0; way < 12; way += FEWER(1, 5)) {
            const sizes s = {1 + way % 2, 1 + way % 3,
                             some[i][0],  some[i][1],
                             some[i][2],  some[i][3],
                             way % 2,     way % 4 == 2,
                             1 + way / 4, way % 3 == 0 && some[i][1] <= ATL_ATTENTION_BLOCK};
            check(k, &s);
        }
}

ISA_TEST(attention, several_blocks_of_keys)
{
    for (int workers = 1; workers <= 3; workers += FEWER(1, 2))
        check(k, &(sizes){1, 1, 130, 1000, 16, 16, 0, 0, workers, 0});
}

/* The same bits for any number of threads, which share heads. */
ISA_TEST(attention, the_same_bits)
{
    enum { HEADS = 2, T = 60, D = 16, FLOATS = HEADS * T * D };
    float *x[4]; /* q, k, v, dy */
    for (int i = 0; i < 4; i++)
        x[i] = random_floats(FLOATS);
    float y[2][4][FLOATS], shares[2 * HEADS * T]; /* y, dq, dk, dv */
    for (int workers = 1; workers <= 5; workers += 2) {
        const sizes s = {1, HEADS, T, T, D, D, 0, 0, 0, 0};
        const atl_matrices m = lie(&s, T, D);
        const atl_attention p = {.outer = 1,
                                 .heads = HEADS,
                                 .queries = T,
                                 .keys = T,
                                 .width = D,
                                 .value_width = D,
                                 .scale = 0.25f,
                                 .workers = workers,
                                 .q = m,
                                 .k = m,
                                 .v = m,
                                 .y = m,
                                 .dy = m,
                                 .dq = m,
                                 .dk = m,
                                 .dv = m};
        float *scratch = random_floats(k->attention_scratch(&p)), *weights = random_floats(atl_kept_floats(&p));
        float *more = random_floats(k->attention_kept_gradient_scratch(&p)), (*now)[FLOATS] = y[workers > 1];
        k->attention(&p, x[0], x[1], x[2], NULL, scratch, now[0], shares, weights);
        const atl_attention_arrays arrays = {x[0], x[1],   x[2],   now[0], shares, weights,
                                             x[3], now[1], now[2], now[3], NULL};
        k->attention_kept_gradient(&p, &arrays, more);
        cr_assert(workers == 1 || !memcmp(y[0], y[1], sizeof y[0]), "%d workers", workers);
        free(scratch);
        free(weights);
        free(more);
    }
    for (int i = 0; i < 4; i++)
        free(x[i]);
}

/* Scores far beyond what an exponential holds, and a NaN, which stays in its row. */
ISA_TEST(attention, special_values)
{
    enum { T = 20, D = 16 };
    const sizes s = {1, 1, T, T, D, D, 0, 0, 0, 0};
    const atl_matrices m = lie(&s, T, D);
    const atl_attention p = {.outer = 1,
                             .heads = 1,
                             .queries = T,
                             .keys = T,
                             .width = D,
                             .value_width = D,
                             .scale = 1,
                             .workers = 1,
                             .q = m,
                             .k = m,
                             .v = m,
                             .y = m};
    float *q = random_floats(T * D), *key = random_floats(T * D), *v = random_floats(T * D);
    float *scratch = random_floats(k->attention_scratch(&p)), y[T * D], shares[2 * T];
    for (int i = 0; i < T * D; i++)
        q[i] *= 1e6f;
    q[3 * D] = NAN;
    k->attention(&p, q, key, v, NULL, scratch, y, shares, NULL);
    for (int i = 0; i < T; i++) {
        double best = -INFINITY;
        int top = 0;
        for (int j = 0; j < T; j++) {
            double score = 0;
            for (int c = 0; c < D; c++)
                score += (double)q[i * D + c] * (double)key[j * D + c];
            top = score > best ? j : top;
            best = fmax(best, score);
        }
        for (int c = 0; c < D; c++)
            if (i == 3)
                cr_assert(isnan(y[i * D + c]));
            else
                cr_assert_float_eq((double)y[i * D + c], (double)v[top * D + c], 1e-6, "%d %d", i, c);
    }
    free(q);
    free(key);
    free(v);
    free(scratch);
}
