/* Scaled dot-product attention (Vaswani et al. 2017) and its heads, composed of other ops. */
#include <inttypes.h>

#include "common/plural.h"
#include "graph/option.h"
#include "ops/ops.h"

/* A score that softmax makes an exact zero of.  Not an infinity: a row of these alone would become NaN.  Nor so large
 * that the logarithm of such a row's length is lost beside it. */
#define UNSEEN (-1e9f)

/* More heads than any network has: a limit of what a stack holds. */
#define MAX_HEADS 1024

static atl_node *hide(atl_node *scores, atl_node *mask)
{
    return mask ? atl_select(mask, scores, atl_scalar(scores, UNSEEN)) : scores;
}

/* 1 for the keys up to the query's own number. */
static atl_node *seen_before(atl_node *scores) { return atl_tril(atl_fill(scores, 1), 0); }

static int check(const atl_attention_args *args)
{
    atl_shape query = *args->query->shape, key = *args->key->shape, value = *args->value->shape;
    atl_graph *graph = args->query->graph;
    if (query.rank < 2 || query.rank != key.rank || query.rank != value.rank)
        return atl_builder_error(graph, "attention",
                                 "it takes queries [.., q, d], keys [.., k, d] and values [.., k, e], not %s, %s, %s",
                                 SHAPE_TEXT(query), SHAPE_TEXT(key), SHAPE_TEXT(value)) != NULL;
    int64_t keys = key.size[key.rank - 2], values = value.size[value.rank - 2];
    if (keys != values && keys != ATL_ANY && values != ATL_ANY)
        return atl_builder_error(graph, "attention",
                                 "it was given %" PRId64 " key%s, '%s' %s, but %" PRId64 " value%s, '%s' %s", keys,
                                 atl_plural(keys), atl_name_of(args->key), SHAPE_TEXT(key), values, atl_plural(values),
                                 atl_name_of(args->value), SHAPE_TEXT(value)) != NULL;
    if (args->scale == 0 && query.size[query.rank - 1] == ATL_ANY)
        return atl_builder_error(graph, "attention",
                                 "the width of the queries, '%s' %s, is unknown, so .scale must be given",
                                 atl_name_of(args->query), SHAPE_TEXT(query)) != NULL;
    return 1;
}

atl_node *atl_attention_with(const atl_attention_args *args)
{
    if (!args)
        return atl_null_argument("atl_attention", "the options are"), NULL;
    if (!args->query || !args->key || !args->value)
        return atl_pass_null("atl_attention");
    if (!check(args))
        return NULL;
    atl_graph *graph = args->query->graph;
    atl_shape query = *args->query->shape;
    atl_enter(graph, "attention");
    double usual = 1 / sqrt((double)query.size[query.rank - 1]);
    atl_node *mask =
        args->mask && atl_dtype_of(args->mask) != ATL_FLOAT32 ? atl_cast(args->mask, ATL_FLOAT32) : args->mask;
    atl_node *scores = atl_matmul(args->query, args->key, .transpose_b = true);
    scores = hide(atl_scale(scores, (float)atl_option(args->scale, usual)), mask);
    if (args->causal)
        scores = hide(scores, seen_before(scores));
    atl_node *y = atl_matmul(atl_softmax(scores), args->value);
    atl_leave(graph);
    return y;
}

/* True if a reshape can tell all sizes: it computes one. */
static int at_most_one_unknown(int64_t a, int64_t b) { return a != ATL_ANY || b != ATL_ANY; }

/* Parts of the last dimension, stacked: for any unknown sizes. */
static atl_node *stack_parts(atl_node *x, int heads)
{
    atl_node *part[MAX_HEADS];
    if (atl_split(x, -1, heads, NULL, part))
        return NULL;
    return atl_stack_with(1, (atl_nodes){heads, part});
}

atl_node *atl_split_heads(atl_node *x, int heads)
{
    if (!x)
        return atl_pass_null("atl_split_heads");
    atl_shape shape = *x->shape;
    if (shape.rank != 3)
        return atl_builder_error(x->graph, "split_heads", "it takes [n, tokens, width], but '%s' is %s", atl_name_of(x),
                                 SHAPE_TEXT(shape));
    int64_t width = shape.size[2];
    if (heads < 1 || heads > MAX_HEADS || width == ATL_ANY || width % heads)
        return atl_builder_error(x->graph, "split_heads",
                                 "%d heads of '%s', %s: there may be 1 to %d, and the last size must be a multiple",
                                 heads, atl_name_of(x), SHAPE_TEXT(shape), MAX_HEADS);
    atl_enter(x->graph, "split_heads");
    atl_node *y = at_most_one_unknown(shape.size[0], shape.size[1])
                      ? atl_transpose(atl_reshape(x, ATL_SHAPE(shape.size[0], shape.size[1], heads, width / heads)),
                                      .order = {0, 2, 1, 3})
                      : stack_parts(x, heads);
    atl_leave(x->graph);
    return y;
}

