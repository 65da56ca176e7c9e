/* Comparisons, logic (0: false, anything else: true; results are 0 or 1) and select, element-wise. */
#include "ops/elementwise.h"
#include "ops/image.h"
#include "ops/mask.h"

/* equal(a, b) = a = b ? 1 : 0, and so on.  Any comparison with NaN except not_equal is 0.  d/da = d/db = 0.  The
 * samples contain some equal pairs. */
#define COMPARISON(op, sign)                                                                                           \
    BINARY_ELEMENT(op, a sign b ? 1 : 0)                                                                               \
    KERNEL_MAP(op)                                                                                                     \
    static atl_node *op##_of_steps(atl_node *a, atl_node *b) { return atl_##op(atl_heaviside(a), atl_heaviside(b)); }  \
    BINARY_OP(op, nothing_flows, nothing_flows, RANGES(op, -1, 0, 0.1f, 1), RANGES(op, 0.1f, 1, -1, 0),                \
              {#op " of 0s and 1s", .binary = op##_of_steps, .input = {{1, {67}}, {1, {67}}}, .inputs = 2,             \
               .no_gradient = 1})

COMPARISON(equal, ==)
COMPARISON(not_equal, !=)
COMPARISON(less, <)
COMPARISON(less_equal, <=)
COMPARISON(greater, >)
COMPARISON(greater_equal, >=)

/* logical_and(a, b) = a and b ? 1 : 0, and so on.  d/da = d/db = 0 */
#define LOGICAL(op, sign)                                                                                              \
    BINARY_ELEMENT(op, ((a != 0) sign(b != 0)) ? 1 : 0)                                                                \
    KERNEL_MAP(op)                                                                                                     \
    static atl_node *op##_of_steps(atl_node *a, atl_node *b) { return atl_##op(atl_heaviside(a), atl_heaviside(b)); }  \
    BINARY_OP(op, nothing_flows, nothing_flows, RANGES(op, 0.1f, 1, -1, -0.1f),                                        \
              {#op " of 0s and 1s", .binary = op##_of_steps, .input = {{1, {67}}, {1, {67}}}, .inputs = 2,             \
               .no_gradient = 1})

LOGICAL(logical_and, &)
LOGICAL(logical_or, |)
LOGICAL(logical_xor, ^)

/* logical_not(x) = x = 0 ? 1 : 0.  d/dx = 0 */
UNARY_ELEMENT(logical_not, x == 0 ? 1 : 0)
KERNEL_MAP(logical_not)
static atl_node *not_step(atl_node *x) { return atl_logical_not(atl_heaviside(x)); }
UNARY_OP(logical_not, logical_not_element, nothing_flows, RANGE(logical_not, 0.1f, 1),
         {"not of 0s and 1s", .unary = not_step, .input = {{1, {67}}}, .inputs = 1, .no_gradient = 1})

/* heaviside(x) = x > 0 ? 1 : 0.  d/dx = 0 */
UNARY_ELEMENT(heaviside, x > 0 ? 1 : 0)
KERNEL_MAP_NAMED(heaviside, heaviside)
UNARY_OP_WITH(heaviside, heaviside_element, nothing_flows, 0, IN_REGISTERS(heaviside), RANGE(heaviside, 0.1f, 1),
              RANGE(heaviside, -1, -0.1f), VALUES(heaviside, -1, 1))

/* relu_grad(x, by) = by > 0 ? x : 0.  d/dx = by > 0 ? 1 : 0, d/dby = 0 */
BINARY_ELEMENT(relu_grad, b > 0 ? a : 0)
KERNEL_MAP_NAMED(relu_grad, relu_grad)
static atl_node *relu_grad_gradient(atl_node *y, atl_node *dy) { return atl_relu_grad(dy, atl_input_of(y, 1)); }
#define RELU_GRAD_HOOKS IN_REGISTERS(relu_grad, .compress = atl_mask_of, .from_compressed = atl_relu_grad_by_mask)
BINARY_OP_WITH(relu_grad, relu_grad_gradient, nothing_flows, ATL_OP_RELU_GRAD, RELU_GRAD_HOOKS,
               RANGES(relu_grad, -1, 1, 0.1f, 1), RANGES(relu_grad, -1, 1, -1, -0.1f),
               {"open and shut", .binary = atl_relu_grad, .input = {{1, {67}}, {1, {67}}}, .inputs = 2,
                .no_gradient = 1})

