/* Products of many rows with a weight, transposed or not: every epilogue, and which step computes them. */
#include "battery.h"
#include "kernels/kernels.h"
#include "values.h"

static atl_node *product(atl_node *x, int64_t terms, int64_t columns, int transposed)
{
    atl_shape shape = transposed ? ATL_SHAPE(columns, terms) : ATL_SHAPE(terms, columns);
    return atl_matmul(x, atl_variable(atl_graph_of(x), "w", shape, atl_uniform(-1, 1)), .transpose_b = transposed);
}

static atl_node *with_bias(atl_node *y)
{
    int64_t columns = atl_shape_of(y).size[atl_shape_of(y).rank - 1];
    return atl_add(y, atl_variable(atl_graph_of(y), "bias", ATL_SHAPE(columns), atl_uniform(-1, 1)));
}

/* epilogue: 0 none, 1 bias, 2 relu, 3 both, 4 relu6 */
static void check_one(atl_shape shape, int64_t columns, int transposed, int epilogue, int packed)
{
    char text[1000];
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, shape);
    atl_node *y = product(x, shape.size[shape.rank - 1], columns, transposed);
    y = epilogue & 1 ? with_bias(y) : y;
    y = epilogue & 2 ? atl_relu(y) : epilogue == 4 ? atl_relu6(y) : y;
    atl_tensor *values = random_tensor(shape, -1, 1);
    cr_assert(floats_agree(1, &y, ATL_FEED(x, values), text, sizeof text), "%d columns%s: %s", (int)columns,
              transposed ? ", transposed" : "", text);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(steps_by(program, NULL, "packed"), packed);
    atl_program_free(program);
    atl_tensor_free(values);
    atl_graph_free(g);
}

static void check(atl_shape shape, int64_t columns, int epilogue, int packed)
{
    check_one(shape, columns, 0, epilogue, packed);
    check_one(shape, columns, 1, epilogue, packed);
}

Test(matmul_packed, rows_and_epilogues)
{
    for (int epilogue = 0; epilogue <= 4; epilogue++) {
        check(ATL_SHAPE(101, 33), 48, epilogue, 1);
        check(ATL_SHAPE(2, 67, 40), 192, epilogue, 1);
        check(ATL_SHAPE(70, 300), 96, epilogue, 1); /* more than the first-level cache holds */
    }
}

Test(matmul_packed, others_are_left_to_onednn)
{
    check(ATL_SHAPE(101, 33), 50, 3, 0); /* no multiple of a vector */
    check(ATL_SHAPE(40, 33), 48, 3, 0);  /* few rows */
}

Test(matmul_packed, a_changed_weight_is_packed_again)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(64, 16)), *y = product(x, 16, 16, 1);
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *ones = atl_uniform_tensor(ATL_SHAPE(64, 16), 1, 1, 1);
    for (int k = 1; k < 3; k++) {
        atl_tensor *w = atl_uniform_tensor(ATL_SHAPE(16, 16), (float)k, (float)k, 1);
        cr_assert_eq(atl_variable_assign(atl_find(g, "w"), w), ATL_OK);
        cr_assert_eq(atl_run(program, ATL_FEED(x, ones)), ATL_OK, "%s", atl_error());
        cr_assert_eq(atl_scalar_of(program, y), (float)(16 * k));
        atl_tensor_free(w);
    }
    atl_tensor_free(ones);
    atl_program_free(program);
    atl_graph_free(g);
}

/* Packing it in each run would cost more than it saves. */
Test(matmul_packed, a_weight_that_the_program_trains_is_not_packed)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(64, 16)), *y = product(x, 16, 16, 0), *w = atl_find(g, "w");
    atl_program *program = atl_compile(g, ATL_NODES(y, atl_assign(w, atl_scale(w, 0.5f))));
    cr_assert(program, "%s", atl_graph_error(g));
    cr_assert_eq(steps_by(program, NULL, "packed"), 0);
    atl_program_free(program);
    atl_graph_free(g);
}

Test(matmul_packed, nan_passes_the_relu)
{
    atl_graph *g = atl_graph_new();
    atl_node *x = atl_input(g, "x", ATL_FLOAT32, ATL_SHAPE(64, 16)), *y = atl_relu(product(x, 16, 16, 1));
    atl_program *program = atl_compile(g, ATL_NODES(y));
    atl_tensor *values = atl_uniform_tensor(ATL_SHAPE(64, 16), -1, 1, 1);
    atl_floats(values)[0] = NAN;
    cr_assert_eq(atl_run(program, ATL_FEED(x, values)), ATL_OK, "%s", atl_error());
    const float *result = atl_const_floats(atl_value(program, y));
    for (int i = 0; i < 64 * 16; i++)
        cr_assert_eq(isnan(result[i]) != 0, i < 16, "%d: %g", i, (double)result[i]);
    atl_tensor_free(values);
    atl_program_free(program);
    atl_graph_free(g);
}
