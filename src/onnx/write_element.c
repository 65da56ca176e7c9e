/* Writers of element-wise ops. */
#include <string.h>

#include "kernels/kernels.h"
#include "onnx/write.h"
#include "ops/attributes.h"

enum { FLOAT = 1, INT32 = 6, INT64 = 7 };

/* The entry of the op, for those of which only the name differs. */
static const char *onnx_of(const atl_node *y)
{
    for (const onnx_write_entry *e = onnx_written_elements; e->op; e++)
        if (strcmp(e->op, atl_op_of(y)->name) == 0)
            return e->onnx;
    return "";
}

static const char *unary(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return ONNX_EMIT(w, onnx_of(y), NULL, in[0]);
}
static const char *binary(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return ONNX_EMIT(w, onnx_of(y), NULL, in[0], in[1]);
}

static const char *same(onnx_writer *w, const atl_node *y, const char *const *in) { return (void)w, (void)y, in[0]; }

static const char *comparison(onnx_writer *w, const atl_node *y, const char *const *in)
{
    if (strcmp(onnx_of(y), "NotEqual") == 0)
        return onnx_write_cast(w, ONNX_EMIT(w, "Not", NULL, ONNX_EMIT(w, "Equal", NULL, in[0], in[1])), FLOAT);
    return onnx_write_cast(w, ONNX_EMIT(w, onnx_of(y), NULL, in[0], in[1]), FLOAT);
}

static const char *logic(onnx_writer *w, const atl_node *y, const char *const *in)
{
    if (atl_input_count(y) == 1)
        return onnx_write_cast(w, ONNX_EMIT(w, "Not", NULL, onnx_write_truth(w, in[0])), FLOAT);
    return onnx_write_cast(w, ONNX_EMIT(w, onnx_of(y), NULL, onnx_write_truth(w, in[0]), onnx_write_truth(w, in[1])),
                           FLOAT);
}

static const char *choose(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, ONNX_EMIT(w, "Where", NULL, onnx_write_truth(w, in[0]), in[1], in[2]);
}

static const char *is_positive(onnx_writer *w, const char *x)
{
    return ONNX_EMIT(w, "Greater", NULL, x, onnx_write_float(w, 0));
}
static const char *heaviside(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, onnx_write_cast(w, is_positive(w, in[0]), FLOAT);
}
static const char *relu_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, ONNX_EMIT(w, "Where", NULL, is_positive(w, in[1]), in[0], onnx_write_float(w, 0));
}

static const char *relu6(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, ONNX_EMIT(w, "Clip", NULL, in[0], onnx_write_float(w, 0), onnx_write_float(w, 6));
}
static const char *relu6_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *below = ONNX_EMIT(w, "Less", NULL, in[1], onnx_write_float(w, 6));
    return (void)y, ONNX_EMIT(w, "Where", NULL, ONNX_EMIT(w, "And", NULL, is_positive(w, in[1]), below), in[0],
                              onnx_write_float(w, 0));
}

static const char *times(onnx_writer *w, const char *a, const char *b) { return ONNX_EMIT(w, "Mul", NULL, a, b); }
static const char *plus(onnx_writer *w, const char *a, const char *b) { return ONNX_EMIT(w, "Add", NULL, a, b); }
static const char *scaled(onnx_writer *w, const char *x, double factor)
{
    return times(w, x, onnx_write_float(w, (float)factor));
}
static const char *moved(onnx_writer *w, const char *x, double amount)
{
    return plus(w, x, onnx_write_float(w, (float)amount));
}

