/* Importers of element-wise ops of two and more inputs, and of conversions. */
#include <math.h>
#include <string.h>

#include "atled/op.h"
#include "graph/variables.h"
#include "onnx/families.h"
#include "onnx/tensor_data.h"

enum { NO_INTEGERS = 0, FLOATS_OF_INTEGERS = -1 }; /* in entry->kind, beside 1 + an atl_int_op */

/* ---- two inputs in one order of dimensions ----------------------------------------------------------------------- */

static int64_t count_of(const onnx_value *value) { return atl_shape_count(value->shape); }

/* Whether all sizes are 1 but that of dimension 1 of `rank`, as a bias or a slope for each channel has it. */
static int is_by_channel(const onnx_value *value, int rank)
{
    int shift = rank - value->shape.rank;
    for (int i = 0; i < value->shape.rank; i++)
        if (i + shift != 1 && value->shape.size[i] != 1)
            return 0;
    return shift <= 1 && value->shape.size[1 - shift] != ATL_ANY;
}

/* The value, aligned with an array of `rank` dimensions that has its channels last; null with the reason. */
static atl_node *aligned_last(onnx_op *op, onnx_value *value, int rank)
{
    if (value->shape.rank == rank && value->last)
        return value->last;
    atl_node *x = onnx_node_in(op->importer, value, ONNX_AS_WRITTEN);
    atl_shape padded = {.rank = rank};
    if (count_of(value) == 1)
        return atl_reshape(x, ATL_SCALAR);
    if (is_by_channel(value, rank))
        return atl_reshape(x, ATL_SHAPE(ATL_ANY));
    if (value->shape.rank == rank)
        return onnx_node_in(op->importer, value, ONNX_CHANNELS_LAST);
    int open = 0;
    for (int i = 0; i < rank; i++) {
        int from = i - (rank - value->shape.rank);
        padded.size[i] = from < 0 ? 1 : value->shape.size[from];
        open += padded.size[i] == ATL_ANY;
    }
    if (open > 1) {
        onnx_reject(op, "more than one size of '%.200s' is unknown: fix them", value->name);
        return NULL;
    }
    return onnx_axis_last(atl_reshape(x, padded), 1);
}

/* Before opset 7 the second input was aligned from an axis on, and PRelu's slope from the channels on: the value as it
 * is written since. */
static int align_from_axis(onnx_op *op, const onnx_value *a, onnx_value **b, onnx_value *aligned)
{
    int is_slope = strcmp(op->node->op, "PRelu") == 0 && (*b)->shape.rank == 1;
    if (op->version >= 7 || (!is_slope && !onnx_attribute_of(op, "axis", ONNX_ATTRIBUTE_INT)))
        return 1;
    int axis = is_slope ? 1 : onnx_axis(op, onnx_attr_int(op, "axis", 0), a->shape.rank);
    *aligned = **b;
    if (axis < 0 || axis + (*b)->shape.rank > a->shape.rank)
        return is_slope && atl_shape_count((*b)->shape) == 1
                   ? 1
                   : onnx_reject(op, "its inputs do not broadcast from axis %d", axis);
    atl_node *x = onnx_node_in(op->importer, *b, ONNX_AS_WRITTEN);
    while (x && axis + atl_shape_of(x).rank < a->shape.rank)
        x = atl_expand_dims(x, atl_shape_of(x).rank);
    aligned->node = x;
    aligned->last = NULL;
    aligned->shape = atl_shape_of(x);
    *b = aligned;
    return x != NULL;
}

/* Both inputs as nodes of one order. */
static int take_pair(onnx_op *op, onnx_value *a, onnx_value *b, onnx_order *order, atl_node **a_out, atl_node **b_out)
{
    onnx_value aligned;
    if (!align_from_axis(op, a, &b, &aligned))
        return 0;
    int rank = a->shape.rank > b->shape.rank ? a->shape.rank : b->shape.rank;
    int last = (a->last && a->shape.rank == rank) || (b->last && b->shape.rank == rank);
    *order = last ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
    *a_out = last ? aligned_last(op, a, rank) : onnx_node_in(op->importer, a, ONNX_AS_WRITTEN);
    *b_out = last ? aligned_last(op, b, rank) : onnx_node_in(op->importer, b, ONNX_AS_WRITTEN);
    if (*a_out && *b_out)
        return 1;
    return onnx_reject(op, "%s", atl_error());
}

