/* The builders of ops on sequences of tokens, and of products written with indices: einsum, attention, its heads.
 * ops.h says what holds for all builders, and includes this header. */
#ifndef ATLED_SEQUENCE_OPS_H
#define ATLED_SEQUENCE_OPS_H

#include "graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sums of products in Einstein's notation, as in NumPy: atl_einsum("bij,bjk->bik", a, b) is a matrix product of each
 * batch.  A letter names a dimension, the same letter the same size; "..." names all dimensions that have no letter,
 * which are broadcast.  The result sums over every letter that it lacks; without "->" it has the letters that come
 * once, in alphabetical order, after those of "...".  A letter twice in one operand is its diagonal.  1 to 32 float
 * operands, which are multiplied from left to right, two at a time.  Dimensions of unknown size may be named; an error
 * says where more than one of them would have to be merged with others. */
ATL_API atl_node *atl_einsum_with(const char *equation, atl_nodes operands);
#define atl_einsum(equation, ...) atl_einsum_with((equation), ATL_NODES(__VA_ARGS__))

/* softmax(scale * query key^T) value, scaled dot-product attention (Vaswani et al. 2017): [.., queries, d], [.., keys,
 * d], [.., keys, e] -> [.., queries, e].  The leading dimensions must agree. */
typedef struct atl_attention_args {
    atl_node *query, *key, *value;
    atl_node *mask; /* float or int32, broadcast to [.., queries, keys]: a query sees a key where it is not 0; null:
                     * everywhere.  A query that sees no key gets the mean of all values. */
    bool causal;    /* query i sees the keys 0..i only */
    float scale;    /* 0: 1 / sqrt(d), for which d must be known */
    int end_;
} atl_attention_args;
ATL_API atl_node *atl_attention_with(const atl_attention_args *args);
#define atl_attention(...) atl_attention_with(ATL_OPTIONS_(atl_attention_args, __VA_ARGS__))

/* [n, tokens, heads * d] -> [n, heads, tokens, d].  The last size must be known, and a multiple of `heads`. */
ATL_API atl_node *atl_split_heads(atl_node *x, int heads);
/* The inverse: [n, heads, tokens, d] -> [n, tokens, heads * d].  heads and d must be known. */
ATL_API atl_node *atl_merge_heads(atl_node *x);

#ifdef __cplusplus
}
#endif
#endif
