/* Arithmetic of whole numbers, int32, with NumPy broadcasting: indices, counters, quantized values.  Nothing flows
 * through it. Results beyond int32 are its limits; atl_int_wrap makes them those of a narrower type. */
#include "ops/attributes.h"
#include "ops/ops.h"

static const char *const kind_name[] = {"add", "sub", "mul",        "div",         "mod",   "rem",  "min",
                                        "max", "pow", "shift_left", "shift_right", "equal", "less", "less_equal"};
enum { KINDS = sizeof kind_name / sizeof *kind_name };

static bool infer_integer(atl_node *y)
{
    const atl_shape a = *y->inputs[0]->shape, b = *y->inputs[1]->shape;
    atl_shape to = {.rank = a.rank > b.rank ? a.rank : b.rank};
    if (!atl_require_int(y, 0, "the first input") || !atl_require_int(y, 1, "the second input"))
        return 0;
    for (int i = 1; i <= to.rank; i++) {
        int64_t m = i <= a.rank ? a.size[a.rank - i] : 1, n = i <= b.rank ? b.size[b.rank - i] : 1;
        if (m != n && m != 1 && n != 1 && m != ATL_ANY && n != ATL_ANY)
            return atl_fail(y, "%s and %s cannot be broadcast to one shape: sizes must be equal, or one of them 1",
                            SHAPE_TEXT(a), SHAPE_TEXT(b));
        to.size[to.rank - i] = m == 1 ? n : n == 1 ? m : m == ATL_ANY ? n : m;
    }
    return atl_set_type(y, ATL_INT32, to);
}

static int64_t limited(int64_t x) { return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x; }

/* a^b, 0 for a negative b unless |a| = 1 */
static int64_t power(int64_t a, int64_t b)
{
    int64_t result = 1;
    if (b < 0)
        return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
    if (a == 0 || a == 1 || a == -1)
        return b == 0 ? 1 : a == -1 && !(b & 1) ? 1 : a;
    for (; b > 0 && limited(result) == result; b--)
        result *= a;
    return result;
}

/* Two int32 values; quotients by 0 are 0. */
static int64_t combine(int kind, int64_t a, int64_t b)
{
    switch ((atl_int_op)kind) {
    case ATL_INT_ADD:
        return a + b;
    case ATL_INT_SUB:
        return a - b;
    case ATL_INT_MUL:
        return a * b;
    case ATL_INT_DIV:
        return b ? a / b : 0;
    case ATL_INT_MOD:
        return b ? (a % b + (a % b && (a % b < 0) != (b < 0) ? b : 0)) : 0;
    case ATL_INT_REM:
        return b ? a % b : 0;
    case ATL_INT_MIN:
        return a < b ? a : b;
    case ATL_INT_MAX:
        return a > b ? a : b;
    case ATL_INT_POW:
        return power(a, b);
    case ATL_INT_SHIFT_LEFT:
        return b < 0 || b > 31 ? 0 : a * ((int64_t)1 << b);
    case ATL_INT_SHIFT_RIGHT:
        return b < 0 || b > 31 ? 0 : a >> b;
    case ATL_INT_EQUAL:
        return a == b;
    case ATL_INT_LESS:
        return a < b;
    case ATL_INT_LESS_EQUAL:
        return a <= b;
    }
    return 0;
}

/* Steps of an input for each dimension of the result: 0 where it is repeated. */
static void broadcast_strides(const atl_node *x, atl_shape to, int64_t *stride)
{
    int64_t dense[ATL_MAX_RANK];
    int shift = to.rank - x->shape->rank;
    atl_strides_of(*x->shape, dense);
    for (int i = 0; i < to.rank; i++)
        stride[i] = i < shift || x->shape->size[i - shift] == 1 ? 0 : dense[i - shift];
}

/* Where element k of the result has its input. */
static int64_t place_of(int64_t k, atl_shape to, const int64_t *stride)
{
    int64_t place = 0;
    for (int i = to.rank - 1; i >= 0; i--) {
        place += k % to.size[i] * stride[i];
        k /= to.size[i];
    }
    return place;
}

static void integer_reference(const atl_node *y, const double *const *x, double *result)
{
    int kind = ((const integer_attributes *)y->attributes)->kind;
    int64_t a[ATL_MAX_RANK], b[ATL_MAX_RANK];
    broadcast_strides(y->inputs[0], *y->shape, a);
    broadcast_strides(y->inputs[1], *y->shape, b);
    for (int64_t k = 0; k < atl_shape_count(*y->shape); k++)
        result[k] = (double)limited(
            combine(kind, (int64_t)x[0][place_of(k, *y->shape, a)], (int64_t)x[1][place_of(k, *y->shape, b)]));
}

static void integer_kernel(const atl_node *y, const void *const *x, void *result)
{
    int kind = ((const integer_attributes *)y->attributes)->kind;
    const int32_t *left = x[0], *right = x[1];
    int64_t a[ATL_MAX_RANK], b[ATL_MAX_RANK];
    broadcast_strides(y->inputs[0], *y->shape, a);
    broadcast_strides(y->inputs[1], *y->shape, b);
    for (int64_t k = 0; k < atl_shape_count(*y->shape); k++)
        ((int32_t *)result)[k] =
            (int32_t)limited(combine(kind, left[place_of(k, *y->shape, a)], right[place_of(k, *y->shape, b)]));
}

static void describe_integer(const atl_node *y, char *text, size_t size)
{
    snprintf(text, size, "%s", kind_name[((const integer_attributes *)y->attributes)->kind]);
}

