/* Algebraic simplification: the matcher for the table of equations.
 *
 * Every equation holds for NaN and infinities as well, and changes at most
 *   - the rounding of the last bit or two,
 *   - the sign of a zero: x + 0 is x, where x may be -0,
 *   - an overflow of an intermediate result: (x * 1e30) * 1e-20 does not become infinite any more; never the other way
 *     round.
 * That is why some equations are missing: x * 0 = 0, x - x = 0 and x / x = 1 would hide NaN and infinities; log(exp(x))
 * = x is wrong where exp overflows, exp(log(x)) = x and sqrt(x)^2 = x are wrong below 0; exp(x) exp(y) = exp(x + y) and
 * (x + 1) - 1 = x change more than a rounding; and not (a < b) differs from a >= b for NaN.  A power with an exponent
 * that is not an integer is defined for positive numbers: see atl_pow. */
#include "compiler/passes/algebra.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lowering/op_hooks.h"
#include "ops/attributes.h"

const atl_equation atl_equations[] = {
    /* neutral elements */
    {"add(x, 0)", "x", 0},
    {"sub(x, 0)", "x", 0},
    {"mul(x, 1)", "x", 0},
    {"div(x, 1)", "x", 0},
    {"pow(x, 1)", "x", 0},
    /* signs */
    {"neg(neg(x))", "x", 0},
    {"sub(0, x)", "neg(x)", ATL_AS_MANY},
    {"mul(x, -1)", "neg(x)", ATL_AS_MANY},
    {"div(x, -1)", "neg(x)", ATL_AS_MANY},
    {"add(x, neg(y))", "sub(x, y)", 0},
    {"sub(x, neg(y))", "add(x, y)", 0},
    {"neg(sub(x, y))", "sub(y, x)", 0},
    {"neg(mul(x, A))", "mul(x, -A)", 0},
    {"mul(neg(x), A)", "mul(x, -A)", 0},
    {"mul(neg(x), neg(y))", "mul(x, y)", 0},
    {"div(neg(x), neg(y))", "div(x, y)", 0},
    {"neg(div(A, x))", "div(-A, x)", 0},
    {"div(A, neg(x))", "div(-A, x)", 0},
    /* constants moved together */
    {"add(x, x)", "mul(x, 2)", ATL_AS_MANY},
    {"sub(x, A)", "add(x, -A)", ATL_AS_MANY},
    {"div(x, A)", "mul(x, 1/A)", ATL_AS_MANY},
    {"add(add(x, A), B)", "add(x, A+B)", ATL_EXACT_SUM},
    {"mul(mul(x, A), B)", "mul(x, A*B)", 0},
    {"div(A, mul(x, B))", "div(A/B, x)", 0},
    {"div(A, div(B, x))", "mul(x, A/B)", 0},
    {"reciprocal(mul(x, A))", "div(1/A, x)", 0},
    {"mul(div(A, x), B)", "div(A*B, x)", 0},
    {"mul(reciprocal(x), A)", "div(A, x)", 0},
    /* quotients and powers */
    {"div(1, x)", "reciprocal(x)", ATL_AS_MANY},
    {"reciprocal(reciprocal(x))", "x", 0},
    {"mul(x, reciprocal(y))", "div(x, y)", ATL_SAME_SIZE},
    {"div(x, reciprocal(y))", "mul(x, y)", 0},
    {"reciprocal(div(x, y))", "div(y, x)", 0},
    {"reciprocal(sqrt(x))", "rsqrt(x)", 0},
    {"reciprocal(rsqrt(x))", "sqrt(x)", 0},
    {"div(x, rsqrt(y))", "mul(x, sqrt(y))", ATL_AS_MANY},
    {"pow(x, 0)", "1", 0},
    {"pow(x, 2)", "square(x)", ATL_AS_MANY},
    {"pow(x, 3)", "mul(x, square(x))", ATL_AS_MANY},
    {"pow(x, 0.5)", "sqrt(x)", ATL_AS_MANY},
    {"pow(x, -0.5)", "rsqrt(x)", ATL_AS_MANY},
    {"pow(x, -1)", "reciprocal(x)", ATL_AS_MANY},
    /* squares, absolute values, and values that are never negative */
    {"square(neg(x))", "square(x)", 0},
    {"square(abs(x))", "square(x)", 0},
    {"abs(neg(x))", "abs(x)", 0},
    {"abs(abs(x))", "abs(x)", 0},
    {"abs(square(x))", "square(x)", 0},
    {"abs(relu(x))", "relu(x)", 0},
    {"abs(exp(x))", "exp(x)", 0},
    {"abs(sqrt(x))", "sqrt(x)", 0},
    {"abs(sigmoid(x))", "sigmoid(x)", 0},
    {"relu(relu(x))", "relu(x)", 0},
    {"relu(relu6(x))", "relu6(x)", 0},
    {"relu6(relu(x))", "relu6(x)", 0},
    {"relu6(relu6(x))", "relu6(x)", 0},
    {"relu(abs(x))", "abs(x)", 0},
    {"relu(square(x))", "square(x)", 0},
    {"relu(exp(x))", "exp(x)", 0},
    {"relu(sqrt(x))", "sqrt(x)", 0},
    {"relu(sigmoid(x))", "sigmoid(x)", 0},
    {"relu(softplus(x))", "softplus(x)", 0},
    /* the larger and the smaller */
    {"maximum(x, x)", "x", 0},
    {"minimum(x, x)", "x", 0},
    {"maximum(maximum(x, y), y)", "maximum(x, y)", 0},
    {"maximum(maximum(x, y), x)", "maximum(x, y)", 0},
    {"minimum(minimum(x, y), y)", "minimum(x, y)", 0},
    {"minimum(minimum(x, y), x)", "minimum(x, y)", 0},
    {"maximum(x, 0)", "relu(x)", ATL_AS_MANY},
    {"maximum(0, x)", "relu(x)", ATL_AS_MANY},
    /* rounding, signs and the step function */
    {"floor(floor(x))", "floor(x)", 0},
    {"floor(ceil(x))", "ceil(x)", 0},
    {"floor(round(x))", "round(x)", 0},
    {"ceil(floor(x))", "floor(x)", 0},
    {"ceil(ceil(x))", "ceil(x)", 0},
    {"ceil(round(x))", "round(x)", 0},
    {"round(floor(x))", "floor(x)", 0},
    {"round(ceil(x))", "ceil(x)", 0},
    {"round(round(x))", "round(x)", 0},
    {"sign(sign(x))", "sign(x)", 0},
    {"heaviside(heaviside(x))", "heaviside(x)", 0},
    {"heaviside(sign(x))", "heaviside(x)", 0},
    {"heaviside(relu(x))", "heaviside(x)", 0},
    /* relu gradients, select and logic */
    {"relu_grad(x, A)", "x", ATL_POSITIVE},
    {"relu_grad(x, heaviside(y))", "relu_grad(x, y)", 0},
    {"relu_grad(relu_grad(x, y), y)", "relu_grad(x, y)", 0},
    {"select(A, x, y)", "x", ATL_TRUE},
    {"select(0, x, y)", "y", 0},
    {"select(z, x, x)", "x", 0},
    {"select(logical_not(z), x, y)", "select(z, y, x)", 0},
    {"logical_not(equal(x, y))", "not_equal(x, y)", 0},
    {"logical_not(not_equal(x, y))", "equal(x, y)", 0},
    {0}};

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

