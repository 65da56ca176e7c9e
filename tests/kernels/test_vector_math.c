/* Float functions against those in double: over all floats, at special values, and in both forms that the compiler
 * makes. */
#include "isas.h"
#include "kernels/gelu.h"
#include "ops/maps.h"

#define BOUND 0.51 /* units in the last place: what the header promises */

/* Of gelu in single precision, below -1 and above.  Where erf is taken, a sum of 1 and of almost -1, no digit is right
 * from -5.5 on. */
#define GELU_BOUND       4
#define GELU_BOUND_ABOVE 2
#define SWISH_BOUND      3

/* The headers' functions, compiled for the plain processor; the maps are those of an instruction set. */
#define PLAIN(op)                                                                                                      \
    static float plain_##op(float x) { return fast_##op(x); }
PLAIN(exp)
PLAIN(exp2)
PLAIN(expm1)
PLAIN(log)
PLAIN(log1p)
PLAIN(tanh)
PLAIN(sigmoid)
PLAIN(swish)
PLAIN(softplus)
PLAIN(elu)
PLAIN(erf)
PLAIN(erfc)
PLAIN(gelu)
PLAIN(gelu_tanh)
PLAIN(sin)
PLAIN(cos)
PLAIN(tan)
PLAIN(asin)
PLAIN(acos)
PLAIN(atan)

typedef struct float_function {
    const char *name;
    float (*plain)(float x);
    float limit; /* of |x|, for `plain`; 0: none */
} float_function;

static const float_function functions[] = {{"exp", plain_exp, 0},
                                           {"exp2", plain_exp2, 0},
                                           {"expm1", plain_expm1, 0},
                                           {"log", plain_log, 0},
                                           {"log1p", plain_log1p, 0},
                                           {"tanh", plain_tanh, 0},
                                           {"sigmoid", plain_sigmoid, 0},
                                           {"swish", plain_swish, 0},
                                           {"softplus", plain_softplus, 0},
                                           {"elu", plain_elu, 0},
                                           {"erf", plain_erf, 0},
                                           {"erfc", plain_erfc, 0},
                                           {"gelu", plain_gelu, 0},
                                           {"gelu_tanh", plain_gelu_tanh, 0},
                                           {"sin", plain_sin, CIRCLE_LIMIT},
                                           {"cos", plain_cos, CIRCLE_LIMIT},
                                           {"tan", plain_tan, CIRCLE_LIMIT},
                                           {"asin", plain_asin, 0},
                                           {"acos", plain_acos, 0},
                                           {"atan", plain_atan, 0}};

enum { SWEEP = 1 << FEWER(19, 13), BLOCK = 1024 };

static float float_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The largest distance over n floats, and its index. */
typedef struct worst_case {
    double ulps;
    float x;
} worst_case;

static const atl_kernel_table *kernels; /* whose maps are tested */

/* True of this file and the generic level, which are compiled alike, if gelu.h says so, and of the other levels. */
static int gelu_is_single(const atl_kernel_table *table)
{
    const int generic_floats = 4; /* of a vector */
    return ATL_GELU_IS_SINGLE || (table && table->vector > generic_floats);
}

