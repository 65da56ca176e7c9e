/* Computes of an array only the rows that are read, or that are not zero: indices of one dimension, not the last one.
 *
 * A slice reads some rows of an array, and its gradient is zero in the others.  What works row by row, element-wise
 * ops, products with a matrix, softmax, layer norms, transposes and reshapes, then needs these rows only: a transformer
 * that classifies by one token computes its last layer, and the gradient of it, for that token only.  A product that
 * sums over rows of zeros leaves them out.
 *
 * Two walks over the graph find the rows: forwards those that are not zero, backwards those that are read.  Around a
 * narrowed node lies a pad, which gives whoever reads its shape, or all of it, the whole array. */
#include <pthread.h>

#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "graph/memory.h"
#include "ops/attributes.h"

/* The rows begin..end-1 of a dimension; all of them if end is 0. */
typedef struct rows {
    int64_t begin, end;
    int dimension;
} rows;

/* What is known of an old node. */
typedef struct narrowing {
    rows nonzero; /* the others are zero */
    rows read;    /* the others are not read */
    rows computed;
    int32_t readers;  /* those whose rows are in `read` */
    atl_node *narrow; /* the new node of the rows that are computed; null: all are */
} narrowing;

static const atl_op *matmul_op, *transpose_op, *slice_op, *unslice_op;
/* Ops that are zero where their first input is; products are so in every input. */
static const char *const linear_names[] = {"neg",          "relu_grad",          "relu6_grad",
                                           "swish_grad",   "hard_swish_grad",    "gelu_grad",
                                           "softmax_grad", "normalize_rows_grad"};
enum { LINEAR = sizeof linear_names / sizeof *linear_names };
static const atl_op *linear_op[LINEAR];
enum { MOST_INPUTS = 4 }; /* of a node that is narrowed */

static pthread_once_t found_ops = PTHREAD_ONCE_INIT;

static void find_ops(void)
{
    matmul_op = atl_op_named("matmul");
    transpose_op = atl_op_named("transpose");
    slice_op = atl_op_named("slice");
    unslice_op = atl_op_named("unslice");
    for (int i = 0; i < LINEAR; i++)
        linear_op[i] = atl_op_named(linear_names[i]);
}

/* ---- what the ops do with rows ----------------------------------------------------------------------------------- */

enum { ALL = -1, IMPOSSIBLE = -2 };

static int is_reshape(const atl_node *y)
{
    return (y->op->flags & (ATL_OP_ALIAS | ATL_OP_SIDE_EFFECT)) == ATL_OP_ALIAS;
}

static int matmul_source(const atl_node *y, int dimension, int input)
{
    const matmul_options *options = y->attributes;
    int rank = y->inputs[input]->shape->rank;
    if (dimension < y->shape->rank - 2)
        return rank == y->shape->rank ? dimension : ALL;
    return input ? ALL : options->transpose_a ? IMPOSSIBLE : rank - 2;
}

/* The dimension of that size after as many elements. */
static int reshape_source(const atl_node *y, int dimension)
{
    const atl_shape *from = y->inputs[0]->shape;
    int64_t before = 1, outer = 1;
    for (int i = 0; i < dimension; i++)
        before *= y->shape->size[i];
    for (int i = 0; i < from->rank; outer *= from->size[i++])
        if (outer == before && from->size[i] == y->shape->size[dimension])
            return i;
    return IMPOSSIBLE;
}

/* Index n of that dimension of y needs of the input only index n of the dimension that is returned, or ALL of it.
 * IMPOSSIBLE: y does not work row by row there. */
static int source_of(const atl_node *y, int dimension, int input)
{
    const atl_shape *from = y->inputs[input]->shape;
    int order[ATL_MAX_RANK], at = dimension - (y->shape->rank - from->rank);
    if (y->op == matmul_op)
        return matmul_source(y, dimension, input);
    if (is_reshape(y))
        return reshape_source(y, dimension);
    if (y->op == transpose_op) {
        atl_transpose_order(y, order);
        return order[dimension];
    }
    if (y->op->flags & (ATL_OP_RANDOM | ATL_OP_SIDE_EFFECT))
        return IMPOSSIBLE;
    if (atl_hooks_of(y)->by_image == atl_rows_by_image)
        return atl_shape_equal(*from, *y->shape) ? dimension : IMPOSSIBLE;
    if (!atl_is_elementwise(y->op))
        return IMPOSSIBLE;
    return at < 0 || from->size[at] == 1 ? ALL : at; /* broadcast */
}

