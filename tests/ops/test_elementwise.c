/* Properties of the map of every element-wise op. */
#include "ops/maps.h"

enum { N = 131 }; /* no multiple of a vector's width */

typedef struct map_run {
    const atl_op *op;
    const void *attributes;
    float input[ATL_MAX_RULES][N];
} map_run;

/* The op as in its first valid sample, with numbers from that sample's ranges; 0 if the sample is of another op. */
static int prepare(const atl_op *op, atl_graph *g, map_run *run)
{
    const atl_sample *s = op->samples;
    atl_node *x[ATL_MAX_RULES];
    for (int i = 0; i < s->inputs; i++)
        x[i] = atl_input(g, ATL_NAME("x%d", i), ATL_FLOAT32, shape_of_input(s, i));
    const atl_node *y = s->unary ? s->unary(x[0]) : s->binary ? s->binary(x[0], x[1]) : s->build(x);
    run->op = op;
    run->attributes = atl_attributes_of(y);
    for (int i = 0; i < s->inputs; i++) {
        int is_open = s->input[i].low == 0 && s->input[i].high == 0;
        atl_tensor *t = random_tensor(ATL_SHAPE(N), is_open ? -1 : s->input[i].low, is_open ? 1 : s->input[i].high);
        memcpy(run->input[i], atl_floats(t), sizeof run->input[i]);
        atl_tensor_free(t);
    }
    return atl_op_of(y) == op;
}

static void run_map(const map_run *run, size_t from, size_t n, float *result)
{
    const float *x[ATL_MAX_RULES];
    for (int i = 0; i < run->op->arity; i++)
        x[i] = run->input[i] + from;
    run->op->map(run->attributes, n, x, result);
}

static void expect_same(const map_run *run, const char *how, const float *value, const float *expected)
{
    cr_expect(!memcmp(value, expected, N * sizeof *value), "%s: other bits %s", run->op->name, how);
}

static void check_map(const map_run *run)
{
    float expected[N], pieces[N];
    run_map(run, 0, N, expected);
    for (size_t i = 0; i < N; i++)
        run_map(run, i, 1, pieces + i);
    expect_same(run, "one by one", pieces, expected);
    for (size_t i = 0; i < N; i += 7)
        run_map(run, i, N - i < 7 ? N - i : 7, pieces + i);
    expect_same(run, "by sevens", pieces, expected);
    for (int i = 0; i < run->op->arity; i++) {
        map_run over = *run;
        run_map(&over, 0, N, over.input[i]);
        expect_same(run, "when an input is overwritten", over.input[i], expected);
    }
}

Test(elementwise, maps_give_the_same_bits_in_pieces_and_in_place)
{
    int64_t count;
    int checked = 0;
    const atl_op *const *ops = atl_builtin_ops(&count);
    for (int i = 0; i < count; i++) {
        atl_graph *g = atl_graph_new();
        map_run run = {0};
        if (ops[i]->map && prepare(ops[i], g, &run)) {
            check_map(&run);
            checked++;
        }
        atl_graph_free(g);
    }
    cr_assert_gt(checked, 50);
}

/* A map of no elements is called, reads nothing through its null inputs, and writes nothing. */
Test(elementwise, nothing_is_fine)
{
    int64_t count;
    int called = 0;
    const atl_op *const *ops = atl_builtin_ops(&count);
    for (int i = 0; i < count; i++) {
        const float *const none[ATL_MAX_RULES] = {0};
        const float attributes[2] = {0, 1};
        float result[2 * N], before[2 * N];
        for (int k = 0; k < 2 * N; k++)
            before[k] = result[k] = (float)k;
        if (!ops[i]->map)
            continue;
        ops[i]->map(attributes, 0, none, result + N);
        cr_expect_eq(memcmp(result, before, sizeof result), 0, "%s: a map of nothing has written", ops[i]->name);
        called++;
    }
    cr_assert_gt(called, 50);
}
