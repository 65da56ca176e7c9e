/* Attention as one step: the same values and gradients with the pass and without, with heads split or not, and no array
 * of all scores in memory. */
#include "nets.h"
#include "ops/attention_fused.h"

typedef struct attended {
    atl_graph *graph;
    atl_node *q, *k, *v, *y, *slope[3];
} attended;

/* Heads are split from [n, t, heads * d]; without heads: [n, t, d].  way: 0 atl_attention, 1 keys that are transposed
 * by a transpose, 2 no scale, 3 a scale before the product (not recognized, and so two products) */
static attended build(int64_t n, int64_t queries, int64_t keys, int heads, int64_t width, int way)
{
    attended a = {.graph = atl_graph_new()};
    int64_t all = (heads ? heads : 1) * width;
    a.q = atl_input(a.graph, "q", ATL_FLOAT32, ATL_SHAPE(n, queries, all));
    a.k = atl_input(a.graph, "k", ATL_FLOAT32, ATL_SHAPE(n, keys, all));
    a.v = atl_input(a.graph, "v", ATL_FLOAT32, ATL_SHAPE(n, keys, all));
    atl_node *q = heads ? atl_split_heads(a.q, heads) : a.q, *k = heads ? atl_split_heads(a.k, heads) : a.k,
             *v = heads ? atl_split_heads(a.v, heads) : a.v;
    atl_node *y = NULL;
    if (way == 0)
        y = atl_attention(q, k, v);
    else if (way == 1) {
        atl_node *turned =
            heads ? atl_transpose(atl_reshape(a.k, ATL_SHAPE(n, keys, heads, width)), .order = {0, 2, 3, 1})
                  : atl_add_scalar(atl_transpose(k, .order = {0, 2, 1}), 0.25f);
        y = atl_matmul(atl_softmax(atl_scale(atl_matmul(q, turned), 0.3f)), v);
    } else
        y = atl_matmul(atl_softmax(atl_matmul(q, k, .transpose_b = 1)), v);
    a.y = heads ? atl_merge_heads(y) : y;
    cr_assert(a.y, "%s", atl_graph_error(a.graph));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_square(a.y))), .by = ATL_NODES(a.q, a.k, a.v),
                               .result_out = a.slope),
                 ATL_OK, "%s", atl_graph_error(a.graph));
    return a;
}

/* The wanted nodes with the pass and without; returns the program with it, after a run. */
static atl_program *compare(const attended *a, atl_nodes wanted)
{
    atl_program *with = atl_compile(a->graph, wanted),
                *without = atl_compile(a->graph, wanted, .disabled_passes = ATL_PASS_ATTENTION);
    cr_assert(with && without, "%s", atl_error());
    cr_assert_eq(steps_by(without, "attention_fused", NULL), 0);
    atl_tensor *q = random_tensor(atl_shape_of(a->q), -1, 1), *k = random_tensor(atl_shape_of(a->k), -1, 1),
               *v = random_tensor(atl_shape_of(a->v), -1, 1);
    const atl_feed *feeds = ATL_FEEDS({a->q, q}, {a->k, k}, {a->v, v});
    cr_assert_eq(atl_run(with, feeds), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(without, feeds), ATL_OK, "%s", atl_error());
    for (int64_t i = 0; i < wanted.count; i++)
        cr_assert_close(atl_value(with, wanted.node[i]), atl_value(without, wanted.node[i]), 3e-6);
    atl_tensor_free(q);
    atl_tensor_free(k);
    atl_tensor_free(v);
    atl_program_free(without);
    return with;
}

static void check(int64_t n, int64_t queries, int64_t keys, int heads, int64_t width, int way)
{
    attended a = build(n, queries, keys, heads, width, way);
    atl_program *forward = compare(&a, ATL_NODES(a.y));
    int fused = atl_attention_pays(queries, keys);
    cr_assert_eq(steps_by(forward, "attention_fused", NULL), fused);
    cr_assert_eq(steps_by(forward, "softmax", NULL), !fused);
    atl_program_free(forward);
    atl_program *both = compare(&a, ATL_NODES(a.y, a.slope[0], a.slope[1], a.slope[2]));
    cr_assert_eq(steps_by(both, "attention_fused_grad", NULL), fused);
    cr_assert_eq(steps_by(both, "softmax_grad", NULL), !fused);
    atl_program_free(both);
    for (int i = 0; i < 3; i++) /* one gradient alone */
        atl_program_free(compare(&a, ATL_NODES(a.slope[i])));
    atl_graph_free(a.graph);
}

Test(attention_pass, heads)
{
    check(2, 40, 40, 3, 16, 0);
    check(1, 37, 53, 2, 5, 0);
    check(2, 33, 400, 2, 16, 0);
}

Test(attention_pass, without_heads) { check(2, 50, 450, 0, 24, 0); }

Test(attention_pass, keys_transposed_by_a_transpose)
{
    check(2, 40, 50, 2, 16, 1);
    check(2, 40, 450, 2, 16, 1);
    check(1, 40, 430, 0, 16, 1);
}

Test(attention_pass, without_a_scale) { check(1, 40, 420, 2, 16, 2); }

/* Whoever reads the weights gets them. */
Test(attention_pass, weights_that_are_wanted)
{
    atl_graph *g = atl_graph_new();
    atl_node *q = atl_input(g, "q", ATL_FLOAT32, ATL_SHAPE(2, 50, 16));
    atl_node *weights = atl_softmax(atl_matmul(q, q, .transpose_b = 1)), *y = atl_matmul(weights, q);
    atl_program *program = atl_compile(g, ATL_NODES(y, weights));
    cr_assert_eq(steps_by(program, "attention_fused", NULL), 0);
    atl_program_free(program);
    atl_graph_free(g);
}

/* All scores of 4096 queries with 4096 keys would be 67 MB a head. */
Test(attention_pass, memory_of_long_sequences)
{
    enum { T = 4096, HEADS = 2, WIDTH = 16 };
    attended a = build(1, T, T, HEADS, WIDTH, 0);
    atl_program *program = atl_compile(a.graph, ATL_NODES(a.y, a.slope[0], a.slope[1], a.slope[2]));
    cr_assert(program, "%s", atl_error());
    cr_assert_lt(atl_program_arena_bytes(program), 12 << 20);
    atl_program *without =
        atl_compile(a.graph, ATL_NODES(a.y, a.slope[0], a.slope[1], a.slope[2]), .disabled_passes = ATL_PASS_ATTENTION);
    cr_assert_gt(atl_program_arena_bytes(without), (int64_t)T * T * 4 * HEADS);
    atl_program_free(program);
    atl_program_free(without);
    atl_graph_free(a.graph);
}
