/* Learning rates against their formulas, at every step that matters; and the sum of weight decays. */
#include "support.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(schedule, .init = set_up, .fini = tear_down);

static double at(atl_program *p, const atl_node *rate, int32_t step)
{
    atl_tensor *value = atl_tensor_of_ints(ATL_SCALAR, &step);
    cr_assert_eq(atl_variable_assign(atl_step_counter(g), value), ATL_OK);
    cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK, "%s", atl_error());
    atl_tensor_free(value);
    return atl_scalar_of(p, rate);
}

static const int32_t steps[] = {0, 1, 2, 9, 10, 11, 99, 100, 101, 350, 1000, 1999, 2000, 32000, 100000, 1000000};
enum { STEPS = sizeof steps / sizeof *steps };

#define EXPECT_RATE(node, formula)                                                                                     \
    do {                                                                                                               \
        atl_node *rate_ = (node);                                                                                      \
        atl_program *p_ = atl_compile(g, ATL_NODES(rate_));                                                            \
        cr_assert(p_, "%s", atl_graph_error(g));                                                                       \
        for (int i_ = 0; i_ < STEPS; i_++) {                                                                           \
            double t = steps[i_], want_ = (formula), have_ = at(p_, rate_, steps[i_]);                                 \
            cr_expect(fabs(have_ - want_) <= 2e-6 * fabs(want_) + 1e-9, "%s at step %g is %.9g, not %.9g", #node, t,   \
                      have_, want_);                                                                                   \
        }                                                                                                              \
        atl_program_free(p_);                                                                                          \
    } while (0)

Test(schedule, follows_its_formula)
{
    EXPECT_RATE(atl_constant_rate(g, 0.3f), 0.3f + 0 * t);
    EXPECT_RATE(atl_exponential_decay(g, 0.1f, .every = 1000, .factor = 0.9f), 0.1f * pow(0.9f, t / 1000));
    EXPECT_RATE(atl_exponential_decay(g, 0.1f, .every = 100, .factor = 0.5f, .staircase = 1),
                t < 1e4 ? 0.1f * pow(0.5, floor(t / 100)) : 0);
    EXPECT_RATE(atl_exponential_decay(g, 0.1f, .factor = 0.999f), 0.1f * pow(0.999f, t));
    EXPECT_RATE(atl_step_decay(g, 0.1f, .at = {100, 32000}, .factor = 0.1f), 0.1f * (t < 100     ? 1
                                                                                     : t < 32000 ? 0.1f
                                                                                                 : 0.1f * 0.1f));
    EXPECT_RATE(atl_cosine_decay(g, 0.2f, .steps = 2000, .lowest = 0.01f),
                0.01f + (0.2f - 0.01f) * (1 + cos(acos(-1) * fmin(t / 2000, 1))) / 2);
    EXPECT_RATE(atl_warm_up(atl_constant_rate(g, 0.4f), 10), 0.4f * fmin((t + 1) / 10, 1));
    EXPECT_RATE(atl_warm_up(atl_cosine_decay(g, 1, .steps = 1000), 100),
                fmin((t + 1) / 100, 1) * (1 + cos(acos(-1) * fmin(t / 1000, 1))) / 2);
}

Test(schedule, mistakes_are_named)
{
    cr_assert_null(atl_exponential_decay(g, 0.1f, .every = -5, .factor = 0.9f));
    cr_assert_mentions(atl_error(), "every -5 steps");
    cr_assert_null(atl_exponential_decay(g, 0.1f, .every = 5));
    cr_assert_mentions(atl_error(), "factor of 0");
    cr_assert_null(atl_step_decay(g, 0.1f, .at = {5}));
    cr_assert_mentions(atl_error(), "factor is 0");
    cr_assert_null(atl_cosine_decay(g, 0.1f));
    cr_assert_mentions(atl_error(), "how many steps");
    cr_assert_null(atl_warm_up(atl_constant_rate(g, 1), 0));
    cr_assert_mentions(atl_error(), "0 steps");
    cr_assert_null(atl_exponential_decay(NULL, 0.1f, .every = 5, .factor = 0.9f));
    cr_assert_null(atl_warm_up(NULL, 5));
}

Test(schedule, weight_decay_asks_each_variable)
{
    atl_node *a = atl_variable_set_decay(atl_variable(g, "a", ATL_SHAPE(2, 3), atl_fill_with(2)), 0.004f);
    atl_node *b = atl_variable_set_decay(atl_variable(g, "b", ATL_SHAPE(5), atl_fill_with(3)), 0.1f);
    atl_node *c = atl_variable(g, "c", ATL_SHAPE(7), atl_fill_with(4));
    atl_node *d =
        atl_variable_set_trainable(atl_variable_set_decay(atl_variable(g, "d", ATL_SHAPE(7), atl_fill_with(4)), 1), 0);
    cr_assert(atl_variable_decay(a) == 0.004f && atl_variable_decay(c) == 0 && !atl_variable_is_trainable(d));
    atl_node *cost = atl_weight_decay(g), *slope = atl_gradient(cost, b);
    atl_program *p = atl_compile(g, ATL_NODES(cost, slope));
    cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK);
    cr_assert_float_eq(atl_scalar_of(p, cost), 0.004 * 6 * 4 / 2 + 0.1 * 5 * 9 / 2, 1e-6);
    cr_assert_float_eq(atl_scalar_of(p, slope), 0.1 * 3, 1e-7);
    atl_program_free(p);
}

Test(schedule, no_weight_decay_is_zero)
{
    atl_node *cost = atl_weight_decay(g);
    atl_program *p = atl_compile(g, ATL_NODES(cost));
    cr_assert_eq(atl_run(p, ATL_NO_FEEDS), ATL_OK);
    cr_assert_eq(atl_scalar_of(p, cost), 0);
    atl_program_free(p);
    cr_assert_null(atl_weight_decay(NULL));
}
