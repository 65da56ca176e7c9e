/* The element-wise functions of the ops, over n floats.  An op's entry here is all that it needs in this folder: its
 * place in the table, and its loop for each instruction set, follow from it. */
#ifndef ATLED_KERNELS_MAPS_H
#define ATLED_KERNELS_MAPS_H

#include <stddef.h>

/* result[i] of inputs[0][i], inputs[1][i], ... for i < n.  The result may be exactly one of the inputs. */
typedef void atl_map_kernel(const void *attributes, size_t n, const float *const *inputs, float *result);

/* Attributes of clip; those of leaky_relu are one float, the slope below 0. */
typedef struct atl_clip_bounds {
    float lowest, highest;
} atl_clip_bounds;

/* UNARY(name, of x), BINARY(name, of a and b): those whose formula holds for a vector of floats, too, so that they also
 * run in registers (element_code.h).  Their functions exist for a float (maps.c), and for a vector (element_code.c, or
 * vectors.h). */
#define ATL_VECTOR_MAPS(UNARY, BINARY)                                                                                 \
    BINARY(add, a + b)                                                                                                 \
    BINARY(sub, a - b)                                                                                                 \
    BINARY(mul, (a) * (b))                                                                                             \
    BINARY(div, a / b)                                                                                                 \
    BINARY(minimum, smaller_of(a, b))                                                                                  \
    BINARY(maximum, larger_of(a, b))                                                                                   \
    UNARY(neg, -x)                                                                                                     \
    UNARY(abs, size_of(x))                                                                                             \
    UNARY(square, (x) * (x))                                                                                           \
    UNARY(reciprocal, 1 / x)                                                                                           \
    UNARY(sqrt, root_of(x))                                                                                            \
    UNARY(relu, relu(x))                                                                                               \
    UNARY(relu6, at_most(relu(x), 6))                                                                                  \
    UNARY(heaviside, step_of(x))                                                                                       \
    BINARY(relu_grad, where_positive(a, b))                                                                            \
    BINARY(relu6_grad, where_positive(where_below(a, b, 6), b))

/* All of them; OTHER(name): a function of maps.c */
#define ATL_MAPS(UNARY, BINARY, OTHER)                                                                                 \
    ATL_VECTOR_MAPS(UNARY, BINARY)                                                                                     \
    BINARY(pow, fast_pow(a, b))                                                                                        \
    UNARY(sign, x > 0 ? 1.0f : x < 0 ? -1.0f : x)                                                                      \
    UNARY(rsqrt, (float)(1 / sqrt((double)x)))                                                                         \
    UNARY(exp, fast_exp(x))                                                                                            \
    UNARY(exp2, fast_exp2(x))                                                                                          \
    UNARY(expm1, fast_expm1(x))                                                                                        \
    UNARY(log, fast_log(x))                                                                                            \
    UNARY(log1p, fast_log1p(x))                                                                                        \
    UNARY(erf, fast_erf(x))                                                                                            \
    UNARY(erfc, fast_erfc(x))                                                                                          \
    UNARY(floor, floorf(x))                                                                                            \
    UNARY(ceil, ceilf(x))                                                                                              \
    UNARY(round, rintf(x))                                                                                             \
    UNARY(asin, fast_asin(x))                                                                                          \
    UNARY(acos, fast_acos(x))                                                                                          \
    UNARY(atan, fast_atan(x))                                                                                          \
    UNARY(elu, fast_elu(x))                                                                                            \
    UNARY(selu, fast_selu(x))                                                                                          \
    UNARY(tanh, fast_tanh(x))                                                                                          \
    UNARY(sigmoid, fast_sigmoid(x))                                                                                    \
    UNARY(softplus, fast_softplus(x))                                                                                  \
    UNARY(softsign, fabsf(x) > FLT_MAX ? copysignf(1, x) : x / (1 + fabsf(x)))                                         \
    UNARY(swish, fast_swish(x))                                                                                        \
    UNARY(hard_swish, x<-3 ? -0.0f : x> 3 ? x : x *(x + 3) * (1 / 6.0f))                                               \
    UNARY(gelu, fast_gelu(x))                                                                                          \
    UNARY(gelu_tanh, fast_gelu_tanh(x))                                                                                \
    UNARY(logical_not, x == 0 ? 1.0f : 0.0f)                                                                           \
    BINARY(equal, a == b ? 1.0f : 0.0f)                                                                                \
    BINARY(not_equal, a != b ? 1.0f : 0.0f)                                                                            \
    BINARY(less, a < b ? 1.0f : 0.0f)                                                                                  \
    BINARY(less_equal, a <= b ? 1.0f : 0.0f)                                                                           \
    BINARY(greater, a > b ? 1.0f : 0.0f)                                                                               \
    BINARY(greater_equal, a >= b ? 1.0f : 0.0f)                                                                        \
    BINARY(logical_and, ((a != 0) & (b != 0)) ? 1.0f : 0.0f)                                                           \
    BINARY(logical_or, ((a != 0) | (b != 0)) ? 1.0f : 0.0f)                                                            \
    BINARY(logical_xor, ((a != 0) ^ (b != 0)) ? 1.0f : 0.0f)                                                           \
    BINARY(swish_grad, (a)*single_swish_slope(b))                                                                      \
    BINARY(hard_swish_grad, (a) * (b < -3 ? 0.0f : b > 3 ? 1.0f : (2 * b + 3) * (1 / 6.0f)))                           \
    BINARY(gelu_grad, (a)*single_gelu_slope(b))                                                                        \
    BINARY(sigmoid_cross_entropy, (a > 0 ? a : 0) - a * b + fast_log1p(fast_exp(-fabsf(a))))                           \
    OTHER(sin)                                                                                                         \
    OTHER(cos)                                                                                                         \
    OTHER(tan)                                                                                                         \
    OTHER(leaky_relu)                                                                                                  \
    OTHER(clip)                                                                                                        \
    OTHER(select)

#endif
