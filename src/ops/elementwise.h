/* Macros that define element-wise ops. Each op is an element function in double, for the reference; a map over n floats
 * from the table of kernels, which the compiler runs block by block; and a gradient rule, which uses the output where
 * that lets the input be freed early.  The library does NumPy broadcasting and its adjoint: no rule handles them.
 *     KERNEL_MAP(exp)                                                 exp_map: the kernel of that name, see
 *     kernels/maps.h
 *     static atl_node *exp_gradient(atl_node *y, atl_node *dy) ...
 *     UNARY_OP(exp, exp, exp_gradient, RANGE(exp, -2, 2))             exp_op, its entry in the table, atl_exp(x),
 *     samples */
#ifndef ATLED_OPS_ELEMENTWISE_H
#define ATLED_OPS_ELEMENTWISE_H

#include "kernels/kernels.h"
#include "kernels/vector_math.h"
#include "ops/ops.h"

/* The gradient rule of a piecewise constant op: there is a path, but the gradient is zero. */
static inline atl_node *nothing_flows(atl_node *y, atl_node *dy)
{
    (void)y, (void)dy;
    return NULL;
}

/* op_map: the loop of that name in the table of kernels (kernels/maps.h) */
#define KERNEL_MAP(op) KERNEL_MAP_NAMED(op, op)
#define KERNEL_MAP_NAMED(op, kernel)                                                                                   \
    static void op##_map(const void *attributes, size_t n, const float *const *inputs, float *result)                  \
    {                                                                                                                  \
        atl_kernels->map_##kernel(attributes, n, inputs, result);                                                      \
    }

/* For the parameter `simpler` of an op whose map is one of ATL_VECTOR_MAPS. */
#define IN_REGISTERS(op, ...)                                                                                          \
    NULL, .hooks = &(const atl_op_hooks) { .element_op = ATL_ELEMENT_##op, __VA_ARGS__ }

/* op_map: a plain loop, for functions that the table of kernels does not have. */
#define PLAIN_MAP(op, of_x)                                                                                            \
    static void op##_map(const void *attributes, size_t n, const float *const *inputs, float *result)                  \
    {                                                                                                                  \
        (void)attributes;                                                                                              \
        for (size_t i = 0; i < n; i++) {                                                                               \
            const float x = inputs[0][i];                                                                              \
            result[i] = (of_x);                                                                                        \
        }                                                                                                              \
    }

/* The same in double, for ops that are not a function of <math.h>. */
#define UNARY_ELEMENT(op, of_x)                                                                                        \
    static double op##_element(double x) { return (of_x); }

#define BINARY_ELEMENT(op, of_a_and_b)                                                                                 \
    static double op##_element(const double *x, const void *attributes)                                                \
    {                                                                                                                  \
        const double a = x[0], b = x[1];                                                                               \
        (void)attributes;                                                                                              \
        return (of_a_and_b);                                                                                           \
    }

/* clang-format off */

/* Samples of a unary op: on [low, high); the same without its gradient (kinks). */
#define RANGE(op, low, high)                                                                                           \
    {#op " on [" #low ", " #high ")", .unary = atl_##op, .input = {{3, {2, 3, 5}, low, high}}, .inputs = 1}
#define VALUES(op, low, high)                                                                                          \
    {#op " values", .unary = atl_##op, .input = {{1, {67}, low, high}}, .inputs = 1, .no_gradient = 1}

#define UNARY_OP(op, in_double, rule, ...) UNARY_OP_WITH(op, in_double, rule, 0, NULL, __VA_ARGS__)
#define UNARY_OP_WITH(op, in_double, rule, op_flags, simpler, ...)                                                     \
    static const atl_op op##_op = {                                                                                    \
        .name = #op,                                                                                                   \
        .arity = 1,                                                                                                    \
        .flags = op_flags,                                                                                             \
        .simplify = simpler,                                                                                           \
        .gradient = {rule},                                                                                            \
        .function = in_double,                                                                                         \
        .map = op##_map,                                                                                               \
        .samples = (const atl_sample[]){                                                                               \
            __VA_ARGS__,                                                                                               \
            {#op " of int32", .unary = atl_##op, .input = {{1, {3}, 1, 4, 1}}, .inputs = 1, .error = "int32"},         \
            {0}}};                                                                                                     \
    ATL_BUILTIN(op##_op);                                                                                              \
    atl_node *atl_##op(atl_node *x) { return ATL_APPLY(&op##_op, NULL, x); }

/* Samples of a binary op: a from [a_low, a_high), b likewise; both of one shape, and broadcast in both directions. */
#define PAIR(about, op, a, b) {about, .binary = atl_##op, .input = {a, b}, .inputs = 2}
#define BRACED(...) {__VA_ARGS__}
#define RANGES(op, a_low, a_high, b_low, b_high)                                                                       \
    PAIR(#op ", same shape", op, BRACED(2, {2, 3}, a_low, a_high), BRACED(2, {2, 3}, b_low, b_high)),                  \
    PAIR(#op ", broadcast", op, BRACED(3, {2, 1, 3}, a_low, a_high), BRACED(2, {4, 1}, b_low, b_high)),                \
    PAIR(#op " of a scalar and a matrix", op, BRACED(0, {0}, a_low, a_high), BRACED(2, {3, 2}, b_low, b_high)),        \
    PAIR(#op " of a matrix and a scalar", op, BRACED(2, {3, 2}, a_low, a_high), BRACED(0, {0}, b_low, b_high))

#define BINARY_OP(op, a_rule, b_rule, ...) BINARY_OP_WITH(op, a_rule, b_rule, 0, NULL, __VA_ARGS__)
#define BINARY_OP_WITH(op, a_rule, b_rule, op_flags, simpler, ...)                                                     \
    static const atl_op op##_op = {                                                                                    \
        .name = #op,                                                                                                   \
        .arity = 2,                                                                                                    \
        .flags = op_flags,                                                                                             \
        .simplify = simpler,                                                                                           \
        .gradient = {a_rule, b_rule},                                                                                  \
        .element = op##_element,                                                                                       \
        .map = op##_map,                                                                                               \
        .samples = (const atl_sample[]){                                                                               \
            __VA_ARGS__,                                                                                               \
            {#op " of 3 and 4", .binary = atl_##op, .input = {{1, {3}}, {1, {4}}}, .inputs = 2, .error = "[4]"},       \
            {#op " of int32", .binary = atl_##op, .input = {{1, {3}}, {1, {3}, 1, 4, 1}}, .inputs = 2,                 \
             .error = "int32"},                                                                                        \
            {0}}};                                                                                                     \
    ATL_BUILTIN(op##_op);                                                                                              \
    atl_node *atl_##op(atl_node *a, atl_node *b) { return ATL_APPLY(&op##_op, NULL, a, b); }

/* clang-format on */

#endif