/* The length of the op name at the start of the text; 0 if there is none. */
static size_t op_name_at(const char *text)
{
    size_t length = strcspn(text, "(,) ");
    return text[length] == '(' ? length : 0;
}

static void skip(const char **at, char c)
{
    *at += **at == c;
    while (**at == ' ')
        ++*at;
}

/* Reads "2" or "0.5".  strtod would use the decimal separator of the user's locale. */
static double decimal_at(const char **at)
{
    double digits = 0, scale = 1;
    int negative = **at == '-', has_point = 0;
    for (*at += negative; isdigit((unsigned char)**at) || (**at == '.' && !has_point); ++*at)
        if (**at == '.')
            has_point = 1;
        else {
            digits = 10 * digits + (**at - '0');
            scale *= has_point ? 10 : 1;
        }
    return (negative ? -digits : digits) / scale;
}

/* ---- matching ---------------------------------------------------------------------------------------------------- */

enum { MOST_INPUTS = 3 };

typedef struct attempt {
    atl_letters letters;
    unsigned turns;   /* bit k: the inputs of the k-th sum or product of the text are swapped */
    int met;          /* sums and products so far */
    atl_shape result; /* the shape of the result, which the letters may have to match */
    unsigned needs;
} attempt;

static int matches(const char **at, atl_node *node, attempt *a);

