/* Importers of element-wise ops of one input: activations and mathematics. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

int onnx_import_unary(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    if (!x)
        return 0;
    if (onnx_has(op, 1))
        return onnx_reject(op, "it takes one input");
    if (onnx_is_integer(onnx_type_of(op, 0)))
        return onnx_reject(op, "it is read for floating-point numbers only, not for %s",
                           onnx_type_name(onnx_type_of(op, 0)));
    return onnx_give_in(op, 0, op->entry->unary(x), order);
}

/* The input of ops that take floats only, in the order in which it is there. */
static atl_node *input(onnx_op *op, onnx_order *order)
{
    atl_node *x = onnx_native(op, 0, order);
    return x && atl_dtype_of(x) == ATL_INT32 ? atl_cast(x, ATL_FLOAT32) : x;
}

/* x where positive, else alpha * (e^(x / tau) - 1), all times gamma */
static atl_node *exponential_unit(atl_node *x, double alpha, double tau, double gamma)
{
    atl_node *below = atl_minimum(x, atl_scalar(x, 0));
    below = atl_scale(atl_expm1(tau == 1 ? below : atl_scale(below, (float)(1 / tau))), (float)(alpha * gamma));
    atl_node *above = atl_relu(x);
    return atl_add(gamma == 1 ? above : atl_scale(above, (float)gamma), below);
}

static int import_elu(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    double alpha = onnx_attr_float(op, "alpha", 1);
    return x ? onnx_give_in(op, 0, alpha == 1 ? atl_elu(x) : exponential_unit(x, alpha, 1, 1), order) : 0;
}

static int import_selu(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    double alpha = onnx_attr_float(op, "alpha", 1.67326319217681884765625),
           gamma = onnx_attr_float(op, "gamma", 1.05070102214813232421875);
    return x ? onnx_give_in(op, 0, exponential_unit(x, alpha, 1, gamma), order) : 0;
}

static int import_celu(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    double alpha = onnx_attr_float(op, "alpha", 1);
    if (alpha == 0)
        return onnx_reject(op, "its alpha is 0");
    return x ? onnx_give_in(op, 0, exponential_unit(x, alpha, alpha, 1), order) : 0;
}

static int import_leaky_relu(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    return x ? onnx_give_in(op, 0, atl_leaky_relu(x, (float)onnx_attr_float(op, "alpha", 0.01)), order) : 0;
}

static int import_thresholded_relu(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    return x ? onnx_give_in(op, 0, atl_relu_grad(x, atl_add_scalar(x, (float)-onnx_attr_float(op, "alpha", 1))), order)
             : 0;
}

atl_node *onnx_hard_sigmoid(atl_node *x, float alpha, float beta)
{
    return atl_clip(atl_add_scalar(atl_scale(x, alpha), beta), 0, 1);
}

static int import_hard_sigmoid(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    float alpha = (float)onnx_attr_float(op, "alpha", 0.2), beta = (float)onnx_attr_float(op, "beta", 0.5);
    return x ? onnx_give_in(op, 0, onnx_hard_sigmoid(x, alpha, beta), order) : 0;
}

atl_node *onnx_swish(atl_node *x, float alpha)
{
    return alpha == 1 ? atl_swish(x) : atl_mul(x, atl_sigmoid(atl_scale(x, alpha)));
}

static int import_swish(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    return x ? onnx_give_in(op, 0, onnx_swish(x, (float)onnx_attr_float(op, "alpha", 1)), order) : 0;
}

static int import_gelu(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    int by_tanh = strcmp(onnx_attr_text(op, "approximate", "none"), "tanh") == 0;
    return x ? onnx_give_in(op, 0, by_tanh ? atl_gelu_tanh(x) : atl_gelu(x), order) : 0;
}

static atl_node *mish(atl_node *x) { return atl_mul(x, atl_tanh(atl_softplus(x))); }

