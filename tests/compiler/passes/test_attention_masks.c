/* Attention with masks as one step: the same values and gradients with the pass and without, special values too. */
#include "nets.h"

enum { N = 2, HEADS = 2, QUERIES = 40, WIDTH = 16 };

typedef enum masking {
    ADDED,        /* before the softmax */
    ADDED_FIRST,  /* mask + scores */
    SELECTED,     /* atl_attention's mask */
    HIDDEN,       /* select(mask, -inf, scores) */
    CAUSAL,       /* atl_attention's triangle */
    CAUSAL_MASKED /* both */
} masking;

typedef struct masked {
    atl_graph *graph;
    atl_node *q, *k, *v, *mask, *y, *slope[3];
} masked;

static atl_node *attend(masked *m, masking way, atl_node *q, atl_node *k, atl_node *v)
{
    if (way >= SELECTED && way != HIDDEN)
        return atl_attention(q, k, v, .mask = way == CAUSAL ? NULL : m->mask, .causal = way >= CAUSAL);
    atl_node *scores = atl_scale(atl_matmul(q, k, .transpose_b = 1), 0.3f);
    scores = way == ADDED         ? atl_add(scores, m->mask)
             : way == ADDED_FIRST ? atl_add(m->mask, scores)
                                  : atl_select(m->mask, atl_scalar(scores, -INFINITY), scores);
    return atl_matmul(atl_softmax(scores), v);
}

/* heads 0: q, k and v are of rank 3, and the scores too. */
static masked build(int heads, int64_t keys, atl_shape mask, masking way)
{
    masked m = {.graph = atl_graph_new()};
    m.q = atl_input(m.graph, "q", ATL_FLOAT32, ATL_SHAPE(N, QUERIES, HEADS * WIDTH));
    m.k = atl_input(m.graph, "k", ATL_FLOAT32, ATL_SHAPE(N, keys, HEADS * WIDTH));
    m.v = atl_input(m.graph, "v", ATL_FLOAT32, ATL_SHAPE(N, keys, HEADS * WIDTH));
    m.mask = atl_input(m.graph, "mask", ATL_FLOAT32, mask);
    m.y = !heads ? attend(&m, way, m.q, m.k, m.v)
                 : atl_merge_heads(attend(&m, way, atl_split_heads(m.q, heads), atl_split_heads(m.k, heads),
                                          atl_split_heads(m.v, heads)));
    cr_assert(m.y, "%s", atl_graph_error(m.graph));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(atl_sum(atl_square(m.y))), .by = ATL_NODES(m.q, m.k, m.v),
                               .result_out = m.slope),
                 ATL_OK, "%s", atl_graph_error(m.graph));
    return m;
}

/* NaN where the other is NaN, else close. */
static void same_values(const atl_tensor *a, const atl_tensor *b)
{
    const float *x = atl_const_floats(a), *y = atl_const_floats(b);
    for (int64_t i = 0; i < atl_tensor_count(a); i++) {
        cr_assert_eq(isnan(x[i]) != 0, isnan(y[i]) != 0, "element %lld: %g, %g", (long long)i, (double)x[i],
                     (double)y[i]);
        if (!isnan(x[i]))
            cr_assert_float_eq(x[i], y[i], 2e-5, "element %lld: %g, %g", (long long)i, (double)x[i], (double)y[i]);
    }
}

/* Of zeros and ones, or, to be added, of numbers and -inf; one row hides all keys if `whole`. */
static atl_tensor *mask_values(atl_shape shape, int added, int whole)
{
    atl_tensor *mask = random_tensor(shape, -1, 1);
    float *x = atl_floats(mask);
    int64_t keys = shape.size[shape.rank - 1];
    for (int64_t i = 0; i < atl_tensor_count(mask); i++) {
        int hides = x[i] < -0.4f || (whole && i / keys == 3);
        x[i] = added ? (hides ? -INFINITY : x[i]) : !hides;
    }
    return mask;
}