/* clang-format off */
#define INTEGER_SAMPLES(X)                                                                                             \
    X(ADD, add) X(SUB, sub) X(MUL, mul) X(DIV, div) X(MOD, mod) X(REM, rem) X(MIN, min) X(MAX, max) X(POW, pow)        \
    X(SHIFT_LEFT, shift_left) X(SHIFT_RIGHT, shift_right) X(EQUAL, equal) X(LESS, less) X(LESS_EQUAL, less_equal)
#define INTEGER_BUILDER(kind, name)                                                                                    \
    static atl_node *sample_##name(atl_node *a, atl_node *b) { return atl_int_binary(ATL_INT_##kind, a, b); }
#define INTEGER_SAMPLE(kind, name)                                                                                     \
    {#name ", broadcast", .binary = sample_##name, .input = {{3, {2, 1, 3}, -9, 9, 1}, {2, {4, 1}, -9, 9, 1}},         \
     .inputs = 2, .no_gradient = 1},
/* clang-format on */
INTEGER_SAMPLES(INTEGER_BUILDER)
static atl_node *unknown_kind(atl_node *a, atl_node *b) { return atl_int_binary((atl_int_op)KINDS, a, b); }

static const atl_op integer_op = {
    .name = "int_binary",
    .arity = 2,
    .attributes = sizeof(integer_attributes),
    .infer = infer_integer,
    .reference = integer_reference,
    .kernel = integer_kernel,
    .describe = describe_integer,
    .samples = (const atl_sample[]){
        INTEGER_SAMPLES(INTEGER_SAMPLE){"beyond int32", .binary = sample_mul,
                                        .input = {{1, {9}, -2000000000, 2000000000, 1}, {1, {9}, -3, 3, 1}},
                                        .inputs = 2, .no_gradient = 1},
        {"floats", .binary = sample_add, .input = {{1, {3}}, {1, {3}, 0, 9, 1}}, .inputs = 2, .error = "float32"},
        {"3 and 4", .binary = sample_add, .input = {{1, {3}, 0, 9, 1}, {1, {4}, 0, 9, 1}}, .inputs = 2, .error = "[4]"},
        {"no such op", .binary = unknown_kind, .input = {{1, {3}, 0, 9, 1}, {1, {3}, 0, 9, 1}}, .inputs = 2,
         .error = "no such"},
        {0}}};
ATL_BUILTIN(integer_op);

atl_node *atl_int_binary(atl_int_op op, atl_node *a, atl_node *b)
{
    integer_attributes attributes = {.kind = (int32_t)op};
    if (a && b && (op < 0 || (int)op >= KINDS))
        return atl_builder_error(a->graph, "int_binary", "there is no such operation as %d", (int)op);
    return ATL_APPLY(&integer_op, &attributes, a, b);
}

/* int_wrap(x, bits): the low bits, as a number of that width with or without sign. */

static bool infer_wrap(atl_node *y) { return atl_require_int(y, 0, "the input") && atl_infer_same(y); }

static int32_t wrapped(const wrap_attributes *to, int64_t x)
{
    uint32_t low = (uint32_t)x & (((uint32_t)1 << to->bits) - 1);
    int is_negative = to->is_signed && low >> (to->bits - 1);
    return (int32_t)low - (is_negative ? (int32_t)1 << to->bits : 0);
}

static void wrap_reference(const atl_node *y, const double *const *x, double *result)
{
    for (int64_t k = 0; k < atl_shape_count(*y->shape); k++)
        result[k] = wrapped(y->attributes, (int64_t)x[0][k]);
}

static void wrap_kernel(const atl_node *y, const void *const *x, void *result)
{
    for (int64_t k = 0; k < atl_shape_count(*y->shape); k++)
        ((int32_t *)result)[k] = wrapped(y->attributes, ((const int32_t *)x[0])[k]);
}

static void describe_wrap(const atl_node *y, char *text, size_t size)
{
    const wrap_attributes *to = y->attributes;
    snprintf(text, size, "%sint%d", to->is_signed ? "" : "u", to->bits);
}

static atl_node *to_uint8(atl_node *x) { return atl_int_wrap(x, 8, 0); }
static atl_node *to_int16(atl_node *x) { return atl_int_wrap(x, 16, 1); }
static atl_node *to_int40(atl_node *x) { return atl_int_wrap(x, 40, 1); }

static const atl_op wrap_op = {
    .name = "int_wrap",
    .arity = 1,
    .attributes = sizeof(wrap_attributes),
    .infer = infer_wrap,
    .reference = wrap_reference,
    .kernel = wrap_kernel,
    .describe = describe_wrap,
    .samples = (const atl_sample[]){
        {"uint8", .unary = to_uint8, .input = {{1, {9}, -600, 600, 1}}, .inputs = 1, .no_gradient = 1},
        {"int16", .unary = to_int16, .input = {{1, {9}, -90000, 90000, 1}}, .inputs = 1, .no_gradient = 1},
        {"floats", .unary = to_uint8, .input = {{1, {9}}}, .inputs = 1, .error = "float32"},
        {"40 bits", .unary = to_int40, .input = {{1, {9}, 0, 9, 1}}, .inputs = 1, .error = "40 bits"},
        {0}}};
ATL_BUILTIN(wrap_op);

atl_node *atl_int_wrap(atl_node *x, int bits, bool is_signed)
{
    wrap_attributes attributes = {bits, is_signed != 0};
    if (x && (bits < 1 || bits > 31))
        return atl_builder_error(x->graph, "int_wrap", "%d bits: 1 to 31 can be kept", bits);
    return ATL_APPLY(&wrap_op, &attributes, x);
}
