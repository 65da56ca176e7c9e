/* einsum: sums of products in Einstein's notation, composed of other ops.  The operands are multiplied two at a time:
 * by a matrix product where both share a letter that is summed over, else element by element. */
#include "common/plural.h"
#include "graph/memory.h"
#include "ops/ops.h"

enum { MAX_OPERANDS = 32, MAX_LABELS = 2 * ATL_MAX_RANK + 1 };

/* A dimension is named by a letter, or, where "..." stands, by a digit 0..7 counted from the last. */
typedef struct operand {
    atl_node *x;
    char label[MAX_LABELS];
} operand;

typedef struct einsum {
    atl_graph *graph;
    const char *equation;
    operand *operand;
    int count;
    char result[MAX_LABELS];
} einsum;

/* "the equation 'ij->k' ...", recorded on the graph; returns 0. */
#define REJECT(e, ...) (atl_builder_error((e)->graph, "einsum", __VA_ARGS__) != NULL)

static int has(const char *labels, char label) { return label && strchr(labels, label) != NULL; }
static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static void append(char *labels, char label)
{
    size_t length = strlen(labels);
    labels[length] = label;
    labels[length + 1] = 0;
}

static void drop(operand *o, int i) { memmove(o->label + i, o->label + i + 1, strlen(o->label + i)); }

static int letters_in(const char *text, size_t length)
{
    int letters = 0;
    for (size_t i = 0; i < length; i++)
        letters += is_letter(text[i]);
    return letters;
}

/* "ij" and "...ij" as one label a dimension of `rank`; 0 with the error recorded. */
static int read_labels(const einsum *e, const char *text, size_t length, int rank, char *to)
{
    int rest = rank - letters_in(text, length), dots = 0;
    to[0] = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ')
            continue;
        if (!is_letter(text[i]) && !(length - i >= 3 && strncmp(text + i, "...", 3) == 0 && !dots++))
            return REJECT(e, "the equation '%s' cannot be read from '%s' on", e->equation, text + i);
        for (int k = is_letter(text[i]) ? 1 : rest; k > 0; k--) {
            if (strlen(to) >= ATL_MAX_RANK)
                return REJECT(e, "in the equation '%s' a part has more than %d dimensions", e->equation, ATL_MAX_RANK);
            append(to, is_letter(text[i]) ? text[i] : (char)('0' + k - 1));
        }
        i += is_letter(text[i]) ? 0 : 2;
    }
    return 1;
}

/* ---- one operand ------------------------------------------------------------------------------------------------- */

/* x with dimensions i and k (i < k) last. */
static atl_node *pair_last(atl_node *x, int rank, int i, int k)
{
    atl_transpose_args args = {.x = x};
    int at = 0;
    for (int d = 0; d < rank; d++)
        if (d != i && d != k)
            args.order[at++] = d;
    args.order[at] = i;
    args.order[at + 1] = k;
    return rank > 2 ? atl_transpose_with(&args) : x;
}

/* 1 on the diagonal of the last two dimensions. Sizes may be known only in a run, which fails unless they agree. */
static atl_node *diagonal_like(atl_node *x, int rank)
{
    atl_node *ones = atl_fill(x, 1), *on = atl_sub(atl_tril(ones, 0), atl_tril(ones, -1));
    atl_shape shape = *x->shape;
    if (shape.size[rank - 1] != ATL_ANY && shape.size[rank - 2] != ATL_ANY)
        return on;
    atl_transpose_args turned = {.x = on};
    for (int d = 0; d < rank; d++)
        turned.order[d] = d < rank - 2 ? d : 2 * rank - 3 - d;
    return atl_mul(on, atl_transpose_with(&turned));
}

