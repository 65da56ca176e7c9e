/* Element-wise ops: arithmetic, elementary functions, activations.
 *
 * Each is an element function in double, which is the oracle; a map over n floats, which the compiler runs block by block; and
 * a gradient, in terms of the output where that lets the input go early.  NumPy broadcasting is the engine's business, as is
 * undoing it in gradients: no rule here knows of it. */
#include "ops/ops.h"

/* add(a, b) = a + b.  d/da = d/db = 1 */
static double add_element(const double *x, const void *attributes)
{
    (void)attributes;
    return x[0] + x[1];
}
static void add_map(const void *attributes, size_t n, const float *const *x, float *y)
{
    (void)attributes;
    for (size_t i = 0; i < n; i++)
        y[i] = x[0][i] + x[1][i];
}
static atl_node *pass_on(atl_node *y, atl_node *dy)
{
    (void)y;
    return dy;
}
static const atl_op add_op = {
    .name = "add",
    .arity = 2,
    .gradient = {pass_on, pass_on},
    .element = add_element,
    .map = add_map,
    .samples = (const atl_sample[]){{"same shape", .binary = atl_add, .input = {{2, {2, 3}}, {2, {2, 3}}}, .inputs = 2},
                                    {"broadcast", .binary = atl_add, .input = {{3, {2, 1, 3}}, {2, {4, 1}}}, .inputs = 2},
                                    {"sizes 3 and 4", .binary = atl_add, .input = {{1, {3}}, {1, {4}}}, .inputs = 2, .error = "[4]"},
                                    {0}},
};
ATL_BUILTIN(add_op);
atl_node *atl_add(atl_node *a, atl_node *b) { return ATL_APPLY(&add_op, NULL, a, b); }
