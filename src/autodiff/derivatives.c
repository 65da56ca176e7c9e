/* Beyond the gradient: products with Jacobians and Hessians, whole Jacobians and Hessians, and modified gradient
 * rules. */
#include "atled/gradient.h"
#include "atled/ops.h"
#include "graph/graph.h"
#include "graph/memory.h"

atl_node *atl_vjp(atl_node *y, atl_node *x, atl_node *v)
{
    atl_node *dx = NULL;
    if (!y || !x || !v)
        return atl_pass_null("vjp");
    atl_gradients(ATL_NODES(y), ATL_NODES(x), &dx, .seeds = ATL_NODES(v));
    return dx;
}

/* The same of a derivative y, which is constant where no path leads to x: its own derivative is 0 then. */
static atl_node *vjp_of_derivative(atl_node *y, atl_node *x, atl_node *v)
{
    atl_node *dx = NULL;
    if (!y || !x || !v)
        return atl_pass_null("vjp");
    atl_gradients(ATL_NODES(y), ATL_NODES(x), &dx, .seeds = ATL_NODES(v), .unused = ATL_UNUSED_ZEROS);
    return dx;
}

/* vjp(u) = u^T J is linear in u, so its gradient with respect to u, with the seed v, is J v for every u. */
atl_node *atl_jvp(atl_node *y, atl_node *x, atl_node *v)
{
    if (!y || !x || !v)
        return atl_pass_null("jvp");
    atl_node *u = atl_fill(y, 0);
    atl_node *product = atl_vjp(y, x, u);
    return vjp_of_derivative(product, u, v);
}

atl_node *atl_hvp(atl_node *y, atl_node *x, atl_node *v) { return vjp_of_derivative(atl_gradient(y, x), x, v); }

/* The sizes of y, then those of x.  Returns 0 with the error recorded. */
static int jacobian_shape(const atl_node *y, const atl_node *x, atl_shape *shape)
{
    char a[160], b[160];
    int64_t rows = atl_shape_count(*y->shape), columns = atl_shape_count(*x->shape);
    atl_shape_text(*y->shape, a, sizeof a);
    atl_shape_text(*x->shape, b, sizeof b);
    if (rows < 0 || columns < 0) {
        atl_graph_fail(y->graph, "jacobian: the shapes of '%s' %s and '%s' %s must be known", atl_name_of(y), a,
                       atl_name_of(x), b);
        return 0;
    }
    if (y->shape->rank + x->shape->rank > ATL_MAX_RANK) {
        atl_graph_fail(y->graph,
                       "jacobian: '%s' %s by '%s' %s would have %d dimensions; the limit is %d. Flatten one of them",
                       atl_name_of(y), a, atl_name_of(x), b, y->shape->rank + x->shape->rank, ATL_MAX_RANK);
        return 0;
    }
    double bytes = (double)rows * (double)columns * 4;
    if (rows > ATL_JACOBIAN_ROWS || bytes > ATL_JACOBIAN_BYTES) {
        atl_graph_fail(
            y->graph,
            "jacobian: '%s' %s by '%s' %s would be %lld rows of %lld, %.0f bytes; the limits are %d rows and %d bytes. "
            "Use atl_jvp, atl_vjp or atl_hvp, which give its products with vectors",
            atl_name_of(y), a, atl_name_of(x), b, (long long)rows, (long long)columns, bytes, ATL_JACOBIAN_ROWS,
            ATL_JACOBIAN_BYTES);
        return 0;
    }
    *shape = *y->shape;
    for (int i = 0; i < x->shape->rank; i++)
        shape->size[shape->rank++] = x->shape->size[i];
    return 1;
}

/* Row k: the gradient with the k-th unit vector as seed. */
static atl_node *jacobian_row(atl_node *y, atl_node *x, int64_t k, atl_unused_gradient unused)
{
    atl_node *row = NULL;
    atl_tensor *unit = atl_tensor_new(ATL_FLOAT32, *y->shape);
    if (!unit)
        return atl_graph_fail(y->graph, "jacobian: %s", atl_error());
    atl_floats(unit)[k] = 1;
    atl_node *seed = atl_constant(y->graph, unit);
    atl_tensor_free(unit);
    if (seed)
        atl_gradients(ATL_NODES(y), ATL_NODES(x), &row, .seeds = ATL_NODES(seed), .unused = unused);
    return atl_reshape(row, ATL_SHAPE(1, atl_shape_count(*x->shape)));
}

static atl_node *jacobian(atl_node *y, atl_node *x, atl_unused_gradient unused)
{
    atl_shape shape;
    if (!y || !x)
        return atl_pass_null("jacobian");
    if (!jacobian_shape(y, x, &shape))
        return NULL;
    int64_t rows = atl_shape_count(*y->shape);
    atl_node **row = atl_allocate((size_t)rows, sizeof *row), *all = NULL;
    int ok = row != NULL;
    if (!ok)
        atl_graph_out_of_memory(y->graph);
    for (int64_t k = 0; ok && k < rows; k++)
        ok = (row[k] = jacobian_row(y, x, k, unused)) != NULL;
    if (ok && rows)
        all = atl_reshape(atl_concat_with(0, (atl_nodes){rows, row}), shape);
    atl_release(row);
    return all;
}

atl_node *atl_jacobian(atl_node *y, atl_node *x) { return jacobian(y, x, ATL_UNUSED_ERROR); }
atl_node *atl_hessian(atl_node *y, atl_node *x) { return jacobian(atl_gradient(y, x), x, ATL_UNUSED_ZEROS); }

/* ---- ready-made overrides ---------------------------------------------------------------------------------------- */

atl_node *atl_guided_relu(atl_node *y, atl_node *dy) { return atl_relu_grad(atl_relu(dy), y); }

atl_node *atl_deconvolution_relu(atl_node *y, atl_node *dy)
{
    (void)y;
    return atl_relu(dy);
}

/* A descent step moves against dy, so x grows where dy < 0: that may activate an inactive relu. */
atl_node *atl_redirected_relu(atl_node *y, atl_node *dy)
{
    return atl_select(y, dy, atl_minimum(dy, atl_scalar(dy, 0)));
}