/* relu6_grad(x, by) = 0 < by < 6 ? x : 0, with the same derivatives */
BINARY_ELEMENT(relu6_grad, b > 0 && b < 6 ? a : 0)
KERNEL_MAP_NAMED(relu6_grad, relu6_grad)
static atl_node *relu6_grad_gradient(atl_node *y, atl_node *dy) { return atl_relu6_grad(dy, atl_input_of(y, 1)); }
static float relu6_limit(const atl_node *y)
{
    (void)y;
    return 6;
}
#define RELU6_GRAD_HOOKS                                                                                               \
    IN_REGISTERS(relu6_grad, .compress = atl_relu6_mask_of, .from_compressed = atl_relu_grad_by_mask,                  \
                 .relu_grad_limit = relu6_limit)
BINARY_OP_WITH(relu6_grad, relu6_grad_gradient, nothing_flows, 0, RELU6_GRAD_HOOKS,
               RANGES(relu6_grad, -1, 1, 0.1f, 5.9f), RANGES(relu6_grad, -1, 1, -1, -0.1f),
               RANGES(relu6_grad, -1, 1, 6.1f, 9),
               {"open and shut", .binary = atl_relu6_grad, .input = {{1, {67}}, {1, {67}, -2, 8}}, .inputs = 2,
                .no_gradient = 1})

/* select(condition, a, b) = condition ? a : b.  d/da = condition ? 1 : 0, d/db = condition ? 0 : 1 */
static double select_element(const double *x, const void *attributes)
{
    (void)attributes;
    return x[0] != 0 ? x[1] : x[2];
}
KERNEL_MAP(select)
static atl_node *select_gradient_a(atl_node *y, atl_node *dy)
{
    return atl_select(atl_input_of(y, 0), dy, atl_scalar(y, 0));
}
static atl_node *select_gradient_b(atl_node *y, atl_node *dy)
{
    return atl_select(atl_input_of(y, 0), atl_scalar(y, 0), dy);
}
static atl_node *sample_select(atl_node *const *x) { return atl_select(x[0], x[1], x[2]); }
static atl_node *sample_select_by_step(atl_node *const *x) { return atl_select(atl_heaviside(x[0]), x[1], x[2]); }
static const atl_op select_op = {
    .name = "select",
    .arity = 3,
    .gradient = {nothing_flows, select_gradient_a, select_gradient_b},
    .element = select_element,
    .map = select_map,
    .samples = (const atl_sample[]){
        {"all of a", .build = sample_select, .input = {{2, {2, 3}, 0.1f, 1}, {2, {2, 3}}, {2, {2, 3}}}, .inputs = 3},
        {"all of b", .build = sample_select_by_step, .input = {{2, {2, 3}, -1, -0.1f}, {2, {2, 3}}, {2, {2, 3}}},
         .inputs = 3},
        {"broadcast", .build = sample_select_by_step, .input = {{2, {4, 1}, 0.1f, 1}, {3, {2, 1, 3}}, {1, {3}}},
         .inputs = 3},
        {"some of both", .build = sample_select_by_step, .input = {{1, {67}}, {1, {67}}, {1, {67}}}, .inputs = 3,
         .no_gradient = 1},
        {"3 and 4", .build = sample_select, .input = {{1, {3}}, {1, {4}}, {1, {3}}}, .inputs = 3, .error = "[4]"},
        {"int32 condition", .build = sample_select, .input = {{1, {3}, 0, 2, 1}, {1, {3}}, {1, {3}}}, .inputs = 3,
         .error = "int32"},
        {0}}};
ATL_BUILTIN(select_op);
atl_node *atl_select(atl_node *condition, atl_node *a, atl_node *b)
{
    return ATL_APPLY(&select_op, NULL, condition, a, b);
}
