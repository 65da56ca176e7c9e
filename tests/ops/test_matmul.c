/* Matrix products beyond their samples: by hand, with every implementation, and messages for errors. */
#include "battery.h"
#include "values.h"

Test(matmul, by_hand)
{
    atl_graph *g = atl_graph_new();
    atl_node *a = FLOATS(g, ATL_SHAPE(2, 3), 1, 2, 3, 4, 5, 6), *b = FLOATS(g, ATL_SHAPE(3, 2), 7, 8, 9, 10, 11, 12);
    EXPECT_VALUES(atl_matmul(a, b), ATL_SHAPE(2, 2), 58, 64, 139, 154);
    EXPECT_VALUES(atl_matmul(a, a, .transpose_b = 1), ATL_SHAPE(2, 2), 14, 32, 32, 77);
    EXPECT_VALUES(atl_matmul(a, a, .transpose_a = 1), ATL_SHAPE(3, 3), 17, 22, 27, 22, 29, 36, 27, 36, 45);
    EXPECT_VALUES(atl_matmul(b, a, .transpose_a = 1, .transpose_b = 1), ATL_SHAPE(2, 2), 58, 139, 64, 154);
    EXPECT_VALUES(atl_matmul(counting(g, ATL_SHAPE(2, 1, 2)), counting(g, ATL_SHAPE(2, 2, 1))), ATL_SHAPE(2, 1, 1), 1,
                  13);
    EXPECT_VALUES(atl_matmul(counting(g, ATL_SHAPE(2, 1, 2)), FLOATS(g, ATL_SHAPE(2, 1), 10, 1)), ATL_SHAPE(2, 1, 1), 1,
                  23);
    EXPECT_VALUES(atl_matmul(FLOATS(g, ATL_SHAPE(1, 2), 10, 1), counting(g, ATL_SHAPE(2, 2, 1))), ATL_SHAPE(2, 1, 1), 1,
                  23);
    atl_graph_free(g);
}

Test(matmul, sums_over_nothing_are_zero)
{
    atl_graph *g = atl_graph_new();
    EXPECT_VALUES(atl_matmul(counting(g, ATL_SHAPE(2, 0)), counting(g, ATL_SHAPE(0, 3))), ATL_SHAPE(2, 3), 0, 0, 0, 0,
                  0, 0);
    EXPECT_VALUES(atl_matmul(counting(g, ATL_SHAPE(0, 4)), counting(g, ATL_SHAPE(4, 3))), ATL_SHAPE(0, 3), 0);
    EXPECT_VALUES(atl_relu(atl_add_scalar(atl_matmul(counting(g, ATL_SHAPE(1, 0)), counting(g, ATL_SHAPE(0, 2))), 1)),
                  ATL_SHAPE(1, 2), 1, 1);
    atl_graph_free(g);
}

/* The product, with both gradients, against the oracle. `lasting`: b is a variable. */
static void check_product(atl_shape a_shape, atl_shape b_shape, int transpose_a, int transpose_b, int lasting)
{
    char text[1000], shapes[2][100];
    atl_graph *g = atl_graph_new();
    atl_node *a = atl_input(g, "a", ATL_FLOAT32, a_shape);
    atl_node *b = lasting ? atl_variable(g, "b", b_shape, atl_uniform(-1, 1)) : atl_input(g, "b", ATL_FLOAT32, b_shape);
    atl_node *y = atl_matmul(a, b, .transpose_a = transpose_a, .transpose_b = transpose_b), *by[2];
    cr_assert(y, "%s", atl_graph_error(g));
    atl_node *seed = atl_input(g, "seed", ATL_FLOAT32, atl_shape_of(y));
    cr_assert_eq(atl_gradients(.of = ATL_NODES(y), .by = ATL_NODES(a, b), .seeds = ATL_NODES(seed), .result_out = by),
                 ATL_OK, "%s", atl_graph_error(g));
    atl_tensor *x = random_tensor(a_shape, -1, 1), *w = random_tensor(b_shape, -1, 1),
               *s = random_tensor(atl_shape_of(y), -1, 1);
    atl_feed feeds[4] = {{a, x}, {seed, s}, {lasting ? NULL : b, lasting ? NULL : w}};
    int agree = floats_agree(3, (atl_node *[]){y, by[0], by[1]}, feeds, text, sizeof text);
    cr_assert(agree, "%s%s by %s%s: %s", atl_shape_text(a_shape, shapes[0], 100), transpose_a ? " transposed" : "",
              atl_shape_text(b_shape, shapes[1], 100), transpose_b ? " transposed" : "", text);
    atl_tensor_free(x);
    atl_tensor_free(w);
    atl_tensor_free(s);
    atl_graph_free(g);
}

