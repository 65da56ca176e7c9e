/* Importer of Einsum: the operands are combined two at a time by matrix products. */
#include <string.h>

#include "onnx/families.h"
#include "onnx/tensor_data.h"

/* A dimension is named by a letter, or, where "..." stands, by a digit 0..7 counted from the last. */
typedef struct operand {
    atl_node *x;
    char label[ATL_MAX_RANK + 1];
} operand;

static int has(const char *labels, char label) { return label && strchr(labels, label) != NULL; }

/* "ij" and "...ij" as one label a dimension; 0 with the reason. */
static int read_labels(onnx_op *op, const char *text, size_t length, int rank, char *to)
{
    int letters = 0, at = 0, dots = 0;
    for (size_t i = 0; i < length; i++)
        letters += (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ')
            continue;
        int is_letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        if (!is_letter && !(length - i >= 3 && strncmp(text + i, "...", 3) == 0 && !dots++))
            return onnx_reject(op, "its equation cannot be read");
        for (int k = is_letter ? 1 : rank - letters; k > 0; k--) {
            if (at >= ATL_MAX_RANK)
                return onnx_reject(op, "its equation has more than %d dimensions", ATL_MAX_RANK);
            to[at++] = is_letter ? text[i] : (char)('0' + k - 1);
        }
        i += is_letter ? 0 : 2;
    }
    to[at] = 0;
    return rank < 0 || at == rank ? 1 : onnx_reject(op, "its equation has %d dimensions for an input of %d", at, rank);
}

/* A label twice in one operand: its diagonal. */
static int take_diagonals(onnx_op *op, operand *o)
{
    for (int i = 0; o->label[i]; i++) {
        char *again = strchr(o->label + i + 1, o->label[i]);
        if (!again)
            continue;
        int second = (int)(again - o->label), rank = (int)strlen(o->label);
        int64_t n = atl_shape_of(o->x).size[i];
        float *eye =
            n > 0 && n < 4096 && n == atl_shape_of(o->x).size[second] ? onnx_room(op, n * n, sizeof *eye) : NULL;
        if (!eye)
            return onnx_reject(op, "the diagonal of sizes %lld and %lld", (long long)n,
                               (long long)atl_shape_of(o->x).size[second]);
        for (int64_t k = 0; k < n; k++)
            eye[k * n + k] = 1;
        atl_shape column = {.rank = rank};
        for (int k = 0; k < rank; k++)
            column.size[k] = k == i || k == second ? n : 1;
        o->x = atl_reduce_sum(atl_mul(o->x, atl_reshape(onnx_vector(op, n * n, eye), column)), ATL_AXES(second));
        memmove(again, again + 1, strlen(again));
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
            memmove(o->label + i, o->label + i + 1, strlen(o->label + i));
        }
}

/* The dimensions in the order of the labels; those that it lacks are 1. */
static atl_node *ordered(const operand *o, const char *labels)
{
    atl_transpose_args args = {.x = o->x};
    int at = 0, moved = 0;
    for (int i = 0; labels[i]; i++)
        if (has(o->label, labels[i])) {
            args.order[at] = (int)(strchr(o->label, labels[i]) - o->label);
            moved |= args.order[at] != at;
            at++;
        }
    atl_node *x = moved ? atl_transpose_with(&args) : o->x;
    for (int i = 0; labels[i]; i++)
        x = has(o->label, labels[i]) ? x : atl_expand_dims(x, i);
    return x;
}

/* The product of the sizes of `count` dimensions from `first` on; ATL_ANY if one is unknown. */
static int64_t flat_size(atl_shape shape, int first, size_t count)
{
    int64_t size = 1;
    for (size_t i = 0; i < count; i++) {
        if (shape.size[first + (int)i] == ATL_ANY)
            return ATL_ANY;
        size *= shape.size[first + (int)i];
    }
    return size;
}

/* x [batch..., rows..., columns...] as [batch, rows, columns]. */
static atl_node *as_matrices(onnx_op *op, atl_node *x, size_t batch, size_t rows, size_t columns)
{
    atl_shape shape = atl_shape_of(x);
    atl_shape to = ATL_SHAPE(flat_size(shape, 0, batch), flat_size(shape, (int)batch, rows),
                             flat_size(shape, (int)(batch + rows), columns));
    if ((to.size[0] == ATL_ANY) + (to.size[1] == ATL_ANY) + (to.size[2] == ATL_ANY) > 1) {
        onnx_reject(op, "more than one size is unknown: fix them");
        return NULL;
    }
    return atl_reshape(x, to);
}

static void append(char *labels, char label)
{
    size_t length = strlen(labels);
    labels[length] = label;
    labels[length + 1] = 0;
}