/* A label twice in one operand: its diagonal. */
static int take_diagonals(const einsum *e, operand *o)
{
    for (int i = 0; o->label[i]; i++) {
        char *again = strchr(o->label + i + 1, o->label[i]), label = o->label[i];
        if (!again)
            continue;
        int second = (int)(again - o->label), rank = (int)strlen(o->label);
        int64_t n = o->x->shape->size[i], m = o->x->shape->size[second];
        if (n != m && n != ATL_ANY && m != ATL_ANY)
            return REJECT(e, "'%s', %s, has no diagonal '%c%c': its sizes are %lld and %lld", atl_name_of(o->x),
                          SHAPE_OF(o->x), label, label, (long long)n, (long long)m);
        atl_node *x = pair_last(o->x, rank, i, second);
        o->x = x ? atl_reduce_sum(atl_select(diagonal_like(x, rank), x, atl_scalar(x, 0)), ATL_AXES(-1)) : NULL;
        if (!o->x)
            return 0;
        drop(o, second);
        drop(o, i);
        append(o->label, label);
        i--;
    }
    return 1;
}

/* Sums over the labels that neither the result nor another operand has. */
static void sum_lonely(operand *o, const char *others, const char *result)
{
    for (int i = (int)strlen(o->label) - 1; i >= 0; i--)
        if (!has(others, o->label[i]) && !has(result, o->label[i])) {
            o->x = atl_reduce_sum(o->x, ATL_AXES(i));
            drop(o, i);
        }
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static int64_t size_of(const operand *o, char label)
{
    const char *at = strchr(o->label, label);
    return at ? o->x->shape->size[at - o->label] : 1;
}

/* Equal labels have equal sizes; a dimension of 1 beside another size is broadcast, which needs no label. */
static int agree_on_sizes(const einsum *e)
{
    for (int i = 0; i < e->count; i++)
        for (int at = 0; e->operand[i].label[at]; at++) {
            operand *o = &e->operand[i];
            char label = o->label[at];
            int64_t size = size_of(o, label), other = 1;
            for (int k = 0; k < e->count && other == 1; k++)
                other = size_of(&e->operand[k], label);
            if (size == 1 && other != 1) {
                o->x = atl_squeeze(o->x, at);
                drop(o, at--);
            } else if (size != other && size != ATL_ANY && other != ATL_ANY)
                return REJECT(e, "in the equation '%s' %s%c stands for %lld and for %lld: '%s' is %s", e->equation,
                              is_letter(label) ? "" : "a dimension of ... counted from the last, ", label,
                              (long long)other, (long long)size, atl_name_of(o->x), SHAPE_OF(o->x));
        }
    return 1;
}

/* ---- two operands ------------------------------------------------------------------------------------------------ */

/* The dimensions in the order of the labels; those that it lacks are 1. */
static atl_node *ordered(const operand *o, const char *labels)
{
    atl_transpose_args args = {.x = o->x};
    int at = 0, moved = 0;
    unsigned missing = 0;
    for (int i = 0; labels[i]; i++)
        if (has(o->label, labels[i])) {
            args.order[at] = (int)(strchr(o->label, labels[i]) - o->label);
            moved |= args.order[at] != at;
            at++;
        } else
            missing |= 1u << i;
    atl_node *x = moved ? atl_transpose_with(&args) : o->x;
    return missing ? atl_insert_dims(x, missing) : x;
}

/* The product of `count` sizes from `first` on; ATL_ANY if one is unknown. */
static int64_t flat_size(atl_shape shape, int first, int count)
{
    atl_shape part = {.rank = count};
    for (int i = 0; i < count; i++) {
        part.size[i] = shape.size[first + i];
        if (part.size[i] == ATL_ANY)
            return ATL_ANY;
    }
    return atl_shape_count(part);
}

static atl_node *reject_unknown(const einsum *e, atl_shape shape)
{
    return atl_builder_error(e->graph, "einsum",
                             "for the equation '%s' dimensions of %s would have to be merged or cut, and more than one "
                             "is unknown: fix their sizes",
                             e->equation, SHAPE_TEXT(shape));
}

static int unknown_sizes(atl_shape shape)
{
    int unknown = 0;
    for (int i = 0; i < shape.rank; i++)
        unknown += shape.size[i] == ATL_ANY;
    return unknown;
}

/* x [batch..., rows..., columns...] with the rows as one dimension and the columns as one. */
static atl_node *as_matrices(const einsum *e, atl_node *x, int batch, int rows, int columns)
{
    if (rows == 0)
        return as_matrices(e, atl_expand_dims(x, batch), batch, 1, columns);
    if (columns == 0)
        return as_matrices(e, atl_expand_dims(x, batch + rows), batch, rows, 1);
    if (!x || (rows == 1 && columns == 1))
        return x;
    atl_shape to = {.rank = batch + 2};
    for (int i = 0; i < batch; i++)
        to.size[i] = x->shape->size[i];
    to.size[batch] = flat_size(*x->shape, batch, rows);
    to.size[batch + 1] = flat_size(*x->shape, batch + rows, columns);
    return unknown_sizes(to) > 1 ? reject_unknown(e, *x->shape) : atl_reshape(x, to);
}

/* The converse, for a product [batch..., left, right]. */
static atl_node *cut_apart(const einsum *e, atl_node *z, atl_shape shape, int left, int right)
{
    int batch = shape.rank - left - right;
    if (left > 1 || right > 1)
        return unknown_sizes(shape) > 1 ? reject_unknown(e, shape) : atl_reshape(z, shape);
    z = right ? z : atl_squeeze(z, batch + 1);
    return left ? z : atl_squeeze(z, batch);
}

typedef struct pair {
    char batch[MAX_LABELS], sum[MAX_LABELS], left[MAX_LABELS], right[MAX_LABELS];
} pair;

/* Labels that both have and somebody still needs are a batch; those that nobody needs are summed over. */
static pair paired(const operand *a, const operand *b, const char *needed)
{
    pair p = {"", "", "", ""};
    for (int i = 0; a->label[i]; i++)
        append(!has(b->label, a->label[i]) ? p.left : has(needed, a->label[i]) ? p.batch : p.sum, a->label[i]);
    for (int i = 0; b->label[i]; i++)
        if (!has(a->label, b->label[i]))
            append(p.right, b->label[i]);
    return p;
}

/* The matrix product [batch, left, sum] [batch, sum, right]. */
static atl_node *product(const einsum *e, const pair *p, const operand *a, const operand *b)
{
    char of_a[4 * MAX_LABELS], of_b[4 * MAX_LABELS];
    int batch = (int)strlen(p->batch), left = (int)strlen(p->left), right = (int)strlen(p->right);
    int sum = (int)strlen(p->sum);
    snprintf(of_a, sizeof of_a, "%s%s%s", p->batch, p->left, p->sum);
    snprintf(of_b, sizeof of_b, "%s%s%s", p->batch, p->sum, p->right);
    atl_node *x = ordered(a, of_a), *y = ordered(b, of_b);
    if (!x || !y)
        return NULL;
    atl_shape shape = {.rank = batch + left + right};
    for (int i = 0; i < batch + left; i++)
        shape.size[i] = x->shape->size[i];
    for (int i = 0; i < right; i++)
        shape.size[batch + left + i] = y->shape->size[batch + sum + i];
    x = as_matrices(e, x, batch, left, sum);
    y = as_matrices(e, y, batch, sum, right);
    return x && y ? cut_apart(e, atl_matmul(x, y), shape, left, right) : NULL;
}

static int combine(const einsum *e, const operand *a, operand *b, const char *needed)
{
    pair p = paired(a, b, needed);
    char labels[4 * MAX_LABELS];
    snprintf(labels, sizeof labels, "%s%s%s", p.batch, p.left, p.right);
    if (strlen(labels) > ATL_MAX_RANK)
        return REJECT(e, "the equation '%s' needs a product of more than %d dimensions", e->equation, ATL_MAX_RANK);
    b->x = *p.sum ? product(e, &p, a, b) : atl_mul(ordered(a, labels), ordered(b, labels));
    snprintf(b->label, sizeof b->label, "%s", labels);
    return b->x != NULL;
}

/* ---- the equation ------------------------------------------------------------------------------------------------ */

/* Without "->": the labels that come once, in alphabetical order, after those of "...". */
static int implicit_result(einsum *e)
{
    for (char c = '7'; c >= '0'; c--)
        for (int i = 0; i < e->count && !has(e->result, c); i++)
            if (has(e->operand[i].label, c))
                append(e->result, c);
    for (int c = 'A'; c <= 'z'; c++) {
        int times = 0;
        for (int i = 0; i < e->count; i++)
            for (const char *l = e->operand[i].label; *l; l++)
                times += *l == (char)c;
        if (times == 1 && strlen(e->result) >= ATL_MAX_RANK)
            return REJECT(e, "the result of the equation '%s' has more than %d dimensions", e->equation, ATL_MAX_RANK);
        if (times == 1)
            append(e->result, (char)c);
    }
    return 1;
}

static int is_in_an_operand(const einsum *e, char label)
{
    for (int i = 0; i < e->count; i++)
        if (has(e->operand[i].label, label))
            return 1;
    return 0;
}

static int read_result(einsum *e, const char *text)
{
    int dots = 0;
    for (char c = '0'; c <= '7' && strstr(text, "..."); c++)
        dots += is_in_an_operand(e, c);
    if (!read_labels(e, text, strlen(text), letters_in(text, strlen(text)) + dots, e->result))
        return 0;
    for (const char *l = e->result; *l; l++)
        if (!is_in_an_operand(e, *l) || has(l + 1, *l))
            return REJECT(e, "in the equation '%s' the result has '%c' %s", e->equation, *l,
                          has(l + 1, *l) ? "twice" : "which no operand has");
    return 1;
}

static int read_operands(einsum *e, const char *end)
{
    const char *at = e->equation;
    for (int i = 0; i < e->count; i++) {
        operand *o = &e->operand[i];
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        int letters = letters_in(at, (size_t)(stop - at)), rank = o->x->shape->rank;
        if (!read_labels(e, at, (size_t)(stop - at), rank, o->label))
            return 0;
        if ((int)strlen(o->label) != rank)
            return REJECT(e, "in the equation '%s' operand %d has %d letter%s, but '%s' is %s", e->equation, i + 1,
                          letters, atl_plural(letters), atl_name_of(o->x), SHAPE_OF(o->x));
        if (!comma != (i + 1 == e->count))
            return REJECT(e, "the equation '%s' has %s operands than the %d given", e->equation,
                          comma ? "more" : "fewer", e->count);
        at = stop + 1;
    }
    return 1;
}

static atl_node *multiply(einsum *e)
{
    for (int i = 0; i < e->count; i++) {
        char others[MAX_OPERANDS * MAX_LABELS] = "", needed[(MAX_OPERANDS + 1) * MAX_LABELS];
        for (int k = i + 1; k < e->count; k++)
            strcat(others, e->operand[k].label);
        snprintf(needed, sizeof needed, "%s%s", e->result, others);
        sum_lonely(&e->operand[i], i ? e->operand[i - 1].label : "", needed);
        if (!e->operand[i].x || (i && !combine(e, &e->operand[i - 1], &e->operand[i], needed)))
            return NULL;
    }
    sum_lonely(&e->operand[e->count - 1], "", e->result);
    return ordered(&e->operand[e->count - 1], e->result);
}

static atl_node *build(einsum *e)
{
    const char *arrow = strstr(e->equation, "->");
    if (!read_operands(e, arrow ? arrow : e->equation + strlen(e->equation)))
        return NULL;
    if (!(arrow ? read_result(e, arrow + 2) : implicit_result(e)))
        return NULL;
    for (int i = 0; i < e->count; i++)
        if (!take_diagonals(e, &e->operand[i]))
            return NULL;
    return agree_on_sizes(e) ? multiply(e) : NULL;
}

atl_node *atl_einsum_with(const char *equation, atl_nodes operands)
{
    if (!equation || ATL_LIST_IS_NULL(operands))
        return atl_null_argument("atl_einsum", !equation ? "the equation is" : "the list of operands is"), NULL;
    atl_node *first = operands.count > 0 ? operands.node[0] : NULL;
    for (int64_t i = 0; i < operands.count; i++)
        if (!operands.node[i])
            return atl_pass_null("atl_einsum");
    if (!first)
        return atl_null_argument("atl_einsum", "the first operand is"), NULL;
    einsum e = {.graph = first->graph, .equation = equation, .count = (int)operands.count};
    if (operands.count > MAX_OPERANDS)
        return atl_builder_error(e.graph, "einsum", "it takes 1 to %d operands, not %lld", MAX_OPERANDS,
                                 (long long)operands.count);
    e.operand = atl_allocate((size_t)e.count, sizeof *e.operand);
    if (!e.operand)
        return atl_graph_out_of_memory(e.graph);
    for (int i = 0; i < e.count; i++)
        e.operand[i].x = operands.node[i];
    atl_enter(e.graph, "einsum");
    atl_node *y = build(&e);
    atl_leave(e.graph);
    atl_release(e.operand);
    return y;
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

static atl_node *sample_matrices(atl_node *const *x) { return atl_einsum("bij,bjk->bik", x[0], x[1]); }
static atl_node *sample_dots(atl_node *const *x) { return atl_einsum("...ij,...jk", x[0], x[1]); }
static atl_node *sample_diagonal(atl_node *x) { return atl_einsum("iji->ji", atl_square(x)); }
static atl_node *sample_three(atl_node *const *x) { return atl_einsum("ij,jk,il->lk", x[0], x[1], x[2]); }
static atl_node *sample_outer(atl_node *const *x) { return atl_einsum("i,jk->kij", x[0], x[1]); }
static atl_node *sample_merged(atl_node *const *x) { return atl_einsum("abij,jbkl->alk", x[0], x[1]); }

static const atl_op einsum_composed = {
    .name = "einsum",
    .samples = (const atl_sample[]){
        {"matrix products", .build = sample_matrices, .input = {{3, {2, 3, 4}}, {3, {2, 4, 2}}}, .inputs = 2},
        {"broadcast batches", .build = sample_dots, .input = {{4, {2, 1, 3, 4}}, {3, {3, 4, 2}}}, .inputs = 2},
        {"a diagonal", .unary = sample_diagonal, .input = {{3, {3, 2, 3}}}, .inputs = 1},
        {"three operands", .build = sample_three, .input = {{2, {2, 3}}, {2, {3, 4}}, {2, {2, 2}}}, .inputs = 3},
        {"an outer product", .build = sample_outer, .input = {{1, {3}}, {2, {2, 4}}}, .inputs = 2},
        {"several sums", .build = sample_merged, .input = {{4, {2, 3, 2, 4}}, {4, {4, 3, 2, 2}}}, .inputs = 2},
        {"4 against 5", .build = sample_matrices, .input = {{3, {2, 3, 4}}, {3, {2, 5, 2}}}, .inputs = 2,
         .error = "stands for 4 and for 5"},
        {"a matrix", .build = sample_matrices, .input = {{2, {3, 4}}, {3, {2, 4, 2}}}, .inputs = 2,
         .error = "operand 1 has 3 letters"},
        {"no square", .unary = sample_diagonal, .input = {{3, {3, 2, 4}}}, .inputs = 1, .error = "3 and 4"},
        {0}}};
ATL_COMPOSED(einsum_composed);