static atl_map_kernel *map_named(const char *name)
{
#define IF_NAMED(map, ...)                                                                                             \
    if (!strcmp(name, #map))                                                                                           \
        return kernels->map_##map;
    ATL_MAPS(IF_NAMED, IF_NAMED, IF_NAMED)
    cr_assert_fail("there is no map '%s'", name);
    return NULL;
}

static void compare_block(const float_function *f, int use_map, int n, const float *x, worst_case *worst)
{
    float y[BLOCK];
    const atl_op *op = op_named(f->name);
    if (use_map)
        map_named(f->name)(NULL, (size_t)n, &x, y);
    for (int i = 0; i < n; i++) {
        double distance = ulps_between(use_map ? y[i] : f->plain(x[i]), op->function((double)x[i]));
        if (distance > worst->ulps)
            *worst = (worst_case){distance, x[i]};
    }
}

/* One float from each of SWEEP equal parts of all bit patterns, except those beyond `limit`. */
static worst_case sweep(const float_function *f, int use_map, float limit)
{
    worst_case worst = {0, 0};
    const uint64_t part = (UINT64_C(1) << 32) / SWEEP;
    float x[BLOCK];
    int n = 0;
    for (uint64_t k = 0; k < SWEEP; k++) {
        x[n] = float_of_bits((uint32_t)(k * part + random_below(part)));
        n += limit == 0 || fabsf(x[n]) <= limit;
        if (n == BLOCK || k + 1 == SWEEP) {
            compare_block(f, use_map, n, x, &worst);
            n = 0;
        }
    }
    return worst;
}

static void expect_within(const float_function *f, const atl_kernel_table *table, const char *form, worst_case worst)
{
    const double bound = !strcmp(f->name, "gelu") && gelu_is_single(table) ? GELU_BOUND
                         : !strcmp(f->name, "swish")                       ? SWISH_BOUND
                                                                           : BOUND;
    cr_expect(worst.ulps <= bound, "%s (%s) is %.3f units in the last place off at %.9g (%a) (seed %llu)", f->name,
              form, worst.ulps, (double)worst.x, (double)worst.x, (unsigned long long)test_seed());
}

ISA_TEST(vector_math, maps_over_all_floats)
{
    kernels = k;
    for (size_t i = 0; i < COUNT(functions); i++)
        expect_within(&functions[i], k, "map", sweep(&functions[i], 1, 0));
}

ISA_TEST(vector_math, circle_functions_without_far_numbers)
{
    kernels = k;
    for (size_t i = 0; i < COUNT(functions); i++)
        if (functions[i].limit > 0)
            expect_within(&functions[i], k, "near map", sweep(&functions[i], 1, functions[i].limit));
}

Test(vector_math, the_plain_processor_over_all_floats)
{
    for (size_t i = 0; i < COUNT(functions); i++)
        expect_within(&functions[i], NULL, "plain", sweep(&functions[i], 0, functions[i].limit));
}

ISA_TEST(vector_math, special_floats)
{
    kernels = k;
    for (size_t i = 0; i < COUNT(functions); i++)
        for (size_t j = 0; j < COUNT(special_floats); j++) {
            worst_case map = {0, 0}, plain = {0, 0};
            compare_block(&functions[i], 1, 1, &special_floats[j], &map);
            expect_within(&functions[i], k, "map", map);
            if (functions[i].limit == 0 || fabsf(special_floats[j]) <= functions[i].limit)
                compare_block(&functions[i], 0, 1, &special_floats[j], &plain);
            expect_within(&functions[i], NULL, "plain", plain);
        }
}

/* The boundaries between the pieces of a function, and the nearest floats on both sides of each. */
ISA_TEST(vector_math, around_the_seams)
{
    kernels = k;
    static const float seams[] = {0.5f,        1,           2,           3.95f,       10,
                                  10.1f,       0.34657359f, 0.69314718f, 0.70710678f, 0.78539816f,
                                  1.41421356f, 1.57079633f, 2.35619449f, 3.14159265f, 6.28318531f,
                                  20,          40,          87.33655f,   1000};
    for (size_t i = 0; i < COUNT(functions); i++)
        for (size_t s = 0; s < COUNT(seams); s++) {
            float x[64];
            uint32_t bits;
            worst_case worst = {0, 0};
            memcpy(&bits, &seams[s], sizeof bits);
            for (uint32_t j = 0; j < 64; j++)
                x[j] = float_of_bits((bits + j / 2 - 16) ^ (j % 2) << 31);
            compare_block(&functions[i], 1, 64, x, &worst);
            expect_within(&functions[i], k, "seam", worst);
        }
}

/* Gelu's two terms have opposite signs below 0: the bound is that of the larger one. */
static double gelu_slope_error(float x, float slope)
{
    const double share = 0.5 * erfc((double)x * -sqrt(0.5)), size = fabs((double)x);
    const double density = size > 40 ? 0 : (double)x * exp(-0.5 * size * size) / sqrt(2 * acos(-1));
    const double larger = fmax(share, fabs(density));
    if (isnan(x))
        cr_assert(isnan(slope));
    else if (larger < (double)FLT_MIN)
        cr_assert(fabs((double)slope) <= 1e-37);
    return isnan(x) || larger < (double)FLT_MIN ? 0 : fabs((double)slope - (share + density)) / larger;
}

ISA_TEST(vector_math, the_slope_of_gelu)
{
    double worst = 0;
    for (int i = 0; i < SWEEP; i++) {
        const float x = float_of_bits((uint32_t)random_below(UINT64_C(1) << 32)), one = 1;
        const float *const inputs[] = {&one, &x};
        float y;
        k->map_gelu_grad(NULL, 1, inputs, &y);
        worst = fmax(worst, gelu_slope_error(x, y));
    }
    cr_assert_lt(worst, 1e-6, "the slope is %g off (seed %llu)", worst, (unsigned long long)test_seed());
}

/* The slope with the value, which is as it is alone, and has more right digits above -1.  The slope may be written over
 * the input. */
ISA_TEST(vector_math, gelu_with_its_slope)
{
    enum { COUNT_OF_FLOATS = 1003 };
    float x[COUNT_OF_FLOATS], y[COUNT_OF_FLOATS], slope[COUNT_OF_FLOATS], alone[COUNT_OF_FLOATS];
    const float *const inputs[] = {x};
    double worst = 0, most = 0;
    for (int n = 0; n < SWEEP; n += COUNT_OF_FLOATS) {
        for (int i = 0; i < COUNT_OF_FLOATS; i++)
            x[i] = i % 2 ? float_of_bits((uint32_t)random_below(UINT64_C(1) << 32))
                         : (float)random_below(1 << 24) / (1 << 20) - 12;
        for (size_t i = 0; i < COUNT(special_floats); i++)
            x[i] = special_floats[i];
        k->map_gelu(NULL, COUNT_OF_FLOATS, inputs, alone);
        memcpy(slope, x, sizeof x);
        k->gelu_and_slope(COUNT_OF_FLOATS, slope, y, slope);
        for (int i = 0; i < COUNT_OF_FLOATS; i++) {
            worst = fmax(worst, gelu_slope_error(x[i], slope[i]));
            if (x[i] > -1)
                most = fmax(most, ulps_between(y[i], op_named("gelu")->function((double)x[i])));
            cr_assert(isnan(x[i]) ? isnan(y[i]) : !memcmp(&y[i], &alone[i], sizeof *y), "gelu(%a) is %a, alone %a",
                      (double)x[i], (double)y[i], (double)alone[i]);
        }
    }
    cr_assert_lt(worst, gelu_is_single(k) ? 2.5e-7 : 1.3e-7, "the slope is %g off (seed %llu)", worst,
                 (unsigned long long)test_seed());
    cr_assert_leq(most, gelu_is_single(k) ? GELU_BOUND_ABOVE : BOUND,
                  "gelu is %g units in the last place off above -1 (seed %llu)", most, (unsigned long long)test_seed());
}

/* Swish's two terms have opposite signs below 0, too. */
ISA_TEST(vector_math, the_slope_of_swish)
{
    double worst = 0;
    for (int i = 0; i < SWEEP; i++) {
        const float x = float_of_bits((uint32_t)random_below(UINT64_C(1) << 32)), one = 1;
        const float *const inputs[] = {&one, &x};
        const double size = fabs((double)x), far = size > 700 ? 700 : size, d = x < 0 ? -far : far;
        const double s = 1 / (1 + exp(-d)), bend = d * s / (1 + exp(d));
        float y;
        k->map_swish_grad(NULL, 1, inputs, &y);
        if (isnan(x))
            cr_assert(isnan(y));
        else /* below 200 FLT_MIN s has denormal digits only */
            worst = fmax(worst, fabs((double)y - (s + bend)) / fmax(200 * (double)FLT_MIN, fmax(s, fabs(bend))));
    }
    cr_assert_lt(worst, 1e-6, "the slope is %g off (seed %llu)", worst, (unsigned long long)test_seed());
}

static float pow_of(float a, float b)
{
    const float *const x[] = {&a, &b};
    float y;
    kernels->map_pow(NULL, 1, x, &y);
    return y;
}

ISA_TEST(vector_math, pow_within_its_bound)
{
    kernels = k;
    worst_case worst = {0, 0};
    float power = 0;
    for (int i = 0; i < SWEEP; i++) {
        const float a = float_of_bits((uint32_t)random_below(UINT64_C(1) << 32));
        const double log_size = log2(fabs((double)a)), reach = 300 * ((double)random_below(1 << 20) / (1 << 20) - 0.5);
        const float near = (float)(reach / log_size), any = float_of_bits((uint32_t)random_below(UINT64_C(1) << 32));
        const float b = i % 3 == 0 ? near : i % 3 == 1 ? rintf(near) : any;
        const double distance = ulps_between(pow_of(a, b), pow((double)a, (double)b));
        if (distance > worst.ulps)
            worst = (worst_case){distance, a}, power = b;
    }
    cr_assert(worst.ulps <= 0.53, "%.9g^%.9g is %.3f units in the last place off (seed %llu)", (double)worst.x,
              (double)power, worst.ulps, (unsigned long long)test_seed());
}

ISA_TEST(vector_math, pow_of_special_pairs)
{
    kernels = k;
    for (size_t i = 0; i < COUNT(special_floats); i++)
        for (size_t j = 0; j < COUNT(special_floats); j++) {
            const float a = special_floats[i], b = special_floats[j], y = pow_of(a, b);
            const double exact = pow((double)a, (double)b);
            cr_expect(ulps_between(y, exact) <= 0.53, "%.9g^%.9g is %.9g, not %.9g", (double)a, (double)b, (double)y,
                      exact);
        }
}
