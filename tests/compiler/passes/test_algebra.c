/* Every equation of the table: both sides as graphs, with and without the pass, on numbers of both signs, zeros,
 * infinities and NaN; the right side takes fewer steps. */
#include "compiler/passes/algebra.h"

#include "comma_locale.h"

enum { ROWS = 3, COLUMNS = 5 };

typedef struct side {
    atl_graph *graph;
    atl_node *x[3], *y;
} side;

/* The left side, of three inputs of one shape. */
static side open_side(const atl_equation *e)
{
    side s = {.graph = atl_graph_new()};
    atl_letters letters = {.number = {1.5f, 2.5f}, .known = 3};
    for (int i = 0; i < 3; i++)
        letters.node['x' - 'a' + i] = s.x[i] =
            atl_input(s.graph, (const char *[]){"x", "y", "z"}[i], ATL_FLOAT32, ATL_SHAPE(ROWS, COLUMNS));
    s.y = atl_build_side(e->from, s.x[0], &letters);
    cr_assert(s.y, "%s: %s", e->from, atl_graph_error(s.graph));
    return s;
}

/* Without fusing each op is a step. */
static atl_program *compiled(const side *s, int simplify, int fuse)
{
    atl_program *p = atl_compile(s->graph, ATL_NODES(s->y),
                                 .disabled_passes = (fuse ? 0 : ATL_PASS_FUSE) | (simplify ? 0 : ATL_PASS_SIMPLIFY));
    cr_assert(p, "%s", atl_graph_error(s->graph));
    return p;
}

static int agree(float a, float b)
{
    if (isnan(a) || isnan(b) || isinf(a) || isinf(b))
        return (isnan(a) && isnan(b)) || a == b;
    return fabsf(a - b) <= 4e-7f * fmaxf(fabsf(a), fabsf(b)) + 1e-36f;
}

static void assert_equal_values(const atl_equation *e, const side *s, atl_tensor *const *value)
{
    int as_many = (e->needs & ATL_AS_MANY) != 0;
    atl_program *with = compiled(s, 1, as_many), *without = compiled(s, 0, as_many);
    const atl_feed *feeds = ATL_FEEDS({s->x[0], value[0]}, {s->x[1], value[1]}, {s->x[2], value[2]});
    cr_assert_eq(atl_run(with, feeds), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(without, feeds), ATL_OK, "%s", atl_error());
    const float *a = atl_floats(atl_value(with, s->y)), *b = atl_floats(atl_value(without, s->y));
    for (int i = 0; i < ROWS * COLUMNS; i++)
        cr_expect(agree(a[i], b[i]), "%s = %s: %g in place of %g, of x = %g, y = %g, z = %g", e->from, e->to,
                  (double)a[i], (double)b[i], (double)atl_floats(value[0])[i], (double)atl_floats(value[1])[i],
                  (double)atl_floats(value[2])[i]);
    int64_t fewer = steps_by(with, NULL, NULL), more = steps_by(without, NULL, NULL);
    cr_expect(as_many ? fewer <= more : fewer < more, "%s = %s: %lld steps in place of %lld", e->from, e->to,
              (long long)fewer, (long long)more);
    atl_program_free(with);
    atl_program_free(without);
}

/* Every equation on numbers from `low` to `high`; with NaN among them, if asked. */
static void check_all(float low, float high, int with_special)
{
    static const float special[] = {NAN, INFINITY, 0, 1, 1e20f, 1e-20f};
    for (const atl_equation *e = atl_equations; e->from; e++) {
        side s = open_side(e);
        atl_tensor *value[3];
        for (int i = 0; i < 3; i++)
            value[i] = random_tensor(ATL_SHAPE(ROWS, COLUMNS), low, high);
        for (int k = 0; with_special && k < ROWS * COLUMNS; k++) {
            atl_floats(value[0])[k] = special[k % 6];
            atl_floats(value[1])[k] = special[k % 5];
        }
        assert_equal_values(e, &s, value);
        for (int i = 0; i < 3; i++)
            atl_tensor_free(value[i]);
        atl_graph_free(s.graph);
    }
}
Test(algebra, every_equation_holds_above_zero) { check_all(0.2f, 3, 0); }
Test(algebra, every_equation_holds_on_both_sides_of_zero) { check_all(-3, 3, 0); }
Test(algebra, every_equation_holds_for_what_is_no_number) { check_all(-3, 3, 1); }

/* For each equation, whether or not it saves a step, the right side in the table has fewer ops. */
Test(algebra, the_right_side_has_fewer_ops)
{
    for (const atl_equation *e = atl_equations; e->from; e++) {
        int left = 0, right = 0;
        for (const char *c = e->from; *c; c++)
            left += *c == '(';
        for (const char *c = e->to; *c; c++)
            right += *c == '(';
        cr_expect(right < left || e->needs & ATL_AS_MANY, "%s = %s", e->from, e->to);
    }
}

static atl_node *in_a_chain_of_products(atl_node *x)
{
    for (int i = 1; i <= 6; i++)
        x = i % 2 ? atl_scale(x, (float)i) : atl_div(atl_scalar(x, (float)i), atl_neg(x));
    return x;
}
static atl_node *numbers_alone(atl_node *x) { return atl_mul(x, atl_exp(atl_add_scalar(atl_fill(x, 2), -2))); }
static atl_node *ratios_of_sizes(atl_node *x) { return atl_mul(x, atl_scale(atl_size_ratio(x, x), 1)); }

