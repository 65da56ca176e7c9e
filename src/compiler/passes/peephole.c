/* Equations between ops, as a table: an op, the op of an input, and what equals it.  They are a part of the pass
 * "simplify", after what the op itself can simplify.  An equation of element-wise ops is one line in algebra.c. */
#include "compiler/passes/peephole.h"

#include <pthread.h>
#include <string.h>

#include "graph/memory.h"
#include "ops/attributes.h"
#include "ops/moments.h"

/* ---- slices ------------------------------------------------------------------------------------------------------ */

static atl_range range_along(const atl_node *slice, int axis)
{
    return atl_range_of(slice->attributes, axis, slice->inputs[0]->shape->size[axis]);
}

/* As many elements of x in dimension `axis`. */
static void take(atl_slice_args *args, int axis, atl_range range, int64_t count)
{
    args->begin[axis] = range.begin;
    args->stride[axis] = range.stride;
    args->end[axis] = range.begin + (count - 1) * range.stride + 1;
}

/* The input of a concat that has the elements first to last - 1 along the axis, and its offset; null if none has all of
 * them. */
static atl_node *part_with(const atl_node *concat, int64_t axis, int64_t first, int64_t last, int64_t *begins_out)
{
    *begins_out = 0;
    for (int i = 0; i < concat->input_count; i++) {
        int64_t ends = *begins_out + concat->inputs[i]->shape->size[axis];
        if (first >= *begins_out && last <= ends)
            return concat->inputs[i];
        *begins_out = ends;
    }
    return NULL;
}

/* A slice of one part of a concat is a slice of that input. */
static atl_node *slice_of_concat(atl_node *y, const atl_node *x)
{
    int rank = y->shape->rank, axis = ((const concat_attributes *)x->attributes)->axis;
    atl_slice_args args = {0};
    int64_t begins;
    axis += axis < 0 ? rank : 0;
    atl_range range = range_along(y, axis);
    args.x = part_with(x, axis, range.begin, range.begin + (y->shape->size[axis] - 1) * range.stride + 1, &begins);
    for (int i = 0; i < rank; i++) {
        range = range_along(y, i);
        range.begin -= i == axis ? begins : 0;
        take(&args, i, range, y->shape->size[i]);
    }
    return args.x ? atl_slice_with(&args) : NULL;
}

/* A slice between the padding is a slice of what is padded. */
static atl_node *slice_of_pad(atl_node *y, const atl_node *x)
{
    const pad_attributes *pad = x->attributes;
    atl_slice_args args = {.x = x->inputs[0]};
    for (int i = 0; i < y->shape->rank; i++) {
        atl_range range = range_along(y, i);
        range.begin -= pad->before[i];
        if (range.begin < 0 || range.begin + (y->shape->size[i] - 1) * range.stride >= args.x->shape->size[i])
            return NULL;
        take(&args, i, range, y->shape->size[i]);
    }
    return atl_slice_with(&args);
}

/* A slice of a broadcast array is a broadcast slice. */
static atl_node *slice_of_broadcast(atl_node *y, const atl_node *x)
{
    atl_slice_args args = {.x = x->inputs[0]};
    const atl_shape *source = args.x->shape;
    for (int i = 0; i < source->rank; i++) {
        int of_y = i + y->shape->rank - source->rank;
        if (source->size[i] != 1)
            take(&args, i, range_along(y, of_y), y->shape->size[of_y]);
    }
    atl_node *part = atl_slice_with(&args);
    return atl_broadcast_to(part && atl_shape_equal(*part->shape, *source) ? args.x : part, *y->shape);
}

static int same_ranges(const atl_node *a, const atl_node *b, int but_axis)
{
    for (int i = 0; i < a->shape->rank; i++) {
        atl_range m = range_along(a, i);
        atl_range n = range_along(b, i);
        if (i != but_axis && (m.begin != n.begin || m.stride != n.stride || m.count != n.count))
            return 0;
    }
    return 1;
}

/* Two adjacent slices of one array along the axis, equal otherwise, as one slice, or as the array; null if they are
 * not.  `slice`: the op. */
static atl_node *joined(const atl_op *slice, const atl_node *a, const atl_node *b, int axis)
{
    if (a->op != slice || b->op != slice || a->inputs[0] != b->inputs[0] || !same_ranges(a, b, axis))
        return NULL;
    atl_range range = range_along(a, axis), next = range_along(b, axis);
    if (range.stride != 1 || next.stride != 1 || next.begin != range.begin + range.count)
        return NULL;
    atl_slice_args args = {.x = a->inputs[0]};
    for (int i = 0; i < a->shape->rank; i++) {
        range = range_along(a, i);
        take(&args, i, range, range.count + (i == axis ? next.count : 0));
    }
    atl_node *both = atl_slice_with(&args);
    return both && atl_shape_equal(*both->shape, *args.x->shape) ? args.x : both;
}