/* x + bias below -lambd, x - bias above lambd, else 0 */
static int import_shrink(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    float bias = (float)onnx_attr_float(op, "bias", 0), lambd = (float)onnx_attr_float(op, "lambd", 0.5);
    if (!x)
        return 0;
    atl_node *above = atl_relu_grad(atl_add_scalar(x, -bias), atl_add_scalar(x, -lambd));
    atl_node *below = atl_relu_grad(atl_add_scalar(x, bias), atl_neg(atl_add_scalar(x, lambd)));
    atl_node *y = atl_add(above, below);
    if (onnx_is_integer(onnx_type_of(op, 0)))
        y = atl_cast(y, ATL_INT32);
    return onnx_give_in(op, 0, y, order);
}

/* A bound of Clip: NaN if there is none. 0 with the reason, or if it is not known while reading. */
static double attribute_bound(onnx_op *op, const char *name) { return onnx_attr_float(op, name, NAN); }

atl_node *onnx_clipped(atl_node *x, double low, double high)
{
    if (low == 0 && high == 6)
        return atl_relu6(x);
    if (low == 0 && !(high < FLT_MAX))
        return atl_relu(x);
    if (isnan(low) && isnan(high))
        return x;
    return atl_clip(x, isnan(low) || low < -FLT_MAX ? -FLT_MAX : (float)low,
                    isnan(high) || high > FLT_MAX ? FLT_MAX : (float)high);
}

static int import_clip_6(onnx_op *op)
{
    onnx_order order;
    atl_node *x = input(op, &order);
    return x ? onnx_give_in(op, 0, onnx_clipped(x, attribute_bound(op, "min"), attribute_bound(op, "max")), order) : 0;
}

/* Whether input i is absent or can be known while reading; *to is then the bound. */
static int known_bound(onnx_op *op, int64_t i, double *to)
{
    *to = NAN;
    if (!onnx_has(op, i))
        return 1;
    return op->input[i]->is_constant && onnx_one(op, i, to);
}

static int import_clip(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    double low, high;
    int whole = onnx_is_int(op, 0);
    if (!x)
        return 0;
    if (!whole && known_bound(op, 1, &low) && known_bound(op, 2, &high))
        return onnx_give_in(op, 0, onnx_clipped(x, low, high), order);
    for (int i = 1; i <= 2; i++) { /* the bounds are fed, or whole numbers */
        atl_node *bound = !onnx_has(op, i) ? NULL : whole ? onnx_int(op, i) : onnx_float(op, i);
        if (!bound)
            continue;
        if (whole)
            x = atl_int_binary(i == 1 ? ATL_INT_MAX : ATL_INT_MIN, x, bound);
        else
            x = i == 1 ? atl_maximum(x, bound) : atl_minimum(x, bound);
    }
    return *op->why ? 0 : onnx_give_in(op, 0, x, order);
}

static int import_identity(onnx_op *op)
{
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    return onnx_give_value(op, 0, op->input[0]);
}

static int import_sign_like(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    if (!x)
        return 0;
    if (!onnx_is_integer(onnx_type_of(op, 0)))
        return onnx_give_in(op, 0, op->entry->unary(x), order);
    atl_node *zero = onnx_int_vector(op, 1, &(int32_t){0}), *one = onnx_int_vector(op, 1, &(int32_t){1});
    atl_node *negative = atl_int_binary(ATL_INT_SUB, zero, x);
    atl_node *y = op->entry->unary == atl_neg ? negative : atl_int_binary(ATL_INT_MAX, x, negative);
    if (op->entry->unary == atl_sign)
        y = atl_int_binary(ATL_INT_MAX, atl_int_binary(ATL_INT_MIN, x, one), atl_int_binary(ATL_INT_SUB, zero, one));
    return onnx_give_in(op, 0, atl_reshape_like(y, x), order);
}

static int import_not(onnx_op *op)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    return x ? onnx_give_in(op, 0, atl_logical_not(x), order) : 0;
}

/* 1 where x is NaN, or infinite. */
static int import_is_nan(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    return x ? onnx_give_type(op, 0, atl_is_nan(x), ONNX_BOOL) : 0;
}

