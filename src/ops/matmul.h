/* What the files about matrix products share. */
#ifndef ATLED_OPS_MATMUL_H
#define ATLED_OPS_MATMUL_H

#include "onednn/onednn.h"
#include "ops/ops.h"

/* A batch of products [m, k] x [k, n] of known sizes. */
typedef struct atl_matrix_product {
    int64_t batch, m, n, k;
    int transpose_a, transpose_b;
    int broadcast_a, broadcast_b; /* one matrix for the whole batch */
} atl_matrix_product;

/* Of a matmul node, all shapes known. */
atl_matrix_product atl_product_of(const atl_node *y);

/* The epilogue of a product, in this order, or an update.  Numbers of inputs; 0: none. */
typedef struct atl_product_epilogue {
    int bias_input;     /* [n] */
    int residual_input; /* of the result's shape, added; this and the last two only by atl_lower_packed_product */
    int relu;
    float highest;    /* of the relu: min(relu, highest); 0: no limit */
    int scale_input;  /* [n], factors */
    int factor_input; /* of the result's shape, factors */
    int update;       /* 1 or -1: base + update * factor * product; 0: none */
    int update_input; /* the base, of the result's shape; the next input is the factor, one number */
} atl_product_epilogue;

/* True if a loop of our own computes the product and can update an array with it. */
int atl_product_updates(const atl_matrix_product *p);

/* True for a product that is faster with B packed once, if B is a weight; and its step. */
int atl_product_is_packed(const atl_matrix_product *p);
int atl_lower_packed_product(atl_lowering *lowering, const atl_matrix_product *p, const atl_product_epilogue *after);

/* What the two ops share: matmul, and matmul_fused, which has an epilogue; the last three are hooks of both. */
bool atl_infer_matmul(atl_node *y);
void atl_describe_matmul(const atl_node *y, char *text, size_t size);
unsigned atl_matmul_by_image(const atl_node *y);
atl_node *atl_matmul_with_epilogue(atl_node *y, atl_node *bias, atl_node *residual, float relu);
atl_node *atl_matmul_multiplied(atl_node *y, atl_node *scale, atl_node *factor);
atl_node *atl_matmul_as_update(atl_node *y, atl_node *base, atl_node *factor, int sign);

/* Emits the step: a loop of our own where that is the fastest, else oneDNN. */
int atl_lower_product(atl_lowering *lowering, const atl_product_epilogue *after);

#endif