/* In a concat, adjacent slices of one array become one. */
static atl_node *concat_of_slices(atl_node *y, const atl_node *x)
{
    int axis = ((const concat_attributes *)y->attributes)->axis, count = 0;
    axis += axis < 0 ? y->shape->rank : 0;
    atl_node **part = atl_allocate((size_t)y->input_count, sizeof *part);
    if (!part)
        return atl_graph_out_of_memory(y->graph);
    for (int i = 0; i < y->input_count; i++) {
        atl_node *both = count ? joined(x->op, part[count - 1], y->inputs[i], axis) : NULL;
        part[both ? count - 1 : count++] = both ? both : y->inputs[i];
    }
    atl_node *simpler = count < y->input_count ? atl_concat_with(axis, (atl_nodes){count, part}) : NULL;
    atl_release(part);
    return simpler;
}

/* ---- transposes -------------------------------------------------------------------------------------------------- */

/* For a transpose of the last two dimensions: its input, else null. */
static atl_node *before_swap(const atl_op *transpose, const atl_node *x)
{
    int order[ATL_MAX_RANK], rank = x->shape->rank;
    if (x->op != transpose || rank < 2)
        return NULL;
    atl_transpose_order(x, order);
    for (int i = 0; i < rank; i++)
        if (order[i] != (i < rank - 2 ? i : 2 * rank - 3 - i))
            return NULL;
    return x->inputs[0];
}

/* A product reads transposed operands in their original order. */
static atl_node *product_of_transpose(atl_node *y, const atl_node *x)
{
    const matmul_options *options = y->attributes;
    atl_node *a = before_swap(x->op, y->inputs[0]), *b = before_swap(x->op, y->inputs[1]);
    if (!a && !b)
        return NULL;
    return atl_matmul(a ? a : y->inputs[0], b ? b : y->inputs[1], .transpose_a = options->transpose_a != (a != NULL),
                      .transpose_b = options->transpose_b != (b != NULL));
}

/* ---- reductions -------------------------------------------------------------------------------------------------- */

static const struct reduction {
    const char *name;
    atl_reduce_builder *build;
    int is_sum;
} reductions[] = {{"reduce_sum", atl_reduce_sum_with, 1},
                  {"reduce_mean", atl_reduce_mean_with, 0},
                  {"reduce_max", atl_reduce_max_with, 0},
                  {"reduce_min", atl_reduce_min_with, 0}};

static const struct reduction *reduction_of(const atl_node *y)
{
    const struct reduction *r = reductions;
    while (strcmp(r->name, y->op->name)) /* the table of equations names no other */
        r++;
    return r;
}

/* The reduction of those axes of a broadcast array, of the given shape: reduces each element once, and multiplies a sum
 * by the number of repetitions; null if nothing is repeated along those axes, or something along others. */
static atl_node *reduce_repeated(const atl_node *x, unsigned axes, atl_shape result, const struct reduction *how)
{
    atl_shape aligned = *x->shape,
              left = *x->shape; /* the repeated array with x's rank; the same without the reduced dimensions */
    unsigned taken = 0;
    double times = 1;
    atl_shape from = *x->inputs[0]->shape;
    for (int i = 0; i < x->shape->rank; i++) {
        int j = i - (x->shape->rank - from.rank), is_reduced = axes >> i & 1;
        aligned.size[i] = j < 0 ? 1 : from.size[j];
        left.size[i] = is_reduced ? 1 : aligned.size[i];
        taken |= (unsigned)(is_reduced && aligned.size[i] > 1) << i;
        times *= is_reduced && aligned.size[i] == 1 ? (double)x->shape->size[i] : 1;
    }
    if (times == 1 || atl_shape_count(left) != atl_shape_count(result)) /* it would have to be repeated again */
        return NULL;
    atl_node *y = atl_reduce_axes(atl_reshape(x->inputs[0], aligned), taken, result, how->build);
    return how->is_sum ? atl_scale(y, (float)times) : y;
}

static atl_node *reduction_of_broadcast(atl_node *y, const atl_node *x)
{
    return reduce_repeated(x, atl_reduced_axes(y), *y->shape, reduction_of(y));
}

