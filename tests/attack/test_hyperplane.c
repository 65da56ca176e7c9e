/* The smallest change that reaches a linear boundary: it reaches it, within the range, and no other one is smaller. */
#include "support.h"

#include "attack/attempt.h"
#include "attack/hyperplane.h"
#include "attack/vectors.h"

enum { COUNT = 120 };

typedef struct plane {
    float from[COUNT], gradient[COUNT], change[COUNT], zero[COUNT];
} plane;

static void fill(plane *p)
{
    atl_tensor *a = random_tensor(ATL_SHAPE(COUNT), 0, 255), *b = random_tensor(ATL_SHAPE(COUNT), -1, 1);
    for (int i = 0; i < COUNT; i++) {
        p->from[i] = floorf(atl_floats(a)[i]);
        p->gradient[i] = atl_floats(b)[i];
        p->zero[i] = 0;
    }
    atl_tensor_free(a);
    atl_tensor_free(b);
}

/* A random change of the same size, within the range, never has a larger product with the gradient. */
Test(hyperplane, no_change_of_its_size_reaches_further)
{
    for (int norm = ATL_NORM_LINF; norm <= ATL_NORM_L1; norm++)
        for (int sign = -1; sign <= 1; sign += 2) {
            plane p;
            fill(&p);
            double gap = sign * 700;
            atl_cross_hyperplane((atl_norm)norm, COUNT, p.from, p.gradient, gap, p.change);
            cr_assert(fabs(atl_dot_of(COUNT, p.gradient, p.change) - gap) < 0.01, "%s: %g of %g",
                      atl_norm_name((atl_norm)norm), atl_dot_of(COUNT, p.gradient, p.change), gap);
            double size = atl_change_size((atl_norm)norm, COUNT, p.zero, p.change);
            for (int i = 0; i < COUNT; i++)
                cr_assert(p.from[i] + p.change[i] >= 0 && p.from[i] + p.change[i] <= 255);
            for (uint64_t seed = 0; seed < 200; seed++) {
                atl_tensor *noise = atl_uniform_tensor(ATL_SHAPE(COUNT), -60, 60, test_seed() + seed);
                float other[COUNT];
                for (int i = 0; i < COUNT; i++)
                    other[i] = fminf(fmaxf(p.from[i] + p.change[i] + atl_floats(noise)[i], 0), 255);
                atl_tensor_free(noise);
                double factor = size / atl_change_size((atl_norm)norm, COUNT, p.from, other);
                factor = fmin(factor, 1);
                for (int i = 0; i < COUNT; i++)
                    other[i] = (float)factor * (other[i] - p.from[i]);
                cr_assert(sign * atl_dot_of(COUNT, p.gradient, other) <= 700.01);
            }
        }
}

Test(hyperplane, one_that_is_out_of_reach_moves_everything)
{
    plane p;
    fill(&p);
    atl_cross_hyperplane(ATL_NORM_L1, COUNT, p.from, p.gradient, 1e9, p.change);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(p.from[i] + p.change[i], p.gradient[i] > 0 ? 255 : p.gradient[i] < 0 ? 0 : p.from[i]);
}
