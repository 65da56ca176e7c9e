/* Importers of attention: scaled dot products of queries and keys, and the rotation of both by their positions. */
#include <math.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* A score whose exponential is 0.  Not an infinity: a row of these alone would become NaN. */
static const float UNSEEN = -1e30f;

typedef struct attention {
    atl_node *query, *key, *value; /* [n, heads, tokens, width] */
    int64_t heads, kv_heads;
    int64_t queries, keys, past; /* ATL_ANY: unknown */
    int is_flat;                 /* the file has [n, tokens, heads * width] */
    atl_node *allowed;           /* not 0 where a query sees a key; null: everywhere */
    atl_node *bias;              /* added to the scores; null: none */
} attention;

/* Input i as [n, heads, tokens, width]; null with the reason. */
static atl_node *by_heads(onnx_op *op, int64_t i, int64_t heads)
{
    atl_node *x = onnx_float(op, i);
    int rank = x ? onnx_rank(op, i) : 0;
    if (rank == 4 || !x)
        return x;
    int64_t width = rank == 3 ? onnx_shape(op, i).size[2] : ATL_ANY;
    if (rank != 3)
        onnx_reject(op, "its input %lld has %d dimension%s, not 3 or 4", (long long)i, rank, atl_plural(rank));
    else if (heads < 1 || heads > 1024 || width == ATL_ANY || width % heads)
        onnx_reject(op, "%lld head%s of %lld number%s", (long long)heads, atl_plural(heads), (long long)width,
                    atl_plural(width));
    return *op->why ? NULL : atl_split_heads(x, (int)heads);
}

/* What is kept of the tokens before, and the new ones. */
static atl_node *after_past(onnx_op *op, int64_t past, atl_node *x)
{
    atl_node *before = x && onnx_has(op, past) ? onnx_float(op, past) : NULL;
    return before ? atl_concat(2, before, x) : x;
}

static int read_sides(onnx_op *op, attention *a)
{
    for (int i = 0; i < 3; i++)
        if (!onnx_float(op, i))
            return 0;
    a->is_flat = onnx_rank(op, 0) == 3;
    a->heads = a->is_flat ? onnx_attr_int(op, "q_num_heads", 0) : onnx_shape(op, 0).size[1];
    a->kv_heads = onnx_rank(op, 1) == 3 ? onnx_attr_int(op, "kv_num_heads", 0) : onnx_shape(op, 1).size[1];
    a->query = by_heads(op, 0, a->heads);
    a->key = a->query ? by_heads(op, 1, a->kv_heads) : NULL;
    a->value = a->key ? by_heads(op, 2, a->kv_heads) : NULL;
    if (!a->value)
        return 0;
    if (onnx_has(op, 4) != onnx_has(op, 5))
        return onnx_reject(op, "it has one of past_key and past_value, not both");
    if (a->heads == ATL_ANY || a->kv_heads == ATL_ANY || a->heads > 4096 || a->kv_heads < 1 || a->heads % a->kv_heads)
        return onnx_reject(op, "%lld head%s of queries, %lld of keys", (long long)a->heads, atl_plural(a->heads),
                           (long long)a->kv_heads);
    a->past = onnx_has(op, 4) ? onnx_shape(op, 4).size[2] : 0;
    a->key = after_past(op, 4, a->key);
    a->value = after_past(op, 5, a->value);
    if (!a->key || !a->value)
        return onnx_give(op, 0, NULL);
    a->queries = atl_shape_of(a->query).size[2];
    a->keys = atl_shape_of(a->key).size[2];
    return onnx_give(op, 1, a->key) && onnx_give(op, 2, a->value);
}

/* Each head of keys and values serves several heads of queries. */
static int repeat_heads(onnx_op *op, attention *a)
{
    int64_t each = a->heads / a->kv_heads, *from = onnx_room(op, a->heads, sizeof *from);
    if (each == 1 || !from)
        return from != NULL;
    for (int64_t i = 0; i < a->heads; i++)
        from[i] = i / each;
    a->key = onnx_take(op, a->key, 1, a->heads, from);
    a->value = a->key ? onnx_take(op, a->value, 1, a->heads, from) : NULL;
    return a->value != NULL;
}

static void allow(attention *a, atl_node *where)
{
    a->allowed = a->allowed ? atl_logical_and(a->allowed, where) : where;
}