static atl_node *sum_of_broadcast(atl_node *y, const atl_node *x)
{
    return reduce_repeated(x, atl_summed_axes(y), *y->shape, &reductions[0]);
}

/* A reduction moves before a transpose: less is left to transpose. */
static atl_node *reduction_of_transpose(atl_node *y, const atl_node *transpose)
{
    int order[ATL_MAX_RANK], left = 0, place[ATL_MAX_RANK], in_order = 1;
    atl_node *x = transpose->inputs[0];
    unsigned outer = atl_reduced_axes(y), axes = 0;
    atl_shape shape = {0};
    atl_transpose_order(transpose, order);
    for (int i = 0; i < x->shape->rank; i++)
        axes |= (outer >> i & 1) << order[i];
    for (int i = 0; i < x->shape->rank; i++) {
        if (axes >> i & 1)
            continue;
        shape.size[shape.rank] = x->shape->size[i];
        place[i] = shape.rank++; /* among the remaining dimensions, before the transpose */
    }
    atl_transpose_args back = {.x = atl_reduce_axes(x, axes, shape, reduction_of(y)->build)};
    for (int i = 0; i < x->shape->rank; i++)
        if (!(outer >> i & 1)) {
            in_order &= place[order[i]] == left;
            back.order[left++] = place[order[i]];
        }
    return atl_reshape(in_order ? back.x : atl_transpose_with(&back), *y->shape);
}

/* True if a product of the sum y and the node has y's shape, so that the node is the same for all that y adds up. */
static int is_factor_of_sum(const atl_node *y, const atl_node *node)
{
    const int missing = y->shape->rank - node->shape->rank;
    int fits = missing >= 0;
    for (int i = 0; fits && i < node->shape->rank; i++)
        fits = node->shape->size[i] == 1 || node->shape->size[i] == y->shape->size[missing + i];
    return fits;
}

/* A sum of a product of two such arrays does not store the product.  A factor for each result is applied to the sum. */
static atl_node *sum_of_product(atl_node *y, const atl_node *x)
{
    if (x->input_count != 2)
        return NULL;
    for (int i = 0; i < 2; i++)
        if (is_factor_of_sum(y, x->inputs[i]) && atl_shape_equal(*x->shape, *x->inputs[1 - i]->shape))
            return atl_mul(atl_sum_to(x->inputs[1 - i], y->inputs[1]), x->inputs[i]);
    return atl_shape_equal(*x->shape, *x->inputs[0]->shape)
               ? atl_sum_product_to(x->inputs[0], x->inputs[1], y->inputs[1])
               : NULL;
}

static atl_node *sum_of_negative(atl_node *y, const atl_node *x)
{
    return atl_neg(atl_sum_to(x->inputs[0], y->inputs[1]));
}

/* ---- pooling ----------------------------------------------------------------------------------------------------- */

/* A sum, over whole images, of a pooling's gradient is the sum of the gradient before the pooling. */
static atl_node *sum_of_pool_gradient(atl_node *y, const atl_node *x)
{
    const unsigned map = 1 << 1 | 1 << 2;
    return (atl_summed_axes(y) & map) == map ? atl_sum_to(x->inputs[0], y->inputs[1]) : NULL;
}

/* relu_grad(max_pool2d_grad(dy, x, y), x) = max_pool2d_grad(relu_grad(dy, y), x, y), because the maximum of a window is
 * that window's y.  The right side applies relu_grad to fewer elements, and need not keep x for it. */
static atl_node *relu_gradient_of_pool_gradient(atl_node *y, const atl_node *dx)
{
    if (y->inputs[0] != dx || dx->inputs[1] != y->inputs[1])
        return NULL;
    atl_node *inputs[] = {atl_relu_grad(dx->inputs[0], dx->inputs[2]), dx->inputs[1], dx->inputs[2]};
    return atl_apply_with(dx->op, dx->attributes, (atl_nodes){3, inputs});
}

/* ---- convolutions ------------------------------------------------------------------------------------------------ */

/* Of the gradient by a padded image, the part inside of the pad is the gradient by the image. */
static atl_node *slice_of_input_gradient(atl_node *y, const atl_node *dx)
{
    const atl_node *pad = dx->inputs[2];
    const pad_attributes *p = pad->attributes;
    if (pad->op != atl_op_named("pad"))
        return NULL;
    for (int i = 0; i < 4; i++) {
        atl_range range = range_along(y, i);
        if (range.stride != 1 || range.begin != p->before[i] || range.count != pad->inputs[0]->shape->size[i])
            return NULL;
    }
    return atl_input_grad_inside_pad(dx, pad);
}