static int import_is_inf(onnx_op *op)
{
    atl_node *x = onnx_float(op, 0);
    if (!x)
        return 0;
    atl_node *y = NULL;
    if (onnx_attr_int(op, "detect_positive", 1))
        y = atl_greater(x, onnx_scalar(op, FLT_MAX));
    if (onnx_attr_int(op, "detect_negative", 1)) {
        atl_node *below = atl_less(x, onnx_scalar(op, -FLT_MAX));
        y = y ? atl_logical_or(y, below) : below;
    }
    return onnx_give_type(op, 0, y ? y : atl_fill(x, 0), ONNX_BOOL);
}

const onnx_entry onnx_activations[] = {{"Abs", 6, import_sign_like, .unary = atl_abs},
                                       {"Acos", 7, onnx_import_unary, .unary = atl_acos},
                                       {"Acosh", 9, onnx_import_unary, .unary = atl_acosh},
                                       {"Asin", 7, onnx_import_unary, .unary = atl_asin},
                                       {"Asinh", 9, onnx_import_unary, .unary = atl_asinh},
                                       {"Atan", 7, onnx_import_unary, .unary = atl_atan},
                                       {"Atanh", 9, onnx_import_unary, .unary = atl_atanh},
                                       {"Ceil", 6, onnx_import_unary, .unary = atl_ceil},
                                       {"Celu", 12, import_celu},
                                       {"Clip", 6, import_clip_6},
                                       {"Clip", 11, import_clip},
                                       {"Cos", 7, onnx_import_unary, .unary = atl_cos},
                                       {"Cosh", 9, onnx_import_unary, .unary = atl_cosh},
                                       {"Elu", 6, import_elu},
                                       {"Erf", 9, onnx_import_unary, .unary = atl_erf},
                                       {"Exp", 6, onnx_import_unary, .unary = atl_exp},
                                       {"Floor", 6, onnx_import_unary, .unary = atl_floor},
                                       {"Gelu", 20, import_gelu},
                                       {"HardSigmoid", 6, import_hard_sigmoid},
                                       {"HardSwish", 14, onnx_import_unary, .unary = atl_hard_swish},
                                       {"Identity", 1, import_identity, .takes_sequences = 1},
                                       {"IsInf", 10, import_is_inf},
                                       {"IsNaN", 9, import_is_nan},
                                       {"LeakyRelu", 6, import_leaky_relu},
                                       {"Log", 6, onnx_import_unary, .unary = atl_log},
                                       {"Mish", 18, onnx_import_unary, .unary = mish},
                                       {"Neg", 6, import_sign_like, .unary = atl_neg},
                                       {"Not", 1, import_not},
                                       {"Reciprocal", 6, onnx_import_unary, .unary = atl_reciprocal},
                                       {"Relu", 6, onnx_import_unary, .unary = atl_relu},
                                       {"Round", 11, onnx_import_unary, .unary = atl_round},
                                       {"Selu", 6, import_selu},
                                       {"Shrink", 9, import_shrink},
                                       {"Sigmoid", 6, onnx_import_unary, .unary = atl_sigmoid},
                                       {"Sign", 9, import_sign_like, .unary = atl_sign},
                                       {"Sin", 7, onnx_import_unary, .unary = atl_sin},
                                       {"Sinh", 9, onnx_import_unary, .unary = atl_sinh},
                                       {"Softplus", 1, onnx_import_unary, .unary = atl_softplus},
                                       {"Softsign", 1, onnx_import_unary, .unary = atl_softsign},
                                       {"Sqrt", 6, onnx_import_unary, .unary = atl_sqrt},
                                       {"Swish", 24, import_swish},
                                       {"Tan", 7, onnx_import_unary, .unary = atl_tan},
                                       {"Tanh", 6, onnx_import_unary, .unary = atl_tanh},
                                       {"ThresholdedRelu", 10, import_thresholded_relu},
                                       {0}};