static int matches_op(const char **at, size_t length, const atl_node *node, attempt *a)
{
    const atl_op *op = node->op;
    int swapped = 0, count = node->input_count;
    if (strncmp(op->name, *at, length) || op->name[length] || atl_op_of_length(*at, length) != op)
        return 0; /* a user's op may have the same name */
    if (op->flags & (ATL_OP_SUM | ATL_OP_PRODUCT))
        swapped = a->turns >> a->met++ & 1;
    *at += length;
    for (int i = 0; i < count; i++) {
        skip(at, i ? ',' : '(');
        if (!matches(at, node->inputs[swapped ? count - 1 - i : i], a))
            return 0;
    }
    skip(at, ')');
    return 1;
}

static int matches_letter(char letter, atl_node *node, attempt *a)
{
    float value;
    if (islower((unsigned char)letter)) {
        atl_node **known = &a->letters.node[letter - 'a'];
        if (a->needs & ATL_SAME_SIZE && !atl_shape_equal(*node->shape, a->result))
            return 0;
        if (!*known)
            *known = node;
        return *known == node;
    }
    if (!atl_is_uniform(node, &value) || a->letters.known >> (letter - 'A') & 1)
        return 0;
    a->letters.number[letter - 'A'] = value;
    a->letters.known |= 1u << (letter - 'A');
    return 1;
}

static int matches(const char **at, atl_node *node, attempt *a)
{
    float value;
    size_t length = op_name_at(*at);
    if (length)
        return matches_op(at, length, node, a);
    if (isalpha((unsigned char)**at)) {
        int fits = matches_letter(**at, node, a);
        skip(at, **at);
        return fits;
    }
    float number = (float)decimal_at(at);
    return atl_is_uniform(node, &value) && value == number;
}

