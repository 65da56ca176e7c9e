/* Losses made of other ops. */
#include "ops/image.h"

/* Unlike element-wise ops these do not broadcast: [n, 1] against [n] would quietly compare everything with everything. */
static int same_shape(atl_node *a, atl_node *b, const char *builder)
{
    int fits = a->shape.rank == b->shape.rank;
    for (int i = 0; fits && i < a->shape.rank; i++)
        fits = a->shape.size[i] == b->shape.size[i] || a->shape.size[i] == ATL_ANY || b->shape.size[i] == ATL_ANY;
    if (!fits)
        atl_refuse(a->graph, builder, "'%s' is %s but '%s' is %s; both must have the same shape (see atl_reshape)",
                   atl_name_of(a), SHAPE_OF(a), atl_name_of(b), SHAPE_OF(b));
    return fits;
}

/* mean((a - b)^2) over all elements */
atl_node *atl_mean_squared_error(atl_node *a, atl_node *b)
{
    if (!a || !b || !same_shape(a, b, "mean_squared_error"))
        return NULL;
    return atl_mean(atl_square(atl_sub(a, b)));
}

/* sum(x^2) / 2 */
atl_node *atl_l2_loss(atl_node *x) { return atl_scale(atl_sum(atl_square(x)), 0.5f); }