static atl_node *as_float(atl_node *x) { return atl_dtype_of(x) == ATL_INT32 ? atl_cast(x, ATL_FLOAT32) : x; }
static atl_node *as_int(atl_node *x) { return atl_dtype_of(x) == ATL_INT32 ? x : atl_cast(x, ATL_INT32); }

/* What arithmetic of a narrow type makes of a sum or product: it wraps. */
static atl_node *wrapped(atl_node *x, onnx_type type)
{
    int bits = onnx_narrow_bits(type)                      ? onnx_narrow_bits(type)
               : type == ONNX_INT8 || type == ONNX_UINT8   ? 8
               : type == ONNX_INT16 || type == ONNX_UINT16 ? 16
                                                           : 0;
    int is_signed = type == ONNX_INT2 || type == ONNX_INT4 || type == ONNX_INT8 || type == ONNX_INT16;
    return bits ? atl_int_wrap(x, bits, is_signed) : x;
}

/* The op on two values, and its result's type. */
static atl_node *combine(onnx_op *op, atl_node *a, atl_node *b, onnx_type type)
{
    int kind = op->entry->kind;
    if (!onnx_is_integer(type))
        return op->entry->binary(as_float(a), as_float(b));
    if (kind == FLOATS_OF_INTEGERS)
        return atl_cast(op->entry->binary(as_float(a), as_float(b)), ATL_INT32);
    if (kind == NO_INTEGERS) {
        onnx_reject(op, "it is read for floating-point numbers only, not for %s", onnx_type_name(type));
        return NULL;
    }
    return wrapped(atl_int_binary((atl_int_op)(kind - 1), as_int(a), as_int(b)), type);
}

int onnx_import_binary(onnx_op *op)
{
    onnx_order order;
    atl_node *a, *b;
    if (!onnx_has(op, 0) || !onnx_has(op, 1) || onnx_has(op, 2))
        return onnx_reject(op, "it needs two inputs");
    if (!take_pair(op, op->input[0], op->input[1], &order, &a, &b))
        return 0;
    atl_node *y = combine(op, a, b, onnx_type_of(op, 0));
    return !*op->why && onnx_give_in(op, 0, y, order);
}

/* ---- activations that exporters write as several nodes ----------------------------------------------------------- */

static int is_op(atl_node *x, const char *name) { return strcmp(atl_op_of(x)->name, name) == 0; }

/* True for a constant that is this number, up to a float's rounding. */
static int is_number(atl_node *x, double number)
{
    while (is_op(x, "reshape"))
        x = atl_input_of(x, 0);
    const atl_tensor *value = atl_constant_value(x);
    return value && atl_dtype_of(x) == ATL_FLOAT32 && atl_tensor_count(value) == 1 &&
           fabs((double)*atl_floats(value) - number) <= 1e-6 * number;
}

/* Of that op, a sum or product with this number, the other input; else null. */
static atl_node *beside_number(atl_node *y, const char *op, double number)
{
    if (!is_op(y, op))
        return NULL;
    atl_node *a = atl_input_of(y, 0), *b = atl_input_of(y, 1);
    return is_number(b, number) ? a : is_number(a, number) ? b : NULL;
}

/* Of 1 + erf(x / sqrt(2)) the x; else null. */
static atl_node *of_normal_share(atl_node *y)
{
    atl_node *erf = beside_number(y, "add", 1), *scaled = erf && is_op(erf, "erf") ? atl_input_of(erf, 0) : NULL;
    if (!scaled)
        return NULL;
    if (is_op(scaled, "div") && is_number(atl_input_of(scaled, 1), 1.4142135623730951))
        return atl_input_of(scaled, 0);
    return beside_number(scaled, "mul", 0.70710678118654752);
}

