/* Fused expressions that compute a product of matrices, which only they read, a few rows at a time. */
#include "support.h"

#include "cost/cost.h"

static const struct {
    int64_t m, n, k;
    int transposed; /* the first matrix */
} sizes[] = {{517, 256, 64, 1}, {784, 64, 33, 1}, {1000, 128, 128, 0}, {513, 320, 9, 0}, {640, 64, 128, 1}};

typedef struct update {
    atl_graph *graph;
    atl_node *x, *dy, *w, *m, *row, *product;
    atl_tensor *value[5];
} update;

static update update_new(size_t i)
{
    const int64_t m = sizes[i].m, n = sizes[i].n, k = sizes[i].k;
    update u = {.graph = atl_graph_new()};
    atl_shape shape[] = {sizes[i].transposed ? ATL_SHAPE(k, m) : ATL_SHAPE(m, k), ATL_SHAPE(k, n), ATL_SHAPE(m, n),
                         ATL_SHAPE(m, n), ATL_SHAPE(n)};
    u.x = atl_input(u.graph, "x", ATL_FLOAT32, shape[0]);
    u.dy = atl_input(u.graph, "dy", ATL_FLOAT32, shape[1]);
    u.w = atl_input(u.graph, "w", ATL_FLOAT32, shape[2]);
    u.m = atl_input(u.graph, "m", ATL_FLOAT32, shape[3]);
    u.row = atl_input(u.graph, "row", ATL_FLOAT32, shape[4]);
    u.product = atl_matmul(u.x, u.dy, .transpose_a = sizes[i].transposed);
    for (int j = 0; j < 5; j++)
        u.value[j] = random_tensor(shape[j], -1, 1);
    return u;
}

static void update_free(update *u)
{
    for (int j = 0; j < 5; j++)
        atl_tensor_free(u->value[j]);
    atl_graph_free(u->graph);
}

#define FEEDS_OF(u)                                                                                                    \
    ATL_FEEDS({u.x, u.value[0]}, {u.dy, u.value[1]}, {u.w, u.value[2]}, {u.m, u.value[3]}, {u.row, u.value[4]})

/* Where our loop is not used. */
static int64_t products_apart(size_t i) { return sizes[i].k > atl_costs_in_use()->rows_terms; }

/* Two results, of a product that is read twice, beside a row and a number. */
Test(expression_product, is_computed_with_what_reads_it)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        update u = update_new(i);
        atl_node *m = atl_add(atl_scale(u.m, 0.9f), atl_mul(u.product, u.row));
        atl_node *w = atl_sub(u.w, atl_div(m, atl_add_scalar(atl_sqrt(atl_square(u.product)), 0.5f)));
        atl_program *program = atl_compile(u.graph, ATL_NODES(w, m));
        assert_like_references(program, ATL_NODES(w, m), FEEDS_OF(u), 1e-5);
        cr_expect_eq(steps_by(program, "matmul", NULL), products_apart(i), "%zu", i);
        atl_program_free(program);
        update_free(&u);
    }
}

/* The same bits by maps one by one, which a checked program calls; infinities and NaNs are not hidden. */
Test(expression_product, is_the_same_if_checked)
{
    update u = update_new(0);
    atl_node *w = atl_sub(u.w, atl_scale(atl_mul(u.product, u.m), 0.1f));
    atl_program *program = atl_compile(u.graph, ATL_NODES(w)),
                *checked = atl_compile(u.graph, ATL_NODES(w), .check = 1);
    atl_floats(u.value[0])[7] = NAN;
    atl_floats(u.value[1])[9] = INFINITY;
    cr_assert_eq(atl_run(program, FEEDS_OF(u)), ATL_OK, "%s", atl_error());
    cr_assert_eq(atl_run(checked, FEEDS_OF(u)), ATL_OK, "%s", atl_error());
    const float *x = atl_floats(atl_value(program, w)), *y = atl_floats(atl_value(checked, w));
    int64_t nans = 0, n = sizes[0].n;
    for (int64_t k = 0; k < sizes[0].m * n; k++) {
        cr_assert((isnan(x[k]) && isnan(y[k])) || x[k] == y[k], "element %lld is %g, not %g", (long long)k,
                  (double)x[k], (double)y[k]);
        nans += isnan(x[k]);
        cr_assert(isnan(x[k]) == (k / n == 7) || !isfinite(x[k]), "element %lld is %g", (long long)k, (double)x[k]);
    }
    cr_assert_geq(nans, n);
    atl_program_free(program);
    atl_program_free(checked);
    update_free(&u);
}