static int are_met(unsigned needs, const atl_letters *letters)
{
    float a = letters->number[0], b = letters->number[1];
    int is_exact =
        ((a > 0 && b > 0) || (a < 0 && b < 0)) && (double)(float)((double)a + (double)b) == (double)a + (double)b;
    return !(needs & ATL_EXACT_SUM && !is_exact) && !(needs & ATL_POSITIVE && !(a > 0)) &&
           !(needs & ATL_TRUE && a == 0);
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

static double factor_at(const char **at, const atl_letters *letters)
{
    int negative = **at == '-';
    *at += negative;
    double value = isupper((unsigned char)**at) ? (double)letters->number[*(*at)++ - 'A'] : decimal_at(at);
    return negative ? -value : value;
}

static double number_at(const char **at, const atl_letters *letters)
{
    double value = factor_at(at, letters);
    while (**at && strchr("*/+", **at)) {
        char sign = *(*at)++;
        double next = factor_at(at, letters);
        value = sign == '*' ? value * next : sign == '/' ? value / next : value + next;
    }
    return value;
}

static atl_node *build(const char **at, atl_node *like, const atl_letters *letters, int is_whole)
{
    atl_node *inputs[MOST_INPUTS];
    size_t length = op_name_at(*at);
    if (!length && islower((unsigned char)**at))
        return letters->node[*(*at)++ - 'a'];
    if (!length) {
        int is_given = !isupper((unsigned char)(*at)[**at == '-']) && !strpbrk(*at, "*/+");
        float value = (float)number_at(at, letters);
        if (!is_given && !isnormal(value))
            return NULL;
        return is_whole ? atl_fill(like, value) : atl_scalar(like, value);
    }
    const atl_op *op = atl_op_of_length(*at, length);
    *at += length;
    for (int i = 0; i < op->arity; i++) {
        skip(at, i ? ',' : '(');
        inputs[i] = build(at, like, letters, 0);
        if (!inputs[i])
            return NULL;
    }
    skip(at, ')');
    return atl_apply_in(like->graph, op, NULL, op->arity, inputs);
}

atl_node *atl_build_side(const char *text, atl_node *like, const atl_letters *letters)
{
    return build(&text, like, letters, 1);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

static atl_node *rewritten(const atl_equation *equation, atl_node *y)
{
    int most = 0;
    for (unsigned turns = 0; turns < 1u << most || turns == 0; turns++) {
        attempt a = {.turns = turns, .result = *y->shape, .needs = equation->needs};
        const char *at = equation->from;
        int found = matches(&at, y, &a);
        most = a.met > most ? a.met : most;
        if (!found || !are_met(equation->needs, &a.letters))
            continue;
        atl_node *simpler = atl_build_side(equation->to, y, &a.letters);
        return simpler && simpler->dtype == y->dtype && atl_shape_equal(*simpler->shape, *y->shape) ? simpler : NULL;
    }
    return NULL;
}

/* ---- pre-filter -------------------------------------------------------------------------------------------------- */

/* Quick tests for an equation's left side.  They reject almost every node, and there may be millions of nodes. */
typedef struct pre_filter {
    const atl_op *op;
    const atl_op *inner[MOST_INPUTS]; /* of input i; null: any op */
    char letter[MOST_INPUTS];         /* of input i; 0: none; a capital stands for any constant */
    const atl_equation *equation;
} pre_filter;

/* Sorted by op; equations of the same op keep the table's order. */
static pre_filter pre_filters[sizeof atl_equations / sizeof *atl_equations];
static size_t pre_filter_count;

static int by_op(const void *a, const void *b)
{
    const pre_filter *x = a, *y = b;
    if (x->op != y->op)
        return (uintptr_t)x->op > (uintptr_t)y->op ? 1 : -1;
    return (x->equation > y->equation) - (x->equation < y->equation);
}

/* The text after the parenthesis that opens there. */
static const char *behind(const char *at)
{
    int depth = 0;
    do
        depth += (*at == '(') - (*at == ')');
    while (*at++ && depth);
    return at;
}

static pre_filter pre_filter_of(const atl_equation *equation)
{
    const char *at = equation->from;
    size_t length = op_name_at(at);
    pre_filter g = {.op = atl_op_of_length(at, length), .equation = equation};
    at += length;
    for (int i = 0; i < g.op->arity; i++) {
        skip(&at, i ? ',' : '(');
        length = op_name_at(at);
        if (length) {
            g.inner[i] = atl_op_of_length(at, length);
            at = behind(at + length);
        } else {
            g.letter[i] = islower((unsigned char)*at) ? *at : 'A';
            at += strcspn(at, ",)");
        }
    }
    return g;
}

static void read_table(void)
{
    for (const atl_equation *e = atl_equations; e->from; e++)
        pre_filters[pre_filter_count++] = pre_filter_of(e);
    qsort(pre_filters, pre_filter_count, sizeof *pre_filters, by_op);
}

/* The first equation of that op, or its position if there is none. */
static const pre_filter *first_of(const atl_op *op)
{
    size_t first = 0, end = pre_filter_count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if ((uintptr_t)pre_filters[middle].op < (uintptr_t)op)
            first = middle + 1;
        else
            end = middle;
    }
    return &pre_filters[first];
}

static int may_match(const pre_filter *g, const atl_node *y, unsigned numbers, int swapped)
{
    const atl_node *x[MOST_INPUTS];
    int count = y->input_count;
    for (int i = 0; i < count; i++) {
        int from = swapped ? count - 1 - i : i;
        x[i] = y->inputs[from];
        if ((g->inner[i] && x[i]->op != g->inner[i]) || (g->letter[i] == 'A' && !(numbers >> from & 1)))
            return 0;
        for (int k = 0; k < i; k++)
            if (islower((unsigned char)g->letter[i]) && g->letter[i] == g->letter[k] && x[i] != x[k])
                return 0;
    }
    return 1;
}

atl_node *atl_simplify_by_algebra(atl_node *y)
{
    static pthread_once_t read = PTHREAD_ONCE_INIT;
    unsigned numbers = 0;
    float value;
    pthread_once(&read, read_table);
    const pre_filter *g = first_of(y->op), *end = pre_filters + pre_filter_count;
    for (int i = 0; g < end && g->op == y->op && i < y->input_count; i++)
        numbers |= (unsigned)atl_is_uniform(y->inputs[i], &value) << i;
    for (; g < end && g->op == y->op; g++) {
        int turns = (y->op->flags & (ATL_OP_SUM | ATL_OP_PRODUCT)) != 0;
        atl_node *simpler =
            may_match(g, y, numbers, 0) || (turns && may_match(g, y, numbers, 1)) ? rewritten(g->equation, y) : NULL;
        if (simpler)
            return simpler;
    }
    return NULL;
}
