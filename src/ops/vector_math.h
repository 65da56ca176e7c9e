/* Elementary functions of one float, for loops that run many lanes side by side. */
#ifndef ATLED_OPS_VECTOR_MATH_H
#define ATLED_OPS_VECTOR_MATH_H

#include <math.h>

#include "ops/fast.h"

static inline float fast_exp(float x) { return expf(x); }
static inline float fast_expm1(float x) { return expm1f(x); }
static inline float fast_log(float x) { return logf(x); }
static inline float fast_log1p(float x) { return log1pf(x); }
static inline float fast_tanh(float x) { return tanhf(x); }
static inline float fast_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
static inline float fast_softplus(float x) { return (x > 0 ? x : x == x ? 0 : x) + log1pf(expf(-fabsf(x))); }
static inline float fast_elu(float x) { return x > 0 ? x : expm1f(x); }
static inline float fast_pow(float a, float b) { return powf(a, b); }

#endif