Test(algebra, what_comes_of_several_equations)
{
    static const struct {
        const char *about;
        atl_node *(*build)(atl_node *x);
        int64_t steps;
    } cases[] = {{"numbers gather in one", in_a_chain_of_products, 1},
                 {"what numbers alone make", numbers_alone, 0},
                 {"sizes are numbers", ratios_of_sizes, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        side s = {.graph = atl_graph_new()};
        s.x[0] = atl_input(s.graph, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, COLUMNS));
        s.y = cases[i].build(s.x[0]);
        atl_tensor *value = random_tensor(ATL_SHAPE(ROWS, COLUMNS), 0.5f, 2);
        atl_program *p = compiled(&s, 1, 0);
        cr_assert_eq(atl_run(p, ATL_FEED(s.x[0], value)), ATL_OK, "%s", atl_error());
        atl_reference *oracle = atl_reference_run(ATL_NODES(s.y), ATL_FEED(s.x[0], value));
        cr_expect_leq(relative_l2(atl_value(p, s.y), atl_reference_value(oracle, s.y)), 1e-6, "%s", cases[i].about);
        cr_expect_eq(steps_by(p, NULL, NULL), cases[i].steps, "%s: %lld", cases[i].about,
                     (long long)steps_by(p, NULL, NULL));
        atl_reference_free(oracle);
        atl_program_free(p);
        atl_tensor_free(value);
        atl_graph_free(s.graph);
    }
}

/* If the letters have different shapes, the result must keep its own shape. */
static atl_node *one_of_a_larger_shape(atl_node *x) { return atl_mul(atl_slice(x, .end = {1}), atl_fill(x, 1)); }
static atl_node *column_and_row(atl_node *x)
{
    return atl_mul(atl_slice(x, .end = {1}), atl_reciprocal(atl_slice(x, .end = {0, 1})));
}
static double loss_of_a_name(double x) { return x + 1; }
static atl_node *passes_on(atl_node *y, atl_node *dy)
{
    (void)y;
    return dy;
}
static const atl_op other_neg = ATL_ELEMENTWISE_OP("neg", loss_of_a_name, passes_on);
static atl_node *others_of_that_name(atl_node *x) { return atl_neg(atl_apply(&other_neg, x)); }

Test(algebra, no_equation_where_it_does_not_hold)
{
    atl_node *(*const build[])(atl_node *) = {one_of_a_larger_shape, column_and_row, others_of_that_name};
    for (size_t i = 0; i < sizeof build / sizeof *build; i++) {
        side s = {.graph = atl_graph_new()};
        s.x[0] = atl_input(s.graph, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, COLUMNS));
        s.y = build[i](s.x[0]);
        atl_tensor *value = random_tensor(ATL_SHAPE(ROWS, COLUMNS), 0.5f, 2);
        atl_program *p = compiled(&s, 1, 0);
        cr_assert_eq(atl_run(p, ATL_FEED(s.x[0], value)), ATL_OK, "%s", atl_error());
        atl_reference *oracle = atl_reference_run(ATL_NODES(s.y), ATL_FEED(s.x[0], value));
        cr_expect_leq(relative_l2(atl_value(p, s.y), atl_reference_value(oracle, s.y)), 1e-6, "case %zu", i);
        atl_reference_free(oracle);
        atl_program_free(p);
        atl_tensor_free(value);
        atl_graph_free(s.graph);
    }
}

/* The numbers in the table are read in the same way in every locale. */
Test(algebra, half_powers_in_a_locale_with_commas)
{
    use_comma_or_skip();
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ROWS, COLUMNS)), *y = atl_pow(x, atl_scalar(x, 0.5f));
    atl_program *p = atl_compile(g, ATL_NODES(y));
    cr_assert(p, "%s", atl_graph_error(g));
    cr_expect_eq(steps_by(p, "sqrt", NULL), 1);
    cr_expect_eq(steps_by(p, "pow", NULL), 0);
    atl_program_free(p);
    atl_graph_free(g);
}

static void expect_same_with_and_without(atl_node *x, atl_node *y, const float *at)
{
    atl_graph *g = atl_graph_of(y);
    atl_tensor *value = atl_tensor_of_floats(atl_shape_of(x), at);
    atl_program *p[2] = {atl_compile(g, ATL_NODES(y)), atl_compile(g, ATL_NODES(y), .disabled_passes = ~0u)};
    for (int k = 0; k < 2; k++)
        cr_assert(p[k] && !atl_run(p[k], ATL_FEED(x, value)), "%s", atl_error());
    for (int64_t i = 0; i < atl_tensor_count(value); i++)
        cr_expect(agree(atl_floats(atl_value(p[0], y))[i], atl_floats(atl_value(p[1], y))[i]), "%g, %g without passes",
                  (double)atl_floats(atl_value(p[0], y))[i], (double)atl_floats(atl_value(p[1], y))[i]);
    for (int k = 0; k < 2; k++)
        atl_program_free(p[k]);
    atl_tensor_free(value);
}

/* (x + 1) + 1e-10 at -1 is 1e-10, not 0. */
Test(algebra, a_small_number_is_not_lost_in_a_large_one)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(3));
    atl_node *y = atl_log(atl_add_scalar(atl_add_scalar(x, 1), 1e-10f));
    expect_same_with_and_without(x, y, (const float[]){-1, -0.5f, 1});
    atl_graph_free(g);
}

/* 0 and -0 are equal, but differ as constants. */
Test(algebra, zeros_of_both_signs)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2));
    expect_same_with_and_without(x, atl_div(x, ATL_CONSTANT(x, 0.0f, -0.0f)), (const float[]){1, 1});
    expect_same_with_and_without(x, atl_add(x, atl_reciprocal(ATL_CONSTANT(x, 0.0f, -0.0f))), (const float[]){1, 1});
    atl_graph_free(g);
}
