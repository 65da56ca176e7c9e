/* Importers of matrix products. */
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* x with ones put before its dimensions. */
static atl_node *with_rank(atl_node *x, int rank)
{
    for (int have = atl_shape_of(x).rank; have < rank; have++)
        x = atl_expand_dims(x, 0);
    return x;
}

/* The leading sizes that both sides are to have. */
static int common_lead(onnx_op *op, atl_shape a, atl_shape b, int rank, atl_shape *lead)
{
    *lead = (atl_shape){.rank = rank};
    for (int i = 0; i < rank - 2; i++) {
        int64_t m = a.size[i], n = b.size[i];
        if (m != n && m != 1 && n != 1)
            return onnx_reject(op, "a matrix product of shapes that do not broadcast: %lld and %lld", (long long)m,
                               (long long)n);
        lead->size[i] = m == 1 ? n : m;
    }
    return 1;
}

/* To those leading sizes, where they differ. */
static atl_node *spread(atl_node *x, atl_shape lead)
{
    atl_shape own = atl_shape_of(x), to = own;
    int differs = 0, open = 0;
    for (int i = 0; i < own.rank - 2; i++)
        if (own.size[i] != lead.size[i]) {
            to.size[i] = lead.size[i];
            open |= lead.size[i] == ATL_ANY;
            differs = 1;
        }
    return !differs || open ? x : atl_broadcast_to(x, to);
}

/* Vectors are rows or columns, leading sizes broadcast. */
atl_node *onnx_matmul(onnx_op *op, atl_node *a, atl_node *b)
{
    int of_a = atl_shape_of(a).rank, of_b = atl_shape_of(b).rank;
    atl_shape lead;
    if (of_a < 1 || of_b < 1) {
        onnx_reject(op, "a matrix product with a scalar");
        return NULL;
    }
    a = of_a == 1 ? atl_expand_dims(a, 0) : a;
    b = of_b == 1 ? atl_expand_dims(b, 1) : b;
    int rank = of_a > of_b ? of_a : of_b;
    rank = rank < 2 ? 2 : rank;
    if (of_a > 2 && of_b > 2) {
        a = with_rank(a, rank);
        b = with_rank(b, rank);
        if (!common_lead(op, atl_shape_of(a), atl_shape_of(b), rank, &lead))
            return NULL;
        a = spread(a, lead);
        b = spread(b, lead);
    }
    atl_node *y = atl_matmul(a, b);
    rank = atl_shape_of(y).rank;
    if (of_b == 1)
        y = atl_squeeze(y, rank - 1);
    return of_a == 1 ? atl_squeeze(y, rank - 2) : y;
}

static int import_matmul(onnx_op *op)
{
    atl_node *a = onnx_float(op, 0), *b = a ? onnx_float(op, 1) : NULL, *y = b ? onnx_matmul(op, a, b) : NULL;
    if (!b || *op->why)
        return 0;
    return onnx_give(op, 0, onnx_is_integer(onnx_type_of(op, 0)) ? atl_cast(y, ATL_INT32) : y);
}

/* int8 times int8: exact in float32 as long as sums stay below 2^24; not converted to int32, so that a gradient passes.
 */
static int import_matmul_integer(onnx_op *op)
{
    atl_node *side[2];
    for (int i = 0; i < 2; i++) {
        if (!(side[i] = onnx_float(op, i)))
            return 0;
        atl_node *zero = onnx_has(op, 2 + i) ? onnx_float(op, 2 + i) : NULL;
        if (zero && i == 0 && atl_shape_of(zero).rank == 1)
            zero = atl_reshape(zero, ATL_SHAPE(ATL_ANY, 1));
        if (zero)
            side[i] = atl_sub(side[i], zero);
    }
    atl_node *y = onnx_matmul(op, side[0], side[1]);
    return !*op->why && onnx_give_type(op, 0, y, ONNX_INT32);
}

/* alpha * a b + beta * c */
static int import_gemm(onnx_op *op)
{
    atl_node *a = onnx_float(op, 0), *b = a ? onnx_float(op, 1) : NULL,
             *c = b && onnx_has(op, 2) ? onnx_float(op, 2) : NULL;
    float alpha = (float)onnx_attr_float(op, "alpha", 1), beta = (float)onnx_attr_float(op, "beta", 1);
    if (!b || *op->why)
        return 0;
    atl_node *y = atl_matmul(a, b, .transpose_a = onnx_attr_int(op, "transA", 0) != 0,
                             .transpose_b = onnx_attr_int(op, "transB", 0) != 0);
    y = alpha == 1 ? y : atl_scale(y, alpha);
    if (c && beta != 0) {
        c = beta == 1 ? c : atl_scale(c, beta);
        y = atl_shape_of(c).rank == 1 && atl_shape_of(c).size[0] == atl_shape_of(y).size[1] ? atl_bias_add(y, c)
                                                                                            : atl_add(y, c);
    }
    return onnx_give(op, 0, y);
}

/* The lower or the upper triangle of matrices [.., rows, columns]. */
static int import_trilu(onnx_op *op)
{
    int64_t k = 0;
    int upper = onnx_attr_int(op, "upper", 1) != 0, whole = onnx_is_integer(onnx_type_of(op, 0));
    atl_node *x = onnx_float(op, 0);
    if (!x || (onnx_has(op, 1) && !onnx_one_whole(op, 1, &k)))
        return 0;
    if (k < -(1 << 30) || k > (1 << 30))
        return onnx_reject(op, "its diagonal is %lld", (long long)k);
    int last = onnx_rank(op, 0) - 1;
    if (last < 1)
        return onnx_reject(op, "it takes matrices");
    /* the upper triangle is the lower one of the transposed */
    atl_node *y =
        upper ? onnx_axis_back(atl_tril(onnx_axis_last(x, last - 1), (int)-k), last - 1) : atl_tril(x, (int)k);
    return onnx_give(op, 0, whole ? atl_cast(y, ATL_INT32) : y);
}

const onnx_entry onnx_matrices[] = {{"Gemm", 6, import_gemm},
                                    {"MatMul", 1, import_matmul},
                                    {"MatMulInteger", 10, import_matmul_integer},
                                    {"Trilu", 14, import_trilu},
                                    {0}};