/* Of a product of x, 1/2 and 1 + erf(x / sqrt(2)), in any order, the x; else null. */
static atl_node *of_gelu(atl_node *a, atl_node *b)
{
    for (int turned = 0; turned < 2; turned++) {
        atl_node *p = turned ? b : a, *q = turned ? a : b, *rest = beside_number(p, "mul", 0.5);
        if (rest && (of_normal_share(q) == rest || of_normal_share(rest) == q))
            return of_normal_share(q) == rest ? rest : q;
        for (int i = 0; i < 2 && is_op(p, "mul") && is_number(q, 0.5); i++)
            if (of_normal_share(atl_input_of(p, i)) == atl_input_of(p, 1 - i))
                return atl_input_of(p, 1 - i);
    }
    return NULL;
}

/* x * sigmoid(x) is a swish; the gradients of swish and gelu need x only. */
static atl_node *product(atl_node *a, atl_node *b)
{
    if (!a || !b)
        return NULL;
    for (int turned = 0; turned < 2; turned++) {
        atl_node *x = turned ? b : a, *gate = turned ? a : b;
        if (is_op(gate, "sigmoid") && atl_input_of(gate, 0) == x)
            return atl_swish(x);
    }
    atl_node *x = of_gelu(a, b);
    return x ? atl_gelu(x) : atl_mul(a, b);
}

/* Sum, Max, Min, Mean: of any number of inputs. */
static int import_many(onnx_op *op)
{
    if (!onnx_has(op, 0))
        return onnx_reject(op, "it needs an input 0");
    onnx_value sum = {.name = op->input[0]->name};
    onnx_copy_value(&sum, op->input[0]);
    for (int64_t i = 1; i < op->inputs; i++) {
        onnx_order order;
        atl_node *a, *b;
        if (!onnx_has(op, i) || !take_pair(op, &sum, op->input[i], &order, &a, &b))
            return onnx_reject(op, "its input %lld is missing", (long long)i);
        atl_node *y = combine(op, a, b, sum.type);
        if (!y)
            return onnx_reject(op, "%s", atl_error());
        onnx_value next = {.name = sum.name, .type = sum.type, .is_constant = 0, .shape = atl_shape_of(y)};
        *(order == ONNX_CHANNELS_LAST ? &next.last : &next.node) = y;
        sum = next;
    }
    onnx_order order = sum.last ? ONNX_CHANNELS_LAST : ONNX_AS_WRITTEN;
    atl_node *y = onnx_node_in(op->importer, &sum, order);
    if (y && strcmp(op->entry->name, "Mean") == 0)
        y = atl_scale(y, 1.0f / (float)op->inputs);
    return onnx_give_in(op, 0, y, order);
}

/* Comparisons and logic: truth values. */
static int import_comparison(onnx_op *op)
{
    onnx_order order;
    atl_node *a, *b, *y;
    if (!onnx_has(op, 0) || !onnx_has(op, 1))
        return onnx_reject(op, "it needs two inputs");
    if (!take_pair(op, op->input[0], op->input[1], &order, &a, &b))
        return 0;
    if (onnx_is_integer(onnx_type_of(op, 0))) {
        int kind = op->entry->kind - 1, negated = kind >= 100;
        y = atl_cast(atl_int_binary((atl_int_op)(kind % 100), negated ? as_int(b) : as_int(a),
                                    negated ? as_int(a) : as_int(b)),
                     ATL_FLOAT32);
    } else
        y = op->entry->binary(as_float(a), as_float(b));
    if (!onnx_give_in(op, 0, y, order))
        return 0;
    if (op->output[0])
        op->output[0]->type = ONNX_BOOL;
    return 1;
}

/* base^exponent has the type of the base. */
static int import_pow(onnx_op *op)
{
    onnx_order order;
    atl_node *a, *b, *y;
    double exponent = 0;
    if (!onnx_has(op, 0) || !onnx_has(op, 1))
        return onnx_reject(op, "it needs two inputs");
    if (!take_pair(op, op->input[0], op->input[1], &order, &a, &b))
        return 0;
    int whole = onnx_is_integer(onnx_type_of(op, 0));
    if (whole && onnx_is_integer(onnx_type_of(op, 1)))
        return onnx_give_in(op, 0, atl_int_binary(ATL_INT_POW, as_int(a), as_int(b)), order);
    if (!whole && op->input[1]->is_constant && count_of(op->input[1]) == 1 && onnx_one(op, 1, &exponent) &&
        exponent == 2)
        y = atl_square(a);
    else
        y = exponent == 0.5 ? atl_sqrt(as_float(a)) : atl_pow(as_float(a), as_float(b));
    return onnx_give_in(op, 0, whole ? atl_cast(y, ATL_INT32) : y, order);
}