static const char *square(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, times(w, in[0], in[0]);
}
static const char *rsqrt_(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, ONNX_EMIT(w, "Reciprocal", NULL, ONNX_EMIT(w, "Sqrt", NULL, in[0]));
}
static const char *exp2_(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, ONNX_EMIT(w, "Exp", NULL, scaled(w, in[0], 0.6931471805599453));
}
/* log(1 + x), near 0 as 2 atanh(x / (2 + x)): 1 + x would lose the digits of a small x. */
static const char *log1p_(onnx_writer *w, const atl_node *y, const char *const *in)
{
    (void)y;
    const char *ratio = ONNX_EMIT(w, "Div", NULL, in[0], moved(w, in[0], 2));
    const char *near = ONNX_EMIT(w, "Less", NULL, ONNX_EMIT(w, "Abs", NULL, in[0]), onnx_write_float(w, 0.5f));
    return ONNX_EMIT(w, "Where", NULL, near, scaled(w, ONNX_EMIT(w, "Atanh", NULL, ratio), 2),
                     ONNX_EMIT(w, "Log", NULL, moved(w, in[0], 1)));
}
static const char *erfc_(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, moved(w, ONNX_EMIT(w, "Neg", NULL, ONNX_EMIT(w, "Erf", NULL, in[0])), 1);
}

/* e^x - 1 = tanh(x / 2) (e^x + 1), which keeps its digits near 0 */
static const char *expm1_(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y,
           times(w, ONNX_EMIT(w, "Tanh", NULL, scaled(w, in[0], 0.5)), moved(w, ONNX_EMIT(w, "Exp", NULL, in[0]), 1));
}

static const char *leaky_relu(onnx_writer *w, const atl_node *y, const char *const *in)
{
    float slope;
    memcpy(&slope, atl_attributes_of(y), sizeof slope);
    return ONNX_EMIT(w, "LeakyRelu", ONNX_ATTRIBUTES({"alpha", .is_float = 1, .number = slope}), in[0]);
}

static const char *swish(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, times(w, in[0], ONNX_EMIT(w, "Sigmoid", NULL, in[0]));
}

static const char *hard_swish(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *gate = ONNX_EMIT(w, "Clip", NULL, scaled(w, moved(w, in[0], 3), 1.0 / 6), onnx_write_float(w, 0),
                                 onnx_write_float(w, 1));
    return (void)y, times(w, in[0], gate);
}

/* dy (2 x + 3) / 6 where |x| <= 3, dy above, 0 below */
static const char *hard_swish_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *slope = scaled(w, moved(w, scaled(w, in[1], 2), 3), 1.0 / 6);
    const char *above = ONNX_EMIT(w, "Greater", NULL, in[1], onnx_write_float(w, 3));
    const char *below = ONNX_EMIT(w, "Less", NULL, in[1], onnx_write_float(w, -3));
    slope = ONNX_EMIT(w, "Where", NULL, above, onnx_write_float(w, 1), slope);
    return (void)y, times(w, in[0], ONNX_EMIT(w, "Where", NULL, below, onnx_write_float(w, 0), slope));
}

/* dy (s + x s (1 - s)) */
static const char *swish_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *s = ONNX_EMIT(w, "Sigmoid", NULL, in[1]), *rest = moved(w, scaled(w, s, -1), 1);
    return (void)y, times(w, in[0], plus(w, s, times(w, times(w, in[1], s), rest)));
}

/* x (1 + erf(x / sqrt(2))) / 2 */
static const char *gelu(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, times(w, scaled(w, in[0], 0.5),
                          moved(w, ONNX_EMIT(w, "Erf", NULL, scaled(w, in[0], 0.70710678118654752)), 1));
}

/* dy (P + x p) */
static const char *gelu_grad(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *share = scaled(w, moved(w, ONNX_EMIT(w, "Erf", NULL, scaled(w, in[1], 0.70710678118654752)), 1), 0.5);
    const char *density =
        scaled(w, ONNX_EMIT(w, "Exp", NULL, scaled(w, times(w, in[1], in[1]), -0.5)), 0.39894228040143268);
    return (void)y, times(w, in[0], plus(w, share, times(w, in[1], density)));
}

static const char *gelu_tanh(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const char *cubed = times(w, in[0], times(w, in[0], in[0]));
    const char *inner = scaled(w, plus(w, in[0], scaled(w, cubed, 0.044715)), 0.7978845608028654);
    return (void)y, times(w, scaled(w, in[0], 0.5), moved(w, ONNX_EMIT(w, "Tanh", NULL, inner), 1));
}