static void check_sizes(int64_t batch, int64_t m, int64_t k, int64_t n)
{
    for (int way = 0; way < 32; way++) {
        int ta = way & 1, tb = way >> 1 & 1, lasting = way >> 2 & 1, whole_a = way >> 3 & 1, whole_b = way >> 4 & 1;
        atl_shape a = ta ? ATL_SHAPE(batch, k, m) : ATL_SHAPE(batch, m, k),
                  b = tb ? ATL_SHAPE(batch, n, k) : ATL_SHAPE(batch, k, n);
        if (whole_a)
            a = ATL_SHAPE(a.size[1], a.size[2]);
        if (whole_b)
            b = ATL_SHAPE(b.size[1], b.size[2]);
        if (batch > 1 || (whole_a && whole_b))
            check_product(a, b, ta, tb, lasting);
    }
}

Test(matmul, small) { check_sizes(1, 5, 7, 19); }
Test(matmul, small_batch) { check_sizes(3, 6, 5, 4); }
Test(matmul, one_row) { check_sizes(1, 1, 300, 501); }
Test(matmul, few_rows) { check_sizes(1, 5, 203, 330); }
Test(matmul, eight_rows) { check_sizes(1, 8, 130, 131); }
Test(matmul, one_column) { check_sizes(1, 400, 333, 1); }
Test(matmul, one_column_batch) { check_sizes(2, 40, 33, 1); }
Test(matmul, one_term) { check_sizes(1, 210, 1, 205); }
Test(matmul, few_terms) { check_sizes(1, 201, 6, 203); }
Test(matmul, some_rows_of_large_weights) { check_sizes(1, 20, 301, 260); }
Test(matmul, large) { check_sizes(1, 90, 101, 77); }
Test(matmul, large_batch) { check_sizes(3, 40, 37, 35); }

Test(matmul, random_sizes)
{
    for (int i = 0; i < 300; i++) {
        int64_t size[3], batch = random_below(3) ? 1 : 1 + (int64_t)random_below(4);
        for (int k = 0; k < 3; k++)
            size[k] = 1 + (int64_t)random_below(random_below(3) ? 12 : 150);
        int ta = (int)random_below(2), tb = (int)random_below(2), rest = (int)random_below(3);
        atl_shape a = ta ? ATL_SHAPE(size[1], size[0]) : ATL_SHAPE(size[0], size[1]);
        atl_shape b = tb ? ATL_SHAPE(size[2], size[1]) : ATL_SHAPE(size[1], size[2]);
        if (rest != 1)
            a = ATL_SHAPE(batch, a.size[0], a.size[1]);
        if (rest != 2)
            b = ATL_SHAPE(batch, b.size[0], b.size[1]);
        check_product(a, b, ta, tb, 0);
    }
}