/* Column minus row, [queries, keys]; null with the reason. */
static atl_node *distances(onnx_op *op, const attention *a)
{
    float *at = NULL;
    if (a->queries == ATL_ANY || a->keys == ATL_ANY || a->queries > 1 << 12 || a->keys > 1 << 20)
        onnx_reject(op, "its numbers of tokens are unknown, or too large: fix them");
    else if ((at = onnx_room(op, a->queries * a->keys, sizeof *at)))
        for (int64_t i = 0; i < a->queries * a->keys; i++)
            at[i] = (float)(i % a->keys - i / a->keys);
    return at ? atl_reshape(onnx_vector(op, a->queries * a->keys, at), ATL_SHAPE(a->queries, a->keys)) : NULL;
}

/* The numbers of tokens that are no padding, [n]: keys from there on are not seen, and what a query sees is counted
 * from them. */
static int count_from_padding(onnx_op *op, attention *a, int64_t left, int64_t right)
{
    atl_node *distance = distances(op, a), *count = distance ? onnx_float(op, 6) : NULL;
    if (!count)
        return 0;
    count = atl_reshape(count, ATL_SHAPE(ATL_ANY, 1, 1, 1));
    float *number = onnx_room(op, a->keys, sizeof *number);
    for (int64_t i = 0; number && i < a->keys; i++)
        number[i] = (float)i;
    if (!number)
        return 0;
    allow(a, atl_less(onnx_vector(op, a->keys, number), count));
    atl_node *offset = atl_add_scalar(count, -(float)a->queries);
    if (right >= 0)
        allow(a, atl_less_equal(distance, atl_add_scalar(offset, (float)right)));
    if (left >= 0)
        allow(a, atl_greater_equal(distance, atl_add_scalar(offset, -(float)left)));
    return 1;
}

/* The mask of the file: truth values, or numbers to be added.  It may tell nothing of the last keys, which are then
 * not seen. */
static int read_mask(onnx_op *op, attention *a)
{
    atl_node *mask = onnx_float(op, 3);
    int is_truth = onnx_type_of(op, 3) == ONNX_BOOL, rank = mask ? onnx_rank(op, 3) : 0;
    if (rank < 1 || rank > 4)
        return onnx_reject(op, "its mask has %d dimension%s", rank, atl_plural(rank));
    int64_t told = onnx_shape(op, 3).size[rank - 1];
    if (told != a->keys && told > 1) {
        atl_pad_args more = {.x = mask, .value = is_truth ? 0 : UNSEEN};
        more.after[rank - 1] = a->keys - told;
        if (a->keys == ATL_ANY || told > a->keys)
            return onnx_reject(op, "its mask tells of %lld keys, not of %lld", (long long)told, (long long)a->keys);
        mask = atl_pad_with(&more);
    }
    if (is_truth)
        allow(a, mask);
    else
        a->bias = mask;
    return mask != NULL;
}

/* Which keys a query sees: those of the mask, up to its own position, within the window. */
static int read_limits(onnx_op *op, attention *a, atl_node *scores)
{
    int64_t left = onnx_attr_int(op, "left_window_size", -1), right = onnx_attr_int(op, "right_window_size", -1);
    if (onnx_attr_int(op, "is_causal", 0))
        right = 0;
    if (onnx_has(op, 3) && !read_mask(op, a))
        return 0;
    if (left > 1 << 30 || right > 1 << 30)
        return onnx_reject(op, "a window of more than 2^30 tokens");
    if (onnx_has(op, 6))
        return count_from_padding(op, a, left, right);
    if ((left >= 0 || right >= 0) && (a->past == ATL_ANY || a->past > 1 << 30))
        return onnx_reject(op, "the number of tokens before is unknown: fix it");
    if (right >= 0)
        allow(a, atl_tril(atl_fill(scores, 1), (int)(a->past + right)));
    if (left >= 0)
        allow(a, atl_logical_not(atl_tril(atl_fill(scores, 1), (int)(a->past - left - 1))));
    return 1;
}

/* Output 3, as its mode says: the scores, those after the cap, those with bias and mask, or the weights. */
static int give_scores(onnx_op *op, atl_node *raw, atl_node *capped, atl_node *masked, atl_node *weights)
{
    int64_t mode = onnx_attr_int(op, "qk_matmul_output_mode", 0);
    if (mode < 0 || mode > 3)
        return onnx_reject(op, "its qk_matmul_output_mode is %lld", (long long)mode);
    return onnx_give(op, 3, mode == 0 ? raw : mode == 1 ? capped : mode == 2 ? masked : weights);
}