static const char *clip(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const atl_clip_bounds *bounds = atl_attributes_of(y);
    return ONNX_EMIT(w, "Clip", NULL, in[0], onnx_write_float(w, bounds->lowest), onnx_write_float(w, bounds->highest));
}

static const char *cast(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return onnx_write_cast(w, in[0], atl_dtype_of(y) == ATL_INT32 ? INT32 : FLOAT);
}

static const char *whole_numbers(onnx_writer *w, const atl_node *y, const char *const *in)
{
    static const char *const op[] = {[ATL_INT_ADD] = "Add",   [ATL_INT_SUB] = "Sub",
                                     [ATL_INT_MUL] = "Mul",   [ATL_INT_DIV] = "Div",
                                     [ATL_INT_MOD] = "Mod",   [ATL_INT_MIN] = "Min",
                                     [ATL_INT_MAX] = "Max",   [ATL_INT_EQUAL] = "Equal",
                                     [ATL_INT_LESS] = "Less", [ATL_INT_LESS_EQUAL] = "LessOrEqual"};
    int kind = ((const integer_attributes *)atl_attributes_of(y))->kind;
    if (kind >= (int)(sizeof op / sizeof *op) || !op[kind])
        return onnx_cannot_write(w, "this arithmetic of whole numbers has no op in ONNX");
    const char *z = ONNX_EMIT(w, op[kind], NULL, in[0], in[1]);
    return kind >= ATL_INT_EQUAL ? onnx_write_cast(w, z, INT32) : z;
}

/* Through a narrower type, and back. */
static const char *to_half(onnx_writer *w, const atl_node *y, const char *const *in)
{
    enum { HALF = 10, BFLOAT16 = 16 };
    int is_half = strcmp(atl_op_of(y)->name, "round_to_half") == 0;
    return onnx_write_cast(w, onnx_write_cast(w, in[0], is_half ? HALF : BFLOAT16), FLOAT);
}

static const char *is_nan(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return (void)y, onnx_write_cast(w, ONNX_EMIT(w, "IsNaN", NULL, in[0]), FLOAT);
}

/* The log of a softmax, and of a class of it. */
static const char *softmax(onnx_writer *w, const atl_node *y, const char *const *in)
{
    return ONNX_EMIT(w, onnx_of(y), ONNX_ATTRIBUTES({"axis", .integer = -1}), in[0]);
}

/* max(x, 0) - x t + log(1 + exp(-|x|)) */
static const char *sigmoid_cross_entropy(onnx_writer *w, const atl_node *y, const char *const *in)
{
    (void)y;
    const char *over =
        ONNX_EMIT(w, "Sub", NULL, ONNX_EMIT(w, "Relu", NULL, in[0]), ONNX_EMIT(w, "Mul", NULL, in[0], in[1]));
    return ONNX_EMIT(w, "Add", NULL, over,
                     ONNX_EMIT(w, "Softplus", NULL, ONNX_EMIT(w, "Neg", NULL, ONNX_EMIT(w, "Abs", NULL, in[0]))));
}

/* The low bits of whole numbers: the rest of a division in 64 bits, moved by half of the range if it has a sign. */
static const char *wrap(onnx_writer *w, const atl_node *y, const char *const *in)
{
    const wrap_attributes *to = atl_attributes_of(y);
    int64_t range[] = {(int64_t)1 << to->bits}, half[] = {to->is_signed ? range[0] / 2 : 0}, none[1] = {0};
    const char *by = onnx_write_reshape(w, onnx_write_ints(w, 1, range), 0, none),
               *shift = onnx_write_reshape(w, onnx_write_ints(w, 1, half), 0, none);
    const char *rest =
        ONNX_EMIT(w, "Mod", NULL, ONNX_EMIT(w, "Add", NULL, onnx_write_cast(w, in[0], INT64), shift), by);
    return onnx_write_cast(w, ONNX_EMIT(w, "Sub", NULL, rest, shift), INT32);
}

