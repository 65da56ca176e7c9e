/* Gelu keeps its slope: where the gradient of gelu(x) is computed, too, the step of gelu(x) also writes the slope at x,
 * which has most of its arithmetic in common with the value, and the gradient is a product with it.  So x need not be
 * kept.
 *
 *     y = gelu(x),  dx = gelu_grad(dy, x)   ->   y, s = gelu_with_slope(x),  dx = dy s */
#include <pthread.h>

#include "atled/program.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/rewrite.h"
#include "graph/memory.h"
#include "ops/attributes.h"
#include "ops/kept_slope.h"

static const atl_op *gelu_op, *gelu_grad_op;
static pthread_once_t found_ops = PTHREAD_ONCE_INIT;

static void find_ops(void)
{
    gelu_op = atl_op_named("gelu");
    gelu_grad_op = atl_op_named("gelu_grad");
}

static int is_gradient(const atl_node *node)
{
    pthread_once(&found_ops, find_ops);
    return node->op == gelu_grad_op;
}

/* What is known of an old node. */
typedef struct activation {
    const atl_node *gelu; /* the first one of this node; null: none yet */
    int keeps_slope;      /* a gelu whose gradient is computed, too */
} activation;

/* Of a gradient: the gelu of its x, if that is built before it. */
static const atl_node *gelu_of(const atl_rewrite *r, const atl_node *node)
{
    const activation *of = r->context;
    const atl_node *y = is_gradient(node) && r->needed[node->index] ? of[node->inputs[1]->index].gelu : NULL;
    return y && y->index < node->index && atl_shape_equal(*y->shape, *node->shape) ? y : NULL;
}

static int begin(atl_rewrite *r)
{
    activation *of = r->context = atl_allocate((size_t)r->from->count, sizeof *of);
    for (int64_t n = 0; of && n < r->from->count; n++) {
        const atl_node *node = r->from->nodes[n], *y = gelu_of(r, node);
        if (node->op == gelu_op && r->needed[n] && !r->prepack[n] && !of[node->inputs[0]->index].gelu)
            of[node->inputs[0]->index].gelu = node;
        if (y)
            of[y->index].keeps_slope = 1;
    }
    return of != NULL;
}

/* Of a gradient: in the product that has made dy, if it can do that. */
static atl_node *times_slope(const atl_rewrite *r, const atl_node *old, atl_node *dy, atl_node *slope)
{
    int is_only_reader = slope && r->uses[old->inputs[0]->index] == 1 && atl_shape_equal(*dy->shape, *slope->shape);
    atl_node *made =
        is_only_reader && atl_hooks_of(dy)->multiplied ? atl_hooks_of(dy)->multiplied(dy, NULL, slope) : NULL;
    return made ? made : atl_mul(dy, slope);
}

static atl_node *with_slope(atl_rewrite *r, const atl_node *old, atl_node *const *inputs)
{
    const activation *of = r->context;
    const atl_node *y = gelu_of(r, old);
    if (y)
        return times_slope(r, old, inputs[0], atl_kept_slope(r->of[y->index]));
    return of[old->index].keeps_slope ? atl_gelu_with_slope(inputs[0]) : NULL;
}

static void end(atl_rewrite *r) { atl_release(r->context); }

const atl_pass atl_keep_slope_pass = {
    .is_candidate = is_gradient, .rule = with_slope, .begin = begin, .end = end, .needs_use_counts = 1};
