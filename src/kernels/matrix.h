/* Products of float matrices that oneDNN is not made for: small ones, and a few rows times a large matrix, which is
 * bound by how fast that can be read.  B is taken as it lies: packing it for a kernel would keep a second copy of the
 * largest weights there are. */
#ifndef ATLED_KERNELS_MATRIX_H
#define ATLED_KERNELS_MATRIX_H

#include <stdint.h>

/* C [m, n] = A [m, k] B [k, n]; C is dense. */
typedef struct atl_product {
    int64_t m, n, k;
    int64_t a_row, a_column; /* A's element (i, p) is a[i * a_row + p * a_column] */
    int b_transposed;        /* B is stored as [n, k], dense; else as [k, n] */
} atl_product;

/* What becomes of C's elements before they are written: either the first three, as in atl_epilogue, or the last two. */
typedef struct atl_product_end {
    const float *bias; /* [n], added; null: none */
    int relu;
    float highest;
    const float *base; /* of C's shape: C = base + factor A B; it may be C.  Null: not applied */
    float factor;
} atl_product_end;

enum { ATL_FEW_ROWS = 8 }; /* of A, for atl_stream_product */

/* Floats of scratch that stream_product wants. */
static inline int64_t atl_stream_partial(const atl_product *p, int parts)
{
    return p->b_transposed ? 0 : (parts - 1) * p->m * p->n;
}

/* small_product: on the calling thread; `end` may be null.
 * stream_product: m <= ATL_FEW_ROWS, and a_column is 1 if B is transposed.  `parts` is how many pieces the work is cut
 *     into: one for each thread is best.  `partial` is scratch of atl_stream_partial(p, parts) floats.
 * panel_pack: B, not transposed, in the order in which panel_rows reads it: k * n floats; n is a multiple of a vector.
 * panel_rows: on the calling thread.  A row's bits do not depend on the others.
 * outer_product: few terms, k <= ATL_FEW_ROWS, B not transposed: bound by how fast C can be written.  Shared among the
 *     threads; `end` may be null. */
#define ATL_MATRIX_KERNELS(K)                                                                                          \
    K(void, small_product,                                                                                             \
      (const atl_product *p, const float *a, const float *b, const atl_product_end *end, float *c))                    \
    K(void, stream_product,                                                                                            \
      (const atl_product *p, int parts, const float *a, const float *b, float *c, float *partial))                     \
    K(void, panel_pack, (const atl_product *p, const float *b, float *packed))                                         \
    K(void, panel_rows, (const atl_product *p, const float *a, const float *packed, float *c))                         \
    K(void, outer_product, (const atl_product *p, const float *a, const float *b, const atl_product_end *end, float *c))

#endif
