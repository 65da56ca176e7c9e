/* What a random network should give. */
#include "net_expected.h"

#include "graph/graph.h"
#include "graph/random.h"

const atl_tensor *expected_value(const expected *e, int i)
{
    return e->bound ? oracle_value(e->bound, i) : atl_reference_value(e->exact, e->node[i]);
}

/* What variables become: the values of the graph's assignments. */
static void find_assigned(expected *e)
{
    int64_t variables = atl_variables(e->n.graph).count;
    atl_node *const *variable = atl_variables(e->n.graph).node;
    for (int64_t k = 0; e->n.recipe->option[NET_OPTIMIZER] && k < e->n.graph->count; k++) {
        const atl_node *node = e->n.graph->nodes[k];
        for (int64_t i = 0; !strcmp(node->op->name, "assign") && i < variables && i < MOST_VARIABLES; i++)
            if (variable[i] == node->inputs[0] && e->count < MOST_EXPECTED) {
                e->assigned[i] = e->count;
                e->node[e->count++] = node->inputs[1];
            }
    }
}

static int compute_expected(expected *e)
{
    const int *option = e->n.recipe->option;
    e->feeds[0] = (atl_feed){e->n.image, e->pixels};
    if (option[NET_NAN])
        e->exact = atl_reference_run((atl_nodes){e->count, e->node}, e->feeds);
    else
        e->bound = oracle_new_rounding(e->count, e->node, e->feeds, option[NET_BFLOAT16]);
    if (!e->bound && !e->exact)
        return 0;
    int cost = 0;
    while (e->node[cost] != e->n.cost)
        cost++;
    e->cannot_step = option[NET_OPTIMIZER] && !isfinite((float)element_of(expected_value(e, cost), 0));
    return 1;
}

/* The same variables, an optimizer's memory too, in two graphs of one recipe. */
static int copy_variables(atl_graph *to, const atl_graph *from)
{
    atl_nodes mine = atl_variables(to), others = atl_variables(from);
    int ok = mine.count == others.count;
    for (int64_t i = 0; ok && i < mine.count; i++)
        ok = !atl_variable_assign(mine.node[i], atl_variable_value(others.node[i]));
    return ok;
}

int expect(expected *e, const net_recipe *recipe, int64_t batch, uint64_t attempt, const atl_graph *variables_of)
{
    *e = (expected){.batch = batch};
    net_build(&e->n, recipe, batch, attempt);
    if (*atl_graph_error(e->n.graph) || (variables_of && !copy_variables(e->n.graph, variables_of)))
        return 0;
    for (int i = 0; i < e->n.outputs; i++)
        e->node[e->count++] = e->n.output[i];
    find_assigned(e);
    uint64_t stream = atl_random_bits(recipe->seed ^ recipe->number, 1000 + attempt * 10 + (uint64_t)batch);
    e->pixels = atl_uniform_tensor(atl_shape_of(e->n.image), -1, 1, stream);
    if (recipe->option[NET_NAN])
        atl_floats(e->pixels)[stream % (uint64_t)atl_tensor_count(e->pixels)] = NAN;
    return compute_expected(e);
}

void forget(expected *e)
{
    oracle_free(e->bound);
    atl_reference_free(e->exact);
    atl_tensor_free(e->pixels);
    atl_graph_free(e->n.graph);
    *e = (expected){0};
}

/* No NaN may be hidden, and none may come from nowhere.  But Winograd's method spreads one over the tile it lies in,
 * and the gradient by a filter multiplies a NaN in the result's gradient with the zeros beside the image: may_spread.
 * And the gradient of a relu is 0 at a NaN, also at one that Winograd's method has spread: such a gradient lacks what
 * would flow there, and need not be NaN where the reference is: may_lack (docs/special-values.md). */
static int keeps_nan(const atl_tensor *value, const atl_tensor *exact, int may_spread, int may_lack, char *text,
                     size_t size)
{
    for (int64_t k = 0; k < atl_tensor_count(exact); k++) {
        double a = element_of(value, k), b = element_of(exact, k);
        if (isnan(b) ? !isnan(a) && !may_lack : isnan(a) && !may_spread) {
            snprintf(text, size, "element %lld is %g, the reference %g", (long long)k, a, b);
            return 0;
        }
    }
    return 1;
}

int expect_for(expected *e, atl_tensor *pixels)
{
    oracle_free(e->bound);
    atl_reference_free(e->exact);
    atl_tensor_free(e->pixels);
    e->bound = NULL;
    e->exact = NULL;
    e->pixels = pixels;
    return compute_expected(e);
}

int is_as_expected(const expected *e, int i, const atl_tensor *value, int may_spread, int may_lack, char *text,
                   size_t size)
{
    if (e->bound)
        return oracle_accepts(e->bound, i, value, text, size);
    snprintf(text, size, "there is no value");
    return value && keeps_nan(value, expected_value(e, i), may_spread, may_lack, text, size);
}