/* softmax(scale * q k^T + bias) v.  A query that sees no key gets 0. */
static int import_attention(onnx_op *op)
{
    attention a = {0};
    if (!read_sides(op, &a) || !repeat_heads(op, &a))
        return 0;
    int64_t width = atl_shape_of(a.query).size[3];
    double scale = onnx_attr_float(op, "scale", width > 0 ? 1 / sqrt((double)width) : 0),
           cap = onnx_attr_float(op, "softcap", 0);
    if (scale == 0)
        return onnx_reject(op, "its scale is 0, or the width of its heads is unknown");
    atl_node *raw = atl_scale(atl_matmul(a.query, a.key, .transpose_b = true), (float)scale);
    atl_node *capped = cap > 0 ? atl_scale(atl_tanh(atl_scale(raw, (float)(1 / cap))), (float)cap) : raw;
    if (!capped)
        return onnx_give(op, 0, NULL);
    if (!read_limits(op, &a, raw))
        return 0;
    atl_node *biased = a.bias ? atl_add(capped, a.bias) : capped, *seen = biased, *weights, *y;
    if (a.allowed)
        seen = atl_select(a.allowed, seen, atl_scalar(seen, UNSEEN));
    if (a.bias)
        seen = atl_maximum(seen, atl_scalar(seen, UNSEEN));
    weights = atl_softmax(seen);
    if (onnx_has(op, 3) || onnx_has(op, 6)) /* some query may see nothing */
        weights = atl_mul(weights, atl_greater(seen, atl_scalar(seen, UNSEEN / 2)));
    y = atl_matmul(weights, a.value);
    atl_node *masked = a.allowed ? atl_select(a.allowed, biased, atl_scalar(biased, -INFINITY)) : biased;
    return onnx_give(op, 0, a.is_flat ? atl_merge_heads(y) : y) && give_scores(op, raw, capped, masked, weights);
}

/* ---- rotation ---------------------------------------------------------------------------------------------------- */

/* The last dimension's elements from `begin` on, every `stride`. */
static atl_node *part_of(atl_node *x, int64_t begin, int64_t end, int64_t stride)
{
    atl_slice_args cut = {.x = x};
    int last = atl_shape_of(x).rank - 1;
    cut.begin[last] = begin;
    cut.end[last] = end;
    cut.stride[last] = stride;
    return atl_slice_with(&cut);
}

/* cos or sin, [n, 1, tokens, width / 2], or [1, tokens, width / 2] */
static atl_node *turns(onnx_op *op, int64_t i)
{
    atl_node *x = onnx_float(op, i), *position = x && onnx_has(op, 3) ? onnx_int(op, 3) : NULL;
    if (position)
        x = atl_gather(x, position, 0);
    if (x && atl_shape_of(x).rank != 3) {
        onnx_reject(op, "its input %lld has %d dimension%s", (long long)i, atl_shape_of(x).rank,
                    atl_plural(atl_shape_of(x).rank));
        return NULL;
    }
    return x ? atl_expand_dims(x, 1) : NULL;
}

/* Pairs of numbers of each head, turned by the angle of their position: halves of the head, or neighbours. */
static int import_rotary_embedding(onnx_op *op)
{
    if (!onnx_float(op, 0))
        return 0;
    int is_flat = onnx_rank(op, 0) == 3, is_mixed = onnx_attr_int(op, "interleaved", 0) != 0;
    atl_node *x = by_heads(op, 0, onnx_attr_int(op, "num_heads", 0)), *cosine = x ? turns(op, 1) : NULL,
             *sine = cosine ? turns(op, 2) : NULL;
    if (!sine)
        return 0;
    int64_t width = atl_shape_of(x).size[3], turned = onnx_attr_int(op, "rotary_embedding_dim", 0);
    turned = turned ? turned : width;
    if (width == ATL_ANY || turned < 2 || turned % 2 || turned > width)
        return onnx_reject(op, "%lld of %lld numbers of a head cannot be turned", (long long)turned, (long long)width);
    int64_t half = turned / 2;
    atl_node *a = is_mixed ? part_of(x, 0, turned, 2) : part_of(x, 0, half, 1),
             *b = is_mixed ? part_of(x, 1, turned, 2) : part_of(x, half, turned, 1);
    atl_node *first = atl_sub(atl_mul(cosine, a), atl_mul(sine, b)),
             *second = atl_add(atl_mul(sine, a), atl_mul(cosine, b));
    atl_node *y = atl_concat(3, first, second);
    if (y && is_mixed) { /* back among each other */
        int64_t *from = onnx_room(op, turned, sizeof *from);
        for (int64_t i = 0; from && i < turned; i++)
            from[i] = i / 2 + (i % 2) * half;
        y = from ? onnx_take(op, y, 3, turned, from) : NULL;
    }
    if (y && turned < width)
        y = atl_concat(3, y, part_of(x, turned, width, 1));
    return onnx_give(op, 0, y && is_flat ? atl_merge_heads(y) : y);
}

const onnx_entry onnx_attentions[] = {{"Attention", 23, import_attention, .most_outputs = 4},
                                      {"RotaryEmbedding", 23, import_rotary_embedding},
                                      {0}};