const onnx_write_entry onnx_written_elements[] = {{"abs", unary, "Abs"},
                                                  {"acos", unary, "Acos"},
                                                  {"acosh", unary, "Acosh"},
                                                  {"add", binary, "Add"},
                                                  {"asin", unary, "Asin"},
                                                  {"asinh", unary, "Asinh"},
                                                  {"atan", unary, "Atan"},
                                                  {"atanh", unary, "Atanh"},
                                                  {"cast", cast},
                                                  {"ceil", unary, "Ceil"},
                                                  {"check_finite", same},
                                                  {"clip", clip},
                                                  {"clip_gradient", same},
                                                  {"cos", unary, "Cos"},
                                                  {"cosh", unary, "Cosh"},
                                                  {"div", binary, "Div"},
                                                  {"elu", unary, "Elu"},
                                                  {"equal", comparison, "Equal"},
                                                  {"erf", unary, "Erf"},
                                                  {"erfc", erfc_},
                                                  {"exp", unary, "Exp"},
                                                  {"exp2", exp2_},
                                                  {"expm1", expm1_},
                                                  {"floor", unary, "Floor"},
                                                  {"gelu", gelu},
                                                  {"gelu_grad", gelu_grad},
                                                  {"gelu_tanh", gelu_tanh},
                                                  {"greater", comparison, "Greater"},
                                                  {"greater_equal", comparison, "GreaterOrEqual"},
                                                  {"group", same},
                                                  {"heaviside", heaviside},
                                                  {"int_binary", whole_numbers},
                                                  {"int_wrap", wrap},
                                                  {"is_nan", is_nan},
                                                  {"leaky_relu", leaky_relu},
                                                  {"less", comparison, "Less"},
                                                  {"less_equal", comparison, "LessOrEqual"},
                                                  {"log", unary, "Log"},
                                                  {"log1p", log1p_},
                                                  {"log_softmax", softmax, "LogSoftmax"},
                                                  {"logical_and", logic, "And"},
                                                  {"logical_not", logic, "Not"},
                                                  {"logical_or", logic, "Or"},
                                                  {"logical_xor", logic, "Xor"},
                                                  {"maximum", binary, "Max"},
                                                  {"minimum", binary, "Min"},
                                                  {"mul", binary, "Mul"},
                                                  {"neg", unary, "Neg"},
                                                  {"not_equal", comparison, "NotEqual"},
                                                  {"pow", binary, "Pow"},
                                                  {"reciprocal", unary, "Reciprocal"},
                                                  {"relu", unary, "Relu"},
                                                  {"relu6", relu6},
                                                  {"relu6_grad", relu6_grad},
                                                  {"relu_grad", relu_grad},
                                                  {"round", unary, "Round"},
                                                  {"round_through", unary, "Round"},
                                                  {"round_to_half", to_half},
                                                  {"rsqrt", rsqrt_},
                                                  {"scale_gradient", same},
                                                  {"select", choose},
                                                  {"selu", unary, "Selu"},
                                                  {"sigmoid", unary, "Sigmoid"},
                                                  {"sigmoid_cross_entropy", sigmoid_cross_entropy},
                                                  {"sign", unary, "Sign"},
                                                  {"sin", unary, "Sin"},
                                                  {"sinh", unary, "Sinh"},
                                                  {"softmax", softmax, "Softmax"},
                                                  {"softplus", unary, "Softplus"},
                                                  {"softsign", unary, "Softsign"},
                                                  {"sqrt", unary, "Sqrt"},
                                                  {"square", square},
                                                  {"stop_gradient", same},
                                                  {"sub", binary, "Sub"},
                                                  {"hard_swish", hard_swish},
                                                  {"hard_swish_grad", hard_swish_grad},
                                                  {"swish", swish},
                                                  {"swish_grad", swish_grad},
                                                  {"tan", unary, "Tan"},
                                                  {"tanh", unary, "Tanh"},
                                                  {0}};
