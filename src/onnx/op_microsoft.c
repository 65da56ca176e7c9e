/* Importers of the fused ops that onnxruntime writes when it saves an optimised model: those of the domain
 * com.microsoft, and one that it puts into ONNX's own domain. */
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

static int import_gelu(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *bias = x && onnx_has(op, 1) ? onnx_float(op, 1) : NULL;
    return !x || *op->why ? 0 : onnx_give(op, 0, op->entry->unary(bias ? atl_add(x, bias) : x));
}

static int import_quick_gelu(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    return x ? onnx_give(op, 0, onnx_swish(x, (float)onnx_attr_float(op, "alpha", 1.702))) : 0;
}

/* alpha * a b, either of them transposed */
static int import_fused_matmul(onnx_op *op)
{
    atl_node *a = onnx_float(op, 0), *b = a ? onnx_float(op, 1) : NULL;
    float alpha = (float)onnx_attr_float(op, "alpha", 1);
    if (!b)
        return 0;
    if (onnx_attr_int(op, "transBatchA", 0) || onnx_attr_int(op, "transBatchB", 0))
        return onnx_reject(op, "transBatchA and transBatchB are not read");
    atl_node *y = onnx_rank(op, 0) < 2 || onnx_rank(op, 1) < 2
                      ? NULL
                      : onnx_matmul(op, onnx_attr_int(op, "transA", 0) ? onnx_axis_last(a, onnx_rank(op, 0) - 2) : a,
                                    onnx_attr_int(op, "transB", 0) ? onnx_axis_last(b, onnx_rank(op, 1) - 2) : b);
    if (!y)
        return *op->why ? 0 : onnx_reject(op, "it takes matrices");
    return onnx_give(op, 0, alpha == 1 ? y : atl_scale(y, alpha));
}

/* Layer norm of the sum of x, skip and bias; output 3 is the sum. */
static int import_skip_layer_norm(onnx_op *op)
{
    int is_simple = op->entry->kind;
    float epsilon = (float)onnx_attr_float(op, "epsilon", 1e-12);
    atl_node *x = onnx_float(op, 0), *skip = x ? onnx_float(op, 1) : NULL, *scale = skip ? onnx_float(op, 2) : NULL,
             *shift = scale && !is_simple && onnx_has(op, 3) ? onnx_float(op, 3) : NULL,
             *bias = scale && onnx_has(op, 4 - is_simple) ? onnx_float(op, 4 - is_simple) : NULL;
    if (!scale || *op->why)
        return 0;
    for (int64_t i = 1; i < 3 && i < op->outputs; i++)
        if (op->output[i])
            return onnx_reject(op, "its output %lld is used, which is for training", (long long)i);
    atl_node *sum = atl_add(x, skip);
    sum = bias ? atl_add(sum, bias) : sum;
    return onnx_give(op, 0,
                     is_simple ? onnx_rms_norm(sum, scale, -1, epsilon)
                               : atl_layer_norm(sum, scale, shift, .epsilon = ATL_EXACTLY(epsilon))) &&
           onnx_give(op, 3, sum);
}

/* Layer norm without the mean. */
static int import_simple_layer_norm(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *scale = x ? onnx_float(op, 1) : NULL;
    int axis = scale ? onnx_axis(op, onnx_attr_int(op, "axis", -1), onnx_rank(op, 0)) : -1;
    if (axis < 0)
        return 0;
    return onnx_give(op, 0, onnx_rms_norm(x, scale, axis, (float)onnx_attr_float(op, "epsilon", 1e-5)));
}

const onnx_entry onnx_fused[] = {{"BiasGelu", 1, import_gelu, .unary = atl_gelu, ONNX_OF_MICROSOFT "BiasGelu"},
                                 {"FastGelu", 1, import_gelu, .unary = atl_gelu_tanh, ONNX_OF_MICROSOFT "FastGelu"},
                                 {"FusedMatMul", 1, import_fused_matmul, ONNX_OF_MICROSOFT "FusedMatMul"},
                                 {"Gelu", 1, import_gelu, .unary = atl_gelu, ONNX_OF_MICROSOFT "Gelu"},
                                 {"QuickGelu", 1, import_quick_gelu, ONNX_OF_MICROSOFT "QuickGelu"},
                                 {"SkipLayerNormalization", 1, import_skip_layer_norm, .most_outputs = 4,
                                  ONNX_OF_MICROSOFT "SkipLayerNormalization"},
                                 {"SkipSimplifiedLayerNormalization", 1, import_skip_layer_norm, .kind = 1,
                                  .most_outputs = 4, ONNX_OF_MICROSOFT "SkipSimplifiedLayerNormalization"},
                                 {"SimplifiedLayerNormalization", 1, import_simple_layer_norm},
                                 {0}};