/* A product that is an output, too, or that another step reads, is computed once, and apart. */
Test(expression_product, is_apart_if_others_read_it)
{
    update u = update_new(0);
    atl_node *w = atl_sub(u.w, atl_mul(u.product, u.m));
    atl_program *program = atl_compile(u.graph, ATL_NODES(w, u.product));
    assert_like_references(program, ATL_NODES(w, u.product), FEEDS_OF(u), 1e-5);
    cr_expect_eq(steps_by(program, "matmul", NULL), 1);
    atl_program_free(program);
    atl_node *reversed = atl_reverse(u.product, 0);
    program = atl_compile(u.graph, ATL_NODES(w, reversed));
    assert_like_references(program, ATL_NODES(w, reversed), FEEDS_OF(u), 1e-5);
    cr_expect_eq(steps_by(program, "matmul", NULL), 1);
    atl_program_free(program);
    update_free(&u);
}

/* Later rows of the product read the matrix, in whose memory the result must not lie. */
Test(expression_product, of_an_array_that_the_expression_reads_too)
{
    enum { ROWS = 512, N = 128 };
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(N, ROWS)),
             *dy = atl_input(g, "dy", ATL_FLOAT32, ATL_SHAPE(N, N));
    atl_node *a = atl_reverse(x, 0), *product = atl_matmul(a, dy, .transpose_a = 1);
    atl_node *y = atl_reverse(atl_sub(atl_reshape(a, ATL_SHAPE(ROWS, N)), atl_square(product)), 1);
    atl_tensor *u = random_tensor(ATL_SHAPE(N, ROWS), -1, 1), *v = random_tensor(ATL_SHAPE(N, N), -1, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    assert_like_references(program, ATL_NODES(y), ATL_FEEDS({x, u}, {dy, v}), 1e-5);
    atl_tensor_free(u);
    atl_tensor_free(v);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Steps of training: w, m and v are updated in their places. */
static atl_tensor *trained(unsigned without, int check)
{
    enum { BATCH = 32, IN = 520, OUT = 256 };
    atl_graph *g = atl_graph_new();
    atl_set_seed(g, 5);
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(BATCH, IN)),
             *w = atl_variable(g, "w", ATL_SHAPE(IN, OUT), atl_glorot());
    atl_node *cost = atl_mean(atl_square(atl_tanh(atl_matmul(x, w))));
    atl_node *step = atl_minimize(cost, atl_adam(.rate = 0.01));
    atl_program *program = atl_compile(g, ATL_NODES(step), .disabled_passes = without, .check = check);
    restart_random();
    for (int i = 0; i < 3; i++) {
        atl_tensor *u = random_tensor(ATL_SHAPE(BATCH, IN), -1, 1);
        cr_assert_eq(atl_run(program, ATL_FEED(x, u)), ATL_OK, "%s", atl_error());
        atl_tensor_free(u);
    }
    atl_tensor *copy = atl_tensor_copy(atl_variable_value(w));
    atl_program_free(program);
    atl_graph_free(g);
    return copy;
}

Test(expression_product, of_an_optimizer)
{
    atl_tensor *fused = trained(0, 0), *checked = trained(0, 1), *apart = trained(ATL_PASS_FUSE, 0);
    cr_assert_close(fused, apart, 1e-4); /* an update of a gradient near 0 may have another sign */
    cr_assert_close(fused, checked, 0);
    atl_tensor_free(fused);
    atl_tensor_free(checked);
    atl_tensor_free(apart);
}