/* fmod = 1: the sign of the dividend; else that of the divisor. */
static int import_mod(onnx_op *op)
{
    onnx_order order;
    atl_node *a, *b;
    int64_t fmod_ = onnx_attr_int(op, "fmod", 0);
    if (!onnx_has(op, 0) || !onnx_has(op, 1))
        return onnx_reject(op, "it needs two inputs");
    if (!take_pair(op, op->input[0], op->input[1], &order, &a, &b))
        return 0;
    if (onnx_is_integer(onnx_type_of(op, 0)))
        return onnx_give_in(op, 0, atl_int_binary(fmod_ ? ATL_INT_REM : ATL_INT_MOD, as_int(a), as_int(b)), order);
    /* a - b * trunc(a / b), or with floor */
    atl_node *quotient = atl_div(a, b);
    atl_node *whole = fmod_ ? atl_mul(atl_sign(quotient), atl_floor(atl_abs(quotient))) : atl_floor(quotient);
    atl_node *rest = atl_sub(a, atl_mul(b, whole));
    /* of an infinite divisor: a, or with floor, and with another sign than a's, b */
    atl_node *of_infinite = fmod_ ? a : atl_select(atl_less(atl_mul(a, atl_sign(b)), onnx_scalar(op, 0)), b, a);
    atl_node *is_infinite = atl_equal(atl_abs(b), onnx_scalar(op, INFINITY));
    return onnx_give_in(op, 0, atl_select(is_infinite, of_infinite, rest), order);
}

static int import_bit_shift(onnx_op *op)
{
    int left = strcmp(onnx_attr_text(op, "direction", ""), "LEFT") == 0;
    atl_node *a = onnx_any(op, 0), *b = a ? onnx_any(op, 1) : NULL;
    onnx_type type = onnx_type_of(op, 0);
    if (!b)
        return 0;
    if (type == ONNX_INT8 || type == ONNX_INT16 || type == ONNX_INT32 || type == ONNX_INT64)
        return onnx_reject(op, "numbers with a sign, as opset 28 has them, are not shifted");
    return onnx_give(op, 0,
                     wrapped(atl_int_binary(left ? ATL_INT_SHIFT_LEFT : ATL_INT_SHIFT_RIGHT, a, b),
                             onnx_type_of(op, 0)));
}

/* relu(x) - slope * relu(-x) */
static int import_prelu(onnx_op *op)
{
    onnx_order order;
    atl_node *x, *slope;
    if (!onnx_has(op, 0) || !onnx_has(op, 1))
        return onnx_reject(op, "it needs two inputs");
    if (!take_pair(op, op->input[0], op->input[1], &order, &x, &slope))
        return 0;
    return onnx_give_in(op, 0, atl_sub(atl_relu(x), atl_mul(slope, atl_relu(atl_neg(x)))), order);
}

static int import_where(onnx_op *op)
{
    onnx_order order;
    atl_node *x, *y, *condition, *again;
    if (!onnx_has(op, 0) || !onnx_has(op, 1) || !onnx_has(op, 2))
        return onnx_reject(op, "it needs three inputs");
    onnx_type type = onnx_type_of(op, 1);
    if (onnx_is_integer(type)) {
        atl_node *c = onnx_int(op, 0), *a = onnx_int(op, 1), *b = onnx_int(op, 2);
        /* b + c * (a - b); differences wrap and come back */
        return c && a && b &&
               onnx_give_type(op, 0,
                              atl_int_binary(ATL_INT_ADD, b,
                                             atl_int_binary(ATL_INT_MUL, c, atl_int_binary(ATL_INT_SUB, a, b))),
                              type);
    }
    if (!take_pair(op, op->input[1], op->input[2], &order, &x, &y))
        return 0;
    onnx_value *longest = op->input[1]->shape.rank >= op->input[2]->shape.rank ? op->input[1] : op->input[2];
    onnx_order with_condition;
    if (!take_pair(op, op->input[0], longest, &with_condition, &condition, &again))
        return 0;
    if (with_condition != order) {
        order = ONNX_AS_WRITTEN;
        condition = onnx_any(op, 0);
        x = onnx_any(op, 1);
        y = onnx_any(op, 2);
    }
    if (!onnx_give_in(op, 0, atl_select(as_float(condition), as_float(x), as_float(y)), order))
        return 0;
    if (op->output[0])
        op->output[0]->type = type;
    return 1;
}