/* Labels that both have and the result keeps are a batch; those that it does not keep are summed over. */
static int combine(onnx_op *op, const operand *a, const operand *b, const char *result, operand *to)
{
    char batch[2 * ATL_MAX_RANK + 1] = "", sum[2 * ATL_MAX_RANK + 1] = "", left[2 * ATL_MAX_RANK + 1] = "",
                                  right[2 * ATL_MAX_RANK + 1] = "";
    char of_a[4 * ATL_MAX_RANK + 4], of_b[4 * ATL_MAX_RANK + 4], of_y[4 * ATL_MAX_RANK + 4];
    for (int i = 0; a->label[i]; i++)
        append(!has(b->label, a->label[i]) ? left : has(result, a->label[i]) ? batch : sum, a->label[i]);
    for (int i = 0; b->label[i]; i++)
        if (!has(a->label, b->label[i]))
            append(right, b->label[i]);
    snprintf(of_a, sizeof of_a, "%s%s%s", batch, left, sum);
    snprintf(of_b, sizeof of_b, "%s%s%s", batch, sum, right);
    snprintf(of_y, sizeof of_y, "%s%s%s", batch, left, right);
    if (strlen(of_y) > ATL_MAX_RANK)
        return onnx_reject(op, "its equation has more than %d dimensions", ATL_MAX_RANK);
    atl_node *x = ordered(a, of_a), *y = ordered(b, of_b);
    atl_shape shape = {.rank = (int)strlen(of_y)}, sx = atl_shape_of(x), sy = atl_shape_of(y);
    for (int i = 0; i < shape.rank; i++) {
        int from_y = i - (int)strlen(batch) - (int)strlen(left);
        shape.size[i] = from_y >= 0 ? sy.size[strlen(batch) + strlen(sum) + (size_t)from_y] : sx.size[i];
    }
    x = as_matrices(op, x, strlen(batch), strlen(left), strlen(sum));
    y = as_matrices(op, y, strlen(batch), strlen(sum), strlen(right));
    if (*op->why)
        return 0;
    to->x = atl_reshape(atl_matmul(x, y), shape);
    snprintf(to->label, sizeof to->label, "%s", of_y);
    return 1;
}

/* Without "->": the labels that come once, in alphabetical order, after those of "...". */
static void implicit_result(const operand *o, int64_t count, char *to)
{
    for (char c = '7'; c >= '0'; c--)
        for (int64_t i = 0; i < count && !has(to, c); i++)
            if (has(o[i].label, c))
                append(to, c);
    for (int c = 'A'; c <= 'z'; c++) {
        int times = 0;
        for (int64_t i = 0; i < count; i++)
            for (const char *l = o[i].label; *l; l++)
                times += *l == (char)c;
        if (times == 1 && strlen(to) < ATL_MAX_RANK)
            append(to, (char)c);
    }
}

static int most_dots(const operand *o, int64_t count)
{
    int most = 0;
    for (int64_t i = 0; i < count; i++) {
        int dots = 0;
        for (const char *l = o[i].label; *l; l++)
            dots += *l >= '0' && *l <= '7';
        most = dots > most ? dots : most;
    }
    return most;
}

static int read_operands(onnx_op *op, const char *equation, const char *arrow, operand *o)
{
    const char *end = arrow ? arrow : equation + strlen(equation), *at = equation;
    for (int64_t i = 0; i < op->inputs; i++) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        o[i].x = onnx_float(op, i);
        if (!o[i].x || !read_labels(op, at, (size_t)(stop - at), onnx_rank(op, i), o[i].label) ||
            !take_diagonals(op, &o[i]))
            return 0;
        if (!comma && i + 1 < op->inputs)
            return onnx_reject(op, "its equation has fewer operands than inputs");
        at = stop + 1;
    }
    return 1;
}

static int import_einsum(onnx_op *op)
{
    const char *equation = onnx_attr_text(op, "equation", ""), *arrow = strstr(equation, "->");
    char result[2 * ATL_MAX_RANK + 1] = "", others[1024];
    operand *o = onnx_room(op, op->inputs, sizeof *o);
    if (!o || op->inputs < 1 || op->inputs > 32 || !read_operands(op, equation, arrow, o))
        return onnx_reject(op, "it takes 1 to 32 operands");
    if (!arrow)
        implicit_result(o, op->inputs, result);
    else {
        int letters = 0, dots = most_dots(o, op->inputs), with_dots = strstr(arrow, "...") != NULL;
        for (const char *c = arrow + 2; *c; c++)
            letters += (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!read_labels(op, arrow + 2, strlen(arrow + 2), letters + (with_dots ? dots : 0), result))
            return 0;
    }
    for (int64_t i = 0; i < op->inputs; i++) {
        others[0] = 0;
        for (int64_t k = i + 1; k < op->inputs; k++)
            strncat(others, o[k].label, sizeof others - strlen(others) - 1);
        if (i + 1 < op->inputs)
            sum_lonely(&o[i], others, result);
        if (i == 0)
            continue;
        char kept[1024];
        snprintf(kept, sizeof kept, "%s%s", result, others);
        sum_lonely(&o[i], o[i - 1].label, kept);
        if (!combine(op, &o[i - 1], &o[i], kept, &o[i]))
            return 0;
    }
    operand *last = &o[op->inputs - 1];
    sum_lonely(last, "", result);
    for (const char *l = result; *l; l++)
        if (!has(last->label, *l))
            return onnx_reject(op, "its result has a label that no operand has");
    return onnx_give(op, 0, ordered(last, result));
}

const onnx_entry onnx_einsums[] = {{"Einsum", 12, import_einsum}, {0}};