/* The heads, one beside the other: for any unknown sizes. */
static atl_node *concat_heads(atl_node *x, int64_t heads)
{
    atl_node *part[MAX_HEADS];
    if (atl_unstack(x, 1, heads, part))
        return NULL;
    return atl_concat_with(-1, (atl_nodes){heads, part});
}

atl_node *atl_merge_heads(atl_node *x)
{
    if (!x)
        return atl_pass_null("atl_merge_heads");
    atl_shape shape = *x->shape;
    int64_t heads = shape.rank == 4 ? shape.size[1] : 0;
    if (heads < 1 || heads > MAX_HEADS || shape.size[3] == ATL_ANY)
        return atl_builder_error(x->graph, "merge_heads",
                                 "it takes [n, heads, tokens, d] with 1 to %d heads and a known d, but '%s' is %s",
                                 MAX_HEADS, atl_name_of(x), SHAPE_TEXT(shape));
    atl_enter(x->graph, "merge_heads");
    atl_node *y = at_most_one_unknown(shape.size[0], shape.size[2])
                      ? atl_reshape(atl_transpose(x, .order = {0, 2, 1, 3}),
                                    ATL_SHAPE(shape.size[0], shape.size[2], heads * shape.size[3]))
                      : concat_heads(x, heads);
    atl_leave(x->graph);
    return y;
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static atl_node *sample_plain(atl_node *const *x) { return atl_attention(x[0], x[1], x[2]); }
static atl_node *sample_masked(atl_node *const *x) { return atl_attention(x[0], x[1], x[2], .mask = x[3]); }
static atl_node *sample_causal(atl_node *const *x)
{
    return atl_attention(x[0], x[1], x[2], .causal = true, .scale = 0.5f);
}
static atl_node *sample_heads(atl_node *x) { return atl_square(atl_split_heads(x, 2)); }
static atl_node *sample_merged(atl_node *x) { return atl_square(atl_merge_heads(x)); }

static const atl_op attention_composed = {
    .name = "attention",
    .samples = (const atl_sample[]){
        {"of one batch", .build = sample_plain, .input = {{3, {2, 3, 4}}, {3, {2, 5, 4}}, {3, {2, 5, 2}}}, .inputs = 3},
        {"with a mask", .build = sample_masked, .inputs = 4,
         .input = {{2, {3, 4}}, {2, {5, 4}}, {2, {5, 2}}, {2, {3, 5}, 0, 2, 1}}},
        {"causal", .build = sample_causal, .input = {{4, {1, 2, 4, 3}}, {4, {1, 2, 4, 3}}, {4, {1, 2, 4, 3}}},
         .inputs = 3},
        {"4 keys, 5 values", .build = sample_plain, .input = {{2, {3, 4}}, {2, {4, 4}}, {2, {5, 2}}}, .inputs = 3,
         .error = "4 keys"},
        {"vectors", .build = sample_plain, .input = {{1, {4}}, {1, {4}}, {1, {4}}}, .inputs = 3, .error = "[.., q, d]"},
        {0}}};
ATL_COMPOSED(attention_composed);

static const atl_op split_heads_composed = {
    .name = "split_heads",
    .samples = (const atl_sample[]){
        {"two", .unary = sample_heads, .input = {{3, {2, 3, 6}}}, .inputs = 1},
        {"of 5", .unary = sample_heads, .input = {{3, {2, 3, 5}}}, .inputs = 1, .error = "multiple"},
        {"a matrix", .unary = sample_heads, .input = {{2, {3, 6}}}, .inputs = 1, .error = "[n, tokens, width]"},
        {0}}};
ATL_COMPOSED(split_heads_composed);

static const atl_op merge_heads_composed = {
    .name = "merge_heads",
    .samples = (const atl_sample[]){{"two", .unary = sample_merged, .input = {{4, {2, 2, 3, 4}}}, .inputs = 1},
                                    {"a matrix", .unary = sample_merged, .input = {{2, {3, 6}}}, .inputs = 1,
                                     .error = "[n, heads, tokens, d]"},
                                    {0}}};
ATL_COMPOSED(merge_heads_composed);