/* ---- the table --------------------------------------------------------------------------------------------------- */

/* rule: returns null where it does not apply; x is the first input that matches. */
static struct equation {
    const char *op, *input;
    unsigned flags; /* in place of `input`: any op with this flag */
    atl_node *(*rule)(atl_node *y, const atl_node *x);
    const atl_op *found_op, *found_input;
    int looks_at_readers; /* of x: applies only while nothing else reads it */
} equations[] = {
    {"slice", "concat", 0, slice_of_concat, NULL, NULL},
    {"slice", "pad", 0, slice_of_pad, NULL, NULL},
    {"slice", NULL, ATL_OP_BROADCAST, slice_of_broadcast, NULL, NULL},
    {"slice", "conv2d_input_grad", 0, slice_of_input_gradient, NULL, NULL},
    {"conv2d", "pad", 0, atl_conv_of_pad, NULL, NULL},
    {"conv2d_filter_grad", "pad", 0, atl_conv_of_pad, NULL, NULL},
    {"conv2d", "reverse", 0, atl_conv_of_reverse, NULL, NULL},
    {"conv2d_filter_grad", "reverse", 0, atl_conv_of_reverse, NULL, NULL},
    {"reverse", "conv2d_input_grad", 0, atl_reverse_of_input_grad, NULL, NULL, 1},
    {"concat", "slice", 0, concat_of_slices, NULL, NULL},
    {"matmul", "transpose", 0, product_of_transpose, NULL, NULL},
    {"reduce_sum", NULL, ATL_OP_BROADCAST, reduction_of_broadcast, NULL, NULL},
    {"reduce_mean", NULL, ATL_OP_BROADCAST, reduction_of_broadcast, NULL, NULL},
    {"reduce_max", NULL, ATL_OP_BROADCAST, reduction_of_broadcast, NULL, NULL},
    {"reduce_min", NULL, ATL_OP_BROADCAST, reduction_of_broadcast, NULL, NULL},
    {"reduce_sum", "transpose", 0, reduction_of_transpose, NULL, NULL},
    {"reduce_mean", "transpose", 0, reduction_of_transpose, NULL, NULL},
    {"reduce_max", "transpose", 0, reduction_of_transpose, NULL, NULL},
    {"reduce_min", "transpose", 0, reduction_of_transpose, NULL, NULL},
    {"sum_to", "max_pool2d_grad", 0, sum_of_pool_gradient, NULL, NULL},
    {"sum_to", "avg_pool2d_grad", 0, sum_of_pool_gradient, NULL, NULL},
    {"sum_to", NULL, ATL_OP_BROADCAST, sum_of_broadcast, NULL, NULL},
    {"sum_to", NULL, ATL_OP_PRODUCT, sum_of_product, NULL, NULL},
    {"sum_to", "neg", 0, sum_of_negative, NULL, NULL},
    {"relu_grad", "max_pool2d_grad", 0, relu_gradient_of_pool_gradient, NULL, NULL},
};
enum { EQUATIONS = sizeof equations / sizeof *equations };

static void find_ops(void)
{
    for (int i = 0; i < EQUATIONS; i++) {
        equations[i].found_op = atl_op_named(equations[i].op);
        equations[i].found_input = atl_op_named(equations[i].input);
    }
}

static int matches(const struct equation *e, const atl_node *x)
{
    return x->op->flags & e->flags || (e->found_input && x->op == e->found_input);
}

static void find_ops_once(void)
{
    static pthread_once_t found = PTHREAD_ONCE_INIT;
    pthread_once(&found, find_ops);
}

int atl_peephole_looks_at_readers(const atl_node *y)
{
    find_ops_once();
    for (int e = 0; e < EQUATIONS; e++)
        if (equations[e].looks_at_readers && y->op == equations[e].found_op && matches(&equations[e], y->inputs[0]))
            return 1;
    return 0;
}

atl_node *atl_simplify_by_peephole(atl_node *y)
{
    find_ops_once();
    atl_node *simpler = NULL;
    for (int e = 0; e < EQUATIONS && !simpler; e++) {
        if (y->op != equations[e].found_op || atl_shape_count(*y->shape) == 0)
            continue;

        for (int i = 0; i < y->input_count; i++)
            if (!atl_is_shape_input(y->op, i) && matches(&equations[e], y->inputs[i])) {
                if (atl_shape_count(*y->inputs[i]->shape) > 0)
                    simpler = equations[e].rule(y, y->inputs[i]);
                break;
            }
    }
    return simpler;
}
