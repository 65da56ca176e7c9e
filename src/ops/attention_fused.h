/* Attention as one step, and its three gradients as another: for the compiler's pass `attention`. */
#ifndef ATLED_OPS_ATTENTION_FUSED_H
#define ATLED_OPS_ATTENTION_FUSED_H

#include "kernels/attention.h"
#include "ops/ops.h"

/* Arrays are [.., rows, columns], or, if they are `merged`, [n, rows, heads, columns]. */
enum {
    ATL_MERGED_Q = 1,
    ATL_MERGED_K = 2,
    ATL_MERGED_V = 4,
    ATL_MERGED_Y = 8,
    ATL_MERGED_DY = 16,
    ATL_MERGED_DQ = 32,
    ATL_MERGED_DK = 64,
    ATL_MERGED_DV = 128
};
typedef struct atl_attention_options {
    float scale;
    int32_t merged;        /* ATL_MERGED_Q, ... */
    int32_t transposed_k;  /* k is [.., columns, rows]; never with ATL_MERGED_K */
    int32_t transposed_dk; /* so is dk; never with ATL_MERGED_DK */
    int32_t mask_kind;     /* ATL_MASK_NONE, ... */
    float hidden;          /* see atl_attention */
    int32_t causal, diagonal;
    float unseen;
} atl_attention_options;

/* True if one step is faster than products and a softmax, for so many queries and keys; with its gradients, too. */
int atl_attention_pays(int64_t queries, int64_t keys);

/* softmax(masked(scale q k^T)) v.  mask: null without one; of the shape of the scores, sizes of 1 and missing leading
 * ones broadcast. */
atl_node *atl_attention_fused(const atl_attention_options *options, atl_node *q, atl_node *k, atl_node *v,
                              atl_node *mask);
/* True if a mask of that shape can be used for scores of that shape. */
int atl_attention_can_mask(atl_shape mask, atl_shape scores);
/* Its gradients from dy: dq is the node, dk and dv are its parts 1 and 2.  y: of atl_attention_fused. */
atl_node *atl_attention_fused_grad(const atl_attention_options *options, atl_node *q, atl_node *k, atl_node *v,
                                   atl_node *y, atl_node *dy, atl_node *mask);
atl_node *atl_attention_fused_part(atl_node *gradient, int part);

#endif
