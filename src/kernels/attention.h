/* Scaled dot-product attention, softmax(masked(scale q k^T)) v, and its gradients, block by block: the scores of all
 * queries with all keys are never in memory together (Rabe & Staats 2021, Dao et al. 2022), unless the caller has the
 * weights kept for the gradients, which is faster where there are few keys. */
#ifndef ATLED_KERNELS_ATTENTION_H
#define ATLED_KERNELS_ATTENTION_H

#include <stdint.h>

/* How the matrices of an array lie: floats from one to the next of each. */
typedef struct atl_matrices {
    int64_t outer, head, row, column;
} atl_matrices;

/* What a mask [.., queries, keys] does with a score.  A hidden score becomes a number, and has no gradient. */
typedef enum atl_attention_mask {
    ATL_MASK_NONE,
    ATL_MASK_ADDED,
    ATL_MASK_KEEPS, /* hides where it is 0 */
    ATL_MASK_HIDES  /* where it is not 0 */
} atl_attention_mask;

typedef struct atl_attention {
    int64_t outer, heads, queries, keys; /* outer * heads matrices of so many rows */
    int64_t width, value_width;          /* columns of q and k, and of v and y */
    float scale;
    int workers;          /* threads that share the work; the last bits of attention_gradient's dq depend on it */
    atl_matrices q, k, v; /* y, dy and the gradients: below */
    atl_matrices y, dy, dq, dk, dv;
    atl_attention_mask mask_kind;
    float hidden;      /* what a score becomes that the mask hides */
    atl_matrices mask; /* 0: the same for all */
    int causal;        /* then query i does not see keys above i + diagonal, whose scores become `unseen` */
    int64_t diagonal;
    float unseen;
} atl_attention;

/* What the gradient reads and writes. */
typedef struct atl_attention_arrays {
    const float *q, *k, *v, *y, *shares, *weights, *dy; /* weights: or null */
    float *dq, *dk, *dv;
    const float *mask;
} atl_attention_arrays;

/* So many keys are one block; then the weights, softmax(scale q k^T), may be kept for the gradient, as exponentials
 * below the largest score of their query, which are still to be divided by their sum. */
enum { ATL_ATTENTION_BLOCK = 384 };

/* Floats from row to row of kept weights: whole cache lines, and an odd number of them, so that the caches hold a
 * column; where those of a head start, which have whole tiles of so many rows; and floats of all. */
enum { ATL_ATTENTION_ROWS = 6 };
static inline int64_t atl_kept_row(const atl_attention *p) { return ((p->keys + 15) / 16 | 1) * 16; }
static inline int64_t atl_kept_head(const atl_attention *p, int64_t head)
{
    return head * ((p->queries + ATL_ATTENTION_ROWS - 1) / ATL_ATTENTION_ROWS * ATL_ATTENTION_ROWS) * atl_kept_row(p);
}
static inline int64_t atl_kept_floats(const atl_attention *p) { return atl_kept_head(p, p->outer * p->heads) + 16; }

/* attention: y, with a mask or null, and of each query its largest score and 1 / its sum of exponentials,
 *     shares [outer, heads, queries, 2]; and the weights [outer, heads, queries, atl_kept_row], unless null.
 * attention_gradient: dq, dk and dv from dy, with scores that are computed again from the shares.
 * attention_kept_gradient: the same from the weights.
 * scratch: floats of the other functions. */
#define ATL_ATTENTION_KERNELS(K)                                                                                       \
    K(int64_t, attention_scratch, (const atl_attention *p))                                                            \
    K(void, attention,                                                                                                 \
      (const atl_attention *p, const float *q, const float *k, const float *v, const float *mask, float *scratch,      \
       float *y, float *shares, float *weights))                                                                       \
    K(int64_t, attention_gradient_scratch, (const atl_attention *p))                                                   \
    K(void, attention_gradient, (const atl_attention *p, const atl_attention_arrays *x, float *scratch))               \
    K(int64_t, attention_kept_gradient_scratch, (const atl_attention *p))                                              \
    K(void, attention_kept_gradient, (const atl_attention *p, const atl_attention_arrays *x, float *scratch))

#endif
