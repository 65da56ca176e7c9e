/* The values of variables. */
#include "support.h"

static atl_graph *g;
static void set_up(void) { g = atl_graph_new(); }
static void tear_down(void) { atl_graph_free(g); }
TestSuite(storage, .init = set_up, .fini = tear_down);

static const float *value_of(const char *name, atl_shape shape, atl_initializer initializer)
{
    return atl_floats(atl_variable_value(atl_variable(g, name, shape, initializer)));
}

static void moments(const float *w, int count, double *mean_out, double *deviation_out, double *largest_out)
{
    double sum = 0, square = 0;
    *largest_out = 0;
    for (int i = 0; i < count; i++) {
        sum += w[i];
        square += (double)w[i] * w[i];
        *largest_out = fmax(*largest_out, fabs(w[i]));
    }
    *mean_out = sum / count;
    *deviation_out = sqrt(square / count - *mean_out * *mean_out);
}

/* The mean of COUNT numbers is within 6/200 deviations of the expected one, the deviation within 6/280. */
enum { COUNT = 40000 };

#define EXPECT_MOMENTS(initializer, shape, mean, deviation, limit)                                                     \
    do {                                                                                                               \
        double m, d, l;                                                                                                \
        moments(value_of(#initializer #shape, shape, initializer), COUNT, &m, &d, &l);                                 \
        cr_expect(fabs(m - (mean)) <= 0.03 * (deviation), "%s: mean %g", #initializer, m);                             \
        cr_expect(fabs(d / (deviation)-1) < 0.022, "%s: deviation %g, not %g", #initializer, d, (double)(deviation));  \
        cr_expect(l <= (limit), "%s: largest %g", #initializer, l);                                                    \
    } while (0)

Test(storage, initializers_have_their_moments)
{
    EXPECT_MOMENTS(atl_uniform(-2, 4), ATL_SHAPE(COUNT), 1, 6 / sqrt(12), 4);
    EXPECT_MOMENTS(atl_normal(0.5f), ATL_SHAPE(COUNT), 0, 0.5, 5);
    EXPECT_MOMENTS(atl_truncated_normal(0.1f), ATL_SHAPE(COUNT), 0, 0.1 * 0.8796,
                   0.2000001); /* of N cut at 2: 0.8796 */
    EXPECT_MOMENTS(atl_glorot(), ATL_SHAPE(100, 400), 0, sqrt(2.0 / 500), sqrt(6.0 / 500) * 1.000001);
    EXPECT_MOMENTS(atl_glorot(), ATL_SHAPE(5, 5, 40, 40), 0, sqrt(2.0 / (25 * 80)), 1);
    EXPECT_MOMENTS(atl_he(), ATL_SHAPE(5, 5, 16, 100), 0, sqrt(2.0 / (25 * 16)), 1);
}

Test(storage, zeros_and_constants)
{
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(value_of(ATL_NAME("z%d", i), ATL_SHAPE(6), atl_zeros())[i], 0);
        cr_assert_eq(value_of(ATL_NAME("c%d", i), ATL_SHAPE(6), atl_fill_with(1.5f))[i], 1.5f);
    }
}

static void expect_orthogonal(const float *w, int rows, int columns, double gain)
{
    int vectors = rows < columns ? rows : columns, length = rows + columns - vectors;
    for (int i = 0; i < vectors; i++)
        for (int j = 0; j < vectors; j++) {
            double dot = 0;
            for (int k = 0; k < length; k++)
                dot += rows < columns ? (double)w[i * columns + k] * w[j * columns + k]
                                      : (double)w[k * columns + i] * w[k * columns + j];
            cr_assert_float_eq(dot, i == j ? gain * gain : 0, 1e-5);
        }
}

Test(storage, orthogonal_is_orthogonal)
{
    expect_orthogonal(value_of("tall", ATL_SHAPE(20, 7), atl_orthogonal(2)), 20, 7, 2);
    expect_orthogonal(value_of("wide", ATL_SHAPE(7, 20), atl_orthogonal(1)), 7, 20, 1);
    expect_orthogonal(value_of("filter", ATL_SHAPE(3, 3, 2, 5), atl_orthogonal(1)), 18, 5, 1);
}

Test(storage, values_follow_from_seed_and_name)
{
    atl_graph *other = atl_graph_new(), *seeded = atl_graph_new();
    atl_set_seed(seeded, 7);
    atl_variable(other, "first", ATL_SHAPE(9), atl_normal(1)); /* one more value does not change the next */
    const atl_tensor *a = atl_variable_value(atl_variable(g, "w", ATL_SHAPE(50), atl_normal(1)));
    const atl_tensor *b = atl_variable_value(atl_variable(other, "w", ATL_SHAPE(50), atl_normal(1)));
    const atl_tensor *c = atl_variable_value(atl_variable(seeded, "w", ATL_SHAPE(50), atl_normal(1)));
    const atl_tensor *d = atl_variable_value(atl_variable(g, "v", ATL_SHAPE(50), atl_normal(1)));
    cr_assert_eq(largest_difference(a, b), 0);
    cr_assert_gt(largest_difference(a, c), 0.1);
    cr_assert_gt(largest_difference(a, d), 0.1);
    atl_graph_free(other);
    atl_graph_free(seeded);
}

Test(storage, assignment_copies)
{
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(2), atl_zeros());
    float numbers[] = {1, 2};
    atl_tensor *t = atl_tensor_of_floats(ATL_SHAPE(2), numbers);
    cr_assert_eq(atl_variable_assign(w, t), ATL_OK);
    atl_floats(t)[0] = 9;
    cr_assert_eq(atl_floats(atl_variable_value(w))[0], 1);
    cr_assert_eq(atl_variable_assign(w, t), ATL_OK);
    cr_assert_eq(atl_floats(atl_variable_value(w))[0], 9);
    cr_assert_eq(atl_variable_assign(w, atl_variable_value(w)), ATL_OK); /* its own */
    atl_tensor_free(t);
}

Test(storage, wrong_values_are_refused_with_both_shapes)
{
    atl_node *w = atl_variable(g, "layer/w", ATL_SHAPE(2), atl_fill_with(3));
    atl_tensor *t = atl_tensor_new(ATL_FLOAT32, ATL_SHAPE(3)), *ints = atl_tensor_new(ATL_INT32, ATL_SHAPE(2));
    cr_assert_eq(atl_variable_assign(w, t), ATL_INVALID);
    cr_assert_mentions(atl_error(), "'layer/w'");
    cr_assert_mentions(atl_error(), "[2]");
    cr_assert_mentions(atl_error(), "[3]");
    cr_assert_eq(atl_variable_assign(w, ints), ATL_INVALID);
    cr_assert_mentions(atl_graph_error(g), "int32");
    cr_assert_eq(atl_variable_assign(w, NULL), ATL_INVALID);
    cr_assert_eq(atl_variable_assign(NULL, t), ATL_INVALID);
    cr_assert_eq(atl_floats(atl_variable_value(w))[0], 3);
    atl_tensor_free(t);
    atl_tensor_free(ints);
}

Test(storage, only_variables_have_values)
{
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(2));
    cr_assert_null(atl_variable_value(x));
    cr_assert_mentions(atl_error(), "'x'");
    cr_assert_null(atl_variable_value(NULL));
}

Test(storage, variables_are_listed_in_order)
{
    atl_node *a = atl_variable(g, "a", ATL_SCALAR, atl_zeros());
    atl_relu(a);
    atl_node *b = atl_variable(g, "b", ATL_SCALAR, atl_zeros());
    atl_nodes all = atl_variables(g);
    cr_assert_eq(all.count, 2);
    cr_assert_eq(all.node[0], a);
    cr_assert_eq(all.node[1], b);
    cr_assert_eq(atl_variables(NULL).count, 0);
}

Test(storage, uniform_numbers_never_reach_the_open_end)
{
    enum { N = 1 << 22 };
    atl_node *v = atl_variable(g, "v", ATL_SHAPE(N), atl_uniform(1, 2));
    const float *x = atl_floats(atl_variable_value(v));
    for (int64_t i = 0; i < N; i++)
        cr_assert(x[i] >= 1 && x[i] < 2, "element %lld is %.9g", (long long)i, (double)x[i]);
    atl_tensor *wide = atl_uniform_tensor(ATL_SHAPE(1000), -3e38f, 3e38f, 1);
    for (int64_t i = 0; i < 1000; i++)
        cr_assert(isfinite(atl_floats(wide)[i]), "element %lld is not finite", (long long)i);
    atl_tensor_free(wide);
}

/* More rows than are computed at once, and a length that is no multiple of a vector. */
Test(storage, orthogonal_of_many)
{
    enum { ROWS = 77, COLUMNS = 131 };
    const float *w = atl_floats(atl_variable_value(atl_variable(g, "w", ATL_SHAPE(ROWS, COLUMNS), atl_orthogonal(1))));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j <= i; j++) {
            double dot = 0;
            for (int k = 0; k < COLUMNS; k++)
                dot += (double)w[i * COLUMNS + k] * (double)w[j * COLUMNS + k];
            cr_assert_float_eq(dot, i == j, 1e-6, "rows %d and %d: %g", i, j, dot);
        }
}
