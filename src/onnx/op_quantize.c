/* Importers of quantization.  Quantized values are whole numbers in float32 nodes, so that a gradient can pass:
 * straight through the rounding, and not through the limits.  Products are exact as long as sums stay below 2^24. */
#include <string.h>

#include "common/plural.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

typedef struct limits {
    float low, high;
} limits;

static int limits_of(onnx_op *op, onnx_type type, limits *to)
{
    switch (type) {
    case ONNX_UINT8:
        return *to = (limits){0, 255}, 1;
    case ONNX_INT8:
        return *to = (limits){-128, 127}, 1;
    case ONNX_UINT16:
        return *to = (limits){0, 65535}, 1;
    case ONNX_INT16:
        return *to = (limits){-32768, 32767}, 1;
    case ONNX_UINT4:
        return *to = (limits){0, 15}, 1;
    case ONNX_INT4:
        return *to = (limits){-8, 7}, 1;
    case ONNX_UINT2:
        return *to = (limits){0, 3}, 1;
    case ONNX_INT2:
        return *to = (limits){-2, 1}, 1;
    default:
        return onnx_reject(op, "it quantizes to %s, which is not read", onnx_type_name(type));
    }
}

/* A scale or zero point [.., blocks, ..] for each element: each holds for a block of elements along the axis. */
static atl_node *for_each_element(onnx_op *op, atl_node *x, int axis)
{
    int64_t block = onnx_attr_int(op, "block_size", 0), size = onnx_shape(op, 0).size[axis],
            blocks = atl_shape_of(x).size[axis];
    if (block < 1 || size == ATL_ANY || blocks == ATL_ANY || blocks != (size + block - 1) / block) {
        onnx_reject(op, "blocks of %lld element%s: %lld of them do not cover a size of %lld", (long long)block,
                    atl_plural(block), (long long)blocks, (long long)size);
        return NULL;
    }
    int64_t *index = onnx_room(op, size, sizeof *index);
    for (int64_t i = 0; index && i < size; i++)
        index[i] = i / block;
    return index ? onnx_take(op, x, axis, size, index) : NULL;
}

/* A scale or zero point of one number, or of one for each place along the axis of `rank` dimensions, or each block. */
static atl_node *along_axis(onnx_op *op, int64_t input, int axis, int rank)
{
    atl_node *x = onnx_float(op, input);
    atl_shape shape = x ? atl_shape_of(x) : ATL_SCALAR, column = {.rank = rank - axis};
    if (!x || shape.rank == 0 || atl_shape_count(shape) == 1)
        return x ? atl_reshape(x, ATL_SCALAR) : NULL;
    if (shape.rank == rank && onnx_attr_int(op, "block_size", 0))
        return for_each_element(op, x, axis);
    if (shape.rank != 1) {
        onnx_reject(op, "its scales have %d dimension%s", shape.rank, atl_plural(shape.rank));
        return NULL;
    }
    for (int i = 0; i < column.rank; i++)
        column.size[i] = i ? 1 : ATL_ANY;
    return atl_reshape(x, column);
}

static atl_node *quantized(atl_node *x, atl_node *zero, limits l)
{
    x = atl_round_through(x);
    return atl_clip(zero ? atl_add(x, zero) : x, l.low, l.high);
}

atl_node *onnx_quantized_to(onnx_op *op, atl_node *x, atl_node *zero, onnx_type type)
{
    limits l = {0};
    return limits_of(op, type, &l) ? quantized(x, zero, l) : NULL;
}

static int import_quantize(onnx_op *op)
{
    limits l = {0};
    int rank = onnx_rank(op, 0), axis = rank > 1 ? onnx_axis(op, onnx_attr_int(op, "axis", 1), rank) : 0;
    int64_t asked = onnx_attr_int(op, "output_dtype", 0);
    onnx_type type = onnx_has(op, 2)                   ? onnx_type_of(op, 2)
                     : asked > 0 && asked < ONNX_TYPES ? (onnx_type)asked
                     : asked                           ? ONNX_TYPES
                                                       : ONNX_UINT8;
    atl_node *x = onnx_float(op, 0), *scale = x && axis >= 0 ? along_axis(op, 1, axis, rank) : NULL;
    if (!scale || !limits_of(op, type, &l))
        return 0;
    atl_node *zero = onnx_has(op, 2) ? along_axis(op, 2, axis, rank) : NULL;
    return !*op->why && onnx_give_type(op, 0, quantized(atl_div(x, scale), zero, l), type);
}

static int import_dequantize(onnx_op *op)
{
    int rank = onnx_rank(op, 0), axis = rank > 1 ? onnx_axis(op, onnx_attr_int(op, "axis", 1), rank) : 0;
    atl_node *x = onnx_float(op, 0), *scale = x && axis >= 0 ? along_axis(op, 1, axis, rank) : NULL,
             *zero = scale && onnx_has(op, 2) ? along_axis(op, 2, axis, rank) : NULL;
    int64_t asked = onnx_attr_int(op, "output_dtype", 0);
    if (!scale || *op->why)
        return 0;
    return onnx_give_type(op, 0, atl_mul(zero ? atl_sub(x, zero) : x, scale),
                          asked > 0 && asked < ONNX_TYPES ? (onnx_type)asked : onnx_type_of(op, 1));
}

/* To uint8 over the range of x and 0; outputs 1 and 2 are the scale and the zero point. */
static int import_dynamic_quantize(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0), *zero = onnx_scalar(op, 0);
    if (!x || !zero)
        return 0;
    atl_node *low = atl_minimum(atl_reduce_min(x), zero), *high = atl_maximum(atl_reduce_max(x), zero);
    atl_node *scale = atl_scale(atl_sub(high, low), 1.0f / 255);
    atl_node *point = atl_clip(atl_round_through(atl_neg(atl_div(low, scale))), 0, 255);
    return onnx_give_type(op, 0, quantized(atl_div(x, scale), point, (limits){0, 255}), ONNX_UINT8) &&
           onnx_give_type(op, 1, scale, ONNX_FLOAT) && onnx_give_type(op, 2, point, ONNX_UINT8);
}

/* The inputs are value, scale, zero point of both sides, then scale and zero point of the result. */
static int import_quantized_matmul(onnx_op *op)
{
    limits l = {0};
    atl_node *of[8];
    for (int i = 0; i < 8; i++)
        if (!(of[i] = onnx_float(op, i)))
            return 0;
    for (int i = 0; i < 8; i++)
        if (i != 0 && i != 3 && atl_shape_count(atl_shape_of(of[i])) != 1)
            return onnx_reject(op, "it is read with one scale and zero point for each side");
        else if (i != 0 && i != 3)
            of[i] = atl_reshape(of[i], ATL_SCALAR);
    if (!limits_of(op, onnx_type_of(op, 7), &l))
        return 0;
    atl_node *y = atl_matmul(atl_sub(of[0], of[2]), atl_sub(of[3], of[5]));
    y = atl_mul(y, atl_div(atl_mul(of[1], of[4]), of[6]));
    return onnx_give_type(op, 0, quantized(y, of[7], l), onnx_type_of(op, 7));
}

const onnx_entry onnx_quantized[] = {{"DequantizeLinear", 10, import_dequantize},
                                     {"DynamicQuantizeLinear", 11, import_dynamic_quantize, .most_outputs = 3},
                                     {"QLinearMatMul", 10, import_quantized_matmul},
                                     {"QuantizeLinear", 10, import_quantize},
                                     {0}};