/* True if y can be computed for some rows of that dimension. The last one stays whole everywhere. */
static int can_narrow(const atl_node *y, int dimension)
{
    int reads = 0;
    if (y->dtype != ATL_FLOAT32 || dimension >= y->shape->rank - 1 || y->input_count > MOST_INPUTS)
        return 0;
    for (int i = 0; i < (is_reshape(y) ? 1 : y->input_count); i++) {
        int source = source_of(y, dimension, i);
        if (source == IMPOSSIBLE || (source >= 0 && source == y->inputs[i]->shape->rank - 1) ||
            atl_is_shape_input(y->op, i))
            return 0;
        reads += source >= 0;
    }
    return reads > 0;
}

static int is_zero_with(const atl_node *y, int input)
{
    if (y->op == matmul_op || y->op == transpose_op || is_reshape(y) || y->op->flags & ATL_OP_PRODUCT)
        return 1;
    for (int i = 0; i < LINEAR; i++)
        if (y->op == linear_op[i])
            return input == 0;
    return 0;
}

/* The rows of `whole` that a slice or unslice takes; all if it takes a part of several dimensions, or leaves steps. */
static rows sliced_rows(const atl_node *slice, const atl_shape *whole)
{
    rows found = {0};
    for (int i = 0; i < whole->rank; i++) {
        atl_range range = atl_range_of(slice->attributes, i, whole->size[i]);
        if (range.count == whole->size[i])
            continue;
        if (found.end || range.stride != 1 || range.count == 0)
            return (rows){0};
        found = (rows){range.begin, range.begin + range.count, i};
    }
    return found;
}

static int are_same(rows a, rows b) { return a.begin == b.begin && a.end == b.end && a.dimension == b.dimension; }

/* ---- the walks --------------------------------------------------------------------------------------------------- */

static rows nonzero_of(const narrowing *s, const atl_node *y)
{
    if (y->op == unslice_op)
        return sliced_rows(y, y->shape);
    if (y->op->flags & ATL_OP_SUM) {
        rows first = s[y->inputs[0]->index].nonzero;
        for (int i = 0; i < y->input_count; i++)
            if (!are_same(s[y->inputs[i]->index].nonzero, first) || !atl_shape_equal(*y->inputs[i]->shape, *y->shape))
                return (rows){0};
        return first;
    }
    for (int i = 0; i < y->input_count; i++) {
        rows input = s[y->inputs[i]->index].nonzero;
        for (int d = 0; input.end && atl_reads_input(y, i) && is_zero_with(y, i) && d < y->shape->rank - 1; d++)
            if (source_of(y, d, i) == input.dimension)
                return (rows){input.begin, input.end, d};
    }
    return (rows){0};
}

/* Narrowing costs a slice here and a pad there: half of the rows at most are worth that. */
static int is_worth(const atl_node *y, rows some)
{
    return some.end && 2 * (some.end - some.begin) <= y->shape->size[some.dimension];
}

/* The terms of the sums of a product that are not zero, as rows of that input; all if the terms are no rows, or
 * too few are zero. */
static rows nonzero_terms(const narrowing *s, const atl_node *y, int input)
{
    const matmul_options *options = y->attributes;
    if (y->op != matmul_op || !options->transpose_a || options->transpose_b)
        return (rows){0};
    for (int i = 0; i < 2; i++) {
        rows found = s[y->inputs[i]->index].nonzero;
        if (is_worth(y->inputs[i], found) && found.dimension == y->inputs[i]->shape->rank - 2)
            return (rows){found.begin, found.end, y->inputs[input]->shape->rank - 2};
    }
    return (rows){0};
}

/* The rows of an input that the computed rows of y need. */
static rows rows_needed(const narrowing *s, const atl_node *y, int input)
{
    rows computed = s[y->index].computed;
    if (y->op == slice_op)
        return sliced_rows(y, y->inputs[0]->shape);
    if (y->op == unslice_op)
        return (rows){0};
    if (!computed.end)
        return nonzero_terms(s, y, input);
    int source = source_of(y, computed.dimension, input);
    return source < 0 ? (rows){0} : (rows){computed.begin, computed.end, source};
}