/* Bias and relu in the product: the same with and without, for each implementation. */
Test(matmul, bias_and_relu)
{
    static const int64_t sizes[][3] = {{3, 5, 7},     {2, 300, 400}, {300, 200, 1},
                                       {300, 3, 200}, {60, 100, 80}, {20, 300, 300}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int relu = 0; relu < 2; relu++) {
            atl_graph *g = atl_graph_new();
            atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(sizes[i][0], sizes[i][1]));
            atl_node *w = atl_variable(g, "w", ATL_SHAPE(sizes[i][1], sizes[i][2]), atl_glorot());
            atl_node *bias = atl_variable(g, "bias", ATL_SHAPE(sizes[i][2]), atl_normal(1));
            atl_node *y = atl_bias_add(atl_matmul(x, w), bias);
            y = relu ? atl_relu(y) : y;
            atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
            atl_program *plain = atl_compile(g, ATL_NODES(y), .disabled_passes = ATL_PASS_EPILOGUE),
                        *fused = atl_compile(g, ATL_NODES(y));
            cr_assert(plain && fused, "%s", atl_graph_error(g));
            cr_assert_eq(atl_run(plain, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
            cr_assert_eq(atl_run(fused, ATL_FEED(x, value)), ATL_OK, "%s", atl_error());
            cr_assert_close(atl_value(fused, y), atl_value(plain, y), 1e-6);
            cr_assert_lt(atl_program_step_count(fused), atl_program_step_count(plain));
            atl_program_free(plain);
            atl_program_free(fused);
            atl_tensor_free(value);
            atl_graph_free(g);
        }
}

Test(matmul, the_same_bits_every_time)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(1, 3000));
    atl_node *w = atl_variable(g, "w", ATL_SHAPE(3000, 500), atl_glorot()), *y = atl_matmul(x, w);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *value = random_tensor(atl_shape_of(x), -1, 1);
    cr_assert(program && !atl_run(program, ATL_FEED(x, value)), "%s", atl_error());
    atl_tensor *first = atl_tensor_copy(atl_value(program, y));
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(atl_run(program, ATL_FEED(x, value)), ATL_OK);
        cr_assert_arr_eq(atl_floats(first), atl_floats(atl_value(program, y)), 500 * sizeof(float));
    }
    atl_tensor_free(first);
    atl_tensor_free(value);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(matmul, unknown_batch)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(ATL_ANY, 4, 6)),
             *w = atl_input(g, "w", ATL_FLOAT32, ATL_SHAPE(6, 3));
    atl_node *y = atl_matmul(x, w), *dx = atl_gradient(atl_square(y), x), *dw = atl_gradient(atl_square(y), w);
    expect_shape(y, ATL_SHAPE(ATL_ANY, 4, 3));
    expect_shape(dx, ATL_SHAPE(ATL_ANY, 4, 6));
    expect_shape(dw, ATL_SHAPE(6, 3));
    for (int64_t batch = 0; batch < 3; batch++) {
        char text[1000];
        atl_tensor *a = random_tensor(ATL_SHAPE(batch, 4, 6), -1, 1), *b = random_tensor(ATL_SHAPE(6, 3), -1, 1);
        cr_assert(floats_agree(3, (atl_node *[]){y, dx, dw}, ATL_FEEDS({x, a}, {w, b}), text, sizeof text),
                  "batch %d: %s", (int)batch, text);
        atl_tensor_free(a);
        atl_tensor_free(b);
    }
    atl_graph_free(g);
}

/* A frequent question: where does 40 come from? */
Test(matmul, says_where_a_wrong_size_comes_from)
{
    atl_graph *g = atl_graph_new();
    atl_node *h = atl_input(g, "pool2", ATL_FLOAT32, ATL_SHAPE(5, 26, 252, 64));
    atl_node *w = atl_variable(g, "local3/weights", ATL_SHAPE(2304, 384), atl_zeros());
    atl_enter(g, "local3");
    EXPECT_REFUSED(g, atl_matmul(atl_reshape(h, ATL_SHAPE(40, -1)), w),
                   "local3/matmul: cannot multiply [40, 52416] by [2304, 384]: the inner sizes 52416 and 2304 differ.\n"
                   "  [40, 52416] comes from local3/reshape ([5, 26, 252, 64] -> [40, -1]): the first size, 40, is not "
                   "the batch, 5.");
    atl_leave(g);
    atl_graph_free(g);
}
