/* Attention and its heads. */
#include "values.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(attention, .init = set_up, .fini = tear_down);

enum { BATCH = 2, QUERIES = 4, KEYS = 5, WIDTH = 3, VALUES = 2 };

/* By loops in double; sees[q][k], or everything if null. */
static atl_tensor *by_loops(const atl_tensor *q, const atl_tensor *k, const atl_tensor *v, int queries, double scale,
                            const int *sees)
{
    atl_tensor *y = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(BATCH, queries, VALUES));
    for (int n = 0; n < BATCH; n++)
        for (int i = 0; i < queries; i++) {
            double weight[KEYS], sum = 0, out[VALUES] = {0};
            for (int j = 0; j < KEYS; j++) {
                double score = 0;
                for (int d = 0; d < WIDTH; d++)
                    score += (double)atl_floats(q)[(n * queries + i) * WIDTH + d] *
                             atl_floats(k)[(n * KEYS + j) * WIDTH + d];
                weight[j] = sees && !sees[i * KEYS + j] ? 0 : exp(score * scale);
                sum += weight[j];
            }
            for (int j = 0; j < KEYS; j++)
                for (int d = 0; d < VALUES; d++)
                    out[d] += weight[j] / sum * atl_floats(v)[(n * KEYS + j) * VALUES + d];
            for (int d = 0; d < VALUES; d++)
                atl_floats(y)[(n * queries + i) * VALUES + d] = (float)out[d];
        }
    return y;
}

static void expect_attention(atl_node *y, atl_tensor *expected)
{
    cr_assert(y, "%s", atl_error());
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program && atl_run(program, ATL_NO_FEEDS) == ATL_OK, "%s", atl_error());
    cr_assert_close(atl_value(program, y), expected, 1e-5);
    atl_program_free(program);
    atl_tensor_free(expected);
}

Test(attention, is_the_formula)
{
    atl_tensor *q = random_tensor(ATL_SHAPE(BATCH, QUERIES, WIDTH), -2, 2);
    atl_tensor *k = random_tensor(ATL_SHAPE(BATCH, KEYS, WIDTH), -2, 2);
    atl_tensor *v = random_tensor(ATL_SHAPE(BATCH, KEYS, VALUES), -2, 2);
    atl_node *x[] = {atl_constant(g, q), atl_constant(g, k), atl_constant(g, v)};
    int sees[QUERIES * KEYS], before[QUERIES * KEYS], both[QUERIES * KEYS];
    for (int i = 0; i < QUERIES * KEYS; i++) {
        sees[i] = i % KEYS == 0 || random_below(2);
        before[i] = i % KEYS <= i / KEYS;
        both[i] = sees[i] && before[i];
    }
    atl_node *mask = ints_of(g, ATL_SHAPE(QUERIES, KEYS), sees);
    double usual = 1 / sqrt(WIDTH);
    expect_attention(atl_attention(x[0], x[1], x[2]), by_loops(q, k, v, QUERIES, usual, NULL));
    expect_attention(atl_attention(x[0], x[1], x[2], .scale = 0.25f), by_loops(q, k, v, QUERIES, 0.25, NULL));
    expect_attention(atl_attention(x[0], x[1], x[2], .mask = mask), by_loops(q, k, v, QUERIES, usual, sees));
    expect_attention(atl_attention(x[0], x[1], x[2], .causal = true), by_loops(q, k, v, QUERIES, usual, before));
    expect_attention(atl_attention(x[0], x[1], x[2], .causal = true, .mask = atl_cast(mask, ATL_FLOAT32)),
                     by_loops(q, k, v, QUERIES, usual, both));
    atl_tensor_free(q);
    atl_tensor_free(k);
    atl_tensor_free(v);
}

Test(attention, a_query_that_sees_nothing_gets_the_mean)
{
    atl_node *q = FLOATS(g, ATL_SHAPE(1, 1), 3), *k = FLOATS(g, ATL_SHAPE(2, 1), 1, 2);
    EXPECT_VALUES(atl_attention(q, k, FLOATS(g, ATL_SHAPE(2, 1), 4, 6), .mask = INTS(g, ATL_SHAPE(2), 0, 0)),
                  ATL_SHAPE(1, 1), 5);
}

Test(attention, heads_are_parts_of_the_last_dimension)
{
    atl_node *x = counting(g, ATL_SHAPE(1, 2, 4)), *y = atl_split_heads(x, 2);
    EXPECT_VALUES(y, ATL_SHAPE(1, 2, 2, 2), 0, 1, 4, 5, 2, 3, 6, 7);
    EXPECT_VALUES(atl_merge_heads(y), ATL_SHAPE(1, 2, 4), 0, 1, 2, 3, 4, 5, 6, 7);
}

/* Two unknown sizes take another way, and give the same. */
Test(attention, heads_of_unknown_sizes)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, ATL_ANY, 6)), *y = atl_split_heads(x, 3);
    atl_node *back = atl_merge_heads(y);
    cr_assert(back, "%s", atl_error());
    expect_shape(y, ATL_SHAPE(ATL_ANY, 3, ATL_ANY, 2));
    expect_shape(back, ATL_SHAPE(ATL_ANY, ATL_ANY, 6));
    atl_program *program = atl_compile(g, ATL_NODES(y, back));
    atl_tensor *value = random_tensor(ATL_SHAPE(2, 5, 6), -1, 1);
    cr_assert(program && atl_run(program, ATL_FEED(x, value)) == ATL_OK, "%s", atl_error());
    cr_expect_eq(largest_difference(atl_value(program, back), value), 0);
    for (int n = 0; n < 2; n++)
        for (int h = 0; h < 3; h++)
            for (int t = 0; t < 5; t++)
                for (int d = 0; d < 2; d++)
                    cr_expect_eq(atl_floats(atl_value(program, y))[((n * 3 + h) * 5 + t) * 2 + d],
                                 atl_floats(value)[(n * 5 + t) * 6 + h * 2 + d]);
    atl_program_free(program);
    atl_tensor_free(value);
}

Test(attention, an_unknown_width_needs_a_scale)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2, ATL_ANY));
    cr_assert(atl_attention(x, x, x, .scale = 1), "%s", atl_error());
    EXPECT_REFUSED(g, atl_attention(x, x, x), ".scale must be given", "[2, ?]");
}