static void check(int heads, int64_t keys, atl_shape shape, masking way, int whole)
{
    masked m = build(heads, keys, shape, way);
    atl_nodes wanted = ATL_NODES(m.y, m.slope[0], m.slope[1], m.slope[2]);
    for (int backward = 0; backward < 2; backward++) {
        wanted.count = backward ? 4 : 1;
        atl_program *with = atl_compile(m.graph, wanted),
                    *without = atl_compile(m.graph, wanted, .disabled_passes = ATL_PASS_ATTENTION);
        cr_assert(with && without, "%s", atl_error());
        cr_assert_eq(steps_by(with, "softmax", NULL), 0, "way %d, %d keys", (int)way, (int)keys);
        cr_assert_eq(steps_by(with, "attention_fused", NULL), 1);
        cr_assert_eq(steps_by(with, "attention_fused_grad", NULL), backward);
        cr_assert_eq(steps_by(with, "select", NULL), 0);
        atl_tensor *q = random_tensor(atl_shape_of(m.q), -1, 1), *k = random_tensor(atl_shape_of(m.k), -1, 1),
                   *v = random_tensor(atl_shape_of(m.v), -1, 1), *mask = mask_values(shape, way <= ADDED_FIRST, whole);
        for (int64_t i = 0; way == HIDDEN && i < atl_tensor_count(mask); i++)
            atl_floats(mask)[i] = 1 - atl_floats(mask)[i];
        const atl_feed *feeds = way == CAUSAL ? ATL_FEEDS({m.q, q}, {m.k, k}, {m.v, v})
                                              : ATL_FEEDS({m.q, q}, {m.k, k}, {m.v, v}, {m.mask, mask});
        cr_assert_eq(atl_run(with, feeds), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_run(without, feeds), ATL_OK, "%s", atl_error());
        for (int64_t i = 0; i < wanted.count; i++)
            same_values(atl_value(with, wanted.node[i]), atl_value(without, wanted.node[i]));
        if (whole && (way == HIDDEN || way <= ADDED_FIRST))
            cr_assert(isnan(atl_const_floats(atl_value(with, m.y))[3 * HEADS * WIDTH]), "a row without a key");
        atl_tensor_free(q);
        atl_tensor_free(k);
        atl_tensor_free(v);
        atl_tensor_free(mask);
        atl_program_free(with);
        atl_program_free(without);
    }
    atl_graph_free(m.graph);
}

enum { KEYS = 450 }; /* so many that the gradients are one step, too */

Test(attention_masks, every_shape)
{
    for (masking way = ADDED; way <= CAUSAL_MASKED; way++) {
        check(HEADS, KEYS, ATL_SHAPE(QUERIES, KEYS), way, 0);
        check(HEADS, KEYS, ATL_SHAPE(N, 1, QUERIES, KEYS), way, 0);
        check(HEADS, KEYS, ATL_SHAPE(N, 1, 1, KEYS), way, 0);
        check(HEADS, KEYS, ATL_SHAPE(HEADS, QUERIES, KEYS), way, 0);
        check(HEADS, KEYS, ATL_SHAPE(1, HEADS, QUERIES, 1), way, 0);
    }
}

Test(attention_masks, scores_of_three_dimensions)
{
    for (masking way = ADDED; way <= CAUSAL_MASKED; way++) {
        check(0, KEYS, ATL_SHAPE(QUERIES, KEYS), way, 0);
        check(0, KEYS, ATL_SHAPE(N, QUERIES, KEYS), way, 0);
        check(0, KEYS, ATL_SHAPE(N, 1, KEYS), way, 0);
    }
}

Test(attention_masks, a_row_without_a_key)
{
    for (masking way = ADDED; way <= CAUSAL_MASKED; way++)
        check(HEADS, KEYS, ATL_SHAPE(QUERIES, KEYS), way, 1);
}

/* A mask whose gradient is wanted needs the scores' gradient. */
Test(attention_masks, a_trained_mask)
{
    masked m = build(HEADS, KEYS, ATL_SHAPE(QUERIES, KEYS), ADDED);
    atl_node *slope = atl_gradient(atl_sum(atl_square(m.y)), m.mask);
    atl_program *program = atl_compile(m.graph, ATL_NODES(m.slope[0], slope));
    cr_assert(program, "%s", atl_error());
    cr_assert_eq(steps_by(program, "attention_fused", NULL), 0);
    cr_assert_eq(steps_by(program, "softmax", NULL), 1);
    atl_program_free(program);
    atl_graph_free(m.graph);
}