static rows rows_to_compute(const narrowing *s, const atl_node *y, rows read)
{
    rows nonzero = s[y->index].nonzero;
    if (y->op == unslice_op)
        return is_worth(y, nonzero) ? nonzero : (rows){0};
    if (is_worth(y, read) && can_narrow(y, read.dimension))
        return read;
    return is_worth(y, nonzero) && can_narrow(y, nonzero.dimension) ? nonzero : (rows){0};
}

/* Adds one reader's rows to those that are read. */
static void note_reader(narrowing *s, const atl_node *x, rows some)
{
    rows *all = &s[x->index].read;
    if (s[x->index].readers++ == 0)
        *all = some;
    else if (!all->end || !some.end || all->dimension != some.dimension)
        *all = (rows){0};
    else {
        all->begin = some.begin < all->begin ? some.begin : all->begin;
        all->end = some.end > all->end ? some.end : all->end;
    }
}

static int find_rows(atl_rewrite *r, narrowing *s)
{
    int found = 0;
    for (int64_t n = 0; n < r->from->count; n++)
        if (r->needed[n])
            s[n].nonzero = nonzero_of(s, r->from->nodes[n]);
    for (int64_t n = r->from->count - 1; n >= 0; n--) {
        const atl_node *y = r->from->nodes[n];
        if (!r->needed[n])
            continue;
        int is_output = s[n].readers < r->uses[n];
        s[n].computed = rows_to_compute(s, y, is_output ? (rows){0} : s[n].read);
        found |= s[n].computed.end && y->op != unslice_op;
        for (int i = 0; i < y->input_count; i++)
            if (atl_reads_input(y, i))
                note_reader(s, y->inputs[i], rows_needed(s, y, i));
    }
    return found;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

static int begin(atl_rewrite *r)
{
    narrowing *s = r->context = atl_allocate((size_t)r->from->count, sizeof *s);
    if (!s)
        return 0;
    r->is_unchanged = !find_rows(r, s);
    return 1;
}

static void end(atl_rewrite *r) { atl_release(r->context); }

static atl_node *slice_of(atl_node *x, rows some)
{
    atl_slice_args args = {.x = x};
    args.begin[some.dimension] = some.begin;
    args.end[some.dimension] = some.end;
    return atl_slice_with(&args);
}

/* Some rows of the new node of an old one, or all of it. */
static atl_node *rows_of(const narrowing *s, const atl_node *old, atl_node *whole, rows some)
{
    rows have = s[old->index].computed;
    if (!some.end)
        return whole;
    if (!have.end || have.dimension != some.dimension || some.begin < have.begin || some.end > have.end)
        return slice_of(whole, some);
    if (are_same(have, some))
        return s[old->index].narrow;
    return slice_of(s[old->index].narrow, (rows){some.begin - have.begin, some.end - have.begin, some.dimension});
}

static atl_node *padded(atl_node *x, rows some, int64_t size)
{
    atl_pad_args args = {.x = x};
    args.before[some.dimension] = some.begin;
    args.after[some.dimension] = size - some.end;
    return atl_pad_with(&args);
}

static atl_node *narrowed(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    narrowing *s = r->context;
    rows computed = s[old->index].computed;
    atl_node *some[MOST_INPUTS], *made;
    int changes = 0;
    if (!r->needed[old->index] || !(computed.end || old->op == slice_op || old->op == matmul_op))
        return NULL;
    if (old->op == unslice_op) {
        s[old->index].narrow = inputs[0];
        return NULL;
    }
    for (int i = 0; i < old->input_count; i++) {
        some[i] = atl_reads_input(old, i) ? rows_of(s, old->inputs[i], inputs[i], rows_needed(s, old, i)) : inputs[i];
        changes |= some[i] != inputs[i];
    }
    if (!changes)
        return NULL;
    if (old->op == slice_op)
        return some[0];
    atl_shape shape = *old->shape;
    if (!computed.end)
        return atl_apply_in(r->to, old->op, old->attributes, old->input_count, some);
    shape.size[computed.dimension] = computed.end - computed.begin;
    made = is_reshape(old) ? atl_reshape(some[0], shape)
                           : atl_apply_in(r->to, old->op, old->attributes, old->input_count, some);
    s[old->index].narrow = made;
    return padded(made, computed, old->shape->size[computed.dimension]);
}

static int is_candidate(const atl_node *node)
{
    pthread_once(&found_ops, find_ops);
    return node->op == slice_op || node->op == unslice_op;
}

const atl_pass atl_narrow_pass = {
    .is_candidate = is_candidate, .rule = narrowed, .begin = begin, .end = end, .needs_use_counts = 1};