/* ---- conversions ------------------------------------------------------------------------------------------------- */

static atl_node *converted(onnx_op *op, atl_node *x, onnx_type from, onnx_type to)
{
    if (!onnx_type_size(to)) {
        onnx_reject(op, "it converts to %s, which is not read", onnx_type_name(to));
        return NULL;
    }
    if (to == ONNX_BOOL)
        return atl_not_equal(as_float(x), onnx_scalar(op, 0));
    if (onnx_is_float(to)) {
        x = as_float(x);
        if (to == ONNX_FLOAT16 && from != ONNX_FLOAT16)
            return atl_round_to_half(x);
        return to == ONNX_BFLOAT16 && from != ONNX_BFLOAT16 ? atl_round_to_bfloat16(x) : x;
    }
    return wrapped(as_int(x), to);
}

static int import_cast_to(onnx_op *op, onnx_type to)
{
    onnx_order order;
    atl_node *x = onnx_native(op, 0, &order);
    if (!x)
        return 0;
    if (to == onnx_type_of(op, 0))
        return onnx_give_value(op, 0, op->input[0]);
    atl_node *y = converted(op, x, onnx_type_of(op, 0), to);
    if (!y || !onnx_give_in(op, 0, y, order))
        return 0;
    if (op->output[0])
        op->output[0]->type = to;
    return 1;
}

static int import_cast(onnx_op *op)
{
    int64_t to = onnx_attr_int(op, "to", 0);
    return import_cast_to(op, to > 0 && to < ONNX_TYPES ? (onnx_type)to : ONNX_TYPES);
}

static int import_cast_like(onnx_op *op)
{
    return onnx_has(op, 1) ? import_cast_to(op, onnx_type_of(op, 1)) : onnx_reject(op, "it needs two inputs");
}

#define WHOLE(op) (1 + ATL_INT_##op)

const onnx_entry onnx_arithmetic[] = {
    {"Add", 1, onnx_import_binary, .binary = atl_add, .kind = WHOLE(ADD)},
    {"And", 1, import_comparison, .binary = atl_logical_and},
    {"BitShift", 11, import_bit_shift},
    {"Cast", 6, import_cast},
    {"CastLike", 15, import_cast_like},
    {"Div", 1, onnx_import_binary, .binary = atl_div, .kind = WHOLE(DIV)},
    {"Equal", 1, import_comparison, .binary = atl_equal, .kind = WHOLE(EQUAL)},
    {"Greater", 1, import_comparison, .binary = atl_greater, .kind = 100 + WHOLE(LESS)},
    {"GreaterOrEqual", 12, import_comparison, .binary = atl_greater_equal, .kind = 100 + WHOLE(LESS_EQUAL)},
    {"Less", 1, import_comparison, .binary = atl_less, .kind = WHOLE(LESS)},
    {"LessOrEqual", 12, import_comparison, .binary = atl_less_equal, .kind = WHOLE(LESS_EQUAL)},
    {"Max", 6, import_many, .binary = atl_maximum, .kind = WHOLE(MAX)},
    {"Mean", 6, import_many, .binary = atl_add},
    {"Min", 6, import_many, .binary = atl_minimum, .kind = WHOLE(MIN)},
    {"Mod", 10, import_mod},
    {"Mul", 1, onnx_import_binary, .binary = product, .kind = WHOLE(MUL)},
    {"Or", 1, import_comparison, .binary = atl_logical_or},
    {"PRelu", 1, import_prelu},
    {"Pow", 1, import_pow},
    {"Sub", 1, onnx_import_binary, .binary = atl_sub, .kind = WHOLE(SUB)},
    {"Sum", 6, import_many, .binary = atl_add},
    {"Where", 9, import_where},
    {"Xor", 1, import_comparison, .binary = atl_logical_xor},
    {0}};
