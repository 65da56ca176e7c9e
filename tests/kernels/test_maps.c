/* Every element-wise loop against its op's element function in double, over lengths that are no multiple of a
 * vector, without writing outside the result. */
#include "kernels/maps.h"

#include "isas.h"
#include "ops/maps.h"

static void check_map(const char *name, atl_map_kernel *map, int64_t n)
{
    const atl_op *op = op_named(name);
    const atl_clip_bounds bounds = {-0.5f, 0.5f}; /* the first float is leaky_relu's slope */
    const float *x[3];
    float *y = random_floats(n);
    for (int i = 0; i < 3; i++)
        x[i] = random_floats(n);
    for (int64_t k = 0; k < n && op->arity == 2; k += 3) /* comparisons need equal values, too */
        ((float *)x[1])[k] = x[0][k];
    map(&bounds, (size_t)n, x, y);
    for (int64_t k = 0; k < n; k++) {
        const double in[3] = {(double)x[0][k], (double)x[1][k], (double)x[2][k]};
        double exact = op->function ? op->function(in[0]) : op->element(in, &bounds);
        cr_expect((isnan(y[k]) && isnan(exact)) || (double)y[k] == exact ||
                      fabs((double)y[k] - exact) <= 1e-6 * (1 + fabs(exact)),
                  "%s(%g, %g, %g), number %lld of %lld, is %g, not %g", name, in[0], in[1], in[2], (long long)k,
                  (long long)n, (double)y[k], exact);
    }
    for (int k = 0; k < MARGIN; k++)
        cr_assert(isnan(y[n + k]), "%s writes beyond its %lld results", name, (long long)n);
    for (int i = 0; i < 3; i++)
        free((float *)x[i]);
    free(y);
}

ISA_TEST(maps, of_any_length)
{
#define CHECK(map, ...) check_map(#map, k->map_##map, n);
    for (int64_t n = 0; n < 70; n += n < 20 ? 1 : 7) {
        ATL_MAPS(CHECK, CHECK, CHECK)
    }
}
